package uaserver

import (
	"crypto/rand"
	"time"

	"github.com/gopcua/opcua/ua"
)

// transportProfile names UA TCP with the binary encoding (OPC 10000-7).
const transportProfile = "http://opcfoundation.org/UA-Profile/Transport/uatcp-uasc-uabinary"

// session is one client session (OPC 10000-4 §5.7). It outlives its connection: until
// its timeout it can be activated on another channel, with its subscriptions intact.
type session struct {
	id        *ua.NodeID
	token     string
	peer      peer // nil while no channel is attached
	activated bool
	user      string
	timeout   time.Duration
	seen      time.Time // engine time of the last request
	subs      map[uint32]*subscription
	publishes []*publishCall           // waiting Publish requests, oldest first
	farewells []statusMessage          // StatusChange messages of subscriptions that ended
	points    map[string]*continuation // of Browse
	history   map[string]*historyRead  // continuation points of HistoryRead
}

// sessionOf finds the activated session that c belongs to and notes its activity.
func (s *Server) sessionOf(c *call) (*session, ua.StatusCode) {
	sess := s.sessions[c.token]
	switch {
	case sess == nil:
		return nil, ua.StatusBadSessionIDInvalid
	case !sess.activated:
		return nil, ua.StatusBadSessionNotActivated
	case sess.peer != c.peer:
		return nil, ua.StatusBadSecureChannelIDInvalid
	}
	sess.seen = s.now()
	return sess, ua.StatusOK
}

func (s *Server) createSession(c *call, r *ua.CreateSessionRequest) {
	if len(s.sessions) >= s.limits.MaxSessions {
		s.fault(c, ua.StatusBadTooManySessions)
		return
	}
	if r.EndpointURL == "" {
		s.fault(c, ua.StatusBadTCPEndpointURLInvalid)
		return
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails (crypto/rand)
	tokenID := ua.NewByteStringNodeID(0, secret)
	sess := &session{
		id:      ua.NewNumericNodeID(1, s.newID()),
		token:   tokenID.String(),
		peer:    c.peer,
		timeout: clamp(milliseconds(r.RequestedSessionTimeout), s.limits.MinSessionTimeout, s.limits.MaxSessionTimeout),
		seen:    s.now(),
		subs:    make(map[uint32]*subscription),
		points:  make(map[string]*continuation),
		history: make(map[string]*historyRead),
	}
	s.sessions[sess.token] = sess
	s.stats.Sessions++
	s.schedule(sess.seen.Add(sess.timeout))
	nonce := make([]byte, 32)
	_, _ = rand.Read(nonce)
	s.respond(c, &ua.CreateSessionResponse{
		SessionID:                  sess.id,
		AuthenticationToken:        tokenID,
		RevisedSessionTimeout:      float64(sess.timeout) / float64(time.Millisecond),
		ServerNonce:                nonce,
		ServerEndpoints:            s.endpoints(),
		ServerSoftwareCertificates: []*ua.SignedSoftwareCertificate{},
		ServerSignature:            &ua.SignatureData{},
		MaxRequestMessageSize:      s.limits.MaxRequestSize,
	})
}

// milliseconds converts a Duration of OPC UA; not-a-number and negatives become zero.
func milliseconds(ms float64) time.Duration {
	const most = 1e12 // about 31 years, far above every limit
	if !(ms > 0) {
		return 0
	}
	return time.Duration(min(ms, most) * float64(time.Millisecond))
}

func (s *Server) activateSession(c *call, r *ua.ActivateSessionRequest) {
	sess := s.sessions[c.token]
	if sess == nil {
		s.fault(c, ua.StatusBadSessionIDInvalid)
		return
	}
	if !sess.activated && sess.peer != c.peer {
		s.fault(c, ua.StatusBadSecureChannelIDInvalid)
		return
	}
	user, status := s.authenticate(r.UserIdentityToken)
	if status == ua.StatusOK && sess.activated && user != sess.user && sess.peer != c.peer {
		status = ua.StatusBadIdentityChangeNotSupported
	}
	if status != ua.StatusOK {
		s.fault(c, status)
		return
	}
	if sess.peer != c.peer {
		s.failPublishes(sess, ua.StatusBadSecureChannelClosed)
	}
	sess.activated, sess.peer, sess.user, sess.seen = true, c.peer, user, s.now()
	nonce := make([]byte, 32)
	_, _ = rand.Read(nonce)
	s.respond(c, &ua.ActivateSessionResponse{
		ServerNonce: nonce, Results: []ua.StatusCode{}, DiagnosticInfos: []*ua.DiagnosticInfo{},
	})
}

// authenticate checks an identity token and returns the user's name, empty for
// anonymous (OPC 10000-4 §7.41).
func (s *Server) authenticate(token *ua.ExtensionObject) (string, ua.StatusCode) {
	var value any
	if token != nil {
		value = token.Value
	}
	switch t := value.(type) {
	case nil, *ua.AnonymousIdentityToken:
		if len(s.opts.Users) > 0 {
			return "", ua.StatusBadIdentityTokenRejected
		}
		return "", ua.StatusOK
	case *ua.UserNameIdentityToken:
		if len(s.opts.Users) == 0 {
			return "", ua.StatusBadIdentityTokenRejected
		}
		if t.EncryptionAlgorithm != "" {
			return "", ua.StatusBadIdentityTokenInvalid
		}
		want, known := s.opts.Users[t.UserName]
		if !known || want != string(t.Password) {
			return "", ua.StatusBadUserAccessDenied
		}
		return t.UserName, ua.StatusOK
	}
	return "", ua.StatusBadIdentityTokenInvalid
}

func (s *Server) closeSession(c *call, r *ua.CloseSessionRequest) {
	sess := s.sessions[c.token]
	switch {
	case sess == nil:
		s.fault(c, ua.StatusBadSessionIDInvalid)
		return
	case sess.peer != c.peer:
		s.fault(c, ua.StatusBadSecureChannelIDInvalid)
		return
	}
	s.endSession(sess, r.DeleteSubscriptions)
	s.respond(c, &ua.CloseSessionResponse{})
}

// endSession removes a session. Without deletion its subscriptions run on until their
// lifetime ends or a session of the same user takes them over.
func (s *Server) endSession(sess *session, deleteSubscriptions bool) {
	s.failPublishes(sess, ua.StatusBadSessionClosed)
	delete(s.sessions, sess.token)
	for _, id := range sortedKeys(sess.subs) {
		if deleteSubscriptions {
			s.removeSubscription(sess.subs[id])
		} else {
			sess.subs[id].sess = nil
		}
	}
}

// failPublishes answers every waiting Publish request of sess with status.
func (s *Server) failPublishes(sess *session, status ua.StatusCode) {
	for _, p := range sess.publishes {
		s.fault(p.call, status)
	}
	sess.publishes = nil
}

// expireSession ends a session whose client was silent for too long, and Publish
// requests whose own timeout passed.
func (s *Server) expireSession(sess *session, now time.Time) {
	end := sess.seen.Add(sess.timeout)
	if !now.Before(end) {
		s.stats.SessionTimeouts++
		s.endSession(sess, false)
		return
	}
	s.schedule(end)
	kept := sess.publishes[:0]
	for _, p := range sess.publishes {
		switch {
		case p.deadline.IsZero():
		case !now.Before(p.deadline):
			s.fault(p.call, ua.StatusBadTimeout)
			continue
		default:
			s.schedule(p.deadline)
		}
		kept = append(kept, p)
	}
	clear(sess.publishes[len(kept):])
	sess.publishes = kept
}

// detachPeer forgets a connection; Publish requests that came over it are lost.
func (s *Server) detachPeer(p peer) {
	for _, sess := range s.sessions {
		if sess.peer == p {
			sess.peer, sess.publishes = nil, nil
			if !sess.activated {
				delete(s.sessions, sess.token)
			}
		}
	}
}

// forgetSessions drops all sessions and subscriptions without a word.
func (s *Server) forgetSessions() {
	clear(s.sessions)
	for _, id := range sortedKeys(s.subs) {
		s.removeSubscription(s.subs[id])
	}
}

// cancelRequest answers the waiting Publish requests with a given handle.
func (s *Server) cancelRequest(c *call, sess *session, r *ua.CancelRequest) {
	kept, count := sess.publishes[:0], uint32(0)
	for _, p := range sess.publishes {
		if p.call.handle == r.RequestHandle {
			s.fault(p.call, ua.StatusBadRequestCancelledByClient)
			count++
			continue
		}
		kept = append(kept, p)
	}
	sess.publishes = kept
	s.respond(c, &ua.CancelResponse{CancelCount: count})
}

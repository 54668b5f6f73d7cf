package uasession

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/gopcua/opcua/ua"
)

// permitted is the list of all requests that this program can send to a machine. It holds none that writes, calls,
// or changes an address space: the collector is read only, and this is the one door.
//
// Two more are sent by the transport itself: OpenSecureChannel and CloseSecureChannel.
func permitted(req ua.Request) bool {
	switch req.(type) {
	case *ua.GetEndpointsRequest,
		*ua.CreateSessionRequest,
		*ua.ActivateSessionRequest,
		*ua.CloseSessionRequest,
		*ua.ReadRequest,
		*ua.BrowseRequest,
		*ua.BrowseNextRequest,
		*ua.TranslateBrowsePathsToNodeIDsRequest,
		*ua.CreateSubscriptionRequest,
		*ua.ModifySubscriptionRequest,
		*ua.DeleteSubscriptionsRequest,
		*ua.CreateMonitoredItemsRequest,
		*ua.ModifyMonitoredItemsRequest,
		*ua.DeleteMonitoredItemsRequest,
		*ua.PublishRequest,
		*ua.RepublishRequest:
		return true
	}
	return false
}

// errForbidden is what a request outside of the list gets. It is a programming error, never a machine's.
var errForbidden = errors.New("request is not on the list of what may be sent to a machine")

// errLost says that the transport is gone: whatever was asked may or may not have been done.
var errLost = errors.New("connection lost")

// faultError is an answer that is not the one wanted.
type faultError struct {
	service string
	code    ua.StatusCode // 0 when the answer could not be decoded for another reason
	local   bool          // no server said so: the answer did not come in time or could not be decoded
	cause   error
}

func (e *faultError) Error() string {
	switch {
	case e.local && e.code == ua.StatusBadTimeout:
		return e.service + ": no answer in time"
	case e.local:
		return fmt.Sprintf("%s: the answer cannot be decoded: %v", e.service, e.cause)
	}
	if e.cause != nil {
		return fmt.Sprintf("%s: %v", e.service, e.cause)
	}
	return fmt.Sprintf("%s: server answers %s", e.service, statusText(e.code))
}

func (e *faultError) Unwrap() error { return e.code }

// statusText names a status code: "BadNodeIdUnknown (0x80340000)".
func statusText(c ua.StatusCode) string {
	if d, ok := ua.StatusCodes[c&0xFFFF0000]; ok {
		return fmt.Sprintf("%s (0x%08X)", strings.TrimPrefix(d.Name, "Status"), uint32(c))
	}
	return fmt.Sprintf("0x%08X", uint32(c))
}

func isBad(c ua.StatusCode) bool { return c>>30 >= 2 }

// call sends one request and returns the answer. The errors are errLost, *faultError, ctx's or errForbidden.
// It may be called from several goroutines.
func call[R ua.Response](ctx context.Context, c *channel, req ua.Request, timeout time.Duration) (R, error) {
	var (
		none R
		resp ua.Response
	)
	service := serviceName(req)
	if !permitted(req) {
		return none, fmt.Errorf("send %s: %w", service, errForbidden)
	}
	err := c.sc.SendRequestWithTimeout(ctx, req, c.token, timeout, func(r ua.Response) error {
		resp = r
		return nil
	})
	var code ua.StatusCode
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return none, ctx.Err()
	case errors.As(err, &code):
		if resp == nil || isBad(code) {
			return none, answered(service, code, resp, err)
		}
	case c.isGone() || errors.Is(err, io.EOF) || isNetwork(err):
		return none, fmt.Errorf("send %s: %w", service, errLost)
	default:
		return none, &faultError{service: service, local: true, cause: err}
	}
	typed, ok := resp.(R)
	if !ok {
		return none, &faultError{service: service, local: true, cause: fmt.Errorf("it is a %T", resp)}
	}
	return typed, nil
}

// answered makes the error of a status: the server's when there is a response, else the library's own.
func answered(service string, code ua.StatusCode, resp ua.Response, err error) error {
	if resp != nil {
		return &faultError{service: service, code: code}
	}
	return &faultError{service: service, code: code, local: true, cause: err}
}

func serviceName(req ua.Request) string {
	name := fmt.Sprintf("%T", req)
	return strings.TrimSuffix(strings.TrimPrefix(name, "*ua."), "Request")
}

// codeOf is the server's status in err, 0 when there is none or when it is not the server's.
func codeOf(err error) ua.StatusCode {
	var f *faultError
	if errors.As(err, &f) && !f.local {
		return f.code
	}
	return 0
}

// isTimeout says that an answer did not come in time.
func isTimeout(err error) bool {
	var f *faultError
	return errors.As(err, &f) && f.local && f.code == ua.StatusBadTimeout
}

// isUndecodable says that an answer came but cannot be decoded.
func isUndecodable(err error) bool {
	var f *faultError
	return errors.As(err, &f) && f.local && f.code != ua.StatusBadTimeout
}

// sessionGone says that the server no longer knows the session (Part 4 §5.7, §7.39).
func sessionGone(err error) bool {
	switch codeOf(err) {
	case ua.StatusBadSessionIDInvalid, ua.StatusBadSessionClosed, ua.StatusBadSessionNotActivated,
		ua.StatusBadIdentityTokenInvalid, ua.StatusBadSecurityChecksFailed:
		return true
	}
	return false
}

// channelGone says that the server no longer knows the channel.
func channelGone(err error) bool {
	switch codeOf(err) {
	case ua.StatusBadSecureChannelIDInvalid, ua.StatusBadSecureChannelClosed, ua.StatusBadSecureChannelTokenUnknown,
		ua.StatusBadTCPSecureChannelUnknown, ua.StatusBadConnectionClosed, ua.StatusBadCommunicationError,
		ua.StatusBadShutdown, ua.StatusBadServerHalted:
		return true
	}
	return errors.Is(err, errLost)
}

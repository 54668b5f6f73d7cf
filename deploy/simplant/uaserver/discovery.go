package uaserver

import "github.com/gopcua/opcua/ua"

func (s *Server) application() *ua.ApplicationDescription {
	return &ua.ApplicationDescription{
		ApplicationURI:  s.opts.ApplicationURI,
		ProductURI:      "urn:kvarts:simplant",
		ApplicationName: ua.NewLocalizedText(s.opts.ProductName),
		ApplicationType: ua.ApplicationTypeServer,
		DiscoveryURLs:   []string{s.announced()},
	}
}

// endpoints lists the one endpoint of this server.
func (s *Server) endpoints() []*ua.EndpointDescription {
	policy := &ua.UserTokenPolicy{PolicyID: "anonymous", TokenType: ua.UserTokenTypeAnonymous}
	if len(s.opts.Users) > 0 {
		policy = &ua.UserTokenPolicy{
			PolicyID: "username", TokenType: ua.UserTokenTypeUserName, SecurityPolicyURI: ua.SecurityPolicyURINone,
		}
	}
	return []*ua.EndpointDescription{{
		EndpointURL:         s.announced(),
		Server:              s.application(),
		SecurityMode:        ua.MessageSecurityModeNone,
		SecurityPolicyURI:   ua.SecurityPolicyURINone,
		UserIdentityTokens:  []*ua.UserTokenPolicy{policy},
		TransportProfileURI: transportProfile,
	}}
}

func (s *Server) getEndpoints(c *call) {
	s.respond(c, &ua.GetEndpointsResponse{Endpoints: s.endpoints()})
}

func (s *Server) findServers(c *call) {
	s.respond(c, &ua.FindServersResponse{Servers: []*ua.ApplicationDescription{s.application()}})
}

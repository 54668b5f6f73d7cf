package uasession

import (
	"strings"
	"testing"

	"github.com/gopcua/opcua/ua"
)

var someCertificate = []byte{1}

func offer(policy string, mode ua.MessageSecurityMode, tokens ...*ua.UserTokenPolicy) *ua.EndpointDescription {
	e := &ua.EndpointDescription{SecurityPolicyURI: ua.SecurityPolicyURIs[policy], SecurityMode: mode, UserIdentityTokens: tokens}
	if policy == "" || policy == "ECC" {
		e.SecurityPolicyURI = ua.SecurityPolicyURIPrefix + "ECC_nistP256"
	}
	if policy != "None" {
		e.ServerCertificate = someCertificate
	}
	return e
}

const (
	modeNone = ua.MessageSecurityModeNone
	modeSign = ua.MessageSecurityModeSign
	modeBoth = ua.MessageSecurityModeSignAndEncrypt
)

func TestSelectEndpoint(t *testing.T) {
	all := []*ua.EndpointDescription{
		offer("None", modeNone), offer("Basic128Rsa15", modeBoth), offer("Basic256Sha256", modeSign), offer("Basic256Sha256", modeBoth),
		offer("Aes256Sha256RsaPss", modeSign), offer("Aes128Sha256RsaOaep", modeBoth), offer("ECC", modeBoth),
	}
	weak := []*ua.EndpointDescription{offer("None", modeNone), offer("Basic128Rsa15", modeBoth), offer("Basic256", modeSign)}
	bare := offer("Basic256Sha256", modeBoth)
	bare.ServerCertificate = nil
	for _, c := range []struct {
		name   string
		offers []*ua.EndpointDescription
		policy Policy
		mode   Mode
		key    bool
		want   string
		err    string
	}{
		{"the best", all, PolicyAuto, ModeAuto, true, "Aes128Sha256RsaOaep/SignAndEncrypt", ""},
		{"encrypting goes before the stronger policy", all, PolicyAuto, ModeSign, true, "Aes256Sha256RsaPss/Sign", ""},
		{"a policy", all, PolicyBasic256Sha256, ModeAuto, true, "Basic256Sha256/SignAndEncrypt", ""},
		{"policy and mode", all, PolicyBasic256Sha256, ModeSign, true, "Basic256Sha256/Sign", ""},
		{"none wanted", all, PolicyNone, ModeAuto, true, "None/None", ""},
		{"none wanted by mode", all, PolicyAuto, ModeNone, true, "None/None", ""},
		{"without a key only none", all, PolicyAuto, ModeAuto, false, "None/None", ""},
		{"never weaker than configured", weak, PolicyBasic256Sha256, ModeAuto, true, "", "the server offers None, Basic128Rsa15/SignAndEncrypt, Basic256/Sign"},
		{"never weaker by mode", weak, PolicyAuto, ModeSign, true, "", "configured is policy auto, mode Sign"},
		{"broken policies are not spoken", weak, PolicyAuto, ModeAuto, true, "None/None", ""},
		{"policy wanted, no key", all, PolicyBasic256Sha256, ModeAuto, false, "", "own certificate"},
		{"a secure endpoint without certificate", []*ua.EndpointDescription{bare}, PolicyAuto, ModeAuto, true, "", "offers"},
		{"nothing", nil, PolicyAuto, ModeAuto, true, "", "offers nothing"},
		{"contradiction", all, PolicyNone, ModeSign, true, "", "does not go with"},
		{"contradiction the other way", all, PolicyBasic256Sha256, ModeNone, true, "", "does not go with"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := selectEndpoint(c.offers, c.policy, c.mode, c.key)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error %v, want %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := shortPolicy(e.SecurityPolicyURI) + "/" + modeName(e.SecurityMode); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func TestVerifyEndpoints(t *testing.T) {
	cfg := &ServerConfig{Policy: PolicyAuto, Mode: ModeAuto}
	chosen := offer("Basic256Sha256", modeSign)
	bare := func(policy string, mode ua.MessageSecurityMode) *ua.EndpointDescription {
		e := offer(policy, mode)
		e.ServerCertificate = nil // servers leave it out here
		return e
	}
	if err := verifyEndpoints(cfg, chosen, []*ua.EndpointDescription{bare("None", modeNone), bare("Basic256Sha256", modeSign)}, true); err != nil {
		t.Errorf("the same list: %v", err)
	}
	if err := verifyEndpoints(cfg, chosen, nil, true); err != nil {
		t.Errorf("no list: %v", err)
	}
	if err := verifyEndpoints(cfg, chosen, []*ua.EndpointDescription{bare("Basic256Sha256", modeBoth)}, true); err == nil {
		t.Error("a better offer was taken out of discovery, and nobody noticed")
	}
	pinned := &ServerConfig{Policy: PolicyBasic256Sha256, Mode: ModeSign}
	if err := verifyEndpoints(pinned, chosen, []*ua.EndpointDescription{bare("Basic256Sha256", modeBoth)}, true); err != nil {
		t.Errorf("the configured mode is what was wanted: %v", err)
	}
}

func TestSelectToken(t *testing.T) {
	token := func(id string, typ ua.UserTokenType, policy string) *ua.UserTokenPolicy {
		return &ua.UserTokenPolicy{PolicyID: id, TokenType: typ, SecurityPolicyURI: ua.SecurityPolicyURIs[policy]}
	}
	anonymous := token("anon", ua.UserTokenTypeAnonymous, "")
	inherit := token("inherit", ua.UserTokenTypeUserName, "")
	strong := token("strong", ua.UserTokenTypeUserName, "Basic256Sha256")
	plain := token("plain", ua.UserTokenTypeUserName, "None")
	broken := token("broken", ua.UserTokenTypeUserName, "Basic128Rsa15")
	certified := func(e *ua.EndpointDescription) *ua.EndpointDescription {
		e.ServerCertificate = someCertificate
		return e
	}
	for _, c := range []struct {
		name      string
		user      string
		e         *ua.EndpointDescription
		allow     bool
		id        string
		encrypted bool
		err       string
	}{
		{"anonymous", "", offer("None", modeNone, inherit, anonymous), false, "anon", false, ""},
		{"anonymous, none listed", "", offer("None", modeNone), false, defaultAnonymous, false, ""},
		{"anonymous not taken", "", offer("None", modeNone, plain), false, "", false, "configure user and password"},
		{"encrypted over an open channel", "u", certified(offer("None", modeNone, plain, strong)), false, "strong", true, ""},
		{"encrypted, but no certificate to do it with", "u", offer("None", modeNone, plain, strong), false, "", false, "unencrypted"},
		{"never in the open", "u", offer("None", modeNone, plain), false, "", false, "unencrypted"},
		{"in the open when allowed", "u", offer("None", modeNone, plain), true, "plain", false, ""},
		{"channel's policy by default", "u", offer("Basic256Sha256", modeSign, inherit), false, "inherit", true, ""},
		{"signed only does not protect", "u", offer("Basic256Sha256", modeSign, plain), false, "", false, "unencrypted"},
		{"an encrypting channel protects", "u", offer("Basic256Sha256", modeBoth, plain), false, "plain", false, ""},
		{"broken encryption is none", "u", certified(offer("None", modeNone, broken)), false, "", false, "takes no user"},
		{"no user token", "u", offer("None", modeNone, anonymous), false, "", false, "takes no user"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := selectToken(&ServerConfig{User: c.user, AllowPlaintextPassword: c.allow}, c.e)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("%+v, error %v, want %q", got, err, c.err)
				}
				return
			}
			if err != nil || got.policyID != c.id || (got.encryption != "") != c.encrypted || got.anonymous != (c.user == "") {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestTarget(t *testing.T) {
	for _, c := range []struct{ in, address, url, server, want string }{
		{"opc.tcp://plc", "plc:4840", "opc.tcp://plc:4840", "opc.tcp://HOST:4841/UA/Server", "opc.tcp://plc:4840/UA/Server"},
		{"opc.tcp://10.0.0.5:51210/", "10.0.0.5:51210", "opc.tcp://10.0.0.5:51210/", "opc.tcp://HOST:4841/UA", "opc.tcp://10.0.0.5:51210/UA"},
		{"opc.tcp://plc:4840/own", "plc:4840", "opc.tcp://plc:4840/own", "opc.tcp://HOST/UA", "opc.tcp://plc:4840/own"},
		{"opc.tcp://[::1]", "[::1]:4840", "opc.tcp://[::1]:4840", "nonsense", "opc.tcp://[::1]:4840"},
	} {
		got, err := parseTarget(c.in)
		if err != nil || got.address != c.address || got.url != c.url || got.withPath(c.server).url != c.want {
			t.Errorf("%s: %+v, %v, with path %s", c.in, got, err, got.withPath(c.server).url)
		}
	}
	for _, bad := range []string{"", "http://x", "opc.tcp://", "opc.tcp://a b", "plc:4840"} {
		if _, err := parseTarget(bad); err == nil {
			t.Errorf("%q is taken for an endpoint", bad)
		}
	}
}

func TestNodeTexts(t *testing.T) {
	namespaces := []string{"http://opcfoundation.org/UA/", "urn:server", "http://x;i=1/y"}
	for _, c := range []struct{ text, want, portable string }{
		{"i=85", "i=85", "i=85"},
		{"i=70000", "i=70000", "i=70000"},
		{"ns=2;i=300", "ns=2;i=300", "nsu=http://x;i=1/y;i=300"},
		{"nsu=urn:server;s=a;b=c", "ns=1;s=a;b=c", "nsu=urn:server;s=a;b=c"},
		{"nsu=urn:server;g=72962B91-FA75-4AE6-8D28-B404DC7DAF63", "ns=1;g=72962B91-FA75-4AE6-8D28-B404DC7DAF63", "nsu=urn:server;g=72962B91-FA75-4AE6-8D28-B404DC7DAF63"},
		{"nsu=urn:server;b=AQID", "ns=1;b=AQID", "nsu=urn:server;b=AQID"},
		{"ns=9;s=x", "ns=9;s=x", "ns=9;s=x"},
	} {
		n, err := resolveNode(namespaces, c.text)
		if err != nil || n.String() != c.want || portableNode(namespaces, n) != c.portable {
			t.Errorf("%s: %v, %v", c.text, n, err)
		}
	}
	for _, bad := range []string{"", "x", "i=", "i=-1", "i=4294967296", "ns=70000;i=1", "ns=;i=1", "ns=1", "nsu=urn:x", "nsu=;i=1", "g=1", "b=?", "b=\r", "q=1"} {
		if n, err := parseNode(bad); err == nil {
			t.Errorf("%q is taken for %+v", bad, n)
		}
	}
}

func FuzzParseNode(f *testing.F) {
	for _, s := range []string{"i=85", "nsu=urn:x;s=a", "ns=2;b=AQID", "nsu=;", "ns=1;g="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := parseNode(s)
		if err != nil {
			return
		}
		node, err := n.node(1)
		if err != nil {
			t.Fatalf("%q parses but makes no node: %v", s, err)
		}
		again, err := resolveNode([]string{"", "urn:x"}, portableNode([]string{"", "urn:x"}, node))
		if err != nil || again.String() != node.String() {
			t.Errorf("%q → %s → %v, %v", s, node, again, err)
		}
	})
}

package peers

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/gopcua/opcua"
	"github.com/gopcua/opcua/ua"
)

// clientCertificate makes an OPC UA application certificate (Part 6 §6.2.2).
func clientCertificate(t *testing.T) (der []byte, key *rsa.PrivateKey) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	uri, err := url.Parse("urn:kvarts:test:client")
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "Kvarts test client"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), URIs: []*url.URL{uri},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment | x509.KeyUsageKeyEncipherment |
			x509.KeyUsageDataEncipherment | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, BasicConstraintsValid: true,
	}
	der, err = x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der, key
}

// tryEndpoint opens a session by one endpoint with user and password.
func tryEndpoint(ctx context.Context, u *OPCUA, e *ua.EndpointDescription, der []byte, key *rsa.PrivateKey) error {
	c, err := opcua.NewClient(u.Endpoint,
		opcua.AutoReconnect(false), opcua.ApplicationURI("urn:kvarts:test:client"),
		opcua.Certificate(der), opcua.PrivateKey(key),
		opcua.AuthUsername(u.User, u.Password), opcua.SecurityFromEndpoint(e, ua.UserTokenTypeUserName))
	if err != nil {
		return err
	}
	err = c.Connect(ctx)
	_ = c.Close(ctx) // of a session that may not exist
	return err
}

func TestNodeOPCUASessionsWithEveryPolicy(t *testing.T) {
	t.Parallel()
	u := NodeOPCUA(t, func(o *NodeOptions) { o.NoOdd, o.NoMachine, o.NoTypes = true, true, true })
	der, key := clientCertificate(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	endpoints, err := opcua.GetEndpoints(ctx, u.Endpoint)
	if err != nil {
		t.Fatalf("get endpoints: %v", err)
	}
	want := map[string]bool{ua.SecurityPolicyURINone + " MessageSecurityModeNone": true}
	for _, p := range []string{
		ua.SecurityPolicyURIBasic128Rsa15, ua.SecurityPolicyURIBasic256, ua.SecurityPolicyURIBasic256Sha256,
		ua.SecurityPolicyURIAes128Sha256RsaOaep, ua.SecurityPolicyURIAes256Sha256RsaPss,
	} {
		want[p+" MessageSecurityModeSign"], want[p+" MessageSecurityModeSignAndEncrypt"] = true, true
	}
	for _, e := range endpoints {
		name := fmt.Sprintf("%s %s", e.SecurityPolicyURI, e.SecurityMode)
		if !want[name] {
			t.Errorf("offered: %s", name)
		}
		delete(want, name)
		if err := tryEndpoint(ctx, u, e, der, key); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name := range want {
		t.Errorf("not offered: %s", name)
	}
}

func TestNodeOPCUARejectsUntilTrusted(t *testing.T) {
	t.Parallel()
	u := NodeOPCUA(t, func(o *NodeOptions) {
		o.NoOdd, o.NoMachine, o.NoTypes, o.RejectUnknownClients = true, true, true, true
		o.Policies, o.Modes = []string{"None", "Basic256Sha256"}, []string{"None", "SignAndEncrypt"}
	})
	der, key := clientCertificate(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	endpoints, err := opcua.GetEndpoints(ctx, u.Endpoint)
	if err != nil || len(endpoints) != 2 {
		t.Fatalf("get endpoints: %v %v", endpoints, err)
	}
	i := slices.IndexFunc(endpoints, func(e *ua.EndpointDescription) bool { return e.SecurityMode == ua.MessageSecurityModeSignAndEncrypt })
	if err := tryEndpoint(ctx, u, endpoints[i], der, key); err == nil {
		t.Error("an unknown client gets in")
	}
	if n := u.Trust(); n != 1 {
		t.Errorf("trusted %d", n)
	}
	if err := tryEndpoint(ctx, u, endpoints[i], der, key); err != nil {
		t.Errorf("a trusted client: %v", err)
	}
}

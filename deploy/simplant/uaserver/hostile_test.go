package uaserver

import (
	"testing"

	"github.com/gopcua/opcua/ua"
)

// TestHostileNotifications makes sure that each of them is what it says: gopcua's decoder
// fails or panics on it, but for the one that is only large.
func TestHostileNotifications(t *testing.T) {
	decode := func(b []byte) (resp *ua.PublishResponse, err error) {
		defer recoverDecode("response", &err)
		_, svc, err := ua.DecodeService(b)
		resp, _ = svc.(*ua.PublishResponse)
		return resp, err
	}
	seen := make(map[string]bool)
	for _, h := range HostileNotifications(7, 9) {
		if seen[h.Name] {
			t.Errorf("%s: twice", h.Name)
		}
		seen[h.Name] = true
		resp, err := decode(h.Body(DateTimeOf(rigStart), 5))
		switch h.Name {
		case "response of 3 MB", "variants nested 10,000 deep":
			if err != nil || resp.SubscriptionID != 7 || resp.NotificationMessage.SequenceNumber != 9 {
				t.Errorf("%s: %v", h.Name, err)
			}
		default:
			if err == nil && resp != nil {
				t.Errorf("%s: decoded without an error", h.Name)
			}
		}
	}
}

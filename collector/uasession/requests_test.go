package uasession

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"
)

// allRequests are the request types of the standard that the library knows.
var allRequests = []ua.Request{
	&ua.FindServersRequest{}, &ua.FindServersOnNetworkRequest{}, &ua.GetEndpointsRequest{}, &ua.RegisterServerRequest{},
	&ua.RegisterServer2Request{}, &ua.OpenSecureChannelRequest{}, &ua.CloseSecureChannelRequest{}, &ua.CreateSessionRequest{},
	&ua.ActivateSessionRequest{}, &ua.CloseSessionRequest{}, &ua.CancelRequest{}, &ua.AddNodesRequest{}, &ua.AddReferencesRequest{},
	&ua.DeleteNodesRequest{}, &ua.DeleteReferencesRequest{}, &ua.BrowseRequest{}, &ua.BrowseNextRequest{},
	&ua.TranslateBrowsePathsToNodeIDsRequest{}, &ua.RegisterNodesRequest{}, &ua.UnregisterNodesRequest{}, &ua.QueryFirstRequest{},
	&ua.QueryNextRequest{}, &ua.ReadRequest{}, &ua.HistoryReadRequest{}, &ua.WriteRequest{}, &ua.HistoryUpdateRequest{},
	&ua.CallRequest{}, &ua.CreateMonitoredItemsRequest{}, &ua.ModifyMonitoredItemsRequest{}, &ua.SetMonitoringModeRequest{},
	&ua.SetTriggeringRequest{}, &ua.DeleteMonitoredItemsRequest{}, &ua.CreateSubscriptionRequest{}, &ua.ModifySubscriptionRequest{},
	&ua.SetPublishingModeRequest{}, &ua.PublishRequest{}, &ua.RepublishRequest{}, &ua.TransferSubscriptionsRequest{},
	&ua.DeleteSubscriptionsRequest{},
}

// The list of what this program can send to a machine. A longer one needs a reason.
var wantPermitted = []string{
	"ActivateSession", "Browse", "BrowseNext", "CloseSession", "CreateMonitoredItems", "CreateSession", "CreateSubscription",
	"DeleteMonitoredItems", "DeleteSubscriptions", "GetEndpoints", "ModifyMonitoredItems", "ModifySubscription", "Publish",
	"Read", "Republish", "TranslateBrowsePathsToNodeIDs",
}

func TestPermittedRequests(t *testing.T) {
	var got []string
	for _, r := range allRequests {
		if permitted(r) {
			got = append(got, serviceName(r))
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, wantPermitted) {
		t.Errorf("permitted requests\n%v, want\n%v", got, wantPermitted)
	}
	for _, r := range []ua.Request{&ua.WriteRequest{}, &ua.CallRequest{}, &ua.HistoryUpdateRequest{}, &ua.AddNodesRequest{}} {
		// The channel is never touched: a forbidden request does not reach it.
		if _, err := call[*ua.ReadResponse](t.Context(), nil, r, time.Second); !errors.Is(err, errForbidden) {
			t.Errorf("%s: %v, want errForbidden", serviceName(r), err)
		}
	}
}

// No source of this package makes a request that is not on the list, sends one by another way than call, or uses the
// library's client, which could.
func TestSourcesMakeOnlyPermittedRequests(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	made := make(map[string]bool)
	senders := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, src, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, imp := range f.Imports {
			if p := strings.Trim(imp.Path.Value, `"`); p == "github.com/gopcua/opcua" || strings.HasPrefix(p, "github.com/gopcua/opcua/server") {
				t.Errorf("%s imports %s", name, p)
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "ua" {
				if service, ok := strings.CutSuffix(sel.Sel.Name, "Request"); ok && service != "" && sel.Sel.Name != "MonitoredItemCreateRequest" {
					made[service] = true
				}
			}
			if strings.HasPrefix(sel.Sel.Name, "SendRequest") {
				senders++
			}
			return true
		})
	}
	for service := range made {
		if !slices.Contains(wantPermitted, service) && service != "MonitoredItemModify" {
			t.Errorf("the sources name a request %s that is not on the list", service)
		}
	}
	if senders != 1 {
		t.Errorf("%d places send requests, want 1", senders)
	}
}

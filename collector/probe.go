package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"kvarts/collector/uasession"
)

type probeCmd struct {
	serverFlags
	Items int  `help:"Most monitored items created in one request; 0: 1000."`
	Queue int  `help:"Longest queue asked for; 0: 100000."`
	JSON  bool `help:"Print as JSON."`
}

// Help is shown by collector probe --help.
func (c *probeCmd) Help() string {
	return "Makes one session with two short-lived subscriptions on the server's own clock, and takes a few seconds. It changes nothing."
}

func (c *probeCmd) Run(ctx context.Context) error {
	cfg, err := c.session()
	if err != nil {
		return err
	}
	r, err := uasession.Probe(ctx, cfg, uasession.ProbeOptions{Items: c.Items, Queue: c.Queue})
	if r != nil {
		if c.JSON {
			if jerr := json.NewEncoder(os.Stdout).Encode(r); jerr != nil {
				return jerr
			}
		} else if perr := printProbe(r); perr != nil {
			return perr
		}
	}
	return err
}

func printProbe(r *uasession.ProbeResult) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "POLICY\tMODE\tUSERS\tCERTIFICATE\tUNTIL\tENDPOINT")
	for _, e := range r.Endpoints {
		policy := e.Policy
		if !e.Spoken {
			policy += " (not spoken)"
		}
		until := "-"
		if !e.Until.IsZero() {
			until = e.Until.Format(time.DateOnly)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%.12s\t%s\t%s\n", policy, e.Mode, strings.Join(e.Users, ", "), e.Certificate, until, e.URL)
	}
	fmt.Fprintln(w)
	for _, row := range []struct {
		name  string
		value any
	}{
		{"measured over", r.Policy + " " + r.Mode},
		{"nodes in one read, browse, translate (stated)", fmt.Sprintf("%s, %s, %s", limit(r.MaxNodesPerRead), limit(r.MaxNodesPerBrowse), limit(r.MaxNodesPerTranslate))},
		{"items in one request (stated)", limit(r.MaxItemsPerCall)},
		{"items in one request (created)", fmt.Sprint(r.ItemsPerCall, " ", r.ItemsRefused)},
		{"subscriptions, items in each, queue (stated)", fmt.Sprintf("%s, %s, %s", limit(r.MaxSubscriptions), limit(r.MaxItemsPerSubscription), limit(r.MaxQueue))},
		{"queue granted", r.QueueGranted},
		{"shortest publishing, sampling", fmt.Sprintf("%s, %s", r.MinPublishing, r.MinSampling)},
		{"session timeout granted", r.SessionTimeout},
		{"unacknowledged messages listed, republished", fmt.Sprintf("%t, %t %s", r.ListsMessages, r.Republish, r.RepublishSays)},
		{"keep-alive asked, came after", fmt.Sprintf("%s, %s", r.KeepAliveAsked, r.KeepAliveTaken.Round(time.Millisecond))},
		{"its clock minus ours", fmt.Sprintf("%s (round trip %s)", r.ClockOffset.Round(time.Millisecond), r.RTT.Round(time.Microsecond))},
		{"source times", r.SourceTimestamp},
	} {
		fmt.Fprintf(w, "%s\t%v\n", row.name, row.value)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for i, ns := range r.Namespaces {
		fmt.Printf("namespace %d  %s\n", i, ns)
	}
	for _, f := range r.Findings {
		fmt.Println("!", f)
	}
	return nil
}

// limit shows a stated limit; 0 means none or not stated.
func limit(n uint32) string {
	if n == 0 {
		return "none stated"
	}
	return fmt.Sprint(n)
}

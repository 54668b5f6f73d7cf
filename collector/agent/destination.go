package agent

import (
	"kvarts/collector/config"
	"kvarts/collector/forward"
	"kvarts/historian/influx"
)

// destination is one store and what delivers to it.
type destination struct {
	cfg    config.Destination
	client *influx.Client
	fwd    *forward.Forwarder
}

// Client makes the client of one configured destination. Its token is read when it is needed, so a token that was
// replaced on disk is used at the next request that the store refuses.
func Client(d config.Destination, version string) (*influx.Client, error) {
	o := influx.Options{URL: d.URL, Org: d.Org, Bucket: d.Bucket, Database: d.Database, RetentionPolicy: d.RetentionPolicy, ProxyURL: d.Proxy, CAFile: d.CAFile,
		InsecureSkipVerify: d.SkipVerify, Timeout: d.Timeout, UserAgent: "kvarts-collector/" + version}
	if o.ProxyURL == "" {
		o.ProxyURL = "direct"
	}
	switch {
	case d.User != "":
		password, err := d.Secret()
		if err != nil {
			return nil, err
		}
		o.Username, o.Password = d.User, password
	case d.SecretFile != "" || d.SecretEnv != "":
		o.TokenFunc = d.Secret
	}
	return influx.New(o)
}

func (a *Agent) addDestination(d config.Destination) error {
	client, err := Client(d, a.opts.Version)
	if err != nil {
		return err
	}
	dest := &destination{cfg: d, client: client}
	a.forwards = append(a.forwards, dest)
	cursor, err := a.log.Cursor(d.Name)
	if err != nil {
		return err
	}
	dest.fwd, err = forward.New(forward.Options{Name: d.Name, Log: a.log, Cursor: cursor, Store: client, Quarantine: a.quarantine,
		Limits: forward.Limits{Lines: d.Batch.Lines, Raw: d.Batch.Bytes}, Now: a.now, OnEvent: a.deliveryEvent})
	return err
}

// deliveryEvent logs a change of state of a destination.
func (a *Agent) deliveryEvent(e forward.Event) {
	ev := a.events.Warn()
	if e.Kind == forward.EventUp || e.Kind == forward.EventReplay || e.Kind == forward.EventCaughtUp {
		ev = a.events.Info()
	}
	ev = ev.Str("destination", e.Destination).Err(e.Err)
	if e.Status != 0 {
		ev = ev.Int("http", e.Status)
	}
	if e.Count != 0 {
		ev = ev.Int("count", e.Count)
	}
	if e.Remedy != "" {
		ev = ev.Str("remedy", e.Remedy)
	}
	ev.Str("answer", e.Message).Msg("delivery " + string(e.Kind))
}

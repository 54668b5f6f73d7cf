package uasession

import (
	"context"
	"time"

	"github.com/gopcua/opcua/ua"
)

// visitor is a short-lived session of the command line.
type visitor struct {
	cfg        ServerConfig
	ch         *channel
	ses        *session
	namespaces []string
	limits     opLimits
	said       []uint32 // the server's own limits, in the order of limitNodes; 0: not said
}

func visit(ctx context.Context, cfg ServerConfig) (*visitor, error) {
	cfg = cfg.withDefaults()
	c, ses, _, err := establish(ctx, &cfg, nil, false)
	if err != nil {
		return nil, err
	}
	v := &visitor{cfg: cfg, ch: c, ses: ses}
	if v.namespaces, err = readNamespaces(ctx, c, cfg.Timing); err == nil {
		v.limits, v.said, err = readLimits(ctx, c, cfg.Timing, firstLimits(cfg.Limits.Batch, c.maxRequest))
	}
	if err != nil {
		v.leave(ctx)
		return nil, err
	}
	return v, nil
}

// leave ends the session, also when ctx is done: the server has few of them.
func (v *visitor) leave(ctx context.Context) {
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), v.cfg.Timing.Request)
	defer cancel()
	if !v.ch.isGone() {
		closeSession(end, v.ch, v.cfg.Timing)
		v.ch.farewell(time.Second)
	}
	v.ch.close()
}

// readAll reads any number of attributes. One that cannot be read is nil.
func (v *visitor) readAll(ctx context.Context, ids []*ua.ReadValueID) ([]*ua.DataValue, error) {
	all := make([]*ua.DataValue, len(ids))
	split := splitter{limit: &v.limits.read}
	err := split.run(len(ids), func(lo, hi int) error {
		values, err := readAttributes(ctx, v.ch, v.cfg.Timing, ids[lo:hi])
		copy(all[lo:hi], values)
		return err
	}, func(int, int, error) {})
	return all, err
}

package uasession

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/gopcua/opcua/ua"

	"kvarts/historian/telemetry"
)

// createItems makes the monitored items of g that are in items. An item that fails is noted as bad and tried again
// later; only what ends the connection is returned.
func (s *Session) createItems(l *link, g *group, items []*item) error {
	if len(items) == 0 {
		return nil
	}
	s.altered()
	ready, err := s.resolve(l, items)
	if err != nil {
		return err
	}
	if err := s.learnTypes(l, ready); err != nil {
		return err
	}
	again, err := s.monitor(l, g, ready)
	if err != nil {
		return err
	}
	// Those whose filter was refused are tried once more without it.
	if len(again) > 0 {
		again, err = s.monitor(l, g, again)
		for _, it := range again { // cannot happen: a plain item has no filter to refuse
			s.itemFailed(it, ua.StatusBadMonitoredItemFilterUnsupported, "the filter is refused")
		}
	}
	return err
}

// resolve finds the node ids of items for this session and returns those that have one.
func (s *Session) resolve(l *link, items []*item) ([]*item, error) {
	var (
		ready, byPath []*item
		paths         []*ua.BrowsePath
	)
	for _, it := range items {
		var err error
		if len(it.tag.Path) == 0 {
			it.node, err = resolveNode(s.namespace, it.tag.Node)
			if err == nil {
				ready = append(ready, it)
			}
		} else {
			var p *ua.BrowsePath
			if p, err = browsePath(s.namespace, &it.tag); err == nil {
				byPath, paths = append(byPath, it), append(paths, p)
			}
		}
		if err != nil {
			s.itemFailed(it, ua.StatusBadNodeIDUnknown, err.Error())
		}
	}
	split := splitter{limit: &s.limits.translate}
	err := split.run(len(byPath), func(lo, hi int) error {
		resp, err := call[*ua.TranslateBrowsePathsToNodeIDsResponse](l.ctx, l.ch,
			&ua.TranslateBrowsePathsToNodeIDsRequest{BrowsePaths: paths[lo:hi]}, s.cfg.Timing.Request)
		if err != nil {
			return err
		}
		if len(resp.Results) != hi-lo {
			return countError("TranslateBrowsePaths", len(resp.Results), hi-lo)
		}
		for i, r := range resp.Results {
			it := byPath[lo+i]
			if node, why := pathTarget(r); why != "" {
				s.itemFailed(it, r.StatusCode, why)
			} else {
				it.node = node
				ready = append(ready, it)
			}
		}
		return nil
	}, func(lo, hi int, err error) {
		for _, it := range byPath[lo:hi] {
			s.itemFailed(it, codeOf(err), err.Error())
		}
	})
	if err != nil {
		return nil, fmt.Errorf("resolve browse paths: %w", err)
	}
	return ready, nil
}

// pathTarget is the node that a browse path leads to; why says why there is none.
func pathTarget(r *ua.BrowsePathResult) (node *ua.NodeID, why string) {
	if isBad(r.StatusCode) {
		return nil, "the browse path leads nowhere: " + statusText(r.StatusCode)
	}
	for _, t := range r.Targets {
		if t.RemainingPathIndex == math.MaxUint32 && t.TargetID != nil && t.TargetID.NodeID != nil {
			return ua.NewNodeIDFromExpandedNodeID(t.TargetID), ""
		}
	}
	return nil, "the browse path leads to another server or nowhere"
}

// monitor creates items and returns those whose filter is refused, changed to go without.
func (s *Session) monitor(l *link, g *group, items []*item) (again []*item, err error) {
	split := splitter{limit: &s.limits.monitor}
	err = split.run(len(items), func(lo, hi int) error {
		req := &ua.CreateMonitoredItemsRequest{SubscriptionID: g.sub.id, TimestampsToReturn: ua.TimestampsToReturnBoth}
		for _, it := range items[lo:hi] {
			// A new handle at each try: if the answer is lost, the server may report under the old one.
			it.handle = s.handles.next()
			req.ItemsToCreate = append(req.ItemsToCreate, &ua.MonitoredItemCreateRequest{
				ItemToMonitor:       readID(it.node, ua.AttributeIDValue),
				MonitoringMode:      ua.MonitoringModeReporting,
				RequestedParameters: s.parameters(it),
			})
		}
		resp, err := call[*ua.CreateMonitoredItemsResponse](l.ctx, l.ch, req, s.cfg.Timing.Request)
		if err != nil {
			return err
		}
		if len(resp.Results) != hi-lo {
			return countError("CreateMonitoredItems", len(resp.Results), hi-lo)
		}
		for i, r := range resp.Results {
			it := items[lo+i]
			switch {
			case !isBad(r.StatusCode):
				s.itemLive(it, r)
			case filterRefused(r.StatusCode) && !it.plain && s.filterOf(it) != nil:
				it.plain = true
				s.board.find(it.tag.Name, "the filter is refused ("+statusText(r.StatusCode)+"), it is monitored without")
				again = append(again, it)
			default:
				s.itemFailed(it, r.StatusCode, "the server answers "+statusText(r.StatusCode))
			}
		}
		return nil
	}, func(lo, hi int, err error) {
		for _, it := range items[lo:hi] {
			s.itemFailed(it, codeOf(err), err.Error())
		}
	})
	if err != nil {
		return nil, fmt.Errorf("create monitored items of group %s: %w", g.cfg.Name, err)
	}
	return again, nil
}

func filterRefused(c ua.StatusCode) bool {
	switch c {
	case ua.StatusBadFilterNotAllowed, ua.StatusBadMonitoredItemFilterUnsupported, ua.StatusBadMonitoredItemFilterInvalid,
		ua.StatusBadDeadbandFilterInvalid:
		return true
	}
	return false
}

// parameters are what is asked for one item.
func (s *Session) parameters(it *item) *ua.MonitoringParameters {
	p := &ua.MonitoringParameters{
		ClientHandle:     it.handle,
		SamplingInterval: float64(it.tag.Sampling) / float64(time.Millisecond),
		QueueSize:        queueOf(&it.tag, publishingOf(&it.group.cfg)),
		DiscardOldest:    !it.tag.DiscardNewest,
	}
	if it.tag.Sampling < 0 {
		p.SamplingInterval = -1 // the publishing interval, Part 4 §7.21
	}
	if !it.plain {
		p.Filter = s.filterOf(it)
	}
	return p
}

// queueOf is the queue asked for: what the intervals call for and half as much again, since neither clock is exact.
func queueOf(t *Tag, publishing time.Duration) uint32 {
	const exceptional = 10 // sampling 0: the server reports every change and does not say how many there may be
	switch {
	case t.Queue > 0:
		return t.Queue
	case t.Sampling < 0:
		return 2
	case t.Sampling == 0:
		return exceptional
	}
	n := (publishing + t.Sampling - 1) / t.Sampling
	return uint32(min(n+n/2+1, 10_000))
}

// filterOf is the tag's filter, nil when it has none.
func (s *Session) filterOf(it *item) *ua.ExtensionObject {
	t := &it.tag
	if t.Deadband.Kind == NoDeadband && !t.OnTimestamp {
		return nil
	}
	f := &ua.DataChangeFilter{Trigger: ua.DataChangeTriggerStatusValue, DeadbandValue: t.Deadband.Value}
	if t.OnTimestamp {
		f.Trigger = ua.DataChangeTriggerStatusValueTimestamp
	}
	switch t.Deadband.Kind {
	case AbsoluteDeadband:
		f.DeadbandType = uint32(ua.DeadbandTypeAbsolute)
	case PercentDeadband:
		f.DeadbandType = uint32(ua.DeadbandTypePercent)
	default:
		f.DeadbandType = uint32(ua.DeadbandTypeNone)
	}
	return ua.NewExtensionObject(f)
}

// itemLive notes that the server reports it.
func (s *Session) itemLive(it *item, r *ua.MonitoredItemCreateResult) {
	s.itemEnds(it)
	it.state, it.id, it.tries, it.reason = itemLive, r.MonitoredItemID, 0, ""
	it.sampling, it.queue = milliseconds(r.RevisedSamplingInterval), r.RevisedQueueSize
	s.handles.set(it.handle, it)
}

// itemFailed notes that it is not reported, leaves a marker with the server's status in the data, and sets the next
// try.
func (s *Session) itemFailed(it *item, code ua.StatusCode, why string) {
	now := time.Now()
	if it.state != itemBad {
		it.since = now
	}
	if !isBad(code) {
		code = ua.StatusBadNodeIDUnknown
	}
	mark := it.state != itemBad || it.code != code
	it.state, it.id, it.handle, it.reason, it.code = itemBad, 0, 0, why, code
	it.tries++
	delay := retryDelay(it.tries, s.cfg.Timing.RetryItem, s.cfg.Timing.RetryMax)
	it.next = now.Add(delay)
	s.altered()
	if mark {
		s.mark(it, telemetry.Status(code))
	}
	s.itemLost(it, s.serverNow(), delay)
}

// mark delivers samples that say only that the item is bad: nobody should go on with the value before.
func (s *Session) mark(it *item, status telemetry.Status) {
	now := telemetry.Now()
	m := &Message{Group: it.group.cfg.Name, Published: now, Received: now}
	for i := range it.dec.Outputs {
		o := &it.dec.Outputs[i]
		m.Samples = append(m.Samples, telemetry.Sample{
			Series: o.Series, Field: it.field(i), Source: now.Tick().Instant(), Status: status,
		})
	}
	s.out.put(event{m: m, done: s.acks.done(s.loop, 0, 0)})
}

// field is the output's field, or the interim one while its type is unknown.
func (it *item) field(i int) *telemetry.Field {
	if f := it.dec.Outputs[i].Field; f != nil {
		return f
	}
	return it.interim[i]
}

// deleteItems removes monitored items from the server. Errors of single items do not matter: they are gone.
func (s *Session) deleteItems(l *link, sub *subscription, items []*item) error {
	var ids []uint32
	for _, it := range items {
		s.handles.drop(it.handle)
		if it.state == itemLive {
			ids = append(ids, it.id)
		}
		it.state, it.id, it.handle = itemNew, 0, 0
	}
	s.altered()
	split := splitter{limit: &s.limits.monitor}
	err := split.run(len(ids), func(lo, hi int) error {
		_, err := call[*ua.DeleteMonitoredItemsResponse](l.ctx, l.ch, &ua.DeleteMonitoredItemsRequest{
			SubscriptionID: sub.id, MonitoredItemIDs: ids[lo:hi],
		}, s.cfg.Timing.Request)
		return err
	}, func(int, int, error) {})
	if err != nil {
		return fmt.Errorf("delete monitored items: %w", err)
	}
	return nil
}

// modifyItems sends changed parameters of live items. One whose change is refused is created anew.
func (s *Session) modifyItems(l *link, g *group, items []*item) error {
	var again []*item
	split := splitter{limit: &s.limits.monitor}
	err := split.run(len(items), func(lo, hi int) error {
		req := &ua.ModifyMonitoredItemsRequest{SubscriptionID: g.sub.id, TimestampsToReturn: ua.TimestampsToReturnBoth}
		for _, it := range items[lo:hi] {
			req.ItemsToModify = append(req.ItemsToModify, &ua.MonitoredItemModifyRequest{
				MonitoredItemID: it.id, RequestedParameters: s.parameters(it),
			})
		}
		resp, err := call[*ua.ModifyMonitoredItemsResponse](l.ctx, l.ch, req, s.cfg.Timing.Request)
		if err != nil {
			return err
		}
		if len(resp.Results) != hi-lo {
			return countError("ModifyMonitoredItems", len(resp.Results), hi-lo)
		}
		for i, r := range resp.Results {
			it := items[lo+i]
			if isBad(r.StatusCode) {
				again = append(again, it)
				continue
			}
			it.sampling, it.queue = milliseconds(r.RevisedSamplingInterval), r.RevisedQueueSize
		}
		return nil
	}, func(lo, hi int, _ error) { again = append(again, items[lo:hi]...) })
	if err != nil {
		return fmt.Errorf("modify monitored items: %w", err)
	}
	s.altered()
	if len(again) == 0 {
		return nil
	}
	for _, it := range again { // what its queue at the server holds goes with it
		it.reason = "the server refuses to change it: it is made anew"
		s.itemLost(it, min(g.known, s.serverNow()), s.cfg.Timing.Request)
	}
	return errors.Join(s.deleteItems(l, g.sub, again), s.createItems(l, g, again))
}

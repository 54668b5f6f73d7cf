package uaserver

import (
	"math"
	"time"

	"github.com/gopcua/opcua/ua"
)

// checkItems does what all monitored item services begin with: subscription, count of
// operations, timestamps. It answers the call itself when something is wrong.
func (s *Server) checkItems(c *call, sess *session, subID uint32, n int, ts ua.TimestampsToReturn) *subscription {
	sub := sess.subs[subID]
	switch {
	case sub == nil:
		s.fault(c, ua.StatusBadSubscriptionIDInvalid)
	case s.refuseCount(c, n, s.limits.MaxMonitoredItemsPerCall):
	case ts > ua.TimestampsToReturnNeither:
		s.fault(c, ua.StatusBadTimestampsToReturnInvalid)
	default:
		sub.lifeLeft = sub.lifetime
		return sub
	}
	return nil
}

func (s *Server) createMonitoredItems(c *call, sess *session, r *ua.CreateMonitoredItemsRequest) {
	sub := s.checkItems(c, sess, r.SubscriptionID, len(r.ItemsToCreate), r.TimestampsToReturn)
	if sub == nil {
		return
	}
	now := s.now()
	results := make([]*ua.MonitoredItemCreateResult, len(r.ItemsToCreate))
	for i, req := range r.ItemsToCreate {
		results[i] = s.createItem(sub, req, r.TimestampsToReturn, now)
		results[i].FilterResult = ua.NewExtensionObject(nil)
	}
	s.respond(c, &ua.CreateMonitoredItemsResponse{Results: results, DiagnosticInfos: []*ua.DiagnosticInfo{}})
}

// createItem makes one monitored item; its first sample is the current value.
func (s *Server) createItem(sub *subscription, req *ua.MonitoredItemCreateRequest, ts ua.TimestampsToReturn, now time.Time) *ua.MonitoredItemCreateResult {
	fail := func(status ua.StatusCode) *ua.MonitoredItemCreateResult {
		return &ua.MonitoredItemCreateResult{StatusCode: status}
	}
	if len(sub.items) >= s.limits.MaxMonitoredItems {
		return fail(ua.StatusBadTooManyMonitoredItems)
	}
	if req.MonitoringMode > ua.MonitoringModeReporting {
		return fail(ua.StatusBadMonitoringModeInvalid)
	}
	n := s.space.find(req.ItemToMonitor.NodeID)
	if n == nil {
		return fail(ua.StatusBadNodeIDUnknown)
	}
	if status, ok := s.faults.reject[n.key]; ok {
		return fail(status)
	}
	first := s.attribute(n, req.ItemToMonitor)
	if isReadFault(first.status) {
		return fail(first.status)
	}
	it := &item{id: s.newID(), sub: sub, ts: ts, mode: req.MonitoringMode, anchor: now}
	if req.ItemToMonitor.AttributeID == ua.AttributeIDValue {
		it.variable = n.variable
	}
	if status := s.configure(it, req.RequestedParameters); status != ua.StatusOK {
		return fail(status)
	}
	sub.items[it.id] = it
	s.stats.MonitoredItems++
	if it.variable != nil {
		it.variable.items = append(it.variable.items, it)
		if it.variable.read != nil {
			sub.dynamic = append(sub.dynamic, it)
		}
	}
	if it.mode != ua.MonitoringModeDisabled {
		it.admit(&first)
	}
	return &ua.MonitoredItemCreateResult{
		MonitoredItemID: it.id, RevisedSamplingInterval: inMilliseconds(it.interval), RevisedQueueSize: uint32(it.queue.limit),
	}
}

// isReadFault tells the results of Read that make an item impossible from bad values.
func isReadFault(status ua.StatusCode) bool {
	switch status {
	case ua.StatusBadAttributeIDInvalid, ua.StatusBadIndexRangeInvalid, ua.StatusBadIndexRangeNoData,
		ua.StatusBadDataEncodingInvalid, ua.StatusBadDataEncodingUnsupported:
		return true
	default:
		return false
	}
}

// configure sets and revises the parameters of an item, new or existing; it changes
// nothing when it returns a bad status.
func (s *Server) configure(it *item, p *ua.MonitoringParameters) ua.StatusCode {
	f, status := s.filterOf(it, p.Filter)
	if status != ua.StatusOK {
		return status
	}
	interval := s.samplingOf(it, p.SamplingInterval)
	if it.interval != interval {
		it.interval, it.heldSlot = interval, 0 // a held value settles on the new grid
	}
	it.handle, it.filter, it.oldest = p.ClientHandle, f, p.DiscardOldest
	it.resize(int(max(1, min(p.QueueSize, s.limits.MaxQueueSize))))
	return ua.StatusOK
}

// samplingOf revises a sampling interval, in milliseconds as a client asks for it.
func (s *Server) samplingOf(it *item, want float64) time.Duration {
	switch {
	case it.variable != nil && it.variable.read != nil:
		return it.sub.interval // the server's own values are sampled by the publishing cycle
	case s.opts.ByException:
		return 0
	case want < 0: // the publishing interval
		return it.sub.interval
	default:
		return max(milliseconds(want), s.limits.MinSamplingInterval)
	}
}

// filterOf checks a monitoring filter (OPC 10000-4 §7.22.2, OPC 10000-8 §7.2).
func (s *Server) filterOf(it *item, ext *ua.ExtensionObject) (filter, ua.StatusCode) {
	f := filter{trigger: ua.DataChangeTriggerStatusValue}
	if ext == nil || ext.Value == nil {
		if ext != nil && ext.TypeID != nil && ext.TypeID.NodeID.IntID() != 0 {
			return f, ua.StatusBadMonitoredItemFilterInvalid
		}
		return f, ua.StatusOK
	}
	want, ok := ext.Value.(*ua.DataChangeFilter)
	if !ok {
		return f, ua.StatusBadMonitoredItemFilterUnsupported
	}
	if it.variable == nil {
		return f, ua.StatusBadFilterNotAllowed
	}
	if want.Trigger > ua.DataChangeTriggerStatusValueTimestamp {
		return f, ua.StatusBadMonitoredItemFilterInvalid
	}
	f.trigger = want.Trigger
	switch ua.DeadbandType(want.DeadbandType) {
	case ua.DeadbandTypeNone:
		return f, ua.StatusOK
	case ua.DeadbandTypeAbsolute:
		f.deadband = want.DeadbandValue
	case ua.DeadbandTypePercent:
		rng := it.variable.rng
		if rng == nil || want.DeadbandValue > 100 {
			return f, ua.StatusBadDeadbandFilterInvalid
		}
		f.deadband = want.DeadbandValue / 100 * (rng.High - rng.Low)
	default:
		return f, ua.StatusBadMonitoredItemFilterInvalid
	}
	if !(want.DeadbandValue >= 0) || math.IsInf(want.DeadbandValue, 0) {
		return f, ua.StatusBadDeadbandFilterInvalid
	}
	if !s.isNumeric(it.variable.node) {
		return f, ua.StatusBadFilterNotAllowed
	}
	f.active = true
	return f, ua.StatusOK
}

// isNumeric tells whether a variable's data type is a Number.
func (s *Server) isNumeric(n *node) bool {
	return isSubtype(s.space.standard(n.dataType), nodeKey{num: numberType})
}

func (s *Server) modifyMonitoredItems(c *call, sess *session, r *ua.ModifyMonitoredItemsRequest) {
	sub := s.checkItems(c, sess, r.SubscriptionID, len(r.ItemsToModify), r.TimestampsToReturn)
	if sub == nil {
		return
	}
	results := make([]*ua.MonitoredItemModifyResult, len(r.ItemsToModify))
	for i, req := range r.ItemsToModify {
		results[i] = &ua.MonitoredItemModifyResult{StatusCode: ua.StatusBadMonitoredItemIDInvalid, FilterResult: ua.NewExtensionObject(nil)}
		it := sub.items[req.MonitoredItemID]
		if it == nil {
			continue
		}
		results[i].StatusCode = s.configure(it, req.RequestedParameters)
		if results[i].StatusCode == ua.StatusOK {
			it.ts = r.TimestampsToReturn
			results[i].RevisedSamplingInterval = inMilliseconds(it.interval)
			results[i].RevisedQueueSize = uint32(it.queue.limit)
		}
	}
	s.respond(c, &ua.ModifyMonitoredItemsResponse{Results: results, DiagnosticInfos: []*ua.DiagnosticInfo{}})
}

func (s *Server) setMonitoringMode(c *call, sess *session, r *ua.SetMonitoringModeRequest) {
	sub := s.checkItems(c, sess, r.SubscriptionID, len(r.MonitoredItemIDs), ua.TimestampsToReturnBoth)
	if sub == nil {
		return
	}
	if r.MonitoringMode > ua.MonitoringModeReporting {
		s.fault(c, ua.StatusBadMonitoringModeInvalid)
		return
	}
	results := make([]ua.StatusCode, len(r.MonitoredItemIDs))
	for i, id := range r.MonitoredItemIDs {
		if it := sub.items[id]; it != nil {
			it.setMode(r.MonitoringMode)
		} else {
			results[i] = ua.StatusBadMonitoredItemIDInvalid
		}
	}
	s.respond(c, &ua.SetMonitoringModeResponse{Results: results, DiagnosticInfos: []*ua.DiagnosticInfo{}})
}

// setMode changes the monitoring mode: disabling discards the queue, enabling starts
// with the current value, sampling keeps the queue without reporting it.
func (it *item) setMode(mode ua.MonitoringMode) {
	before := it.mode
	it.mode = mode
	switch {
	case mode == ua.MonitoringModeDisabled:
		it.clear(CauseMode)
	case before == ua.MonitoringModeDisabled && it.variable != nil:
		cur := it.variable.current()
		it.admit(&cur)
	default:
		it.ready()
	}
}

func (s *Server) deleteMonitoredItems(c *call, sess *session, r *ua.DeleteMonitoredItemsRequest) {
	sub := s.checkItems(c, sess, r.SubscriptionID, len(r.MonitoredItemIDs), ua.TimestampsToReturnBoth)
	if sub == nil {
		return
	}
	results := make([]ua.StatusCode, len(r.MonitoredItemIDs))
	for i, id := range r.MonitoredItemIDs {
		if it := sub.items[id]; it != nil {
			sub.removeItem(it, CauseMode)
		} else {
			results[i] = ua.StatusBadMonitoredItemIDInvalid
		}
	}
	s.respond(c, &ua.DeleteMonitoredItemsResponse{Results: results, DiagnosticInfos: []*ua.DiagnosticInfo{}})
}

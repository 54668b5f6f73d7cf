package uaserver

import (
	"math"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// standardVar describes a variable of namespace 0; its value is read when asked for.
type standardVar struct {
	num      uint32
	name     string
	parent   uint32
	property bool
	dataType uint32
	rank     int32
	typedef  uint32 // 0: by property
	read     func(*Server) any
}

// always returns a read function for a constant.
func always(v any) func(*Server) any { return func(*Server) any { return v } }

// addServerObject builds the Server object (OPC 10000-5 §8.3.2).
func (sp *space) addServerObject(server *node) {
	caps := sp.addObject(id.Server_ServerCapabilities, "ServerCapabilities", server, id.HasComponent, id.ServerCapabilitiesType)
	sp.addObject(id.Server_ServerCapabilities_OperationLimits, "OperationLimits", caps, id.HasComponent, id.OperationLimitsType)
	sp.addObject(id.HistoryServerCapabilities, "HistoryServerCapabilities", caps, id.HasComponent, id.HistoryServerCapabilitiesType)
	sp.addObject(id.Server_ServerRedundancy, "ServerRedundancy", server, id.HasComponent, id.ServerRedundancyType)
	for _, table := range [][]standardVar{serverVars(), statusVars(), capabilityVars(), limitVars(), historyVars()} {
		for _, v := range table {
			sp.addStandardVar(v)
		}
	}
}

func (sp *space) addStandardVar(v standardVar) {
	refType, typedef := uint32(id.HasComponent), uint32(id.BaseDataVariableType)
	if v.property {
		refType, typedef = id.HasProperty, id.PropertyType
	}
	if v.typedef != 0 {
		typedef = v.typedef
	}
	rank := v.rank
	if rank == 0 {
		rank = -1
	}
	n := &node{
		key: nodeKey{num: v.num}, class: ua.NodeClassVariable, browse: qname{name: v.name},
		dataType: v.dataType, rank: rank,
	}
	n.variable = &Variable{srv: sp.srv, node: n, read: v.read}
	mustAdd(sp.insert(n, sp.standard(v.parent), refType, typedef))
}

func serverVars() []standardVar {
	return []standardVar{
		{num: id.Server_ServerArray, name: "ServerArray", parent: id.Server, property: true, dataType: id.String, rank: 1,
			read: func(s *Server) any { return []string{s.opts.ApplicationURI} }},
		{num: id.Server_NamespaceArray, name: "NamespaceArray", parent: id.Server, property: true, dataType: id.String, rank: 1,
			read: func(s *Server) any { return s.space.table() }},
		{num: id.Server_ServiceLevel, name: "ServiceLevel", parent: id.Server, property: true, dataType: id.Byte, read: always(uint8(255))},
		{num: id.Server_Auditing, name: "Auditing", parent: id.Server, property: true, dataType: id.Boolean, read: always(false)},
		{num: id.Server_ServerRedundancy_RedundancySupport, name: "RedundancySupport", parent: id.Server_ServerRedundancy, property: true,
			dataType: id.RedundancySupport, read: always(int32(0))},
		{num: id.Server_ServerStatus, name: "ServerStatus", parent: id.Server, dataType: id.ServerStatusDataType, typedef: id.ServerStatusType,
			read: func(s *Server) any { return ua.NewExtensionObject(s.status()) }},
	}
}

func statusVars() []standardVar {
	const parent = id.Server_ServerStatus
	const build = id.Server_ServerStatus_BuildInfo
	return []standardVar{
		{num: id.Server_ServerStatus_StartTime, name: "StartTime", parent: parent, dataType: id.UtcTime, read: func(s *Server) any { return s.startTime }},
		{num: id.Server_ServerStatus_CurrentTime, name: "CurrentTime", parent: parent, dataType: id.UtcTime, read: func(s *Server) any { return s.wall() }},
		{num: id.Server_ServerStatus_State, name: "State", parent: parent, dataType: id.ServerState, read: always(int32(ua.ServerStateRunning))},
		{num: build, name: "BuildInfo", parent: parent, dataType: id.BuildInfo, typedef: id.BuildInfoType,
			read: func(s *Server) any { return ua.NewExtensionObject(s.build()) }},
		{num: id.Server_ServerStatus_SecondsTillShutdown, name: "SecondsTillShutdown", parent: parent, dataType: id.UInt32, read: always(uint32(0))},
		{num: id.Server_ServerStatus_ShutdownReason, name: "ShutdownReason", parent: parent, dataType: id.LocalizedText,
			read: always(ua.NewLocalizedText(""))},
		{num: id.Server_ServerStatus_BuildInfo_ProductURI, name: "ProductUri", parent: build, dataType: id.String, read: func(s *Server) any { return s.build().ProductURI }},
		{num: id.Server_ServerStatus_BuildInfo_ManufacturerName, name: "ManufacturerName", parent: build, dataType: id.String, read: func(s *Server) any { return s.build().ManufacturerName }},
		{num: id.Server_ServerStatus_BuildInfo_ProductName, name: "ProductName", parent: build, dataType: id.String, read: func(s *Server) any { return s.build().ProductName }},
		{num: id.Server_ServerStatus_BuildInfo_SoftwareVersion, name: "SoftwareVersion", parent: build, dataType: id.String, read: func(s *Server) any { return s.build().SoftwareVersion }},
		{num: id.Server_ServerStatus_BuildInfo_BuildNumber, name: "BuildNumber", parent: build, dataType: id.String, read: func(s *Server) any { return s.build().BuildNumber }},
		{num: id.Server_ServerStatus_BuildInfo_BuildDate, name: "BuildDate", parent: build, dataType: id.UtcTime, read: func(s *Server) any { return DateTimeOf(s.build().BuildDate) }},
	}
}

func capabilityVars() []standardVar {
	const parent = id.Server_ServerCapabilities
	prop := func(num uint32, name string, dataType uint32, read func(*Server) any) standardVar {
		return standardVar{num: num, name: name, parent: parent, property: true, dataType: dataType, read: read}
	}
	list := func(v standardVar) standardVar { v.rank = 1; return v }
	return []standardVar{
		list(prop(id.Server_ServerCapabilities_ServerProfileArray, "ServerProfileArray", id.String,
			always([]string{"http://opcfoundation.org/UA-Profile/Server/StandardUA2017"}))),
		list(prop(id.Server_ServerCapabilities_LocaleIDArray, "LocaleIdArray", id.LocaleID, always([]string{"en"}))),
		prop(id.Server_ServerCapabilities_MinSupportedSampleRate, "MinSupportedSampleRate", id.Duration,
			func(s *Server) any { return float64(s.limits.MinSamplingInterval) / float64(time.Millisecond) }),
		prop(id.Server_ServerCapabilities_MaxBrowseContinuationPoints, "MaxBrowseContinuationPoints", id.UInt16,
			func(s *Server) any { return uint16(s.limits.MaxContinuationPoints) }),
		prop(id.Server_ServerCapabilities_MaxQueryContinuationPoints, "MaxQueryContinuationPoints", id.UInt16, always(uint16(0))),
		prop(id.Server_ServerCapabilities_MaxHistoryContinuationPoints, "MaxHistoryContinuationPoints", id.UInt16,
			func(s *Server) any { return uint16(min(s.limits.MaxHistoryContinuationPoints, math.MaxUint16)) }),
		prop(id.Server_ServerCapabilities_MaxArrayLength, "MaxArrayLength", id.UInt32, always(uint32(0))),
		prop(id.Server_ServerCapabilities_MaxStringLength, "MaxStringLength", id.UInt32, always(uint32(0))),
	}
}

func limitVars() []standardVar {
	limit := func(num uint32, name string, read func(*Limits) uint32) standardVar {
		return standardVar{
			num: num, name: name, parent: id.Server_ServerCapabilities_OperationLimits, property: true, dataType: id.UInt32,
			read: func(s *Server) any { return read(&s.limits) },
		}
	}
	items := func(l *Limits) uint32 { return l.MaxMonitoredItemsPerCall }
	return []standardVar{
		limit(id.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead, "MaxNodesPerRead", func(l *Limits) uint32 { return l.MaxNodesPerRead }),
		limit(id.Server_ServerCapabilities_OperationLimits_MaxNodesPerHistoryReadData, "MaxNodesPerHistoryReadData",
			func(l *Limits) uint32 { return l.MaxNodesPerHistoryRead }),
		limit(id.Server_ServerCapabilities_OperationLimits_MaxNodesPerBrowse, "MaxNodesPerBrowse", func(l *Limits) uint32 { return l.MaxNodesPerBrowse }),
		limit(id.Server_ServerCapabilities_OperationLimits_MaxNodesPerRegisterNodes, "MaxNodesPerRegisterNodes", func(l *Limits) uint32 { return l.MaxNodesPerRegister }),
		limit(id.Server_ServerCapabilities_OperationLimits_MaxNodesPerTranslateBrowsePathsToNodeIDs, "MaxNodesPerTranslateBrowsePathsToNodeIds",
			func(l *Limits) uint32 { return l.MaxNodesPerTranslate }),
		limit(id.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall, "MaxMonitoredItemsPerCall", items),
	}
}

// historyVars say what HistoryRead can do (OPC 10000-11 §5.4.2): read raw values, nothing else.
func historyVars() []standardVar {
	prop := func(num uint32, name string, dataType uint32, read func(*Server) any) standardVar {
		return standardVar{num: num, name: name, parent: id.HistoryServerCapabilities, property: true, dataType: dataType, read: read}
	}
	vars := []standardVar{
		prop(id.HistoryServerCapabilities_AccessHistoryDataCapability, "AccessHistoryDataCapability", id.Boolean, always(true)),
		prop(id.HistoryServerCapabilities_ServerTimestampSupported, "ServerTimestampSupported", id.Boolean, always(true)),
		prop(id.HistoryServerCapabilities_MaxReturnDataValues, "MaxReturnDataValues", id.UInt32,
			func(s *Server) any { return uint32(s.limits.MaxHistoryValues) }),
		prop(id.HistoryServerCapabilities_MaxReturnEventValues, "MaxReturnEventValues", id.UInt32, always(uint32(0))),
	}
	for _, not := range []struct {
		num  uint32
		name string
	}{
		{id.HistoryServerCapabilities_AccessHistoryEventsCapability, "AccessHistoryEventsCapability"},
		{id.HistoryServerCapabilities_InsertDataCapability, "InsertDataCapability"},
		{id.HistoryServerCapabilities_ReplaceDataCapability, "ReplaceDataCapability"},
		{id.HistoryServerCapabilities_UpdateDataCapability, "UpdateDataCapability"},
		{id.HistoryServerCapabilities_DeleteRawCapability, "DeleteRawCapability"},
		{id.HistoryServerCapabilities_DeleteAtTimeCapability, "DeleteAtTimeCapability"},
		{id.HistoryServerCapabilities_InsertEventCapability, "InsertEventCapability"},
		{id.HistoryServerCapabilities_ReplaceEventCapability, "ReplaceEventCapability"},
		{id.HistoryServerCapabilities_UpdateEventCapability, "UpdateEventCapability"},
		{id.HistoryServerCapabilities_DeleteEventCapability, "DeleteEventCapability"},
		{id.HistoryServerCapabilities_InsertAnnotationCapability, "InsertAnnotationCapability"},
	} {
		vars = append(vars, prop(not.num, not.name, id.Boolean, always(false)))
	}
	return vars
}

func (s *Server) build() *ua.BuildInfo {
	return &ua.BuildInfo{
		ProductURI: "urn:kvarts:simplant", ManufacturerName: "Kvarts", ProductName: s.opts.ProductName,
		SoftwareVersion: "1.0", BuildNumber: "1", BuildDate: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC),
	}
}

func (s *Server) status() *ua.ServerStatusDataType {
	return &ua.ServerStatusDataType{
		StartTime: s.startTime.Time(), CurrentTime: s.wall().Time(), State: ua.ServerStateRunning,
		BuildInfo: s.build(), ShutdownReason: ua.NewLocalizedText(""),
	}
}

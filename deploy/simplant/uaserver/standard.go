package uaserver

import (
	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// typeSpec is one line of the type tables: a type node below parent.
type typeSpec struct {
	num      uint32
	name     string
	parent   uint32
	abstract bool
	inverse  string
}

// referenceTypes are the reference types that clients name in Browse (OPC 10000-3 §7).
var referenceTypes = []typeSpec{
	{id.References, "References", 0, true, ""},
	{id.HierarchicalReferences, "HierarchicalReferences", id.References, true, ""},
	{id.NonHierarchicalReferences, "NonHierarchicalReferences", id.References, true, ""},
	{id.HasChild, "HasChild", id.HierarchicalReferences, true, "ChildOf"},
	{id.Organizes, "Organizes", id.HierarchicalReferences, false, "OrganizedBy"},
	{id.HasEventSource, "HasEventSource", id.HierarchicalReferences, false, "EventSourceOf"},
	{id.HasNotifier, "HasNotifier", id.HasEventSource, false, "NotifierOf"},
	{id.Aggregates, "Aggregates", id.HasChild, true, "AggregatedBy"},
	{id.HasSubtype, "HasSubtype", id.HasChild, false, "SubtypeOf"},
	{id.HasProperty, "HasProperty", id.Aggregates, false, "PropertyOf"},
	{id.HasComponent, "HasComponent", id.Aggregates, false, "ComponentOf"},
	{id.HasOrderedComponent, "HasOrderedComponent", id.HasComponent, false, "OrderedComponentOf"},
	{id.HasModellingRule, "HasModellingRule", id.NonHierarchicalReferences, false, "ModellingRuleOf"},
	{id.HasEncoding, "HasEncoding", id.NonHierarchicalReferences, false, "EncodingOf"},
	{id.HasDescription, "HasDescription", id.NonHierarchicalReferences, false, "DescriptionOf"},
	{id.HasTypeDefinition, "HasTypeDefinition", id.NonHierarchicalReferences, false, "TypeDefinitionOf"},
	{id.GeneratesEvent, "GeneratesEvent", id.NonHierarchicalReferences, false, "GeneratesEventOf"},
}

// dataTypes are the data types that variables of a simulated machine may have.
var dataTypes = []typeSpec{
	{num: id.BaseDataType, name: "BaseDataType", abstract: true},
	{num: id.Boolean, name: "Boolean", parent: id.BaseDataType},
	{num: id.ByteString, name: "ByteString", parent: id.BaseDataType},
	{num: id.DataValue, name: "DataValue", parent: id.BaseDataType},
	{num: id.DateTime, name: "DateTime", parent: id.BaseDataType},
	{num: id.UtcTime, name: "UtcTime", parent: id.DateTime},
	{num: id.DiagnosticInfo, name: "DiagnosticInfo", parent: id.BaseDataType},
	{num: id.Enumeration, name: "Enumeration", parent: id.BaseDataType, abstract: true},
	{num: id.ServerState, name: "ServerState", parent: id.Enumeration},
	{num: id.RedundancySupport, name: "RedundancySupport", parent: id.Enumeration},
	{num: id.ExpandedNodeID, name: "ExpandedNodeId", parent: id.BaseDataType},
	{num: id.GUID, name: "Guid", parent: id.BaseDataType},
	{num: id.LocalizedText, name: "LocalizedText", parent: id.BaseDataType},
	{num: id.NodeID, name: "NodeId", parent: id.BaseDataType},
	{num: id.Number, name: "Number", parent: id.BaseDataType, abstract: true},
	{num: id.Integer, name: "Integer", parent: id.Number, abstract: true},
	{num: id.SByte, name: "SByte", parent: id.Integer},
	{num: id.Int16, name: "Int16", parent: id.Integer},
	{num: id.Int32, name: "Int32", parent: id.Integer},
	{num: id.Int64, name: "Int64", parent: id.Integer},
	{num: id.UInteger, name: "UInteger", parent: id.Number, abstract: true},
	{num: id.Byte, name: "Byte", parent: id.UInteger},
	{num: id.UInt16, name: "UInt16", parent: id.UInteger},
	{num: id.UInt32, name: "UInt32", parent: id.UInteger},
	{num: id.UInt64, name: "UInt64", parent: id.UInteger},
	{num: id.Float, name: "Float", parent: id.Number},
	{num: id.Double, name: "Double", parent: id.Number},
	{num: id.Duration, name: "Duration", parent: id.Double},
	{num: id.QualifiedName, name: "QualifiedName", parent: id.BaseDataType},
	{num: id.StatusCode, name: "StatusCode", parent: id.BaseDataType},
	{num: id.String, name: "String", parent: id.BaseDataType},
	{num: id.LocaleID, name: "LocaleId", parent: id.String},
	{num: id.XMLElement, name: "XmlElement", parent: id.BaseDataType},
	{num: id.Structure, name: "Structure", parent: id.BaseDataType, abstract: true},
	{num: id.Range, name: "Range", parent: id.Structure},
	{num: id.EUInformation, name: "EUInformation", parent: id.Structure},
	{num: id.BuildInfo, name: "BuildInfo", parent: id.Structure},
	{num: id.ServerStatusDataType, name: "ServerStatusDataType", parent: id.Structure},
}

// objectTypes and variableTypes are what the type definitions name.
var objectTypes = []typeSpec{
	{num: id.BaseObjectType, name: "BaseObjectType"},
	{num: id.FolderType, name: "FolderType", parent: id.BaseObjectType},
	{num: id.ServerType, name: "ServerType", parent: id.BaseObjectType},
	{num: id.ServerCapabilitiesType, name: "ServerCapabilitiesType", parent: id.BaseObjectType},
	{num: id.OperationLimitsType, name: "OperationLimitsType", parent: id.FolderType},
	{num: id.HistoryServerCapabilitiesType, name: "HistoryServerCapabilitiesType", parent: id.BaseObjectType},
	{num: id.ServerRedundancyType, name: "ServerRedundancyType", parent: id.BaseObjectType},
}

var variableTypes = []typeSpec{
	{num: id.BaseVariableType, name: "BaseVariableType", abstract: true},
	{num: id.BaseDataVariableType, name: "BaseDataVariableType", parent: id.BaseVariableType},
	{num: id.PropertyType, name: "PropertyType", parent: id.BaseVariableType},
	{num: id.ServerStatusType, name: "ServerStatusType", parent: id.BaseDataVariableType},
	{num: id.BuildInfoType, name: "BuildInfoType", parent: id.BaseDataVariableType},
	{num: id.DataItemType, name: "DataItemType", parent: id.BaseDataVariableType},
	{num: id.AnalogItemType, name: "AnalogItemType", parent: id.DataItemType},
	{num: id.MultiStateDiscreteType, name: "MultiStateDiscreteType", parent: id.DataItemType},
}

// addStandardNodes builds the part of namespace 0 that clients use.
func (sp *space) addStandardNodes() {
	sp.addTypes(ua.NodeClassReferenceType, referenceTypes)
	sp.addTypes(ua.NodeClassDataType, dataTypes)
	sp.addTypes(ua.NodeClassObjectType, objectTypes)
	sp.addTypes(ua.NodeClassVariableType, variableTypes)

	root := sp.addObject(id.RootFolder, "Root", nil, 0, id.FolderType)
	objects := sp.addObject(id.ObjectsFolder, "Objects", root, id.Organizes, id.FolderType)
	types := sp.addObject(id.TypesFolder, "Types", root, id.Organizes, id.FolderType)
	sp.addObject(id.ViewsFolder, "Views", root, id.Organizes, id.FolderType)
	for _, t := range []struct {
		folder uint32
		name   string
		top    uint32
	}{
		{id.ObjectTypesFolder, "ObjectTypes", id.BaseObjectType},
		{id.VariableTypesFolder, "VariableTypes", id.BaseVariableType},
		{id.DataTypesFolder, "DataTypes", id.BaseDataType},
		{id.ReferenceTypesFolder, "ReferenceTypes", id.References},
	} {
		folder := sp.addObject(t.folder, t.name, types, id.Organizes, id.FolderType)
		link(folder, id.Organizes, sp.standard(t.top))
	}
	sp.addServerObject(sp.addObject(id.Server, "Server", objects, id.Organizes, id.ServerType))
}

func (sp *space) addTypes(class ua.NodeClass, specs []typeSpec) {
	for _, t := range specs {
		n := &node{
			key: nodeKey{num: t.num}, class: class, browse: qname{name: t.name},
			abstract: t.abstract, inverse: t.inverse, rank: -1, dataType: id.BaseDataType,
		}
		sp.nodes[n.key] = n
		if t.parent != 0 {
			link(sp.standard(t.parent), id.HasSubtype, n)
		}
	}
}

func (sp *space) addObject(num uint32, name string, parent *node, refType, typedef uint32) *node {
	n := &node{key: nodeKey{num: num}, class: ua.NodeClassObject, browse: qname{name: name}}
	mustAdd(sp.insert(n, parent, refType, typedef))
	return n
}

// mustAdd reports a mistake in the tables of this file.
func mustAdd(err error) {
	if err != nil {
		panic(err)
	}
}

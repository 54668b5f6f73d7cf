"use strict";

const opcua = require("node-opcua");
const { ensureDatatypeExtracted } = require("node-opcua-address-space");
const { OpaqueStructure } = require("node-opcua-extension-object");

const ARRAY = opcua.VariantArrayType.Array;
const MATRIX = opcua.VariantArrayType.Matrix;

// Ticks of 100 ns from 1601 to 1970.
const EPOCH = 116444736000000000n;

// A string that breaks what does not escape: newline, quotes, backslash, comma, equals sign, tab, an emoji outside of
// the basic plane, 64 KB long.
const HARD_TEXT = "line 1\nline 2 \"quoted\" 'q' back\\slash, a=b\ttab \u{1F525} Ærøskøbing ";
const LONG_TEXT = HARD_TEXT.repeat(Math.ceil(65536 / Buffer.byteLength(HARD_TEXT)));

const GUID = "72962B91-FA75-4AE6-8D28-B404DC7DAF63";

// hardValues gives the values of the "types" folder. Each entry: name; type, its built-in type; js, the value as
// node-opcua takes it; json, what a test compares with:
//
//   integers up to 32 bits and finite floats   JSON numbers       Int64, UInt64     decimal text
//   NaN, ±Inf, -0                               text               DateTime          decimal text, 100 ns since 1601
//   ByteString                                  base64 text        StatusCode        number
//   LocalizedText                               {locale, text}     QualifiedName     {ns, name}
//   NodeId, ExpandedNodeId, Guid                text               structures, the rest   object of their fields
//
// null stands for a null array or string. 2-D arrays are flat, row by row, their dimensions in dims.
async function hardValues(namespace) {
  return [...numbers(), ...texts(), ...identifiers(namespace), ...times(), ...arrays(), ...(await structures(namespace))];
}

const plain = (name, type, value) => ({ name, type, js: value, json: value });
const float = (name, type, value) => ({ name, type, js: value, json: floatJSON(value) });
const big = (name, type, text) => ({ name, type, js: halves(BigInt(text)), json: text });

function numbers() {
  return [
    plain("bool_true", "Boolean", true),
    plain("bool_false", "Boolean", false),
    plain("sbyte_min", "SByte", -128),
    plain("byte_max", "Byte", 255),
    plain("int16_min", "Int16", -32768),
    plain("uint16_max", "UInt16", 65535),
    plain("int32_min", "Int32", -2147483648),
    plain("uint32_max", "UInt32", 4294967295),
    big("int64_2e53_1", "Int64", "9007199254740993"),
    big("int64_min", "Int64", "-9223372036854775808"),
    big("int64_max", "Int64", "9223372036854775807"),
    big("int64_minus_1", "Int64", "-1"),
    big("uint64_2e53_1", "UInt64", "9007199254740993"),
    big("uint64_2e63_1", "UInt64", "9223372036854775807"),
    big("uint64_max", "UInt64", "18446744073709551615"),
    float("float_0_1", "Float", Math.fround(0.1)),
    float("float_max", "Float", 3.4028234663852886e38),
    float("float_nan", "Float", NaN),
    float("float_inf", "Float", Infinity),
    float("double_0_1", "Double", 0.1),
    float("double_max", "Double", Number.MAX_VALUE),
    float("double_smallest", "Double", Number.MIN_VALUE),
    float("double_nan", "Double", NaN),
    float("double_inf", "Double", Infinity),
    float("double_minus_inf", "Double", -Infinity),
    float("double_minus_0", "Double", -0),
    { name: "status_good", type: "StatusCode", js: opcua.StatusCodes.Good, json: 0 },
    {
      name: "status_bad",
      type: "StatusCode",
      js: opcua.StatusCodes.BadNoCommunication,
      json: opcua.StatusCodes.BadNoCommunication.value,
    },
    {
      name: "data_value",
      type: "DataValue",
      dataType: "BaseDataType",
      js: new opcua.DataValue({ value: { dataType: "Double", value: 1.5 }, statusCode: opcua.StatusCodes.GoodClamped }),
      json: { type: "Double", value: 1.5, status: opcua.StatusCodes.GoodClamped.value },
    },
    {
      name: "diagnostic_info",
      type: "DiagnosticInfo",
      dataType: "BaseDataType",
      js: new opcua.DiagnosticInfo({ additionalInfo: "worn blade" }),
      json: { additionalInfo: "worn blade" },
    },
    { name: "enum", type: "Int32", dataType: "ServerState", js: 3, json: 3 },
  ];
}

function texts() {
  const bytes = Buffer.from([0, 1, 2, 253, 254, 255]);
  const localized = (locale, text) => ({ js: new opcua.LocalizedText({ locale, text }), json: { locale, text } });
  return [
    plain("string", "String", "silicon"),
    plain("string_empty", "String", ""),
    plain("string_null", "String", null),
    plain("string_hard", "String", HARD_TEXT),
    plain("string_64k", "String", LONG_TEXT),
    { name: "bytestring", type: "ByteString", js: bytes, json: bytes.toString("base64") },
    { name: "bytestring_empty", type: "ByteString", js: Buffer.alloc(0), json: "" },
    { name: "bytestring_null", type: "ByteString", js: null, json: null },
    plain("xml", "XmlElement", "<si n=\"12\">\u{1F525}</si>"),
    { name: "localized", type: "LocalizedText", ...localized("nb-NO", "Ovn på") },
    { name: "localized_no_locale", type: "LocalizedText", ...localized(null, "Furnace on") },
    {
      name: "qualified_name",
      type: "QualifiedName",
      js: new opcua.QualifiedName({ namespaceIndex: 3, name: "Puller" }),
      json: { ns: 3, name: "Puller" },
    },
  ];
}

function identifiers(namespace) {
  const ns = namespace.index;
  const node = (name, text) => ({ name, type: "NodeId", js: opcua.resolveNodeId(text), json: text });
  return [
    plain("guid", "Guid", GUID),
    node("nodeid_numeric", `ns=${ns};i=1234567`),
    node("nodeid_string", `ns=${ns};s=Line 1.Saw;speed`),
    node("nodeid_guid", `ns=${ns};g=${GUID}`),
    node("nodeid_opaque", `ns=${ns};b=${Buffer.from("kvarts").toString("base64")}`),
    {
      name: "expanded_nodeid",
      type: "ExpandedNodeId",
      js: new opcua.ExpandedNodeId(opcua.NodeIdType.STRING, "Saw", 0, "urn:kvarts:test:types", 0),
      json: "nsu=urn:kvarts:test:types;s=Saw",
    },
  ];
}

function times() {
  const time = (name, iso) => {
    const date = new Date(iso);
    return { name, type: "DateTime", js: date, json: (BigInt(date.getTime()) * 10000n + EPOCH).toString() };
  };
  return [
    time("datetime", "2026-11-23T12:34:56.789Z"),
    time("datetime_1601", "1601-01-01T00:00:00Z"),
    time("datetime_1969", "1969-12-31T23:59:59.999Z"),
    time("datetime_2500", "2500-01-01T00:00:00Z"),
    time("datetime_9999", "9999-12-31T23:59:58Z"),
  ];
}

function arrays() {
  const array = (name, type, js, json) => ({ name, type, arrayType: ARRAY, js, json: json ?? js, dims: js ? [js.length] : [0] });
  const ramp = Array.from({ length: 70000 }, (_, i) => i);
  return [
    array("double_array", "Double", new Float64Array([1.5, -2.25, NaN]), [1.5, -2.25, "NaN"]),
    array("float_array", "Float", new Float32Array([0.5, 0.25]), [0.5, 0.25]),
    array("int32_array", "Int32", new Int32Array([-1, 0, 2147483647]), [-1, 0, 2147483647]),
    array("byte_array", "Byte", new Uint8Array([0, 255]), [0, 255]),
    array("bool_array", "Boolean", [true, false, true]),
    array("string_array", "String", ["a", "", "\u{1F525}", null]),
    array("int64_array", "Int64", ["-1", "9007199254740993"].map((v) => halves(BigInt(v))), ["-1", "9007199254740993"]),
    array("variant_array", "Variant", [
      new opcua.Variant({ dataType: "Double", value: 1.5 }),
      new opcua.Variant({ dataType: "String", value: "two" }),
    ], [{ type: "Double", value: 1.5 }, { type: "String", value: "two" }]),
    array("double_array_empty", "Double", new Float64Array(0), []),
    array("string_array_empty", "String", [], []),
    { name: "double_array_null", type: "Double", arrayType: ARRAY, js: null, json: null, dims: [0] },
    { name: "double_2d", type: "Double", arrayType: MATRIX, js: new Float64Array([1, 2, 3, 4, 5, 6]), json: [1, 2, 3, 4, 5, 6], dims: [2, 3] },
    { name: "int32_2d", type: "Int32", arrayType: MATRIX, js: new Int32Array([1, 2, 3, 4]), json: [1, 2, 3, 4], dims: [2, 2] },
    { name: "int32_array_70000", type: "Int32", arrayType: ARRAY, js: new Int32Array(ramp), json: { ramp: 70000 }, dims: [70000] },
  ];
}

async function structures(namespace) {
  const { addressSpace } = namespace;
  const dataType = namespace.createDataType({
    browseName: "KvartsPullerState",
    isAbstract: false,
    subtypeOf: "Structure",
    partialDefinition: [
      { name: "Diameter", dataType: opcua.DataType.Double, valueRank: -1, description: "mm" },
      { name: "Recipe", dataType: opcua.DataType.String, valueRank: -1, description: "name of the recipe" },
      { name: "Steps", dataType: opcua.DataType.Int32, valueRank: 1, description: "steps done" },
    ],
  });
  const encoding = { name: "Default Binary", namespaceIndex: 0 };
  namespace.addObject({ browseName: encoding, encodingOf: dataType, typeDefinition: "DataTypeEncodingType" });
  await ensureDatatypeExtracted(addressSpace); // makes the constructor of the type
  const custom = { diameter: 210.5, recipe: "M10", steps: [1, 2, 3] };
  const structure = (name, type, js, json) => ({ name, type: "ExtensionObject", dataType: type, js, json });
  return [
    structure("range", "Range", new opcua.Range({ low: -1.5, high: 2.5 }), { low: -1.5, high: 2.5 }),
    structure("eu_information", "EUInformation", opcua.standardUnits.kilowatt, {
      namespaceUri: opcua.standardUnits.kilowatt.namespaceUri,
      unitId: opcua.standardUnits.kilowatt.unitId,
      displayName: opcua.standardUnits.kilowatt.displayName.text,
    }),
    structure("custom_structure", dataType.nodeId, addressSpace.constructExtensionObject(dataType, custom), custom),
    structure("opaque_structure", "Structure", new OpaqueStructure(opcua.resolveNodeId(`ns=${namespace.index};i=987654`), Buffer.from("opaque")), {
      typeId: `ns=${namespace.index};i=987654`,
      body: Buffer.from("opaque").toString("base64"),
    }),
    structure("structure_null", "Structure", null, null),
  ];
}

// halves is node-opcua's form of a 64 bit integer.
function halves(value) {
  const bits = BigInt.asUintN(64, value);
  return [Number(bits >> 32n), Number(bits & 0xffffffffn)];
}

function floatJSON(value) {
  if (Number.isNaN(value)) return "NaN";
  if (value === Infinity) return "Infinity";
  if (value === -Infinity) return "-Infinity";
  return Object.is(value, -0) ? "-0" : value;
}

module.exports = { hardValues };

"use strict";

const fs = require("node:fs");
const path = require("node:path");
const opcua = require("node-opcua");
const { BinaryStream } = require("node-opcua-binary-stream");
const { hardValues } = require("./values");

// Values above this size do not have their encoding in the manifest.
const MAX_WIRE = 100 * 1024;

// addTypes adds one node for each entry of values.js and writes the manifest: one JSON object a line,
//
//   {"n":"types.int64_max","type":"Int64","rank":-1,"dims":null,"value":"9223372036854775807","wire":"CP///…"}
//
// n string identifier, type the built-in type of the value, rank and dims as the node's attributes, value as values.js
// describes it, wire the Variant as node-opcua encodes it (Part 6 §5.2.2.16) in base64, "" when it is large.
async function addTypes(namespace, parent, dir) {
  const file = path.join(dir, "types.jsonl");
  const lines = [];
  for (const entry of await hardValues(namespace)) {
    const variant = new opcua.Variant({
      dataType: opcua.DataType[entry.type],
      arrayType: entry.arrayType ?? opcua.VariantArrayType.Scalar,
      dimensions: entry.dims && entry.dims.length > 1 ? entry.dims : undefined,
      value: entry.js,
    });
    const rank = entry.rank ?? (entry.arrayType === undefined ? -1 : entry.dims ? entry.dims.length : 1);
    const id = `types.${entry.name}`;
    const variable = namespace.addVariable({
      componentOf: parent,
      nodeId: `s=${id}`,
      browseName: id,
      dataType: entry.dataType ?? (entry.type === "Variant" ? "BaseDataType" : entry.type),
      valueRank: rank,
      arrayDimensions: rank > 0 ? (entry.dims ?? [0]) : undefined,
      minimumSamplingInterval: 0,
    });
    const now = new Date();
    const dataValue = new opcua.DataValue(null);
    dataValue.statusCode = opcua.StatusCodes.Good;
    dataValue.value = variant;
    dataValue.sourceTimestamp = now;
    dataValue.serverTimestamp = now;
    variable.$dataValue = dataValue; // as it is: setters check types and would replace hard values
    lines.push(JSON.stringify({ n: id, type: entry.type, rank, dims: entry.dims ?? null, value: entry.json, wire: wire(variant) }));
  }
  fs.writeFileSync(file, lines.join("\n") + "\n");
  return file;
}

function wire(variant) {
  const size = variant.binaryStoreSize ? variant.binaryStoreSize() : MAX_WIRE + 1;
  if (size > MAX_WIRE) return "";
  const stream = new BinaryStream(Buffer.alloc(size + 16));
  variant.encode(stream);
  return stream.buffer.subarray(0, stream.length).toString("base64");
}

module.exports = { addTypes };

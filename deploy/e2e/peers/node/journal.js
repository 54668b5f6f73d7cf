"use strict";

const fs = require("node:fs");

// Journal is the record of what was generated: one JSON object a line,
//
//   {"n":"load.00007","t":17639093351230007,"v":12,"s":0}
//
// n is the node's string identifier, t its source time in ticks of 100 ns
// since 1970, or null, v the value or null, s the status code
// in decimal. Where t is null, r holds the server time. Lines reach the file before the samples reach a client, so
// a client never holds a sample that is not in it, even when this process is killed.
class Journal {
  constructor(path) {
    this.path = path;
    this.fd = fs.openSync(path, "a");
    this.lines = "";
    this.count = 0;
  }

  add(node, sample) {
    const v = sample.value;
    let value = v; // null, a boolean or a finite number
    if (Array.isArray(v)) value = v[1]; // an Int64 in two halves; generated ones need one
    else if (typeof v === "string" || (typeof v === "number" && !Number.isFinite(v))) value = JSON.stringify(String(v));
    const time = sample.ms === null ? `null,"r":${ticks(sample.serverMs, 0)}` : ticks(sample.ms, sample.ticks);
    this.lines += `{"n":"${node}","t":${time},"v":${value},"s":${sample.status.value}}\n`;
    this.count++;
  }

  // flush writes what was added. It is synchronous on purpose: see above.
  flush() {
    let rest = Buffer.from(this.lines);
    this.lines = "";
    while (rest.length > 0) rest = rest.subarray(fs.writeSync(this.fd, rest));
  }
}

// ticks is the text of a time given in ms and ticks of 100 ns: as a number it would not be exact.
function ticks(ms, within) {
  return (BigInt(ms) * 10000n + BigInt(within)).toString();
}

module.exports = { Journal };

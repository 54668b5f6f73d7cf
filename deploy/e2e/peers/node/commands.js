"use strict";

const fs = require("node:fs");
const path = require("node:path");
const readline = require("node:readline");
const opcua = require("node-opcua");
const { readCertificateChain } = require("node-opcua-crypto");
const { publish } = require("./generator");

// The commands, one JSON object a line with a number in "id" that the answer repeats:
//
//   {"id":1,"cmd":"stop"}  →  {"id":1,"generated":20000}      or  {"id":1,"error":"…"}
//
// Each gets the request and the running server's parts and returns what the answer holds.
const COMMANDS = {
  // start and stop the generation; once gives every changing node one period's samples.
  start: (_, { space, journal }) => (space.start(), { generated: journal.count }),
  stop: (_, { space, journal }) => (space.stop(), { generated: journal.count }),
  once: (_, { space, journal }) => (space.generator.once(), { generated: journal.count }),

  status: (_, { server, journal, space }) => ({
    generated: journal.count,
    running: space.generator.timers.length > 0,
    sessions: server.engine.currentSessionCount,
    subscriptions: server.engine.currentSubscriptionCount,
    rss: process.memoryUsage().rss,
    cpuUs: process.cpuUsage().user + process.cpuUsage().system,
  }),

  // set publishes one sample: value (number, text, boolean or null), status (number), time (text of 100 ns ticks since
  // 1970; null for none; without it, now).
  set: (request, { space, journal }) => {
    const series = find(space, request.node);
    const sample = series.sample(Date.now());
    sample.value = request.value;
    sample.status = opcua.coerceStatusCode(request.status);
    if ("time" in request) Object.assign(sample, splitTime(request.time));
    journal.add(series.id, sample);
    journal.flush();
    publish(series.variable, sample);
    return { generated: journal.count };
  },

  // setStatus makes all later samples of a node carry a status, with a value or without.
  setStatus: (request, { space }) => {
    const series = find(space, request.node);
    series.status = opcua.coerceStatusCode(request.status);
    series.withoutValue = Boolean(request.withoutValue);
    return {};
  },

  // retype changes a node's data type: its later samples have it.
  retype: (request, { space }) => {
    const series = find(space, request.node);
    const dataType = opcua.DataType[request.type];
    if (dataType === undefined) throw new Error(`no data type is named ${request.type}`);
    series.dataType = dataType;
    series.variable.dataType = opcua.resolveNodeId(opcua.DataType[dataType]);
    return {};
  },

  delete: (request, { space }) => {
    const series = find(space, request.node);
    series.deleted = true;
    space.addressSpace.deleteNode(series.variable);
    return {};
  },

  // trust accepts every client certificate that was rejected so far.
  trust: async (_, { certificates, pki }) => {
    const folder = path.join(pki, "rejected");
    const names = fs.readdirSync(folder).filter((name) => name.endsWith(".pem"));
    for (const name of names) await certificates.trustCertificate(readCertificateChain(path.join(folder, name))[0]);
    return { trusted: names.length };
  },
};

function find(space, id) {
  const series = space.generator.series.get(id);
  if (!series) throw new Error(`no changing node is named ${id}`);
  return series;
}

function splitTime(text) {
  if (text === null) return { ms: null };
  const all = BigInt(text);
  const within = ((all % 10000n) + 10000n) % 10000n;
  return { ms: Number((all - within) / 10000n), ticks: Number(within) };
}

// serveCommands answers until standard input ends, as it does when the test dies.
async function serveCommands(parts) {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    let id = null;
    try {
      const request = JSON.parse(line);
      id = request.id ?? null;
      const command = COMMANDS[request.cmd];
      if (!command) throw new Error(`no command is named ${request.cmd}`);
      parts.say({ id, ...(await command(request, parts)) });
    } catch (err) {
      parts.say({ id, error: String(err.message ?? err) });
    }
  }
}

module.exports = { serveCommands };

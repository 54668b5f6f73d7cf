"use strict";

// The options and their defaults. Times are in milliseconds.
const DEFAULTS = {
  dir: "peer-node-opcua", // everything that the server writes
  port: 0, // 0 takes a free one

  policies: ["None", "Basic128Rsa15", "Basic256", "Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss"],
  modes: ["None", "Sign", "SignAndEncrypt"],
  anonymous: true,
  user: "operator",
  password: "secret",
  acceptUnknownClients: true, // false: an unknown client certificate goes to pki/rejected until the command "trust"
  tokenLifetimeMs: 600000, // longest life of a secure channel's token

  capabilities: {}, // maxSubscriptionsPerSession, maxMonitoredItemsPerSubscription, maxArrayLength, …
  operationLimits: {}, // maxNodesPerRead, maxMonitoredItemsPerCall, maxNodesPerBrowse, …; 0 = no limit

  // In which order the namespaces are registered: their indexes start at 2. The test permutes it over a restart.
  namespaces: ["urn:kvarts:test:load", "urn:kvarts:test:types", "urn:kvarts:test:machine", "urn:kvarts:test:odd"],
  start: true, // generate at once; false: wait for the command "start"
  first: 0, // value of each node's first sample: its values are first, first+1, …

  load: { nodes: 0, periodMs: 500 }, // load.00000 …
  fast: { nodes: 0, periodMs: 5, burst: 5 }, // fast.0 …: burst samples every period
  machine: { enabled: true, periodMs: 500 }, // analog items
  odd: { enabled: true, periodMs: 500 }, // statuses and times that trip clients
  types: true, // one node for each type and hard value
  conformance: false, // node-opcua's own address space for conformance tests
};

// readOptions merges the JSON text over the defaults; an unknown name is an error, since a misspelt option would make a
// test prove nothing.
function readOptions(text) {
  const given = JSON.parse(text || "{}");
  const options = structuredClone(DEFAULTS);
  for (const [name, value] of Object.entries(given)) {
    if (!(name in DEFAULTS)) throw new Error(`unknown option ${name}`);
    const groups = ["load", "fast", "machine", "odd"];
    options[name] = groups.includes(name) ? { ...DEFAULTS[name], ...value } : value;
  }
  return options;
}

module.exports = { readOptions };

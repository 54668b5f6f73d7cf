// An OPC UA server on node-opcua for Kvarts' tests.
//
//   NODE_PATH=<cache>/node_modules node server.js '<options as JSON>'
//
// It prints one line of JSON when it is ready and one for each command that it reads as JSON from standard input; it
// ends when standard input does. options.js lists the options, commands.js the commands. Every sample of the nodes that
// change by themselves is appended to the journal (journal.js) before a client can see it.
"use strict";

// Standard output belongs to the answers: what libraries log goes to standard error.
process.stdout.write = process.stderr.write.bind(process.stderr);

const fs = require("node:fs");
const path = require("node:path");
const opcua = require("node-opcua");
const { readOptions } = require("./options");
const { Journal } = require("./journal");
const { buildSpace } = require("./space");
const { serveCommands } = require("./commands");

const APPLICATION_URI = "urn:kvarts:test:server";

function certificateManager(pki, options) {
  return new opcua.OPCUACertificateManager({
    rootFolder: pki,
    automaticallyAcceptUnknownCertificate: options.acceptUnknownClients,
  });
}

function newServer(options, certificates) {
  return new opcua.OPCUAServer({
    port: options.port,
    host: "127.0.0.1",
    hostname: "127.0.0.1",
    resourcePath: "/kvarts",
    serverInfo: {
      applicationUri: APPLICATION_URI,
      productUri: "urn:kvarts:test",
      applicationName: { text: "Kvarts test server", locale: "en" },
    },
    buildInfo: { productName: "Kvarts test server", buildNumber: "1" },
    serverCertificateManager: certificates,
    userCertificateManager: new opcua.OPCUACertificateManager({ rootFolder: path.join(options.dir, "userpki") }),
    securityPolicies: options.policies.map((name) => opcua.SecurityPolicy[name]),
    securityModes: options.modes.map((name) => opcua.MessageSecurityMode[name]),
    allowAnonymous: options.anonymous,
    userManager: { isValidUser: (user, password) => user === options.user && password === options.password },
    disableDiscovery: true,
    maxConnectionsPerEndpoint: 100,
    defaultSecureTokenLifetime: options.tokenLifetimeMs,
    serverCapabilities: {
      maxSessions: 100,
      // 0: an item that asks for sampling interval 0 gets every change, not the last one of each 50 ms
      minSupportedSampleRate: 0,
      ...options.capabilities,
      operationLimits: options.operationLimits,
    },
  });
}

function say(line) {
  fs.writeSync(1, JSON.stringify(line) + "\n");
}

async function main() {
  const options = readOptions(process.argv[2]);
  fs.mkdirSync(options.dir, { recursive: true });
  const pki = path.join(options.dir, "pki");
  const certificates = certificateManager(pki, options);
  await certificates.initialize();
  const server = newServer(options, certificates);
  await server.initialize();
  const journal = new Journal(path.join(options.dir, "generated.jsonl"));
  const space = await buildSpace(server.engine.addressSpace, options, journal);
  await server.start();
  if (options.start) space.start();
  say({
    ready: true,
    endpoint: `opc.tcp://127.0.0.1:${server.endpoints[0].port}/kvarts`,
    applicationUri: APPLICATION_URI,
    namespaces: server.engine.addressSpace.getNamespaceArray().map((ns) => ns.namespaceUri),
    journal: journal.path,
    manifest: space.manifest,
    pki,
  });
  await serveCommands({ server, space, journal, certificates, pki, say });
  space.stop();
  await server.shutdown(0);
  process.exit(0);
}

main().catch((err) => {
  console.error(err);
  process.exit(1);
});

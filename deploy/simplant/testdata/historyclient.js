// A client made with node-opcua that reads the history of one node in pages, and prints a JSON
// line for each query: [{status, pages, values: [[milliseconds, value, status], …]}, …].
//
//   NODE_PATH=<cache>/node_modules node historyclient.js ENDPOINT NAMESPACE_URI PKI_FOLDER QUERIES
//
// QUERIES is a JSON array of {node, start, end, values, bounds, release}, times in milliseconds
// since 1970, null when not stated; release: give the point back after so many pages.
"use strict";
const path = require("node:path");
const opcua = require("node-opcua");

const [endpoint, uri, pki] = process.argv.slice(2, 5);
const queries = JSON.parse(process.argv[5]);
const say = (o) => process.stdout.write(JSON.stringify(o) + "\n");

async function page(session, nodeId, q, continuationPoint, release) {
    const time = (ms) => (ms === null ? opcua.minOPCUADate ?? new Date(Date.UTC(1601, 0, 1)) : new Date(ms));
    const response = await session.historyRead(new opcua.HistoryReadRequest({
        historyReadDetails: new opcua.ReadRawModifiedDetails({
            isReadModified: false, startTime: time(q.start), endTime: time(q.end), numValuesPerNode: q.values, returnBounds: q.bounds,
        }),
        timestampsToReturn: opcua.TimestampsToReturn.Both, releaseContinuationPoints: release,
        nodesToRead: [{ nodeId, continuationPoint }],
    }));
    return response.results[0];
}

async function ask(session, q, ns) {
    const nodeId = opcua.coerceNodeId(`ns=${ns};s=${q.node}`);
    const answer = { status: "", pages: 0, values: [] };
    for (let point = null; ;) {
        const result = await page(session, nodeId, q, point, false);
        answer.status = result.statusCode.name;
        answer.pages++;
        for (const dv of result.historyData?.dataValues ?? []) {
            answer.values.push([dv.sourceTimestamp.getTime(), dv.value ? dv.value.value : null, dv.statusCode.name]);
        }
        point = result.continuationPoint;
        if (!point || !point.length) return answer;
        if (q.release === answer.pages) {
            const released = await page(session, nodeId, q, point, true);
            const after = await page(session, nodeId, q, point, false);
            answer.status = released.statusCode.name + " " + after.statusCode.name;
            return answer;
        }
    }
}

async function main() {
    const client = opcua.OPCUAClient.create({
        applicationUri: "urn:kvarts:test:client",
        certificateFile: path.join(pki, "own/certs/client.pem"), privateKeyFile: path.join(pki, "own/private/private_key.pem"),
        clientCertificateManager: new opcua.OPCUACertificateManager({ rootFolder: pki, automaticallyAcceptUnknownCertificate: true }),
        endpointMustExist: false, connectionStrategy: { initialDelay: 50, maxDelay: 200, maxRetry: 3 },
    });
    await client.connect(endpoint);
    const session = await client.createSession();
    const ns = (await session.readNamespaceArray()).indexOf(uri);
    for (const q of queries) say(await ask(session, q, ns));
    await session.close();
    await client.disconnect();
}

main().catch((err) => { console.error(err); process.exit(1); });

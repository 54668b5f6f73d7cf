// A client made with node-opcua: browses, reads, translates and subscribes, and prints what
// it got as JSON lines. It ends when it received `count` values of the counter.
//
//   NODE_PATH=<cache>/node_modules node nodeclient.js ENDPOINT NAMESPACE_URI COUNT PKI_FOLDER
"use strict";
const path = require("node:path");
const opcua = require("node-opcua");

const [endpoint, uri, count] = [process.argv[2], process.argv[3], Number(process.argv[4])];
const pki = process.argv[5];
const say = (o) => process.stdout.write(JSON.stringify(o) + "\n");

async function crawl(session, nodeId, parent, found) {
    let result = await session.browse({
        nodeId, browseDirection: opcua.BrowseDirection.Forward, referenceTypeId: "HierarchicalReferences",
        includeSubtypes: true, nodeClassMask: 0, resultMask: 63,
    });
    let references = [...result.references];
    while (result.continuationPoint && result.continuationPoint.length) {
        result = await session.browseNext(result.continuationPoint, false);
        references.push(...result.references);
    }
    for (const r of references) {
        const below = parent + "/" + r.browseName.name;
        found.push({ path: below, nodeClass: opcua.NodeClass[r.nodeClass], type: r.typeDefinition.toString() });
        await crawl(session, r.nodeId, below, found);
    }
    return found;
}

async function main() {
    const client = opcua.OPCUAClient.create({
        applicationUri: "urn:kvarts:test:client",
        certificateFile: path.join(pki, "own/certs/client.pem"), privateKeyFile: path.join(pki, "own/private/private_key.pem"),
        clientCertificateManager: new opcua.OPCUACertificateManager({ rootFolder: pki, automaticallyAcceptUnknownCertificate: true }),
        endpointMustExist: false, keepSessionAlive: true, requestedSessionTimeout: 60000,
        connectionStrategy: { initialDelay: 50, maxDelay: 200, maxRetry: -1 },
    });
    await client.connect(endpoint);
    const session = await client.createSession();
    const ns = (await session.readNamespaceArray()).indexOf(uri);
    session.requestedMaxReferencesPerNode = 2;
    const machine = opcua.coerceNodeId(`ns=${ns};s=Machine`);
    say({ browse: await crawl(session, machine, "", []) });

    const paths = opcua.makeBrowsePath("ObjectsFolder", `/${ns}:Machine/${ns}:Group/${ns}:Analog`);
    const analog = (await session.translateBrowsePath(paths)).targets[0].targetId;
    const properties = {};
    for (const name of ["EURange", "EngineeringUnits"]) {
        const dv = await session.read({ nodeId: opcua.coerceNodeId(`ns=${ns};s=Machine/Group/Analog.${name}`), attributeId: opcua.AttributeIds.Value });
        properties[name] = dv.value.value.toJSON();
    }
    const value = await session.read({ nodeId: analog, attributeId: opcua.AttributeIds.Value });
    const status = await session.read({ nodeId: "i=2256", attributeId: opcua.AttributeIds.Value });
    const limits = await session.read({ nodeId: "i=11705", attributeId: opcua.AttributeIds.Value });
    say({ read: { analog: analog.toString(), value: value.value.value, source: value.sourceTimestamp, properties, state: status.value.value.state, maxNodesPerRead: limits.value.value } });

    const subscription = await session.createSubscription2({
        requestedPublishingInterval: 50, requestedLifetimeCount: 3000,
        // None comes: this client takes its number, which is that of the next message, for one that it has had.
        requestedMaxKeepAliveCount: 1000,
        maxNotificationsPerPublish: 7, publishingEnabled: true, priority: 1,
    });
    const watch = (nodeId, filter) => subscription.monitor(
        { nodeId, attributeId: opcua.AttributeIds.Value },
        { samplingInterval: 0, queueSize: 10000, discardOldest: true, filter }, opcua.TimestampsToReturn.Both);
    const deadband = await watch(analog, new opcua.DataChangeFilter({
        trigger: opcua.DataChangeTrigger.StatusValue, deadbandType: opcua.DeadbandType.Percent, deadbandValue: 10,
    }));
    deadband.on("changed", (dv) => say({ analog: dv.value.value }));
    const counter = await watch(opcua.coerceNodeId(`ns=${ns};s=Machine/Group/Counter`));
    const got = new Set(); // around a reconnect this client may hand a republished message over twice
    const done = new Promise((resolve) => counter.on("changed", (dv) => {
        say({ counter: dv.value.value, status: dv.statusCode.value });
        if (got.add(dv.value.value).size === count) resolve();
    }));
    say({ subscribed: subscription.subscriptionId });
    await done;
    await subscription.terminate();
    await session.close();
    await client.disconnect();
    say({ end: true });
}

main().catch((err) => { console.error(err); process.exit(1); });

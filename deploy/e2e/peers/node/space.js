"use strict";

const { Generator } = require("./generator");
const { addLoad, addFast, addMachine } = require("./space_load");
const { addOdd } = require("./space_odd");
const { addTypes } = require("./space_types");

// buildSpace fills the address space as the options say.
async function buildSpace(addressSpace, options, journal) {
  const generator = new Generator(journal, options.first);
  const namespaces = {};
  for (const uri of options.namespaces) namespaces[uri.split(":").pop()] = addressSpace.registerNamespace(uri);

  const folder = (namespace, name) =>
    namespace.addFolder(addressSpace.rootFolder.objects, { browseName: name, nodeId: `s=${name}` });

  let manifest = null;
  addLoad(namespaces.load, folder(namespaces.load, "load"), generator, options.load);
  addFast(namespaces.load, folder(namespaces.load, "fast"), generator, options.fast);
  if (options.machine.enabled) addMachine(namespaces.machine, folder(namespaces.machine, "machine"), generator, options.machine);
  if (options.odd.enabled) addOdd(namespaces.odd, folder(namespaces.odd, "odd"), generator, options.odd);
  if (options.types) manifest = await addTypes(namespaces.types, folder(namespaces.types, "types"), options.dir);
  if (options.conformance) {
    const { build_address_space_for_conformance_testing } = require("node-opcua-address-space-for-conformance-testing");
    await build_address_space_for_conformance_testing(addressSpace, { mass_variables: false });
  }
  return {
    addressSpace,
    generator,
    manifest,
    start: () => generator.start(),
    stop: () => generator.stop(),
  };
}

module.exports = { buildSpace };

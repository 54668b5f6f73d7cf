"use strict";

const opcua = require("node-opcua");

// addDouble adds one variable of type Double that a generator changes.
function addDouble(namespace, parent, id) {
  return namespace.addVariable({
    componentOf: parent,
    nodeId: `s=${id}`,
    browseName: id,
    dataType: "Double",
    minimumSamplingInterval: 0, // delivered on change
  });
}

// addLoad adds load.00000 …, the nodes of throughput tests.
function addLoad(namespace, parent, generator, options) {
  const series = [];
  for (let i = 0; i < options.nodes; i++) {
    const id = `load.${String(i).padStart(5, "0")}`;
    series.push(generator.addSeries(addDouble(namespace, parent, id), id));
  }
  generator.addGroup(series, options.periodMs);
}

// addFast adds fast.0 …, each of which changes `burst` times every period: faster than a short queue can hold.
function addFast(namespace, parent, generator, options) {
  const series = [];
  for (let i = 0; i < options.nodes; i++) {
    const id = `fast.${i}`;
    series.push(generator.addSeries(addDouble(namespace, parent, id), id));
  }
  generator.addGroup(series, options.periodMs, (one, now) =>
    Array.from({ length: options.burst }, (_, i) => one.sample(now - options.burst + 1 + i)),
  );
}

const ANALOG = [
  { id: "machine.power", low: 0, high: 100, unit: opcua.standardUnits.kilowatt },
  { id: "machine.temperature", low: -50, high: 1600, unit: opcua.standardUnits.degree_celsius },
  { id: "machine.pull_speed", low: 0, high: 5, unit: opcua.standardUnits.millimetre_per_minute ?? opcua.standardUnits.millimetre },
];

// addMachine adds analog items with EURange and EngineeringUnits. Their values count up as all others do; percent
// deadbands are relative to the range.
function addMachine(namespace, parent, generator, options) {
  const series = ANALOG.map(({ id, low, high, unit }) => {
    const variable = namespace.addAnalogDataItem({
      componentOf: parent,
      nodeId: `s=${id}`,
      browseName: id,
      dataType: "Double",
      minimumSamplingInterval: 0,
      engineeringUnitsRange: { low, high },
      instrumentRange: { low: low - 1, high: high + 1 },
      engineeringUnits: unit,
    });
    return generator.addSeries(variable, id);
  });
  generator.addGroup(series, options.periodMs);
}

module.exports = { addDouble, addLoad, addFast, addMachine };

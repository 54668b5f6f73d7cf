"use strict";

const opcua = require("node-opcua");
const { addDouble } = require("./space_load");

const S = opcua.StatusCodes;
const HOUR = 3600 * 1000;
const INSANE = ["1601-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "2500-01-01T00:00:00Z", "9999-12-31T23:59:58Z"];

// Each entry makes the samples of one node, once a period, out of its next regular sample. See README.md for the list.
const ODD = {
  "odd.good": (s) => [s],
  "odd.clamped": (s) => [{ ...s, status: S.GoodClamped }],
  "odd.uncertain": (s) => [{ ...s, status: S.UncertainLastUsableValue }],
  "odd.bad": (s) => [{ ...s, status: S.BadNoCommunication, value: null }],
  "odd.bad_value": (s) => [{ ...s, status: S.BadSensorFailure }],
  "odd.bad_no_time": (s) => [{ ...s, status: S.BadNoCommunication, value: null, ms: null }],
  "odd.first_bad": (s, k) => [k === 0 ? { ...s, status: S.BadWaitingForInitialData, value: null } : s],
  "odd.rotating": (s, k) => [ROTATION[k % ROTATION.length](s)],
  "odd.same_tick": (s, k, next) => [s, { ...next(), ms: s.ms, ticks: s.ticks }],
  "odd.good_bad_tick": (s) => [s, { ...s, status: S.BadNoCommunication, value: null }],
  "odd.backwards": (s, k) => [k % 2 === 0 ? s : { ...s, ms: s.ms - HOUR }],
  "odd.no_source_time": (s) => [{ ...s, ms: null }],
  "odd.insane_time": (s, k) => [{ ...s, ms: Date.parse(INSANE[k % INSANE.length]), ticks: 0 }],
  "odd.ahead": (s) => [{ ...s, ms: s.ms + HOUR / 6 }],
};

// Statuses that odd.rotating goes through.
const ROTATION = [
  (s) => s,
  (s) => ({ ...s, status: S.GoodClamped }),
  (s) => ({ ...s, status: S.UncertainLastUsableValue }),
  (s) => ({ ...s, status: S.BadNoCommunication, value: null }),
];

// addOdd adds the nodes whose statuses and times trip clients.
function addOdd(namespace, parent, generator, options) {
  const series = [];
  for (const id of Object.keys(ODD)) series.push(generator.addSeries(addDouble(namespace, parent, id), id));
  generator.addGroup(series, options.periodMs, (one, now) => {
    const k = one.next - generator.first;
    return ODD[one.id](one.sample(now), k, () => one.sample(now));
  });
}

module.exports = { addOdd };

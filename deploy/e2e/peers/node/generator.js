"use strict";

const opcua = require("node-opcua");

const Good = opcua.StatusCodes.Good;

// publish makes a sample the node's current value and hands it to the items that monitor it. It sets the DataValue as it
// is: node-opcua's own setters would replace a missing source time and refuse a value without a type.
//
// sample: { value: number|boolean|null, dataType, status, ms: source time or null, ticks: 100 ns within it, serverMs }
function publish(variable, sample) {
  const dataValue = new opcua.DataValue(null);
  dataValue.statusCode = sample.status;
  if (sample.value !== null) {
    const variant = new opcua.Variant(null);
    variant.dataType = sample.dataType;
    variant.arrayType = opcua.VariantArrayType.Scalar;
    variant.value = sample.value;
    dataValue.value = variant;
  }
  if (sample.ms !== null) {
    dataValue.sourceTimestamp = new Date(sample.ms);
    dataValue.sourcePicoseconds = sample.ticks * 100000;
  }
  dataValue.serverTimestamp = new Date(sample.serverMs);
  variable.$dataValue = dataValue;
  variable.emit("value_changed", dataValue.clone(), null);
}

// Series is one node that changes: the k-th sample has the value k, so that loss and mix-ups are visible.
class Series {
  constructor(variable, id, first, ticks) {
    this.variable = variable;
    this.id = id;
    this.next = first;
    this.ticks = ticks; // 100 ns ticks within the millisecond, a different number for each node
    this.lastMs = 0;
    this.dataType = opcua.DataType.Double;
    this.status = Good;
    this.withoutValue = false;
    this.deleted = false;
  }

  // sample takes the next value. Source times of a series grow by 1 ms at least.
  sample(now) {
    const ms = Math.max(now, this.lastMs + 1);
    this.lastMs = ms;
    const k = this.next++;
    return {
      value: this.withoutValue ? null : this.convert(k),
      dataType: this.dataType,
      status: this.status,
      ms,
      ticks: this.ticks,
      serverMs: Math.max(now, ms),
    };
  }

  convert(k) {
    switch (this.dataType) {
      case opcua.DataType.String:
        return `v${k}`;
      case opcua.DataType.Boolean:
        return k % 2 === 1;
      case opcua.DataType.Int64:
      case opcua.DataType.UInt64:
        return [0, k];
      default:
        return k;
    }
  }
}

// Generator runs all series that change by themselves.
class Generator {
  constructor(journal, first) {
    this.journal = journal;
    this.first = first;
    this.series = new Map();
    this.groups = []; // { series, periodMs, burst, make }
    this.timers = [];
  }

  addSeries(variable, id) {
    const series = new Series(variable, id, this.first, this.series.size % 10000);
    this.series.set(id, series);
    return series;
  }

  // addGroup has `make(series, now)` give the samples of each series once a period; without it, the next one.
  addGroup(series, periodMs, make) {
    this.groups.push({ series, periodMs, make: make || ((one, now) => [one.sample(now)]) });
  }

  start() {
    if (this.timers.length > 0) return;
    for (const group of this.groups) this.schedule(group);
  }

  // schedule spreads a group over its period, so that 10,000 nodes are ten short tasks and not a long one that
  // keeps the server from answering.
  schedule(group) {
    const slices = group.periodMs >= 100 && group.series.length >= 1000 ? 10 : 1;
    const size = Math.ceil(group.series.length / slices);
    for (let i = 0; i < slices; i++) {
      const part = group.series.slice(i * size, (i + 1) * size);
      const begin = setTimeout(() => {
        const tick = () => this.emit(part, group.make);
        tick();
        this.timers.push(setInterval(tick, group.periodMs));
      }, (i * group.periodMs) / slices);
      this.timers.push(begin);
    }
  }

  stop() {
    for (const timer of this.timers) {
      clearTimeout(timer);
      clearInterval(timer);
    }
    this.timers = [];
  }

  once() {
    for (const group of this.groups) this.emit(group.series, group.make);
  }

  // emit writes the samples of all series into the journal and then makes them visible.
  emit(series, make) {
    const now = Date.now();
    const made = [];
    for (const one of series) {
      if (one.deleted) continue;
      for (const sample of make(one, now)) {
        this.journal.add(one.id, sample);
        made.push(one, sample);
      }
    }
    this.journal.flush();
    for (let i = 0; i < made.length; i += 2) publish(made[i].variable, made[i + 1]);
  }
}

module.exports = { Generator, publish };

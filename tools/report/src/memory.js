// SPDX-License-Identifier: Apache-2.0
// Memories, buses and links: latency distribution, row buffer, queueing, who waits for whom.
import {chart_card} from './chart.js';
import {h, select, table} from './dom.js';
import * as format from './format.js';
import {ramp, series_color, series_dash} from './palette.js';

const drawn = 12;

function resources(runs, key) {
  return runs.flatMap((run) => (run.result[key] ?? []).map((r) => ({run, r, label: runs.length > 1 ? `${run.label} · ${r.name}` : r.name})));
}
const moved = (m) => (m.read_bytes ?? 0) + (m.write_bytes ?? 0);

function latency_card(runs) {
  const all = resources(runs, 'memories').filter((m) => m.r.latency_ns?.histogram?.some((b) => b[1] > 0));
  if (!all.length) return null;
  const most = new Set([...all].sort((a, b) => moved(b.r) - moved(a.r)).slice(0, drawn));
  const list = all.filter((m) => most.has(m));
  // Among several runs a run keeps its colour; its memories differ by their dashes.
  const look = (m, k) => (runs.length > 1 ? {color: m.run.index, dash: 8 * list.slice(0, k).filter((o) => o.run === m.run).length} : {color: k, dash: k});
  // The result's intervals grow with the latency and empty ones are left out: for the picture they are gathered in bins of
  // equal ratio, the same for all memories.
  const used = list.flatMap((m) => m.r.latency_ns.histogram.filter((b) => b[1] > 0).map((b) => b[0]));
  const low = Math.max(1e-3, used.reduce((a, b) => Math.min(a, b), Infinity)) / 1.05;
  const high = used.reduce((a, b) => Math.max(a, b), 0) * 1.05;
  const bins = 64;
  const edge = (k) => low * (high / low) ** (k / bins);
  let mode = 'share';
  const share = (m) => {
    const total = m.r.latency_ns.histogram.reduce((a, b) => a + b[1], 0) || 1;
    if (mode === 'cumulative') {
      let sum = 0;
      return [[low, 0, 0], ...m.r.latency_ns.histogram.map(([upper, n]) => [Math.max(upper, low), (100 * (sum += n)) / total, sum])];
    }
    const counts = new Array(bins).fill(0);
    for (const [upper, n] of m.r.latency_ns.histogram) counts[Math.max(0, Math.min(bins - 1, Math.ceil((bins * Math.log(upper / low)) / Math.log(high / low)) - 1))] += n;
    return [[low, 0, 0], ...counts.map((n, k) => [edge(k + 1), (100 * n) / total, n])];
  };
  const card = new chart_card({
    id: 'latency', title: 'Latency of memory accesses', height: 360,
    note: `From request to last byte.${all.length > drawn ? ` The ${drawn} memories that moved most, of ${all.length}.` : ''}`,
    controls: [select('Show', [['share', 'share of the transfers'], ['cumulative', 'share up to a latency']], mode, (v) => { mode = v; card.draw(); })],
    option: (t) => {
      return {
        grid: {left: 60, right: 30, top: 62, bottom: 50}, legend: {},
        tooltip: {trigger: 'item', formatter: (p) => `<b>${format.escape(p.seriesName)}</b><br>up to ${format.time(p.value[0])}: ${format.count(p.value[2])} transfers, ${format.digits(p.value[1], 3)} %`},
        xAxis: {type: 'log', logBase: high / low < 300 ? 2 : 10, min: low, max: high, name: 'latency, ns', nameLocation: 'middle', nameGap: 30, axisLabel: {showMaxLabel: false, showMinLabel: false, formatter: (v) => format.digits(v, 3)}},
        yAxis: {type: 'value', name: '% of transfers', nameTextStyle: {align: 'left'}, min: 0, max: mode === 'cumulative' ? 100 : undefined},
        series: list.map((m, k) => ({
          type: 'line', step: 'start', name: m.label, symbol: 'circle', symbolSize: 6, showSymbol: false, color: series_color(look(m, k).color, t.dark),
          lineStyle: {width: 1.6, type: series_dash(look(m, k).dash)}, areaStyle: {opacity: 0.08},
          data: share(m),
          markLine: list.length > 3 ? undefined : {silent: true, symbol: 'none', lineStyle: {color: series_color(look(m, k).color, t.dark), type: 'dotted', opacity: 0.9},
            label: {color: t.muted, fontSize: 10, formatter: (p) => p.name},
            data: ['p50', 'p90', 'p95', 'p99'].filter((q) => m.r.latency_ns[q] > 0).map((q) => ({name: q, xAxis: m.r.latency_ns[q]}))},
        })),
      };
    },
    table: () => ({columns: ['memory', 'latency_up_to_ns', 'transfers'], rows: all.flatMap((m) => m.r.latency_ns.histogram.map(([upper, n]) => [m.label, upper, n]))}),
  });
  return card;
}

/** The figures of a distribution that any of them has. */
const quantiles = (list, names = ['mean', 'p50', 'p90', 'p95', 'p99', 'max']) => names.filter((q) => list.some((l) => typeof l?.[q] === 'number'));

function memory_table(runs) {
  const list = resources(runs, 'memories');
  if (!list.length) return null;
  const row_share = (r, k) => {
    const total = (r.row?.hit ?? 0) + (r.row?.miss ?? 0) + (r.row?.conflict ?? 0);
    return total ? format.percent((r.row?.[k] ?? 0) / total) : '–';
  };
  const shown = quantiles(list.map((m) => m.r.latency_ns));
  return h('div', {class: 'card'}, h('h3', {}, 'Memories'), table({
    columns: ['memory', 'standard', 'channels', 'peak', 'read', 'written', 'utilisation', ...shown, 'row hit', 'miss', 'conflict'],
    rows: list.map(({r, label}) => [label, format.text(r.standard), format.text(r.channels), format.gbps(r.peak_gbps), format.bytes(r.read_bytes), format.bytes(r.write_bytes), format.percent(r.utilization),
      ...shown.map((q) => (r.latency_ns?.count === 0 ? '–' : format.time(r.latency_ns?.[q]))), row_share(r, 'hit'), row_share(r, 'miss'), row_share(r, 'conflict')]),
  }, {caption: 'Memories', class: 'plain numbers'}));
}

/** wait of a bus or link by initiator: {name: {mean, p50, ...}} or one {mean, ...}. */
const waits = (r) => {
  const w = r.wait_ns;
  if (!w || typeof w !== 'object') return [];
  return typeof w.mean === 'number' ? [['all', w]] : Object.entries(w).filter(([, v]) => v && typeof v === 'object');
};

function interconnect_table(runs) {
  const list = [...resources(runs, 'buses'), ...resources(runs, 'links')];
  if (!list.length) return null;
  const shown = quantiles(list.flatMap(({r}) => waits(r).map(([, v]) => v)), ['mean', 'p50', 'p90', 'p95', 'p99', 'max', 'total']);
  const rows = list.flatMap(({r, label}) => {
    const pj = typeof r.energy_pj === 'object' ? r.energy_pj?.total : r.energy_pj;
    const first = [label, format.bytes(r.bytes), format.percent(r.utilization), pj > 0 ? format.energy(pj) : '–'];
    const w = waits(r);
    return w.length ? w.map(([who, v], i) => [...(i ? [label, '', '', ''] : first), who, ...shown.map((q) => (v.count === 0 ? '–' : format.time(v[q])))]) : [[...first, '–', ...shown.map(() => '–')]];
  });
  return h('div', {class: 'card'}, h('h3', {}, 'Buses and links'), table({
    columns: ['bus or link', 'moved', 'utilisation', 'energy', 'initiator', ...shown.map((q) => (q === 'mean' ? 'mean wait' : q))], rows,
  }, {caption: 'Buses and links', class: 'plain numbers'}));
}

function blocker_card(runs) {
  // Where one initiator is alone it waits for itself: nothing to compare.
  const list = [...resources(runs, 'buses'), ...resources(runs, 'links')].filter(({r}) => {
    const m = r.wait_matrix_ns ?? {};
    const waited = Object.entries(m).filter(([, row]) => Object.values(row ?? {}).some((v) => v > 0));
    return new Set(waited.flatMap(([who, row]) => [who, ...Object.keys(row).filter((whom) => row[whom] > 0)])).size > 1;
  });
  if (!list.length) return null;
  let chosen = 0;
  const matrix = () => {
    const m = list[chosen].r.wait_matrix_ns;
    const who = Object.keys(m);
    const whom = [...new Set(who.flatMap((w) => Object.keys(m[w] ?? {})))];
    return {m, who, whom};
  };
  const card = new chart_card({
    id: 'blockers', title: 'Who waits for whom', note: 'Time an initiator (row) waited on this bus or link while another (column) held it.',
    controls: list.length > 1 ? [select('Bus', list.map((e, i) => [i, e.label]), 0, (v) => { chosen = Number(v); card.draw(); })] : [],
    option: (t) => {
      const {m, who, whom} = matrix();
      const cells = who.flatMap((a, y) => whom.map((b, x) => [x, y, m[a]?.[b] ?? 0]));
      const most = Math.max(...cells.map((c) => c[2]));
      return {
        height_px: 130 + who.length * 42,
        grid: {left: 130, right: 90, top: 30, bottom: 60},
        tooltip: {formatter: (p) => `<b>${format.escape(who[p.value[1]])}</b> waited ${format.time(p.value[2])}<br>for ${format.escape(whom[p.value[0]])}`},
        xAxis: {type: 'category', data: whom, name: 'holder', nameLocation: 'middle', nameGap: 30, splitLine: {show: false}},
        yAxis: {type: 'category', data: who, inverse: true, splitLine: {show: false}, axisLabel: {width: 120, overflow: 'truncate'}},
        visualMap: {min: 0, max: most, text: [format.time(most), '0'], right: 0, top: 'center', itemHeight: 100, inRange: {color: ramp}, textStyle: {color: t.muted}, formatter: (v) => format.time(v)},
        series: [{type: 'heatmap', data: cells.map((c) => ({value: c, label: {color: c[2] > 0.55 * most ? '#111' : '#fff'}})), label: {show: true, formatter: (p) => (p.value[2] ? format.time(p.value[2]) : '')}, itemStyle: {borderColor: t.panel, borderWidth: 1}}],
      };
    },
    table: () => {
      const {m, who, whom} = matrix();
      return {columns: ['initiator', ...whom.map((w) => `waited_for ${w} (ns)`)], rows: who.map((a) => [a, ...whom.map((b) => m[a]?.[b] ?? 0)])};
    },
  });
  return card;
}

export function memory_parts(runs) {
  return [latency_card(runs)?.element, memory_table(runs), blocker_card(runs)?.element, interconnect_table(runs)].filter(Boolean);
}

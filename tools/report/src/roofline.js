// SPDX-License-Identifier: Apache-2.0
// Roofline (Williams, Waterman and Patterson, 2009): reached arithmetic rate over arithmetic intensity, with each
// executor's ceilings. An operator is a dot; its area grows with its share of the run's time.
import {chart_card} from './chart.js';
import {select} from './dom.js';
import * as format from './format.js';
import {cause_label, series_color, series_symbol} from './palette.js';

const many = 4000;  // dots drawn at most

/** Ceilings of a run: one entry a distinct executor {name, peak, dtype, bandwidths: [{name, bytes_per_s}]}. */
export function ceilings(run) {
  const out = [];
  const rates = (list) => list.map((b) => b.bytes_per_s).join();
  for (const e of run.result.roofline?.executors ?? []) {
    const peaks = e.peak_flops ?? {};
    const dtype = peaks[e.dtype_used] !== undefined ? e.dtype_used : Object.keys(peaks)[0];
    const peak = peaks[dtype];
    const bandwidths = (e.bandwidths ?? []).filter((b) => b.bytes_per_s > 0).sort((p, q) => q.bytes_per_s - p.bytes_per_s);
    const same = out.find((o) => o.peak === peak && rates(o.bandwidths) === rates(bandwidths));
    if (same) same.names.push(e.name);
    else out.push({names: [e.name], peak, dtype, bandwidths});
  }
  for (const o of out) o.name = o.names.length > 1 ? `each of ${o.names.length} like ${o.names[0]}` : o.names[0];
  // An operator that is split over executors can reach what they have together.
  const together = out.filter((o) => o.names.length > 1).map((o) => ({...o, name: `${o.names.length} like ${o.names[0]} together`, peak: o.peak && o.peak * o.names.length,
    bandwidths: o.bandwidths.slice(0, 1).map((b) => ({...b, name: `${o.names.length} × ${b.name}`, bytes_per_s: b.bytes_per_s * o.names.length})), together: true}));
  return [...together, ...out];
}

function dots(run, per) {
  const l = run.layers;
  const total = run.summary.time_ns || 1;
  const out = [];
  let left_out = 0;
  for (let i = 0; i < l.size; ++i) {
    const flops = l.column.flops[i];
    const ns = l.duration(i);
    const bytes = per === 'dram' ? l.column.dram_bytes[i] : l.bytes(i);
    if (!(flops > 0 && ns > 0 && bytes > 0)) ++left_out;
    else out.push({value: [flops / bytes, flops / (ns * 1e-9)], i, size: 6 + 26 * Math.sqrt(Math.min(1, ns / total))});
  }
  return {out, left_out};
}

export function roofline_card(runs) {
  const shown = runs.filter((r) => r.layers.size > 0);
  if (!shown.length) return null;
  let per = 'operand';
  let which = 'all';
  const chosen = () => (which === 'all' ? shown : shown.filter((r) => r.index === Number(which)));
  const note = () => {
    const parts = [per === 'dram' ? 'Intensity per byte that crossed the DRAM.' : 'Intensity per byte of weights, KV cache and activations of the operator, wherever they lie.'];
    const lost = chosen().reduce((n, r) => n + dots(r, per).left_out, 0);
    if (lost) parts.push(`${format.count(lost)} operators without arithmetic or without bytes have no place in this chart.`);
    return parts.join(' ');
  };
  const card = new chart_card({
    id: 'roofline', title: 'Roofline', height: 480, renderer: shown.reduce((n, r) => n + r.layers.size, 0) > 1500 ? 'canvas' : 'svg',
    controls: [
      select('Bytes', [['operand', 'of the operands'], ['dram', 'moved from and to DRAM']], per, (v) => { per = v; card.draw(); }),
      shown.length > 1 && select('Run', [['all', 'all'], ...shown.map((r) => [r.index, r.label])], which, (v) => { which = v; card.draw(); }),
    ].filter(Boolean),
    option: (t) => {
      card?.set_note(note());
      const list = chosen().map((r) => ({run: r, points: dots(r, per).out, roofs: ceilings(r)}));
      const xs = list.flatMap((e) => e.points.map((p) => p.value[0]));
      const ys = list.flatMap((e) => e.points.map((p) => p.value[1]));
      for (const {roofs} of list) for (const r of roofs) {
        if (r.peak) ys.push(r.peak);
        // The ridge of the fastest memory belongs into view; those of slow ones lie decades beyond all operators.
        if (r.peak && r.bandwidths.length) xs.push(r.peak / r.bandwidths[0].bytes_per_s);
      }
      if (!xs.length || !ys.length) return {};
      const low = (v) => 10 ** Math.floor(Math.log10(v) - 0.05);
      const high = (v) => 10 ** Math.ceil(Math.log10(v) + 0.05);
      const minimum = (v) => v.reduce((a, b) => Math.min(a, b), Infinity);
      const maximum = (v) => v.reduce((a, b) => Math.max(a, b), -Infinity);
      const x = [low(minimum(xs)), high(maximum(xs))];
      const y = [low(minimum(ys)), high(maximum(ys) * 1.3)];
      const series = [];
      for (const {run, points, roofs} of list) {
        const color = series_color(run.index, t.dark);
        const below = (roof) => !roof.together && roof.names.length > 1;
        roofs.forEach((roof, k) => {
          const lines = roof.bandwidths.length ? roof.bandwidths : [null];
          lines.forEach((b, j) => {
            const at = (v) => Math.min(roof.peak ?? Infinity, b ? v * b.bytes_per_s : Infinity);
            const ridge = b && roof.peak ? roof.peak / b.bytes_per_s : undefined;
            const stops = [x[0], ...(ridge > x[0] && ridge < x[1] ? [ridge] : []), x[1]];
            const name = `${run.label} · ${roof.name}`;
            series.push({
              type: 'line', name: `${run.label} ceilings`, symbol: 'none', color, lineStyle: {color, width: 1.8, type: roof.together ? 'dotted' : j === 0 ? 'solid' : 'dashed'}, z: 1,
              data: stops.map((v) => [v, at(v)]), triggerLineEvent: true,
              tooltip_text: `<b>${format.escape(name)}</b><br>${roof.peak ? `peak ${format.flops_rate(roof.peak)} ${format.escape(roof.dtype ?? '')}<br>` : ''}` +
                (b ? `${format.escape(b.name)} ${format.gbps(b.bytes_per_s / 1e9)}<br>` : '') + (ridge ? `ridge at ${format.number(ridge)} FLOP/byte` : ''),
              endLabel: {show: j === 0 && k < 3 && roof.peak > 0, color: t.muted, distance: 0, offset: [-8, below(roof) ? 3 : -3], align: 'right', verticalAlign: below(roof) ? 'top' : 'bottom',
                formatter: `${list.length === 1 ? roof.name : roofs.length === 1 ? run.label : `${run.label} · ${roof.name}`}: ${format.flops_rate(roof.peak)}`, fontSize: 11},
            });
            // What a dashed line is: its memory, written along it, where no other label is.
            if (b && j > 0 && at(x[0]) >= y[0])
              series.push({type: 'scatter', name: `${run.label} ceilings`, symbolSize: 0.1, silent: true, color, z: 2, data: [[x[0] * (x[1] / x[0]) ** 0.04, at(x[0] * (x[1] / x[0]) ** 0.04)]],
                label: {show: true, position: 'right', color: t.muted, fontSize: 11, formatter: `${b.name} ${format.gbps(b.bytes_per_s / 1e9)}`}, run_index: run.index});
          });
        });
        const step = Math.ceil(points.length / many);
        series.push({
          type: 'scatter', name: run.label, symbol: series_symbol(run.index), color, z: 3, symbolSize: (_, p) => p.data.size,
          itemStyle: {color, opacity: 0.62, borderColor: t.panel, borderWidth: 0.8}, emphasis: {itemStyle: {opacity: 1}}, run_index: run.index,
          data: step > 1 ? points.filter((_, i) => i % step === 0) : points,
        });
      }
      return {
        grid: {left: 90, right: 40, top: 44, bottom: 54}, legend: {top: 0, left: 0, data: list.map((e) => e.run.label)},
        tooltip: {trigger: 'item', formatter: (p) => {
          const s = series[p.seriesIndex];
          if (s.type === 'line') return s.tooltip_text;
          if (s.silent) return '';
          const run = runs[s.run_index];
          const l = run.layers;
          const i = p.data.i;
          const second = l.stack(i).slice(0, 3).map(([c, ns]) => `${format.escape(cause_label(c))} ${format.percent(ns / l.duration(i))}`).join(', ');
          return `<b>${format.escape(l.column.name[i])}</b> · ${format.escape(run.label)}<br>${format.number(p.value[0])} FLOP/byte, ${format.flops_rate(p.value[1])}<br>` +
            `${format.time(l.duration(i))}, booked most to ${format.escape(cause_label(l.column.booked_most[i]))}<br><span style="opacity:.75">${second}</span>`;
        }},
        xAxis: {type: 'log', min: x[0], max: x[1], name: 'arithmetic intensity, FLOP/byte', nameLocation: 'middle', nameGap: 30, axisLabel: {formatter: (v) => format.digits(v, 3)}},
        yAxis: {type: 'log', min: y[0], max: y[1], name: 'reached, FLOP/s', nameLocation: 'middle', nameGap: 66, axisLabel: {formatter: (v) => format.flops(v).replace('FLOP', '')}},
        series,
      };
    },
    table: () => ({
      columns: ['run', 'operator', 'kind', 'executor', 'flop_per_byte', 'flop_per_s', 'time_ns', 'booked_most'],
      rows: chosen().flatMap((r) => dots(r, per).out.map(({i, value}) => [r.label, r.layers.column.name[i], r.layers.column.kind[i], r.layers.column.executor[i], value[0], value[1], r.layers.duration(i), r.layers.column.booked_most[i]])),
    }),
  });
  card.set_note(note());
  return card;
}

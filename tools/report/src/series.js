// SPDX-License-Identifier: Apache-2.0
// Bandwidth, utilisation and operators over time, on one time axis.
import {chart_card} from './chart.js';
import {select} from './dom.js';
import * as format from './format.js';
import {cause_color, cause_label, series_color, series_dash} from './palette.js';

const unit_names = {'GB/s': 'GB/s', fraction: 'utilisation, % of the peak', bytes: 'bytes'};
const show = {'GB/s': format.gbps, fraction: format.percent, bytes: format.bytes};
const operators_drawn = 3000;

export function series_card(runs) {
  const shown = runs.filter((r) => r.result.series?.tracks?.length);
  if (!shown.length) return null;
  let index = shown[0].index;
  // Bandwidth as a share of the peak, where the result has it only in bytes a second.
  const tracks_of = (run) => {
    const tracks = run.result.series.tracks;
    if (tracks.some((k) => k.unit === 'fraction')) return tracks;
    const peak = new Map(['memories', 'buses', 'links'].flatMap((k) => run.result[k] ?? []).map((r) => [r.name, r.peak_gbps]));
    return [...tracks, ...tracks.filter((k) => k.unit === 'GB/s' && peak.get(k.name) > 0).map((k) => ({name: k.name, unit: 'fraction', values: k.values.map((v) => v / peak.get(k.name))}))];
  };
  const times = (s, n) => Array.from({length: n}, (_, i) => (s.start_ns ?? 0) + i * s.bucket_ns);
  const card = new chart_card({
    id: 'timeline', title: 'Over time', height: 520, renderer: 'canvas',
    note: 'Mean of each interval. Drag the slider or scroll to zoom; the lanes at the bottom show which operator ran on each executor, coloured by what bound it.',
    controls: shown.length > 1 ? [select('Run', shown.map((r) => [r.index, r.label]), index, (v) => { index = Number(v); card.draw(); })] : [],
    option: (t) => {
      const run = runs[index];
      const s = {...run.result.series, tracks: tracks_of(run)};
      const units = [...new Set(s.tracks.map((k) => k.unit))];
      const l = run.layers;
      const lanes = [...new Set(l.column.executor)].filter(Boolean).slice(0, 8);
      const end = Math.max(run.summary.time_ns ?? 0, (s.start_ns ?? 0) + s.bucket_ns * Math.max(...s.tracks.map((k) => k.values.length)));
      const u = format.axis_unit('time', end);
      const order = [];  // operators for the lanes: the longest, drawn in order
      for (let i = 0; i < l.size; ++i) if (l.duration(i) > 0) order.push(i);
      if (order.length > operators_drawn) order.sort((a, b) => l.duration(b) - l.duration(a)).splice(operators_drawn);
      const lane_height = lanes.length ? 18 * lanes.length + 6 : 0;
      const top = 56;
      const one = 150;
      const grids = units.map((_, k) => ({left: 70, right: 24, top: top + k * (one + 34), height: one}));
      const below = top + units.length * (one + 34);
      if (lanes.length) grids.push({left: 70, right: 24, top: below, height: lane_height});
      const bottom = below + lane_height;
      const axes = grids.map((_, k) => ({type: 'value', gridIndex: k, min: 0, max: end / u.scale, axisLabel: {show: k === grids.length - 1, showMaxLabel: false, formatter: (v) => format.digits(v)},
        name: k === grids.length - 1 ? `time, ${u.unit}` : '', nameLocation: 'middle', nameGap: 26, splitLine: {show: false}}));
      const color_of = (track) => s.tracks.findIndex((k) => k.name === track.name);
      const x = times(s, Math.max(...s.tracks.map((k) => k.values.length)));
      return {
        height_px: bottom + 92, grid: grids, xAxis: axes,
        legend: {top: 0, left: 0, data: [...new Set(s.tracks.map((k) => k.name))]},
        tooltip: {trigger: 'item'}, axisPointer: {link: [{xAxisIndex: 'all'}]},
        yAxis: [...units.map((unit, k) => ({type: 'value', gridIndex: k, min: 0, max: unit === 'fraction' ? 100 : undefined, name: unit_names[unit] ?? unit, nameLocation: 'end', nameGap: 10,
          nameTextStyle: {align: 'left'}, splitNumber: 3, interval: unit === 'fraction' ? 25 : undefined, axisLabel: {formatter: (v) => (unit === 'bytes' ? format.bytes(v) : format.digits(v, 3))}})),
        ...(lanes.length ? [{type: 'category', gridIndex: units.length, data: lanes, inverse: true, splitLine: {show: false}, axisLabel: {width: 62, overflow: 'truncate', fontSize: 11}}] : [])],
        dataZoom: [{type: 'inside', xAxisIndex: grids.map((_, k) => k), filterMode: 'none'},
          {type: 'slider', xAxisIndex: grids.map((_, k) => k), filterMode: 'none', height: 18, bottom: 8, showDataShadow: false, backgroundColor: 'transparent', borderColor: t.line, textStyle: {color: t.muted}, labelFormatter: (v) => `${format.digits(v, 3)} ${u.unit}`}],
        series: [
          ...s.tracks.map((track, k) => ({
            type: 'line', name: track.name, xAxisIndex: units.indexOf(track.unit), yAxisIndex: units.indexOf(track.unit), step: 'end', symbol: 'circle', symbolSize: 5, showSymbol: false,
            color: series_color(color_of(track), t.dark), lineStyle: {width: 1.4, type: series_dash(color_of(track))},
            tooltip: {formatter: (p) => `<b>${format.escape(track.name)}</b><br>${format.time(x[p.dataIndex])}: ${(show[track.unit] ?? format.number)(track.values[p.dataIndex])}`},
            data: track.values.map((v, i) => [x[i] / u.scale, track.unit === 'fraction' ? v * 100 : v]),
          })),
          ...(lanes.length ? [{
            type: 'custom', name: 'operators', xAxisIndex: units.length, yAxisIndex: units.length, encode: {x: [0, 1], y: 2}, clip: true,
            renderItem: (params, api) => {
              const a = api.coord([api.value(0), api.value(2)]);
              const b = api.coord([api.value(1), api.value(2)]);
              const y0 = params.coordSys.y;
              return {type: 'rect', shape: {x: a[0], y: Math.max(y0, a[1] - 7), width: Math.max(0.6, b[0] - a[0]), height: 14}, style: {fill: api.visual('color')}};
            },
            data: order.map((i) => ({value: [l.column.start_ns[i] / u.scale, l.column.end_ns[i] / u.scale, lanes.indexOf(l.column.executor[i])], i,
              itemStyle: {color: cause_color(l.column.booked_most[i], t.dark)}})).filter((d) => d.value[2] >= 0),
            tooltip: {formatter: (p) => `<b>${format.escape(l.column.name[p.data.i])}</b><br>${format.time(l.column.start_ns[p.data.i])} + ${format.time(l.duration(p.data.i))}` +
              `<br>booked most to ${format.escape(cause_label(l.column.booked_most[p.data.i]))}`},
          }] : []),
        ],
      };
    },
    table: () => {
      const s = {...runs[index].result.series, tracks: tracks_of(runs[index])};
      const n = Math.max(...s.tracks.map((k) => k.values.length));
      return {columns: ['time_ns', ...s.tracks.map((k) => `${k.name} (${k.unit})`)], rows: times(s, n).map((at, i) => [at, ...s.tracks.map((k) => k.values[i])])};
    },
  });
  return card;
}

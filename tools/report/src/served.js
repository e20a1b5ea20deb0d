// SPDX-License-Identifier: Apache-2.0
// A served model: what became of each request, batch and queue over time, how latencies are spread, and what machines
// carry at several loads.
import {chart_card} from './chart.js';
import {h, select, table} from './dom.js';
import * as format from './format.js';
import {series_color, series_dash, series_symbol} from './palette.js';

const ms = (v) => (typeof v === 'number' ? format.time(v * 1e6) : '–');
const seconds = (v) => format.time(v * 1e9);
const served = (runs) => runs.filter((r) => r.served?.requests?.shown > 0);
const phases = [['queue', 'Queue', '#8b95a0', '#8e98a3'], ['prefill', 'Prefill', '#D55E00', '#F08A3C'], ['decode', 'Decode', '#0072B2', '#56B4E9']];
const bars_drawn = 600;

function run_control(list, change) {
  return list.length > 1 ? [select('Run', list.map((r) => [r.index, r.label]), list[0].index, change)] : [];
}

/** When each phase of request i begins, and the end. */
const moments = (q, i) => [q.arrival_s[i], q.scheduled_s[i], q.first_token_s[i], q.last_token_s[i]];

/** Requests one below the other in the order of arrival: queue, prefill, decode. */
export function request_card(runs) {
  const list = served(runs);
  if (!list.length) return null;
  let run = list[0];
  const card = new chart_card({
    id: 'requests', title: 'Requests over time', height: 460, renderer: 'canvas',
    note: 'A line is a request: it waits in the queue, its prompt is computed, then its tokens. Drag the slider or scroll to zoom.',
    controls: run_control(list, (v) => { run = list.find((r) => r.index === Number(v)); card.draw(); }),
    option: (t) => {
      const q = run.served.requests;
      const step = Math.max(1, Math.ceil(q.shown / bars_drawn));
      const shown = Array.from({length: Math.ceil(q.shown / step)}, (_, k) => k * step);
      card?.set_note(`A line is a request: it waits in the queue, its prompt is computed, then its tokens.${shown.length < q.total ? ` ${format.count(shown.length)} of ${format.count(q.total)} are drawn.` : ''} Drag the slider or scroll to zoom.`);
      const color = (k) => phases[k][t.dark ? 3 : 2];
      return {
        grid: {left: 64, right: 24, top: 44, bottom: 84}, legend: {top: 0, left: 0},
        tooltip: {trigger: 'item', formatter: (p) => {
          const i = p.data.i;
          const [a, s, f, l] = moments(q, i);
          return `<b>request ${format.escape(q.id[i])}</b>${q.class[i] ? ` (${format.escape(q.class[i])})` : ''}<br>${q.input[i]} tokens in, ${q.output[i]} out${q.preemptions[i] ? `, preempted ${q.preemptions[i]}×` : ''}` +
            `<br>queue ${seconds(s - a)}, prefill ${seconds(f - s)}, decode ${seconds(l - f)}`;
        }},
        xAxis: {type: 'value', min: 0, name: 'time, s', nameLocation: 'middle', nameGap: 26, splitLine: {show: false}, axisLabel: {formatter: (v) => format.digits(v)}},
        yAxis: {type: 'value', inverse: true, min: 0, max: shown.length, name: 'request', nameLocation: 'middle', nameGap: 48, splitLine: {show: false}, axisLabel: {formatter: (v) => (shown[v] === undefined ? '' : q.id[shown[v]])}},
        dataZoom: [{type: 'inside', xAxisIndex: 0, filterMode: 'none'}, {type: 'slider', xAxisIndex: 0, filterMode: 'none', height: 18, bottom: 8, showDataShadow: false, backgroundColor: 'transparent', borderColor: t.line, textStyle: {color: t.muted}, labelFormatter: (v) => `${format.digits(v, 3)} s`}],
        series: phases.map(([, label], k) => ({
          type: 'custom', name: label, color: color(k), clip: true, encode: {x: [0, 1], y: 2},
          renderItem: (params, api) => {
            const a = api.coord([api.value(0), api.value(2)]);
            const b = api.coord([api.value(1), api.value(2) + 1]);
            const height = Math.max(1, b[1] - a[1]);
            return {type: 'rect', shape: {x: a[0], y: a[1], width: Math.max(0.5, b[0] - a[0]), height: height > 3 ? height - 1 : height}, style: {fill: color(k)}};
          },
          data: shown.map((i, row) => ({value: [moments(q, i)[k], moments(q, i)[k + 1], row], i})),
        })),
      };
    },
    table: () => {
      const q = run.served.requests;
      return {columns: ['request', 'arrival_s', 'scheduled_s', 'first_token_s', 'last_token_s', 'input_tokens', 'output_tokens', 'preemptions'],
        rows: q.id.map((id, i) => [id, ...moments(q, i), q.input[i], q.output[i], q.preemptions[i]])};
    },
  });
  return card;
}

/** Sequences in the batch and in the queue, KV blocks and tokens a second over time. */
export function load_card(runs) {
  const list = served(runs).filter((r) => r.served.steps);
  if (!list.length) return null;
  let run = list[0];
  const tracks = [['running', 'In the batch', 0], ['waiting', 'Waiting', 0], ['kv_blocks', 'KV blocks in use', 1], ['tokens_per_s', 'Tokens a second', 2]];
  const axes = ['sequences', 'KV blocks', 'tokens/s'];
  const card = new chart_card({
    id: 'load', title: 'Batch, queue and KV cache over time', height: 520, renderer: 'canvas',
    note: 'Mean of each interval, replicas added up. Tokens are those of the steps: prompts and what is generated.',
    controls: run_control(list, (v) => { run = list.find((r) => r.index === Number(v)); card.draw(); }),
    option: (t) => {
      const s = run.served.steps;
      const kv = run.result.serving?.kv?.blocks;
      const grids = axes.map((_, k) => ({left: 70, right: 24, top: 56 + k * 136, height: 96}));
      return {
        grid: grids, legend: {top: 0, left: 0}, tooltip: {trigger: 'axis'}, axisPointer: {link: [{xAxisIndex: 'all'}]},
        xAxis: axes.map((_, k) => ({type: 'value', gridIndex: k, min: 0, max: s.interval_s * s.running.length, splitLine: {show: false}, axisLabel: {show: k === 2, formatter: (v) => format.digits(v)}, name: k === 2 ? 'time, s' : '', nameLocation: 'middle', nameGap: 26})),
        yAxis: axes.map((name, k) => ({type: 'value', gridIndex: k, min: 0, name, nameLocation: 'end', nameGap: 8, nameTextStyle: {align: 'left'}, splitNumber: 3, axisLabel: {formatter: (v) => format.number(v)}})),
        series: tracks.map(([key, name, axis], k) => ({
          type: 'line', name, xAxisIndex: axis, yAxisIndex: axis, symbol: 'none', step: 'end', color: series_color(k, t.dark), lineStyle: {width: 1.4, type: series_dash(k)},
          data: s[key].map((v, i) => [i * s.interval_s, v]),
          markLine: key === 'kv_blocks' && kv ? {silent: true, symbol: 'none', lineStyle: {color: t.muted, type: 'dotted'}, label: {color: t.muted, formatter: `${format.count(kv)} blocks`, position: 'insideEndTop'}, data: [{yAxis: kv}]} : undefined,
        })),
      };
    },
    table: () => {
      const s = run.served.steps;
      return {columns: ['time_s', ...tracks.map(([key]) => key)], rows: s.running.map((_, i) => [i * s.interval_s, ...tracks.map(([key]) => s[key][i])])};
    },
  });
  return card;
}

const times = [['ttft_ms', 'Time to the first token'], ['tpot_ms', 'Time a token after it'], ['e2e_ms', 'End to end']];

/** Share of the requests that are done within a time: a line a run. */
export function latency_card(runs) {
  const list = served(runs);
  if (!list.length) return null;
  let key = 'e2e_ms';
  const card = new chart_card({
    id: 'latencies', title: 'Latency distributions', height: 360,
    note: 'How many of the requests are done within a time; the dotted line is the limit that was asked for.',
    controls: [select('Time', times, key, (v) => { key = v; card.draw(); })],
    option: (t) => {
      const limit = list.map((r) => r.result.serving?.goodput?.[key]).find((v) => typeof v === 'number');
      const all = list.flatMap((r) => r.served.latencies[key]);
      const log = Math.min(...all) > 0 && Math.max(...all) / Math.min(...all) > 20;
      return {
        grid: {left: 64, right: 30, top: 44, bottom: 52}, legend: {},
        tooltip: {trigger: 'item', formatter: (p) => `<b>${format.escape(p.seriesName)}</b><br>${format.digits(p.data[1], 3)} % within ${ms(p.data[0])}`},
        xAxis: {type: log ? 'log' : 'value', scale: true, name: `${times.find((k) => k[0] === key)[1]}`, nameLocation: 'middle', nameGap: 30, axisLabel: {formatter: ms, hideOverlap: true}},
        yAxis: {type: 'value', min: 0, max: 100, name: '% of the requests', nameLocation: 'middle', nameGap: 44},
        series: list.map((r, k) => ({
          type: 'line', name: r.label, symbol: series_symbol(r.index), symbolSize: 4, showSymbol: false, color: series_color(r.index, t.dark), lineStyle: {width: 2, type: series_dash(r.index)},
          data: r.served.latencies[key].map((v, i, l) => [v, (100 * (i + 1)) / l.length]),
          markLine: k === 0 && limit ? {silent: true, symbol: 'none', lineStyle: {color: t.muted, type: 'dotted'}, label: {color: t.muted, formatter: ms(limit)}, data: [{xAxis: limit}]} : undefined,
        })),
      };
    },
    table: () => {
      const shares = [1, 5, 10, 25, 50, 75, 90, 95, 99, 100];
      return {columns: ['% of the requests', ...list.map((r) => `${r.label} (${key})`)],
        rows: shares.map((p) => [p, ...list.map((r) => { const l = r.served.latencies[key]; return l[Math.max(0, Math.ceil((p / 100) * l.length) - 1)]; })])};
    },
  });
  return card;
}

/** Figures of served runs side by side. */
export function served_rows(runs) {
  const list = runs.filter((r) => r.result.serving);
  if (!list.length) return null;
  const s = (r) => r.result.serving;
  const rows = [
    ['Requests', (r) => format.count(s(r).completed)],
    ['Requests a second', (r) => format.number(s(r).requests_per_s)],
    ['Output tokens a second', (r) => format.number(s(r).output_tokens_per_s)],
    ...times.flatMap(([key, label]) => [['p50', 'p99'].map((p) => [`${label}, ${p}`, (r) => ms(s(r)[key]?.[p])])].flat()),
    ['Within the limits', (r) => format.percent(s(r).goodput?.share)],
    ['Preemptions', (r) => format.count(s(r).preemptions)],
    ['Prompts found in the prefix cache', (r) => format.percent(s(r).prefix_hit_rate)],
    ['Energy a request', (r) => format.energy(r.result.summary?.energy_per_request_pj)],
    ['Reuse: error on audit', (r) => { const u = r.result.fidelity?.reuse; return u?.mode === 'on' ? `${format.digits(u.error_mean_pct, 2)} % ± ${format.digits(u.confidence_pct, 2)} %` : 'all simulated'; }],
  ];
  return h('div', {class: 'card', id: 'served-figures'}, h('h3', {}, 'What clients see'),
    table({columns: ['', ...list.map((r) => r.label)], rows: rows.map(([label, cell]) => [label, ...list.map(cell)])}, {caption: 'What clients see'}));
}

const log_axis = (name) => ({type: 'log', name, nameLocation: 'middle', nameGap: 32, axisLabel: {formatter: (v) => format.number(v), hideOverlap: true}});

/** Who serves how much within the limits: compare --requests. */
function goodput_parts(service, id) {
  const users = service.load === 'users';
  const ran = service.platforms.filter((p) => p.points?.length);
  const load = users ? 'users' : 'requests/s';
  const limit = (p) => ({ttft: 'first token', tpot: 'time a token', e2e: 'end to end'}[p.limited_by] ?? '–');
  const rows = service.platforms.map((p) => [p.platform,
    p.exit_code !== undefined ? (p.exit_code === 3 ? 'does not fit' : 'not run') : p.carried > 0 ? h('span', {'data-carried': p.carried}, format.number(p.carried)) : 'none',
    format.number(p.at?.under_way), format.number(p.at?.output_tokens_per_s), ms(p.at?.ttft_ms?.[`p${service.share_pct}`]), ms(p.at?.tpot_ms?.[`p${service.share_pct}`]),
    limit(p), format.energy(p.at?.energy_per_token_pj), format.number(p.at?.power_w), format.number(p.at?.requests_per_s_per_kw)]);
  const card = new chart_card({
    id: id('goodput'), title: `How much is served within ${service.slo}`, height: 400,
    note: `The time within which ${service.share_pct} % of the requests stay, over its limit (the tightest of them). Beyond 1 the limit is missed; the large marks are the most that is served within all limits.`,
    option: (t) => ({
      grid: {left: 64, right: 40, top: 44, bottom: 56}, legend: {},
      tooltip: {trigger: 'item', formatter: (p) => `<b>${format.escape(p.seriesName)}</b><br>${format.number(p.data.value[0])} ${load}: ${format.times(p.data.value[1])} the limit (${format.escape(p.data.by)})`},
      xAxis: log_axis(load), yAxis: log_axis('times the limit'),
      series: ran.map((p, k) => ({
        type: 'line', name: p.platform, symbol: series_symbol(k), color: series_color(k, t.dark), lineStyle: {width: 2, type: series_dash(k)},
        data: p.points.filter((x) => x.of_limit > 0).map((x) => ({value: [x.load, x.of_limit], by: x.tightest, symbolSize: x.load === p.carried ? 16 : 7})),
        markLine: k === 0 ? {silent: true, symbol: 'none', lineStyle: {color: t.muted, type: 'dotted'}, label: {color: t.muted, formatter: 'the limit'}, data: [{yAxis: 1}]} : undefined,
      })),
    }),
    table: () => ({columns: ['platform', load, 'within', 'tightest', 'of_limit', 'energy_per_token_pj'], rows: ran.flatMap((p) => p.points.map((x) => [p.platform, x.load, x.within, x.tightest, x.of_limit, x.energy_per_token_pj]))}),
  });
  return [
    h('div', {class: 'card', id: id('goodput-table')}, h('h3', {}, users ? 'How many users does this machine serve?' : 'How many requests does this machine serve?'),
      h('p', {class: 'note'}, `${service.requests}; within ${service.slo} for ${service.share_pct} % of the requests${service.iso ? `; made equal in ${service.iso.quantity}` : ''}`),
      table({columns: ['platform', load, 'requests under way', 'output tokens/s', `first token, p${service.share_pct}`, `time a token, p${service.share_pct}`, 'beyond, it misses', 'energy a token', 'power, W', 'requests/s a kW'], rows}, {caption: 'Served within the limits', class: 'plain wrap'}),
      (service.verdicts ?? []).map((v) => h('p', {class: 'verdict'}, v))),
    ran.length ? card : null,
  ];
}

/** Latency against the rate, with knees: serve --rate A..B, compare --sweep rate=. */
function rate_parts(service, id) {
  let part = 'mean';
  let key = 'e2e_ms';
  const list = service.platforms.filter((p) => p.points.some((x) => x.e2e_ms));
  if (!list.length) return [];
  const card = new chart_card({
    id: id('rates'), title: 'Latency against the rate', height: 420,
    note: 'Large marks are knees: the rate with the most requests a second for the time that a request takes (Kleinrock’s power).',
    controls: [select('Time', times, key, (v) => { key = v; card.draw(); }), select('Of the requests', ['mean', 'p50', 'p90', 'p99'].map((p) => [p, p]), part, (v) => { part = v; card.draw(); })],
    option: (t) => ({
      grid: {left: 84, right: 40, top: 44, bottom: 56}, legend: {},
      tooltip: {trigger: 'item', formatter: (p) => `<b>${format.escape(p.seriesName)}</b><br>${format.number(p.data.value[0])} requests/s: ${ms(p.data.value[1])}`},
      xAxis: log_axis('requests/s'), yAxis: {...log_axis(''), axisLabel: {formatter: ms, hideOverlap: true}},
      series: list.map((p, k) => ({
        type: 'line', name: p.platform, symbol: series_symbol(k), color: series_color(k, t.dark), lineStyle: {width: 2, type: series_dash(k)},
        data: p.points.filter((x) => x[key]?.[part] > 0).map((x) => ({value: [x.rate, x[key][part]], symbolSize: p.knee && p.knee.rate === x.rate ? 16 : 7})),
      })),
    }),
    table: () => ({columns: ['platform', 'rate', 'requests_per_s', `${key} ${part}`, 'knee'], rows: list.flatMap((p) => p.points.map((x) => [p.platform, x.rate, x.requests_per_s, x[key]?.[part], p.knee && p.knee.rate === x.rate ? 'knee' : '']))}),
  });
  return [card, (service.verdicts ?? []).map((v) => h('p', {class: 'verdict'}, v))].flat();
}

export function service_parts(services) {
  return services.flatMap((service, index) => {
    const id = (name) => (index ? `${name}-${index + 1}` : name);
    return service.schema === 'memwall-goodput-1' ? goodput_parts(service, id) : rate_parts(service, id);
  });
}

// SPDX-License-Identifier: Apache-2.0
// The points of a sweep: axes, objectives, fronts, sensitivities and crossovers. No drawing here.

/** One column: value(i) is a number, a text, or null. */
class column {
  constructor(packed) {
    this.name = packed.name;
    this.packed = packed;
    this.numeric = packed.numeric ?? typeof packed.constant === 'number';
  }
  value(i) {
    const p = this.packed;
    if ('constant' in p) return p.constant;
    const v = p.values[i];
    return p.levels && v !== null ? p.levels[v] : v;
  }
}

// "64 GiB", "1.5 GHz": quantities of one dimension are put on one scale, so that they sort and plot as numbers.
const factors = {'': 1, k: 1e3, K: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, m: 1e-3, u: 1e-6, 'µ': 1e-6, n: 1e-9, p: 1e-12, f: 1e-15};
const base_units = ['B/s', 'bps', 'bit/s', 'Hz', 'bit', 'B', 's', 'J', 'W', 'V', 'm2', 'FLOP/s', 'OP/s', 'FLOPS', 'OPS'];
export function quantity(text) {
  const m = /^\s*(-?[\d.]+(?:e[-+]?\d+)?)\s*([^\d\s].*)$/i.exec(text);
  if (!m) return null;
  for (const unit of base_units)
    if (m[2].endsWith(unit)) {
      const factor = factors[m[2].slice(0, -unit.length)];
      if (factor !== undefined) return {value: Number(m[1]) * factor, unit};
    }
  return {value: Number(m[1]), unit: m[2]};
}

const few = 64;  // an axis with at most this many values is a list of levels; others are put in bins
const bins = 12;

/** One axis: `levels` in order ({label, at}), and level(i) of a point. */
class axis {
  constructor(col, rows) {
    this.name = col.name.replace(/^axis\./, '');
    this.column = col;
    const distinct = new Map();
    for (const i of rows) {
      const v = col.value(i);
      if (v !== null && v !== '') distinct.set(v, (distinct.get(v) ?? 0) + 1);
    }
    let values = [...distinct.keys()];
    const quantities = col.numeric ? null : values.map((v) => quantity(String(v)));
    const one_unit = quantities && quantities.every((q) => q && q.unit === quantities[0].unit);
    this.ordered = col.numeric || Boolean(one_unit);
    this.unit = one_unit ? quantities[0].unit : '';
    const place = new Map(values.map((v, k) => [v, col.numeric ? v : one_unit ? quantities[k].value : k]));
    values.sort((a, b) => place.get(a) - place.get(b));
    this.binned = values.length > few;
    if (!this.binned) {
      this.levels = values.map((v) => ({label: String(v), at: place.get(v)}));
      this.index = new Map(values.map((v, k) => [v, k]));
    } else {
      const sorted = rows.map((i) => place.get(col.value(i))).filter((v) => v !== undefined).sort((a, b) => a - b);
      this.edges = Array.from({length: bins - 1}, (_, k) => sorted[Math.floor(((k + 1) * sorted.length) / bins)]);
      const short = (v) => Number(v.toPrecision(3));
      this.levels = Array.from({length: bins}, (_, k) => {
        const from = k ? this.edges[k - 1] : sorted[0];
        const to = k < bins - 1 ? this.edges[k] : sorted[sorted.length - 1];
        return {label: `${short(from)} … ${short(to)}`, at: sorted[Math.floor(((k + 0.5) * sorted.length) / bins)]};
      });
    }
    this.place = place;
  }
  /** Index of the point's level, or -1. */
  level(i) {
    const v = this.column.value(i);
    if (!this.binned) return this.index.get(v) ?? -1;
    const at = this.place.get(v);
    if (at === undefined) return -1;
    let k = 0;
    while (k < this.edges.length && at >= this.edges[k]) ++k;
    return k;
  }
  /** Whether equal ratios, not equal differences, make its levels. */
  get logarithmic() {
    const at = this.levels.map((l) => l.at);
    return this.ordered && at.length > 2 && at[0] > 0 && at[at.length - 1] / at[0] >= 8;
  }
}

const small_is_good = /(time|latency|energy|area|cost|power|stall|price|error|per_token_ns)/;
const large_is_good = /(tokens_per_s|bandwidth|throughput|accuracy|utilization|speedup|per_joule|per_s$)/;
export const better_small = (name) => !large_is_good.test(name) || (small_is_good.test(name) && !/tokens_per_s|accuracy|speedup/.test(name) && !/bandwidth|utilization/.test(name));

export class sweep_points {
  constructor(raw) {
    this.raw = raw;
    this.columns = raw.columns.map((c) => new column(c));
    this.by_name = new Map(this.columns.map((c) => [c.name, c]));
    this.size = raw.shown;
    const status = this.by_name.get('status');
    this.status = (i) => (status ? status.value(i) : 'ok');
    this.good = [];
    for (let i = 0; i < this.size; ++i) if (this.status(i) === 'ok') this.good.push(i);
    const every = Array.from({length: this.size}, (_, i) => i);
    this.axes = this.columns.filter((c) => c.name.startsWith('axis.')).map((c) => new axis(c, every)).filter((a) => a.levels.length > 1);
    this.objectives = this.columns.filter((c) => c.name.startsWith('summary.') && c.numeric && !('constant' in c.packed) && this.good.some((i) => c.value(i) !== null))
      .map((c) => ({name: c.name.slice(8), value: (i) => c.value(i), small: better_small(c.name.slice(8)), judged: small_is_good.test(c.name) || large_is_good.test(c.name)}));
    // The sweep file's own objectives come first, and know which way is better.
    const wanted = (this.raw.objectives ?? []).map((text) => /^(?:(max|min):)?(.*)$/.exec(text)).map(([, way, name]) => ({name: name.replace(/^summary\./, ''), way}));
    for (const w of wanted) {
      const o = this.objective(w.name);
      if (o) Object.assign(o, {small: w.way !== 'max', judged: true});
    }
    const rank = (o) => {
      const mine = wanted.findIndex((w) => w.name === o.name);
      if (mine >= 0) return mine - wanted.length;
      const order = ['time_per_token_ns', 'time_ns', 'energy_per_token_pj', 'energy_pj', 'tokens_per_s', 'area_mm2', 'cost_usd'];
      const k = order.indexOf(o.name);
      return k < 0 ? order.length : k;
    };
    this.objectives.sort((a, b) => Number(b.judged) - Number(a.judged) || rank(a) - rank(b));
    // What fronts are drawn over before the reader chooses: time, and what time is bought with.
    const first = this.objectives[0];
    this.pair = [first, wanted.length > 1 ? this.objectives[1] : (this.objectives.find((o) => o !== first && /energy|area|cost/.test(o.name)) ?? this.objectives[1])].filter(Boolean);
  }
  objective(name) { return this.objectives.find((o) => o.name === name); }
  axis(name) { return this.axes.find((a) => a.name === name); }
  number(i) { return this.by_name.get('point')?.value(i) ?? i; }

  /** The command that runs the point again. */
  command(i) {
    const c = this.by_name.get('command');
    if (!c) return '';
    return String(c.value(i)).replace(/\x01(\d+)\x01/g, (_, k) => String(this.raw.columns[Number(k)] && new column(this.raw.columns[Number(k)]).value(i)));
  }

  /** Points that no other beats in both objectives, in the order of the first. */
  front(x, y) {
    const sx = x.small ? 1 : -1;
    const sy = y.small ? 1 : -1;
    const list = this.good.filter((i) => x.value(i) !== null && y.value(i) !== null)
      .sort((a, b) => sx * (x.value(a) - x.value(b)) || sy * (y.value(a) - y.value(b)) || a - b);
    const out = [];
    let best = Infinity;
    for (const i of list) {
      const v = sy * y.value(i);
      const last = out[out.length - 1];
      const equal = last !== undefined && v === best && x.value(i) === x.value(last);  // twins do not beat each other
      if (v < best || equal) {
        out.push(i);
        best = v;
      }
    }
    return out;
  }

  /** How strongly each axis moves an objective: medians per level, against the median of all. Sorted, strongest first. */
  sensitivity(objective) {
    const all = this.good.filter((i) => objective.value(i) !== null);
    const whole = median(all.map((i) => objective.value(i)));
    return this.axes.map((a) => {
      const groups = a.levels.map(() => []);
      for (const i of all) {
        const k = a.level(i);
        if (k >= 0) groups[k].push(objective.value(i));
      }
      const levels = groups.map((g, k) => ({label: a.levels[k].label, median: g.length ? median(g) : null, count: g.length})).filter((l) => l.median !== null);
      const medians = levels.map((l) => l.median);
      // Share of the variance that the axis explains by itself (eta squared), of the logarithm where all are positive.
      const f = all.every((i) => objective.value(i) > 0) ? Math.log : (v) => v;
      const mean = average(all.map((i) => f(objective.value(i))));
      const total = all.reduce((s, i) => s + (f(objective.value(i)) - mean) ** 2, 0);
      const between = groups.reduce((s, g) => s + (g.length ? g.length * (average(g.map(f)) - mean) ** 2 : 0), 0);
      return {axis: a, levels, low: Math.min(...medians), high: Math.max(...medians), whole, share: total > 0 ? between / total : 0};
    }).filter((e) => e.levels.length > 1).sort((p, q) => q.share - p.share);
  }

  /** Combined value of an objective in cells of two axes: cells[y][x] = {value, count, point}. `how`: best, median, mean. */
  cells(x, y, objective, how, filter = () => true) {
    const lists = y.levels.map(() => x.levels.map(() => []));
    for (const i of this.good) {
      if (objective.value(i) === null || !filter(i)) continue;
      const a = x.level(i);
      const b = y.level(i);
      if (a >= 0 && b >= 0) lists[b][a].push(i);
    }
    return lists.map((row) => row.map((list) => this.combine(list, objective, how)));
  }
  combine(list, objective, how) {
    if (!list.length) return {value: null, count: 0, point: -1};
    const sign = objective.small ? 1 : -1;
    const best = list.reduce((a, b) => (sign * objective.value(b) < sign * objective.value(a) ? b : a));
    const values = list.map((i) => objective.value(i));
    return {value: how === 'best' ? objective.value(best) : how === 'mean' ? average(values) : median(values), count: list.length, point: best};
  }

  /** Curves over x, one a level of `series` (or one in all). */
  curves(x, series, objective, how) {
    const one = {levels: [{label: 'all', at: 0}], level: () => 0};
    const cells = this.cells(x, series ?? one, objective, how);
    return (series ?? one).levels.map((l, k) => ({label: l.label, values: cells[k]}));
  }
}

/** Where two curves over an ordered axis cross: [{a, b, at, from, to}], interpolated on the axis' own scale. */
export function crossings(curves, x) {
  const scale = x.logarithmic ? Math.log : (v) => v;
  const back = x.logarithmic ? Math.exp : (v) => v;
  const out = [];
  for (let a = 0; a < curves.length; ++a)
    for (let b = a + 1; b < curves.length; ++b) {
      let last = null;  // the last level where both curves have a value and differ
      for (let k = 0; k < x.levels.length; ++k) {
        const p = curves[a].values[k].value;
        const q = curves[b].values[k].value;
        if (p === null || q === null || p === q) continue;
        const positive = p > 0 && q > 0;
        const difference = positive ? Math.log(p / q) : p - q;
        if (last !== null && Math.sign(difference) !== Math.sign(last.difference)) {
          const share = last.difference / (last.difference - difference);
          const u = scale(x.levels[last.k].at);
          const v = scale(x.levels[k].at);
          out.push({a: curves[a].label, b: curves[b].label, at: back(u + share * (v - u)), from: x.levels[last.k].label, to: x.levels[k].label, left: last.difference < 0 ? curves[a].label : curves[b].label});
        }
        last = {k, difference};
      }
    }
  return out;
}

export const average = (v) => v.reduce((a, b) => a + b, 0) / (v.length || 1);
export function median(values) {
  const v = [...values].sort((a, b) => a - b);
  const m = v.length >> 1;
  return v.length % 2 ? v[m] : (v[m - 1] + v[m]) / 2;
}

// Charts: uPlot with thinning that keeps extremes, a logarithmic scale, smoothing beside the raw line, and a table for everyone.
"use strict";
const COLORS = ["--s1", "--s2", "--s3", "--s4", "--s5", "--s6", "--s7", "--s8"];
const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3], [4, 4], [1, 4], [12, 4], [6, 2]];
const MOST = 1500; // rows that are drawn; more are thinned
const DENSE = 400; // rows from which a line that is not smoothed is drawn without dashes

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// Every interval has two rows, with the two extremes of a key in the order in which they came (as in series.py).
function thin(columns, axes, most = MOST) {
  const rows = Math.max(0, ...Object.values(columns).map((c) => c.length));
  if (rows <= most) return columns;
  const buckets = most >> 1, out = {};
  for (const key of Object.keys(columns)) {
    const column = columns[key], made = out[key] = [];
    for (let b = 0; b < buckets; b++) {
      const first = Math.floor(rows * b / buckets), last = Math.floor(rows * (b + 1) / buckets);
      if (axes.includes(key)) { made.push(column[first], column[(first + last) >> 1]); continue; }
      let low = null, high = null, at = 0, to = 0;
      for (let i = first; i < last; i++) {
        const v = column[i];
        if (v === null || v === undefined) continue;
        if (low === null || v < low) { low = v; at = i; }
        if (high === null || v > high) { high = v; to = i; }
      }
      if (at <= to) made.push(low, high); else made.push(high, low);
    }
  }
  return out;
}

function smoothed(values, weight) {
  let mean = null, norm = 0;
  return values.map((v) => {
    if (v === null || v === undefined) return null;
    mean = mean === null ? v * (1 - weight) : mean * weight + v * (1 - weight);
    norm = norm * weight + (1 - weight);
    return mean / norm;
  });
}

// A chart in a <figure>: columns by key, drawn over an axis. `set` gives it new data or options.
class Chart {
  constructor(figure) {
    this.figure = figure;
    this.place = figure.querySelector(".plot");
    this.table = figure.querySelector("tbody");
    this.options = {axis: "step", log: false, smooth: 0};
    this.seen = false; // a chart out of view is drawn when it comes into view
    new IntersectionObserver((found) => { this.seen = found.at(-1).isIntersecting; this.show(); }, {rootMargin: "200px"}).observe(figure);
    window.addEventListener("beforeprint", () => this.show(true));
    new ResizeObserver(() => this.resize()).observe(this.place);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw(true));
  }
  // x: values; lines: [{label, values}]; name of the axis
  set(x, lines, axisName) {
    const shape = lines.map((l) => l.label).join("\n") + axisName + this.options.log + (this.options.smooth > 0);
    const anew = shape !== this.shape;
    Object.assign(this, {x, lines, axisName, shape});
    this.draw(anew);
  }
  data() {
    const keep = this.options.log ? (v) => (v !== null && v > 0 ? v : null) : (v) => (v === undefined ? null : v);
    const out = [this.x];
    for (const line of this.lines) {
      out.push(line.values.map(keep));
      if (this.options.smooth > 0) out.push(smoothed(line.values, this.options.smooth).map(keep));
    }
    return out;
  }
  draw(anew) {
    if (!this.x) return;
    const empty = !this.lines.length || !this.x.length;
    this.figure.querySelector(".none").hidden = !empty;
    this.place.hidden = empty;
    if (empty) return;
    this.describe();
    this.waits = true;
    this.anew = this.anew || anew;
    this.show();
  }
  show(always = this.seen) {
    if (!this.waits || !always) return;
    const data = this.data();
    if (this.anew || !this.plot) this.make(data); else this.plot.setData(data);
    this.waits = this.anew = false;
  }
  make(data) {
    this.plot?.destroy();
    const text = color("--soft"), grid = {stroke: color("--grid"), width: 1}, ticks = grid;
    const value = (u, v, index, at) => studio.number(at === null || at === undefined ? u.data[index].findLast((x) => x !== null && x !== undefined) : v);
    const series = [{label: this.axisName, value}];
    this.lines.forEach((line, i) => {
      const stroke = color(COLORS[i % COLORS.length]), smooth = this.options.smooth > 0;
      const dash = DASHES[i % DASHES.length], raw = this.x.length > DENSE ? [] : dash; // dashes of a dense zigzag cost most of its painting, and cannot be seen
      series.push({label: line.label, stroke: smooth ? stroke + "55" : stroke, width: 1.6, dash: raw, spanGaps: true, value, points: {show: line.values.length < 40}});
      if (smooth) series.push({label: `${line.label} smooth`, stroke, width: 2.4, dash, spanGaps: true, value, points: {show: false}});
    });
    this.plot = new uPlot({
      width: this.place.clientWidth || 300, height: 250, series,
      scales: {x: {time: false}, y: {distr: this.options.log ? 3 : 1}},
      axes: [{stroke: text, grid, ticks, values: (u, all) => all.map((v) => studio.number(v))},
        {stroke: text, grid, ticks, size: 64, values: (u, all) => all.map((v) => (v === null ? "" : studio.number(v)))}],
      cursor: {drag: {x: true, y: false}}, legend: {live: true},
    }, data, this.place);
    this.place.querySelectorAll("canvas").forEach((c) => c.setAttribute("aria-hidden", "true"));
  }
  resize() {
    const width = this.place.clientWidth;
    if (this.plot && width && Math.abs(width - this.plot.width) > 1) this.plot.setSize({width, height: 250});
  }
  describe() {
    const rows = [];
    const title = this.figure.dataset.title;
    for (const line of this.lines) {
      const known = line.values.filter((v) => v !== null && v !== undefined);
      if (!known.length) continue;
      let low = Infinity, high = -Infinity;
      for (const v of known) { if (v < low) low = v; if (v > high) high = v; }
      rows.push([line.label, known[0], low, high, known[known.length - 1]]);
    }
    this.place.setAttribute("aria-label", `${title}: ${rows.map((r) => `${r[0]} ${studio.number(r[4])}`).join(", ")}`);
    const all = [...this.figure.querySelectorAll("tr[data-row]")];
    if (all.length === rows.length && all.every((tr, i) => tr.dataset.row === rows[i][0])) {
      all.forEach((tr, i) => rows[i].slice(1).forEach((v, k) => { tr.children[k + 1].textContent = studio.number(v); }));
      return;
    }
    this.table.replaceChildren(...rows.map((r) => {
      const tr = studio.element("tr", {"data-row": r[0]}, studio.element("th", {scope: "row"}, r[0]));
      tr.append(...r.slice(1).map((v) => studio.element("td", {class: "num"}, studio.number(v))));
      return tr;
    }));
  }
}
const sigmoid = (v) => (v === null || v === undefined ? null : 1 / (1 + Math.exp(-v)));
window.charts = {Chart, thin, smoothed, sigmoid, AXES: ["step", "images", "epoch", "seconds"]};

// The page of a run: charts and previews that follow the run while the page is visible.
"use strict";
(() => {
  const root = document.getElementById("run");
  const name = root.dataset.name, address = `/api/runs/${encodeURIComponent(name)}`;
  const $ = (id) => document.getElementById(id);
  let columns = {}, scores = {}, rows = 0, source = null, previews = [], follows = true;
  const figures = [...document.querySelectorAll("figure.chart")].map((f) => ({figure: f, chart: new charts.Chart(f)}));

  const DOES = {train: "reading the data", resume: "reading the data and the checkpoint"};
  const AXIS = {step: "step", images: "images", epoch: "epoch", minutes: "minutes"};
  function axisOf(table, axis) {
    if (axis === "minutes") return (table.seconds || []).map((s) => (s === null ? null : s / 60));
    return table[axis] || table.step || [];
  }
  function lines(kind, table) {
    const keys = Object.keys(table);
    if (kind === "losses") return keys.filter((k) => k.startsWith("loss/")).map((k) => ({label: k.slice(5), values: table[k]}));
    if (kind === "verdict") return keys.filter((k) => k.startsWith("logit/")).map((k) => ({label: k.slice(6).replace("/", ": "), values: table[k].map(charts.sigmoid)}));
    if (kind === "scores") return keys.filter((k) => k.includes("@")).map((k) => ({label: k, values: table[k]}));
    const chosen = $("more-keys")?.value || "grad/";
    return keys.filter((k) => k.startsWith(chosen)).map((k) => ({label: k, values: table[k]}));
  }
  function draw() {
    const axis = $("axis").value, log = $("log").checked, smooth = Number($("smooth").value);
    for (const {figure, chart} of figures) {
      const kind = figure.dataset.kind, table = kind === "scores" ? scores : columns;
      const own = kind === "scores" && axis !== "images" ? "step" : axis;
      let x = axisOf(table, own), found = lines(kind, table);
      const usable = x.map((v, i) => (v === null || v === undefined ? -1 : i)).filter((i) => i >= 0);
      if (usable.length < x.length) { x = usable.map((i) => x[i]); found = found.map((l) => ({label: l.label, values: usable.map((i) => l.values[i])})); }
      chart.options = {axis, log: log && kind !== "verdict", smooth: kind === "scores" ? 0 : smooth};
      chart.set(x, found, AXIS[own] || own);
    }
    const kinds = [...new Set(Object.keys(columns).filter((k) => k.includes("/") && !/^(loss|logit)\//.test(k)).map((k) => k.split("/")[0] + "/"))];
    const choice = $("more-keys");
    if (choice && kinds.length && choice.children.length !== kinds.length) choice.replaceChildren(...kinds.map((k) => studio.element("option", {value: k}, k.slice(0, -1))));
  }
  async function reload() {
    const found = await studio.api("GET", `${address}/series?points=1500`);
    columns = found.columns; rows = found.total;
    scores = (await studio.api("GET", `${address}/series?journal=scores`)).columns;
    draw();
  }
  function append(table) {
    const n = Math.max(0, ...Object.values(columns).map((c) => c.length));
    const more = Math.max(0, ...Object.values(table).map((c) => c.length));
    for (const key of new Set([...Object.keys(columns), ...Object.keys(table)])) {
      const old = columns[key] || new Array(n).fill(null);
      columns[key] = old.concat(table[key] || new Array(more).fill(null));
    }
    if (n + more > 2 * 1500) columns = charts.thin(columns, charts.AXES);
  }
  // Status, previews, warnings, log
  function status(s) {
    const state = s.state || "unknown";
    $("state").textContent = state === "finished" ? `finished: ${s.reason}` : state;
    $("state").className = `badge ${state}`;
    const live = state === "running" || state === "saving";
    $("stop-form").hidden = !live;
    $("start-forms").hidden = live;
    $("resume-form").hidden = state === "finished";
    $("longer").className = state === "finished" ? "main" : "";
    const bar = $("progress");
    if (s.total) { bar.max = s.total; bar.value = s.images || 0; }
    const left = s.minutes_left;
    const parts = [`step ${studio.number(s.step || 0)}`, `${studio.number(s.images || 0)} of ${studio.number(s.total || 0)} images`];
    if (live && s.rate) parts.push(`${studio.number(s.rate)} images/s`);
    if (live && left !== null && left !== undefined) parts.push(left < 1.5 ? `${Math.round(left * 60)} s left` : `${Math.round(left)} min left`);
    $("how-far").textContent = parts.join(" · ");
    if (!live && s.reason && state !== "finished") { $("why").textContent = state === "stopped" ? `Saved and stopped (${s.reason}).` : s.reason; $("why").className = state === "stopped" ? "note" : "note bad"; $("why").hidden = false; } else $("why").hidden = true;
    if (status.before !== undefined && status.before !== state) studio.say(`${name} is ${state}`);
    status.before = state;
  }
  async function show(index) {
    if (!previews.length) return;
    const [file, step, , media] = previews[index];
    $("preview-step").textContent = `step ${studio.number(step)}`;
    const place = `/runs/${encodeURIComponent(name)}/samples/${encodeURIComponent(file)}`;
    $("preview-image").hidden = media !== "image";
    $("preview-text").hidden = media !== "text";
    if (media === "image") { $("preview-image").src = place; $("preview-image").alt = `samples of step ${step}, always of the same seeds`; }
    else $("preview-text").textContent = (await (await fetch(place)).text()).slice(0, 20000);
  }
  function samples(found) {
    const kinds = [...new Set(found.map((p) => p[2]))];
    const choice = $("preview-kind");
    if (choice.children.length !== kinds.length) choice.replaceChildren(...kinds.map((k) => studio.element("option", {value: k}, k || "samples")));
    choice.parentElement.hidden = kinds.length < 2;
    samples.all = found;
    previews = found.filter((p) => p[2] === (choice.value || kinds[0] || ""));
    const range = $("preview-range");
    $("no-preview").hidden = previews.length > 0;
    $("preview").hidden = previews.length === 0;
    range.max = Math.max(0, previews.length - 1);
    if (follows) range.value = range.max;
    show(Number(range.value));
  }
  function warnings(found) {
    $("warnings").replaceChildren(...found.map((w) => {
      const row = studio.element("div", {class: "row"});
      for (const set of w.sets) {
        const link = studio.element("a", {class: "button", href: `/new?clone=${encodeURIComponent(name)}&set=${encodeURIComponent(set)}`});
        link.textContent = `New run with ${set}`;
        row.append(link);
      }
      return studio.element("div", {class: "note warn"}, studio.element("b", {}, `Since step ${studio.number(w.since)}: `), w.text, row);
    }));
    if (found.length > (warnings.before ?? found.length)) studio.say(`warning: ${found[found.length - 1].text}`);
    warnings.before = found.length;
  }
  function queue(found) {
    const waits = found.find((e) => e[1] === "waiting" || e[1] === "running"), failed = found[0] && found[0][1] === "failed" ? found[0] : null;
    $("queued").hidden = !waits && !failed;
    $("queued").className = failed && !waits ? "note bad" : "note";
    $("queued").textContent = waits ? `${waits[0]}: ${waits[1] === "waiting" ? "waiting in the queue" : DOES[waits[0]] || "running"}` : failed ? `${failed[0]} failed: ${failed[2]}` : "";
    const now = found.map((e) => e.join()).join("|");
    if (queue.before !== undefined && queue.before !== now) document.body.dispatchEvent(new Event("queue-changed"));
    queue.before = now;
  }
  async function told(found) {
    if (found.reset) await reload();
    if (found.lines) { append(found.lines); draw(); }
    if (found.scores !== undefined && told.scores !== undefined) { scores = (await studio.api("GET", `${address}/series?journal=scores`)).columns; draw(); }
    if (found.scores !== undefined) told.scores = found.scores;
    if (found.status) status(found.status);
    if (found.samples) samples(found.samples);
    if (found.warnings) warnings(found.warnings);
    if (found.queue) queue(found.queue);
    if (found.log !== undefined) {
      const log = $("log-text"), end = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
      log.textContent = found.log;
      if (end) log.scrollTop = log.scrollHeight;
    }
  }
  let chain = Promise.resolve();
  function connect() {
    if (source || document.hidden) return;
    source = new EventSource(`${address}/events?rows=${rows}`);
    source.onmessage = (event) => {
      const found = JSON.parse(event.data);
      rows = Number(event.lastEventId) || rows;
      chain = chain.then(() => told(found)).catch((error) => studio.say(error.message));
    };
    source.addEventListener("gone", () => { disconnect(); studio.say(`${name} is not there any more`); });
  }
  function disconnect() { source?.close(); source = null; }
  document.addEventListener("visibilitychange", () => (document.hidden ? disconnect() : connect()));
  window.addEventListener("pagehide", disconnect);
  for (const id of ["axis", "log", "smooth", "more-keys"]) $(id)?.addEventListener("input", draw);
  $("preview-range").addEventListener("input", (event) => { follows = event.target.value === event.target.max; show(Number(event.target.value)); });
  $("preview-kind").addEventListener("change", () => samples(samples.all));
  $("preview-play").addEventListener("click", () => {
    const range = $("preview-range"); let i = 0;
    const timer = setInterval(() => { range.value = i; show(i); if (++i >= previews.length) clearInterval(timer); }, Math.min(400, 6000 / Math.max(1, previews.length)));
  });
  reload().catch((error) => studio.say(error.message)).finally(connect);
  window.runPage = {draw, state: () => ({columns, rows, scores})};
})();

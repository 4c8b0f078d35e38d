// Compare: curves of several runs over each other, and the same seeds side by side.
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  $("compare-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const names = [...document.querySelectorAll("#compare-form input:checked")].map((i) => i.value);
    if (names.length < 2) { studio.say("choose two runs"); return; }
    location.href = `/compare?runs=${encodeURIComponent(names.join("|"))}`;
  });
  const names = $("compared").dataset.runs.split("|").filter(Boolean);
  if (names.length < 2) return;
  const chart = new charts.Chart(document.querySelector("figure.chart"));
  const tables = {};
  function draw() {
    const key = $("key").value, axis = $("axis").value;
    const all = [...new Set(names.flatMap((n) => tables[n][axis] || []).filter((v) => v !== null))].sort((a, b) => a - b);
    const place = new Map(all.map((v, i) => [v, i]));
    const lines = names.filter((n) => tables[n][key]).map((n) => {
      const values = new Array(all.length).fill(null), x = tables[n][axis] || [];
      tables[n][key].forEach((v, i) => { if (x[i] !== null && x[i] !== undefined) values[place.get(x[i])] = v; });
      return {label: n, values};
    });
    chart.options = {axis, log: $("log").checked, smooth: 0};
    chart.figure.dataset.title = key;
    chart.set(all, lines, axis);
  }
  (async () => {
    for (const name of names) {
      const address = `/api/runs/${encodeURIComponent(name)}/series?points=1500`;
      tables[name] = (await studio.api("GET", address)).columns;
    }
    const keys = [...new Set(names.flatMap((n) => Object.keys(tables[n])))].filter((k) => k.includes("/"));
    $("key").replaceChildren(...keys.map((k) => studio.element("option", {value: k}, k)));
    draw();
  })().catch((error) => studio.say(error.message));
  for (const id of ["key", "axis", "log"]) $(id).addEventListener("change", draw);
  $("pair").addEventListener("click", async () => {
    const place = $("pairs");
    place.replaceChildren(...names.map((n) => studio.element("figure", {}, studio.element("figcaption", {}, n), studio.element("p", {class: "spin"}, "Making…"))));
    await Promise.all(names.map(async (name, i) => {
      const figure = place.children[i];
      try {
        const made = (await studio.api("POST", `/api/runs/${encodeURIComponent(name)}/draw`, {seeds: $("pair-seeds").value})).made[0];
        const shown = made.media === "text" ? studio.element("pre", {tabindex: "0"}, made.text) : studio.element("img", {class: "picture", src: `/made/${made.file}`, alt: `seeds ${$("pair-seeds").value} of ${name}`});
        figure.replaceChildren(studio.element("figcaption", {}, name), shown);
      } catch (error) { figure.replaceChildren(studio.element("figcaption", {}, name), studio.element("div", {class: "note bad"}, error.message)); }
    }));
  });
})();

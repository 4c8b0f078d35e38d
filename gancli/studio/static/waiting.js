// Looks until the run has begun, or was refused.
"use strict";
(() => {
  const place = document.getElementById("waiting");
  if (!["waiting", "running"].includes(place.dataset.state)) return;
  const timer = setInterval(async () => {
    const found = await studio.api("GET", "/api/queue").catch(() => null);
    if (!found) return;
    const mine = found.entries.filter((e) => e.run === place.dataset.name)[0];
    const runs = await studio.api("GET", `/api/runs/${encodeURIComponent(place.dataset.name)}`).catch(() => null);
    if (runs || !mine || mine.state !== place.dataset.state) { clearInterval(timer); location.reload(); }
  }, 700);
})();

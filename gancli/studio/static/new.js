// New run: looks at the data, times a few steps, and receives what is dropped.
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const form = $("new-form"), report = $("data-report");
  const say = (name) => document.body.dispatchEvent(new Event(name));
  let timer = null;
  const ready = () => $("data").value.trim() !== "";
  function check(delay = 700) {
    clearTimeout(timer);
    if (ready()) timer = setTimeout(() => { $("checking").hidden = false; say("check"); if ($("options").open) say("options"); }, delay);
  }
  function look() {
    if (!ready()) return;
    if ($("data").value === report.dataset.skip) return check(0);
    $("looking").hidden = false;
    say("look");
  }
  form.addEventListener("change", (event) => {
    const name = event.target.name, id = event.target.id;
    if (["data", "size", "channels", "label"].includes(name)) look();
    else if (event.target.closest("#drop")) return;
    else if (event.target.dataset.part !== undefined) { say("options"); check(); }
    else if (name) {
      event.target.closest(".field")?.classList.toggle("changed", name.startsWith("o.") && event.target.value !== "");
      check();
    }
  });
  form.addEventListener("submit", (event) => { if (!ready()) { event.preventDefault(); $("data").focus(); studio.say("choose data first"); } });
  document.addEventListener("htmx:after:request", (event) => {
    const place = event.detail?.ctx?.target || event.target;
    if (place === report || place?.id === "data-report") { $("looking").hidden = true; check(50); }
    if (place?.id === "check") $("checking").hidden = true;
  });
  document.addEventListener("htmx:finally:request", () => {});
  $("options").addEventListener("toggle", () => { if ($("options").open) say("options"); });
  // Uploads: one request a file, so that a folder of thousands needs no large body.
  // They lie in a folder or file with the name that the user knows them by.
  let upload = null, total = 0, top = "", single = false;
  async function send(files) {
    const prefix = $("domain").value, state = $("upload-state"), bar = $("upload-progress");
    if (!files.length) return;
    try {
      if (single) { upload = null; total = 0; top = ""; }
      if (!upload) upload = (await studio.api("POST", "/api/uploads", {})).upload;
      bar.hidden = false; bar.max = files.length;
      let done = 0;
      const queue = files.slice(), first = files[0].path.split("/")[0];
      const strip = files.every((f) => f.path.startsWith(first + "/")), alone = files.length === 1 && !files[0].file.type.startsWith("image/");
      const called = (strip && first.replace(/^[.]+/, "")) || "pictures", into = !top && alone && !prefix ? "" : `${top || called}/`;
      const one = async () => {
        for (let item; (item = queue.shift());) {
          let path = strip ? item.path.slice(first.length + 1) : item.path;
          if (path.split("/").some((p) => p.startsWith("."))) { done++; continue; }
          path = into + (prefix ? `${prefix}/${path}` : path);
          const answer = await fetch(`/api/uploads/${upload}/${path.split("/").map(encodeURIComponent).join("/")}`, {method: "PUT", body: item.file});
          if (!answer.ok) { const found = await answer.json().catch(() => ({error: answer.status, remedy: ""})); throw new Error(`${found.error} ${found.remedy}`); }
          bar.value = ++done; total++;
          state.textContent = `${done} of ${files.length} files`;
        }
      };
      await Promise.all([one(), one(), one(), one()]);
      single = into === "";
      if (prefix && strip && top && !top.split(" to ").includes(called)) {
        const both = prefix === "trainB" ? `${top} to ${called}` : `${called} to ${top}`;
        await studio.api("POST", `/api/uploads/${upload}/name`, {name: both});
        top = both;
      } else top = into.slice(0, -1) || files[0].path;
      state.textContent = prefix ? `${total} files; ${prefix} is there` : `${total} files received`;
      $("upload").value = upload;
      $("data").value = `dropped: ${top}`;
      look();
    } catch (error) {
      state.textContent = error.message;
    } finally { bar.hidden = true; }
  }
  async function walk(entry, path = "") {
    if (entry.isFile) return [{file: await new Promise((done, fail) => entry.file(done, fail)), path: path + entry.name}];
    const reader = entry.createReader(), out = [];
    for (;;) {
      const found = await new Promise((done, fail) => reader.readEntries(done, fail));
      if (!found.length) return out;
      for (const inner of found) out.push(...(await walk(inner, `${path}${entry.name}/`)));
    }
  }
  const drop = $("drop");
  for (const kind of ["dragenter", "dragover"]) drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", async (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    const entries = [...event.dataTransfer.items].map((i) => i.webkitGetAsEntry?.()).filter(Boolean);
    send((await Promise.all(entries.map((e) => walk(e)))).flat());
  });
  for (const id of ["pick-files", "pick-folder"]) $(id).addEventListener("change", (event) => {
    send([...event.target.files].map((file) => ({file, path: file.webkitRelativePath || file.name})));
    event.target.value = "";
  });
  if (ready()) look();
})();

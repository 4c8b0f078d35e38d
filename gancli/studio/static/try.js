// Try it: recipes of dropped pictures, uploads, painting a mask, the slider between before and after.
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const again = () => document.body.dispatchEvent(new Event("again"));
  let timer = null, upload = null;
  function soon() { clearTimeout(timer); timer = setTimeout(again, 400); }
  document.addEventListener("input", (event) => {
    const output = document.querySelector(`output[for="${event.target.id}"]`);
    if (output) output.textContent = event.target.value;
    if (event.target.id === "compare-range") slide(event.target.value);
  });
  document.addEventListener("change", (event) => {
    if (event.target.closest("#try-form") && event.target.id !== "recipe" && event.target.tagName !== "TEXTAREA" && $("made").querySelector("figure")) soon();
    if (event.target.closest("#apply-form") && event.target.type !== "file" && event.target.id !== "brush" && $("made").querySelector(".compare")) soon();
    if (event.target.id === "recipe") recipe(event.target.files[0]);
    if (event.target.id === "picture-file") take(event.target.files[0]);
    if (event.target.id === "mask-file") cover(event.target.files[0]);
  });
  document.addEventListener("click", (event) => {
    if (event.target.id === "other") {
      const count = Math.max(1, counted($("seeds").value)), first = Math.floor(Math.random() * 1e6);
      $("seeds").value = count > 1 ? `${first}-${first + count - 1}` : String(first);
      again();
    }
    if (event.target.id === "erase") event.target.setAttribute("aria-pressed", String(event.target.getAttribute("aria-pressed") !== "true"));
    if (event.target.id === "clear") { const c = $("paint-canvas"); c.getContext("2d").clearRect(0, 0, c.width, c.height); painted(); }
  });
  function counted(text) {
    return text.split(",").reduce((n, piece) => { const [a, b] = piece.split("-").map(Number); return n + (b >= a ? b - a + 1 : 1); }, 0);
  }
  // The text chunk "gan" of a PNG is how it was made.
  async function recipe(file) {
    if (!file) return;
    const bytes = new DataView(await file.arrayBuffer());
    let found = null;
    for (let at = 8; at + 12 <= bytes.byteLength;) {
      const size = bytes.getUint32(at), kind = String.fromCharCode(...[4, 5, 6, 7].map((i) => bytes.getUint8(at + i)));
      if (at + 12 + size > bytes.byteLength) break;
      if (kind === "tEXt") {
        const text = new TextDecoder("latin1").decode(new Uint8Array(bytes.buffer, at + 8, size));
        if (text.startsWith("gan\0")) { try { found = JSON.parse(text.slice(4)); } catch { found = null; } }
      }
      if (kind === "IEND") break;
      at += 12 + size;
    }
    if (!found || typeof found !== "object") { studio.say("this picture has no recipe of gan"); $("made").replaceChildren(studio.element("div", {class: "note warn"}, "This picture has no recipe of gan.")); return; }
    const seeds = found.seeds ?? (found.seed !== undefined ? String(found.seed) : null);
    if (seeds !== null && $("seeds")) $("seeds").value = Array.isArray(seeds) ? seeds.join(",") : String(seeds);
    const labels = found.labels ?? (found.label !== undefined ? [found.label] : null), choice = $("labels");
    if (labels && choice) {
      const one = [...new Set(labels)];
      const wanted = one.length === 1 ? String(one[0]) : labels.join(",");
      if (![...choice.options].some((o) => o.value === wanted)) choice.append(studio.element("option", {value: wanted}, `classes ${wanted.slice(0, 40)}`));
      choice.value = wanted;
    }
    for (const [key, value] of Object.entries(found)) { const field = $(`a-${key}`); if (field) { field.value = value; const output = document.querySelector(`output[for="a-${key}"]`); if (output) output.textContent = value; } }
    const step = $("step");
    if (step && found.step !== undefined) step.value = [...step.options].some((o) => o.value === String(found.step)) ? String(found.step) : "";
    if ($("ema")) $("ema").value = found.ema === false ? "raw" : "";
    studio.say("the recipe is in the form");
    again();
  }
  async function send(name, content) {
    if (!upload) upload = (await studio.api("POST", "/api/uploads", {})).upload;
    const answer = await fetch(`/api/uploads/${upload}/${encodeURIComponent(name)}`, {method: "PUT", body: content});
    if (!answer.ok) { const found = await answer.json(); throw new Error(`${found.error} ${found.remedy}`); }
    return `${upload}/${name}`;
  }
  async function take(file) {
    if (!file) return;
    const state = $("picture-state");
    try {
      const suffix = (file.name.match(/\.[A-Za-z0-9]{1,5}$/) || [".png"])[0];
      $("picture").value = await send(`picture-${Date.now()}${suffix}`, file);
      $("mask").value = "";
      state.textContent = file.name;
      const image = $("paint-image");
      image.onload = () => {
        image.classList.toggle("small", image.naturalWidth < 160);
        const canvas = $("paint-canvas");
        if (canvas) { canvas.width = image.naturalWidth; canvas.height = image.naturalHeight; prepare(canvas); painted(); }
        if (!("masks" in $("apply-form").dataset)) again();
      };
      image.onerror = () => again();
      image.src = URL.createObjectURL(file);
      $("painting").hidden = false;
    } catch (error) { state.textContent = error.message; }
  }
  for (const kind of ["dragenter", "dragover"]) document.addEventListener(kind, (event) => { const drop = event.target.closest?.("#picture-drop"); if (drop) { event.preventDefault(); drop.classList.add("over"); } });
  document.addEventListener("dragleave", (event) => event.target.closest?.("#picture-drop")?.classList.remove("over"));
  document.addEventListener("drop", (event) => { const drop = event.target.closest?.("#picture-drop"); if (drop) { event.preventDefault(); drop.classList.remove("over"); take(event.dataTransfer.files[0]); } });
  // Painting, by pointer or keys
  let cursor = null;
  function prepare(canvas) {
    if (canvas.dataset.ready) return;
    canvas.dataset.ready = "1";
    let last = null;
    const at = (event) => { const box = canvas.getBoundingClientRect(); return [(event.clientX - box.left) * canvas.width / box.width, (event.clientY - box.top) * canvas.height / box.height]; };
    canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); last = at(event); stroke(canvas, last, last); event.preventDefault(); });
    canvas.addEventListener("pointermove", (event) => { if (last && event.buttons) { const next = at(event); stroke(canvas, last, next); last = next; } });
    canvas.addEventListener("pointerup", () => { last = null; painted(); });
    canvas.addEventListener("keydown", (event) => {
      const by = Math.max(1, width(canvas) / 2), move = {ArrowLeft: [-by, 0], ArrowRight: [by, 0], ArrowUp: [0, -by], ArrowDown: [0, by]}[event.key];
      cursor ??= [canvas.width / 2, canvas.height / 2];
      if (move) { cursor = [Math.min(canvas.width, Math.max(0, cursor[0] + move[0])), Math.min(canvas.height, Math.max(0, cursor[1] + move[1]))]; studio.say(`brush at ${Math.round(cursor[0])}, ${Math.round(cursor[1])}`); }
      else if (event.key === " ") stroke(canvas, cursor, cursor);
      else if (event.key === "Backspace") stroke(canvas, cursor, cursor, true);
      else return;
      event.preventDefault();
      painted();
    });
  }
  const width = (canvas) => Math.max(1, canvas.width * Number($("brush").value) / 100);
  function stroke(canvas, from, to, erase = $("erase").getAttribute("aria-pressed") === "true") {
    const pen = canvas.getContext("2d");
    pen.globalCompositeOperation = erase ? "destination-out" : "source-over";
    pen.strokeStyle = "#ff0040"; pen.lineWidth = width(canvas); pen.lineCap = "round";
    pen.beginPath(); pen.moveTo(...from); pen.lineTo(to[0] + 0.01, to[1]); pen.stroke();
  }
  // The white of a picture is painted, in the size of the picture that was given.
  async function cover(file) {
    if (!file) return;
    try {
      const canvas = $("paint-canvas"), pen = canvas.getContext("2d"), image = await createImageBitmap(file, {resizeWidth: canvas.width, resizeHeight: canvas.height, resizeQuality: "pixelated"});
      pen.globalCompositeOperation = "copy"; pen.drawImage(image, 0, 0); pen.globalCompositeOperation = "source-over";
      const found = pen.getImageData(0, 0, canvas.width, canvas.height);
      for (let i = 0; i < found.data.length; i += 4) {
        const hole = found.data[i + 3] > 127 && found.data[i] + found.data[i + 1] + found.data[i + 2] > 381;
        found.data.set(hole ? [255, 0, 64, 255] : [0, 0, 0, 0], i);
      }
      pen.putImageData(found, 0, 0);
      await painted();
    } catch { $("paint-said").textContent = "the picture of the mask cannot be read"; }
  }
  async function painted() {
    const canvas = $("paint-canvas"), pen = canvas.getContext("2d"), data = pen.getImageData(0, 0, canvas.width, canvas.height);
    const mask = new OffscreenCanvas(canvas.width, canvas.height), out = new ImageData(canvas.width, canvas.height);
    let count = 0;
    for (let i = 0; i < data.data.length; i += 4) {
      const hole = data.data[i + 3] > 127;
      count += hole;
      out.data[i] = out.data[i + 1] = out.data[i + 2] = hole ? 255 : 0; out.data[i + 3] = 255;
    }
    $("paint-said").textContent = count ? `${(400 * count / data.data.length).toFixed(1)} % of the picture is missing` : "nothing is painted yet";
    if (!count) { $("mask").value = ""; return; }
    mask.getContext("2d").putImageData(out, 0, 0);
    $("mask").value = await send(`mask-${Date.now()}.png`, await mask.convertToBlob({type: "image/png"}));
    window.maskReady = $("mask").value;
  }
  function slide(value) {
    const after = document.querySelector(".compare .after");
    if (after) after.style.clipPath = `inset(0 ${100 - value}% 0 0)`;
  }
  document.addEventListener("htmx:after:swap", () => { if ($("compare-range")) slide($("compare-range").value); });
})();

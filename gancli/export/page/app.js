// The page: draws images from seeds, writes lines, or maps pictures. `window.gan` is the same for programs.

const facts = JSON.parse(document.getElementById("facts").textContent);
const form = document.getElementById("form"), said = document.getElementById("said");
const samples = document.getElementById("samples");
const fromImages = "image" in facts.inputs;

// Decoded a part at a time: a whole text of 150 MB, as an array of its characters, is more than a page may allocate.
function bytesOf(id) {
  const element = document.getElementById(id), text = element.textContent, part = 1 << 20;
  element.textContent = "";
  const bytes = new Uint8Array((text.length / 4) * 3 - (text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0));
  for (let i = 0, at = 0; i < text.length; i += part) {
    const decoded = atob(text.slice(i, i + part));
    for (let j = 0; j < decoded.length; j += 1) bytes[at++] = decoded.charCodeAt(j);
  }
  return bytes;
}

async function unpacked(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function started() {
  const address = URL.createObjectURL(new Blob([bytesOf("runtime")], { type: "text/javascript" }));
  const ort = await import(address);
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = (await unpacked(bytesOf("wasm"))).buffer;
  return [ort, await ort.InferenceSession.create(bytesOf("model"))];
}

const ready = started();

// Rounded half to even in float32, as torch does: float32 in [-1, 1] -> 8 bits.
function byte(x) {
  const scaled = Math.fround(Math.fround(x + 1) * 127.5);
  let rounded = Math.floor(scaled);
  const rest = scaled - rounded;
  if (rest > 0.5 || (rest === 0.5 && rounded % 2)) rounded += 1;
  return Math.min(255, Math.max(0, rounded));
}

const TYPES = { BigInt64Array: "int64", Float64Array: "float64", Float32Array: "float32" };

// The output of the model {data, dims} from inputs {name: [data, shape]}.
async function infer(inputs) {
  const [ort, session] = await ready;
  const tensors = Object.entries(inputs).map(([name, [data, shape]]) => {
    return [name, new ort.Tensor(TYPES[data.constructor.name], data, shape)];
  });
  return (await session.run(Object.fromEntries(tensors)))[facts.output];
}

// Images [{width, height, channels, pixels: Uint8Array [C, H, W]}] from inputs {name: [data, shape]}.
async function run(inputs) {
  const images = await infer(inputs);
  const [n, channels, height, width] = images.dims;
  const size = channels * height * width;
  return Array.from({ length: n }, (_, i) => {
    return { channels, height, width, pixels: Uint8Array.from(images.data.subarray(i * size, (i + 1) * size), byte) };
  });
}

function asBigInt(seed) {
  return typeof seed === "bigint" ? seed : BigInt(seed);
}

// The class of a seed where none is chosen, as `gan sample` has it: of images 8 seeds in turn.
function labelOf(seed) {
  const alike = BigInt(facts.seeds_per_class ?? 8);
  return facts.choices.classes ? Number((asBigInt(seed) / alike) % BigInt(facts.choices.classes)) : 0;
}

function row(seed) {
  return Object.fromEntries(Object.entries(facts.draws).map(([name, draws]) => [name, draw(draws, asBigInt(seed))]));
}

// Inputs with a row for each of several samples.
function together(rows, labels) {
  return Object.fromEntries(Object.entries(facts.inputs).map(([name, shape]) => {
    if (name === "label") return [name, [BigInt64Array.from(labels, BigInt), [rows.length]]];
    const width = rows[0][name].length, data = new rows[0][name].constructor(rows.length * width);
    rows.forEach((one, i) => data.set(one[name], i * width));
    return [name, [data, [rows.length, ...shape]]];
  }));
}

async function runRows(rows, labels) {
  return run(together(rows, labels));
}

// The image of a seed, as `gan sample --seed` makes it.
async function sample(seed, label = labelOf(seed)) {
  return (await runRows([row(seed)], [label]))[0];
}

// Spherical interpolation (1609.04468), as in `gan sample --out walk.gif`.
function between(a, b, t) {
  const dot = (x, y) => x.reduce((sum, value, i) => sum + value * y[i], 0);
  const angle = Math.acos(Math.min(1, Math.max(-1, dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b)))));
  const sine = Math.sin(angle);
  const [p, q] = sine < 1e-4 ? [1 - t, t] : [Math.sin((1 - t) * angle) / sine, Math.sin(t * angle) / sine];
  return a.map((value, i) => p * value + q * b[i]);
}

// Maps pixels {width, height, channels, pixels: Uint8Array [C, H, W]}; sides are divided by `facts.free.image`.
async function apply(picture, mask = null) {
  const shape = [1, picture.channels, picture.height, picture.width];
  const inputs = { image: [Float32Array.from(picture.pixels, (x) => Math.fround(x / 127.5) - 1), shape] };
  if ("mask" in facts.inputs) {
    const none = new Float32Array(picture.height * picture.width);
    inputs.mask = [mask ?? none, [1, 1, picture.height, picture.width]];
  }
  return (await run(inputs))[0];
}

function canvasOf(image) {
  const canvas = document.createElement("canvas");
  canvas.width = image.width;
  canvas.height = image.height;
  const area = image.width * image.height, data = new ImageData(image.width, image.height);
  for (let i = 0; i < area; i++) {
    for (let k = 0; k < 3; k++) data.data[4 * i + k] = image.pixels[(image.channels === 1 ? 0 : k) * area + i];
    data.data[4 * i + 3] = image.channels === 4 ? image.pixels[3 * area + i] : 255;
  }
  canvas.getContext("2d").putImageData(data, 0, 0);
  const zoom = Math.max(1, Math.round(128 / Math.max(image.width, image.height)));
  canvas.style.width = `${image.width * zoom}px`;
  canvas.setAttribute("role", "img");
  return canvas;
}

// Pixels of a picture file, its sides cut to multiples of `step`, or scaled to the size of the model.
async function pixelsOf(file) {
  const [channels, height, width] = facts.inputs.image, step = facts.free.image;
  const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" });
  const sides = step ? [bitmap.width, bitmap.height].map((side) => Math.max(step, side - (side % step))) : [width, height];
  const canvas = new OffscreenCanvas(...sides), pen = canvas.getContext("2d", { willReadFrequently: true });
  if (step && bitmap.width >= step && bitmap.height >= step) pen.drawImage(bitmap, 0, 0);
  else pen.drawImage(bitmap, 0, 0, ...sides);
  const { data } = pen.getImageData(0, 0, ...sides);
  const area = sides[0] * sides[1], pixels = new Uint8Array(channels * area);
  for (let i = 0; i < area; i++) {
    const [r, g, b] = data.subarray(4 * i, 4 * i + 3);
    if (channels === 1) pixels[i] = (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16;  // as Pillow
    else [r, g, b].forEach((value, k) => { pixels[k * area + i] = value; });
  }
  return { channels, width: sides[0], height: sides[1], pixels };
}

function field(text, control) {
  const label = document.createElement("label");
  label.append(text, control);
  form.append(label);
  return control;
}

function made(tag, properties) {
  return Object.assign(document.createElement(tag), properties);
}

function show(images, names) {
  samples.replaceChildren(...images.map((image, i) => {
    const canvas = canvasOf(image);
    canvas.setAttribute("aria-label", names[i]);
    canvas.title = names[i];
    return canvas;
  }));
}

function classChoice() {
  if (!facts.choices.classes) return null;
  const chosen = field("Class", made("select", { id: "class" }));
  chosen.append(new Option("by the seed", ""));
  for (let i = 0; i < facts.choices.classes; i++) chosen.append(new Option(facts.classes[i] ?? i, i));
  return chosen;
}

function seedForm() {
  const seed = field("Seed", made("input", { type: "number", min: 0, step: 1, value: 0, id: "seed" }));
  const count = field("Images", made("input", { type: "number", min: 1, max: 64, value: 16, id: "count" }));
  const chosen = classChoice();
  const sliders = (facts.inputs.attributes ? [...Array(facts.inputs.attributes[0]).keys()] : []).map((i) => {
    const name = facts.attributes[i] ?? `code ${i}`;
    const given = field(name, made("input", { type: "number", step: 0.25, placeholder: "by the seed" }));
    given.addEventListener("change", () => drawn());
    return given;
  });
  const label = (s) => (chosen?.value ? Number(chosen.value) : labelOf(s));
  const rowOf = (s) => {
    const one = row(s);
    sliders.forEach((slider, i) => { if (slider.value !== "") one.attributes[i] = Number(slider.value); });
    return one;
  };
  let walking = 0;
  async function drawn() {
    walking += 1;
    const first = BigInt(seed.value || 0);
    const seeds = Array.from({ length: Number(count.value) }, (_, i) => first + BigInt(i));
    show(await runRows(seeds.map(rowOf), seeds.map(label)), seeds.map((s) => `seed ${s}`));
    said.textContent = `Seeds ${seeds[0]} to ${seeds.at(-1)}. Each gives the same image everywhere.`;
  }
  async function walk() {
    const mine = ++walking, first = BigInt(seed.value || 0);
    said.textContent = "Walking from seed to seed. Draw ends the walk.";
    for (let leg = first; mine === walking; leg += 1n) {
      const [a, b] = [rowOf(leg), rowOf(leg + 1n)];
      for (let frame = 0; frame < 30 && mine === walking; frame++) {
        const images = await runRows([{ ...a, z: between(a.z, b.z, frame / 30) }], [label(leg)]);
        if (mine === walking) show(images, [`between seeds ${leg} and ${leg + 1n}`]);
        await new Promise((next) => setTimeout(next, 60));
      }
    }
  }
  form.append(made("button", { textContent: "Draw", id: "draw" }));
  const walker = made("button", { textContent: "Walk", type: "button" });
  walker.addEventListener("click", walk);
  form.append(walker);
  form.addEventListener("submit", (event) => { event.preventDefault(); drawn(); });
  chosen?.addEventListener("change", drawn);
  return drawn();
}

function pictureForm() {
  const drop = field("Choose a picture, or drop one here", made("input", { type: "file", accept: "image/*", id: "file" }));
  drop.parentElement.id = "drop";
  async function mapped(file) {
    if (!file) return;
    try {
      const input = await pixelsOf(file);
      show([input, await apply(input)], ["input", "output"]);
      said.textContent = `${file.name}: input and output. The picture stays on this computer.`;
    } catch (error) {
      said.textContent = `${file.name}: ${error.message}`;
    }
  }
  drop.addEventListener("change", () => mapped(drop.files[0]));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    mapped(event.dataTransfer.files[0]);
  });
  said.textContent = "Ready.";
}

for (const name of ["task", "preset", "data", "step", "license", "weights_sha256"]) {
  document.getElementById("about").append(made("dt", { textContent: name }), made("dd", { textContent: facts[name] ?? "" }));
}
window.gan = { facts, ready, infer, sample, apply, pixelsOf, labelOf, write };
const begin = { tokens: textForm, images: fromImages ? pictureForm : seedForm }[facts.output];
ready.then(begin).catch((error) => { said.textContent = `error: ${error.message}`; });

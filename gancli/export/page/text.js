// Lines of text: the tokens of a model, its vocabulary, and what a person writes with them.

// The units of a text: words between spaces, or the characters that a reader counts.
function unitsOf(text) {
  if (facts.separator) return text.split(/\s+/u).filter(Boolean);
  return [...new Intl.Segmenter("en", { granularity: "grapheme" }).segment(text)].map((part) => part.segment);
}

// Tokens of a prompt, BigInt64Array with as many places as a line; throws if the model does not know them.
function promptOf(text) {
  const units = unitsOf(text), tokens = new BigInt64Array(facts.inputs.prompt[0]);
  if (units.length >= tokens.length) throw new Error(`lines have at most ${tokens.length - 1} units`);
  units.forEach((unit, i) => {
    const token = facts.words.indexOf(unit, 1);
    if (token < 1) throw new Error(`the training lines do not contain ${JSON.stringify(unit)}`);
    tokens[i] = BigInt(token);
  });
  return tokens;
}

// The lines of seeds, as `gan sample --seed` writes them.
async function write(seeds, { labels = seeds.map(labelOf), temperature = 1, prompt = "" } = {}) {
  const given = { temperature: Float64Array.of(temperature) };
  if ("prompt" in facts.inputs) given.prompt = promptOf(prompt);
  const { data, dims } = await infer(together(seeds.map((seed) => ({ ...row(seed), ...given })), labels));
  return seeds.map((_, i) => {
    const tokens = [...data.subarray(i * dims[1], (i + 1) * dims[1])].map(Number);
    const end = tokens.indexOf(0);
    return tokens.slice(0, end < 0 ? tokens.length : end).map((token) => facts.words[token]).join(facts.separator);
  });
}

function textForm() {
  const seed = field("Seed", made("input", { type: "number", min: 0, step: 1, value: 0, id: "seed" }));
  const count = field("Lines", made("input", { type: "number", min: 1, max: 200, value: 20, id: "count" }));
  const chosen = classChoice();
  const temperature = field("Temperature", made("input", { type: "number", min: 0.05, max: 5, step: 0.05, value: 1, id: "temperature" }));
  const prompt = "prompt" in facts.inputs ? field("Begins with", made("input", { type: "text", id: "prompt" })) : null;
  async function wrote() {
    const first = BigInt(seed.value || 0);
    const seeds = Array.from({ length: Number(count.value) }, (_, i) => first + BigInt(i));
    const labels = seeds.map((s) => (chosen?.value ? Number(chosen.value) : labelOf(s)));
    try {
      const lines = await write(seeds, { labels, temperature: Number(temperature.value) || 1, prompt: prompt?.value ?? "" });
      const list = made("ol", { start: Number(first) });
      list.append(...lines.map((line) => made("li", { textContent: line })));
      samples.replaceChildren(list);
      said.textContent = `Seeds ${seeds[0]} to ${seeds.at(-1)}. Each gives the same line everywhere.`;
    } catch (error) {
      said.textContent = error.message;
    }
  }
  form.append(made("button", { textContent: "Write", id: "draw" }));
  form.addEventListener("submit", (event) => { event.preventDefault(); wrote(); });
  chosen?.addEventListener("change", wrote);
  return wrote();
}

// Random numbers of a seed, as gancli/export/seeds.py describes them: BLAKE2b, MT19937, Box-Muller.

const MASK = (1n << 64n) - 1n;
const IV = [
  0x6a09e667f3bcc908n, 0xbb67ae8584caa73bn, 0x3c6ef372fe94f82bn, 0xa54ff53a5f1d36f1n,
  0x510e527fade682d1n, 0x9b05688c2b3e6c1fn, 0x1f83d9abfb41bd6bn, 0x5be0cd19137e2179n,
];
const SIGMA = [
  "0123456789abcdef", "ea489fd61c02b753", "b8c052fdae367194", "7931dcbe265a40f8", "905724afe1bc683d",
  "2c6a0b834d75fe19", "c51fed4a0763928b", "db7ec13950f4862a", "6fe9b308c2d714a5", "a2847615fb9e3cd0",
].map((row) => [...row].map((digit) => parseInt(digit, 16)));
const COLUMNS_THEN_DIAGONALS = [
  [0, 4, 8, 12], [1, 5, 9, 13], [2, 6, 10, 14], [3, 7, 11, 15],
  [0, 5, 10, 15], [1, 6, 11, 12], [2, 7, 8, 13], [3, 4, 9, 14],
];

// BLAKE2b (RFC 7693) with a digest of 8 bytes of a text of at most 128 bytes, as a big-endian number.
function blake2b8(text) {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length > 128) throw new Error("the path of a seed is too long");
  const block = new DataView(new ArrayBuffer(128));
  bytes.forEach((byte, i) => block.setUint8(i, byte));
  const m = Array.from({ length: 16 }, (_, i) => block.getBigUint64(8 * i, true));
  const h = [...IV];
  h[0] ^= 0x01010008n;
  const v = [...h, ...IV];
  v[12] ^= BigInt(bytes.length);
  v[14] ^= MASK;
  const rotated = (x, n) => ((x >> n) | (x << (64n - n))) & MASK;
  for (let round = 0; round < 12; round++) {
    const order = SIGMA[round % 10];
    COLUMNS_THEN_DIAGONALS.forEach(([a, b, c, d], i) => {
      for (const [k, turns] of [[0, [32n, 24n]], [1, [16n, 63n]]]) {
        v[a] = (v[a] + v[b] + m[order[2 * i + k]]) & MASK;
        v[d] = rotated(v[d] ^ v[a], turns[0]);
        v[c] = (v[c] + v[d]) & MASK;
        v[b] = rotated(v[b] ^ v[c], turns[1]);
      }
    });
  }
  const digest = new DataView(new ArrayBuffer(8));
  digest.setBigUint64(0, h[0] ^ v[0] ^ v[8], true);
  return digest.getBigUint64(0, false);
}

// The low 32 bits of the seed of a path such as ["sample", 7].
function derive(path) {
  return Number((blake2b8(path.join("\x1f")) >> 1n) & 0xffffffffn);
}

// A function that returns the next raw 32-bit number of the Mersenne Twister.
function twister(seed) {
  const state = new Uint32Array(624);
  state[0] = seed;
  for (let i = 1; i < 624; i++) {
    const s = state[i - 1] ^ (state[i - 1] >>> 30);
    state[i] = Math.imul(1812433253, s) + i;
  }
  let at = 624;
  return () => {
    if (at === 624) {
      for (let i = 0; i < 624; i++) {
        const y = (state[i] & 0x80000000) | (state[(i + 1) % 624] & 0x7fffffff);
        state[i] = state[(i + 397) % 624] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
      }
      at = 0;
    }
    let y = state[at++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  };
}

const TWO_PI = Math.fround(2 * Math.PI);

function boxMuller(out, first, next) {
  const uniform = Array.from({ length: 16 }, () => (next() & 0xffffff) / 2 ** 24);
  for (let i = 0; i < 8; i++) {
    const radius = Math.sqrt(-2 * Math.log1p(-uniform[i]));
    const angle = Math.fround(TWO_PI * uniform[i + 8]);
    out[first + i] = radius * Math.cos(angle);
    out[first + i + 8] = radius * Math.sin(angle);
  }
}

// A function that returns the next uniform number of 53 bits.
function of53Bits(next) {
  return () => {
    const high = next() & 0x1fffff;
    return (high * 2 ** 32 + next()) / 2 ** 53;
  };
}

// n uniform numbers in [0, 1) of a path.
function unit(n, path) {
  return Array.from({ length: n }, of53Bits(twister(derive(path))));
}

// n standard normal numbers of a path, Float32Array.
function normal(n, path) {
  const next = twister(derive(path));
  const out = new Float32Array(n);
  if (n < 16) {
    const uniform = of53Bits(next);
    for (let i = 0; i < n; i += 2) {
      const angle = 2 * Math.PI * uniform();
      const radius = Math.sqrt(-2 * Math.log1p(-uniform()));
      out[i] = radius * Math.cos(angle);
      if (i + 1 < n) out[i + 1] = radius * Math.sin(angle);
    }
    return out;
  }
  for (let i = 0; i + 16 <= n; i += 16) boxMuller(out, i, next);
  if (n % 16) {  // the numbers of the rest are drawn too, and the last 16 once more
    for (let i = 0; i < n % 16; i++) next();
    boxMuller(out, n - 16, next);
  }
  return out;
}

function erf(x) {
  let term = x, sum = x;
  for (let k = 1; Math.abs(term) > 1e-17 * Math.abs(sum) && k < 200; k++) {
    term *= (-x * x) / k;
    sum += term / (2 * k + 1);
  }
  return Math.abs(x) > 5 ? Math.sign(x) : (2 / Math.sqrt(Math.PI)) * sum;
}

// A row of an input of the model that is drawn from a seed (a number, or a BigInt): Float32Array, or Float64Array of unit numbers.
function draw(draws, seed) {
  const numbers = draws.flatMap((how) => {
    const path = how.path.map((part) => (part === null ? seed : part));
    const drawn = [...(how.unit ? unit : normal)(how.width, path)].slice(how.first, how.end ?? undefined);
    return how.uniform ? drawn.map((x) => erf(x / Math.SQRT2)) : drawn;
  });
  return draws[0].unit ? Float64Array.from(numbers) : Float32Array.from(numbers);
}

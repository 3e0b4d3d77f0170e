// A picture of sound: mel bands over time, from an AudioBuffer.

const SIZE = 2048;
export const BANDS = 96;
const LOWEST_HZ = 40;
const HIGHEST_HZ = 10000;
const FLOOR_DB = -78;

const mel = (hz) => 1127 * Math.log1p(hz / 700);
const hertz = (value) => 700 * Math.expm1(value / 1127);

const turns = Array.from({ length: SIZE / 2 }, (_, k) => [Math.cos((2 * Math.PI * k) / SIZE), Math.sin((2 * Math.PI * k) / SIZE)]);
const hann = Float32Array.from({ length: SIZE }, (_, k) => 0.5 - 0.5 * Math.cos((2 * Math.PI * k) / SIZE));
const order = Uint16Array.from({ length: SIZE }, (_, k) => { let r = 0; for (let b = 1, i = k; b < SIZE; b <<= 1, i >>= 1) r = (r << 1) | (i & 1); return r; });

// Radix-2 FFT (Cooley and Tukey 1965), in place.
function transform(real, imaginary) {
  for (let half = 1; half < SIZE; half *= 2) {
    const stride = SIZE / (2 * half);
    for (let start = 0; start < SIZE; start += 2 * half) {
      for (let k = 0; k < half; k++) {
        const [c, s] = turns[k * stride];
        const a = start + k, b = a + half;
        const re = real[b] * c + imaginary[b] * s, im = imaginary[b] * c - real[b] * s;
        real[b] = real[a] - re; imaginary[b] = imaginary[a] - im;
        real[a] += re; imaginary[a] += im;
      }
    }
  }
}

// Columns of BANDS bytes, lowest band first: 0 is silence, 255 the loudest.
export function melColumns(buffer, count) {
  const channels = Array.from({ length: buffer.numberOfChannels }, (_, k) => buffer.getChannelData(k));
  const edges = Array.from({ length: BANDS + 1 }, (_, k) => Math.round((hertz(mel(LOWEST_HZ) + ((mel(HIGHEST_HZ) - mel(LOWEST_HZ)) * k) / BANDS) * SIZE) / buffer.sampleRate));
  const real = new Float32Array(SIZE), imaginary = new Float32Array(SIZE);
  const columns = [];
  for (let column = 0; column < count; column++) {
    const first = Math.round(((column + 0.5) * buffer.length) / count) - SIZE / 2;
    for (let k = 0; k < SIZE; k++) {
      const at = first + order[k];
      let value = 0;
      if (at >= 0 && at < buffer.length) for (const channel of channels) value += channel[at];
      real[k] = (value * hann[order[k]]) / channels.length;
      imaginary[k] = 0;
    }
    transform(real, imaginary);
    const bytes = new Uint8ClampedArray(BANDS);
    for (let band = 0; band < BANDS; band++) {
      const low = edges[band], high = Math.max(low + 1, edges[band + 1]);
      let power = 0;
      for (let k = low; k < high; k++) power += real[k] * real[k] + imaginary[k] * imaginary[k];
      const db = 10 * Math.log10(power / (high - low) / (SIZE * SIZE / 16) + 1e-12);
      bytes[band] = (255 * (db - FLOOR_DB)) / -FLOOR_DB;
    }
    columns.push(bytes);
  }
  return columns;
}

// The columns of the server's picture of a file, which has the same bands.
export function columnsOf(content) {
  const all = new Uint8Array(content);
  return Array.from({ length: all.length / BANDS }, (_, column) => all.subarray(column * BANDS, (column + 1) * BANDS));
}

// Dark blue over teal to warm white; lightness rises steadily, so that it reads in grey too.
export const palette = Array.from({ length: 256 }, (_, k) => {
  const x = k / 255;
  return [255 * Math.min(1, 0.05 + 1.35 * x * x), 255 * Math.min(1, 0.07 + 0.95 * x), 255 * (0.12 + 0.5 * Math.sin(Math.PI * Math.min(1, x * 0.95)) + 0.3 * x * x)];
});

// Columns as a picture, drawn once and copied as often as it is shown.
export function sheetOf(columns) {
  const image = new ImageData(columns.length, BANDS);
  columns.forEach((column, at) => {
    for (let band = 0; band < BANDS; band++) {
      const place = 4 * ((BANDS - 1 - band) * columns.length + at);
      const colour = palette[column[band]];
      image.data[place] = colour[0]; image.data[place + 1] = colour[1]; image.data[place + 2] = colour[2]; image.data[place + 3] = 255;
    }
  });
  const sheet = new OffscreenCanvas(columns.length, BANDS);
  sheet.getContext("2d").putImageData(image, 0, 0);
  return sheet;
}

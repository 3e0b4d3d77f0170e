// The page's one way out for sound: volume, analyser for the eye, and loudness.

export const RATE = 44100;
const AHEAD_S = 0.12;

let shared = null;
export function audio() {
  if (!shared) {
    const context = new AudioContext({ sampleRate: RATE, latencyHint: "interactive" });
    const volume = new GainNode(context, { gain: 0.9 });
    const analyser = new AnalyserNode(context, { fftSize: 16384 });
    // K-weighting of ITU-R BS.1770-5, both stages as the nearest biquads of Web Audio.
    const shelf = new BiquadFilterNode(context, { type: "highshelf", frequency: 1500, gain: 4 });
    const highpass = new BiquadFilterNode(context, { type: "highpass", frequency: 38, Q: 0.5 });
    const weighted = new AnalyserNode(context, { fftSize: 32768 });
    volume.connect(analyser).connect(context.destination);
    volume.connect(shelf).connect(highpass).connect(weighted);
    shared = { context, volume, analyser, weighted };
  }
  return shared;
}

export const decode = (content) => audio().context.decodeAudioData(content);

// The next whole sample at least `ahead` seconds from now.
export const soon = (context, ahead = AHEAD_S) => Math.ceil((context.currentTime + ahead) * RATE) / RATE;

// Momentary loudness in LUFS (400 ms) and the peak in dBFS of what sounds now.
export function levels() {
  if (!shared) return { lufs: -Infinity, peak: -Infinity };
  const weighted = new Float32Array(32768), plain = new Float32Array(16384);
  shared.weighted.getFloatTimeDomainData(weighted);
  shared.analyser.getFloatTimeDomainData(plain);
  let power = 0, peak = 0;
  const last = weighted.subarray(weighted.length - Math.round(0.4 * RATE));
  for (const value of last) power += value * value;
  for (const value of plain) peak = Math.max(peak, Math.abs(value));
  // The analyser mixes both channels to their mean: 3 dB below the sum of their powers.
  return { lufs: -0.691 + 10 * Math.log10((2 * power) / last.length), peak: 20 * Math.log10(peak) };
}

// Plays pieces of one track at exact samples: a finished track is one piece, a running render many.

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

export class Player {
  constructor() {
    this.pieces = [];
    this.seconds = 0;
    this.playing = false;
    this.waiting = false;
    this.region = null;
    this.gain = 1;
    this.starts = [];
    this.#at = 0;
  }

  #at; #zero; #sources = []; #scheduled = 0; #bus = null; #timer = 0;

  // Pieces begin at whole samples, one after another: [{start, buffer}].
  load(pieces, seconds, gain = 1) {
    const { playing, waiting } = this;
    const when = playing ? soon(audio().context) : 0;
    const at = playing ? this.position + when - audio().context.currentTime : this.position;
    clearInterval(this.#timer);
    if (playing) this.#silence(when);
    this.pieces = pieces;
    this.seconds = seconds;
    this.gain = gain;
    this.#at = Math.min(at, seconds);
    this.playing = this.waiting = false;
    // What plays goes on at the same place in what is loaded, without a gap.
    if (playing && pieces.length) this.#start(when);
    else if (playing || waiting) this.play();
  }

  add(piece, seconds) {
    this.pieces.push(piece);
    this.seconds = seconds;
    if (this.waiting) this.play();
  }

  get ready() {
    const last = this.pieces.at(-1);
    return last ? last.start / RATE + last.buffer.duration : 0;
  }

  get position() {
    if (!this.playing) return this.#at;
    const at = audio().context.currentTime - this.#zero;
    if (this.region && at >= this.region[1]) {
      const [a, b] = this.region;
      return a + ((at - a) % (b - a));
    }
    return Math.max(0, Math.min(at, this.ready));
  }

  async play() {
    const { context } = audio();
    this.waiting = false;
    if (this.#at >= this.ready - 0.01 && this.ready >= this.seconds - 0.05) this.#at = this.region ? this.region[0] : 0;
    if (this.#at >= this.ready - 0.01) { this.waiting = true; return; }
    await context.resume();
    this.#silence(context.currentTime);
    this.#start(soon(context));
  }

  #start(when) {
    const { context, volume } = audio();
    this.#bus = new GainNode(context, { gain: this.gain });
    this.#bus.connect(volume);
    this.#zero = when - this.#at;
    this.#scheduled = 0;
    clearInterval(this.#timer);
    this.playing = true;
    this.#schedule();
    this.#timer = setInterval(() => this.#schedule(), 60);
  }

  pause() {
    this.#at = this.position;
    this.stop();
  }

  stop() {
    this.playing = this.waiting = false;
    clearInterval(this.#timer);
    if (this.#bus) this.#silence(audio().context.currentTime);
  }

  seek(seconds) {
    const was = this.playing || this.waiting;
    this.stop();
    this.#at = Math.max(0, Math.min(seconds, this.seconds));
    if (was) this.play();
  }

  loop(region) {
    const was = this.playing, at = this.position;
    this.region = region;
    this.stop();
    this.#at = region && (at < region[0] || at >= region[1]) ? region[0] : at;
    if (was) this.play();
  }

  #silence(when) {
    if (this.#bus) {
      this.#bus.gain.setTargetAtTime(0, when, 0.006);
      for (const source of this.#sources) source.stop(when + 0.05);
    }
    this.#sources = [];
    this.#bus = null;
  }

  #schedule() {
    const { context } = audio();
    const now = context.currentTime - this.#zero;
    const whole = this.pieces.length === 1 && this.region;
    while (this.#scheduled < this.pieces.length) {
      const piece = this.pieces[this.#scheduled];
      const start = piece.start / RATE, end = start + piece.buffer.duration;
      if (start > now + 3) break;
      this.#scheduled += 1;
      const from = Math.max(start, this.#at);
      if (end <= from) continue;
      const source = new AudioBufferSourceNode(context, { buffer: piece.buffer });
      if (whole) { source.loop = true; source.loopStart = this.region[0] - start; source.loopEnd = this.region[1] - start; }
      source.connect(this.#bus);
      const when = this.#zero + from;
      source.start(when, from - start);
      this.starts.push({ when, start: from, duration: end - from });
      if (this.starts.length > 4000) this.starts.shift();
      this.#sources.push(source);
    }
    if (this.region && !whole && now >= this.region[1]) { this.#at = this.region[0]; this.play(); return; }
    if (!this.region && now >= this.ready - 0.02 && this.#scheduled >= this.pieces.length) {
      const over = this.ready >= this.seconds - 0.05;
      this.#at = this.ready;
      this.stop();
      this.waiting = !over;
    }
  }
}

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

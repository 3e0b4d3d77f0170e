// Plays a track at exact samples: its passages are scheduled ahead, one where the one before ends.

import { audio, RATE, soon } from "/static/sound.js";

const TICK_MS = 60;
const SCHEDULED_S = 3;
const WANTED_PASSAGES = 3;

export class Player {
  // `out` is where the sound goes, the page's volume if left out. A `steady` player goes on in silence where a
  // passage is late, so that it stays beside another one; others wait for it.
  constructor({ out = null, steady = false } = {}) {
    this.out = out;
    this.steady = steady;
    this.track = null;
    this.playing = this.waiting = false;
    this.region = null;
    this.starts = [];
  }

  #at = 0; #cursor = 0; #when = 0; #entries = []; #bus = null; #timer = 0;

  get seconds() { return this.track ? this.track.seconds : 0; }
  get ready() { return this.track ? this.track.ready : 0; }
  get #bounds() { return this.region ? this.region.map((at) => Math.round(at * RATE)) : [0, this.track.samples]; }

  get position() {
    if (!this.playing) return this.#at / RATE;
    const now = audio().context.currentTime * RATE;
    const entry = this.#entries.findLast((each) => each.when <= now) ?? this.#entries[0];
    if (!entry) return this.#at / RATE;
    return (entry.start + Math.max(0, Math.min(now - entry.when, entry.length))) / RATE;
  }

  // Another track at the same place; what plays goes on there without a gap once its passage is decoded.
  async load(track) {
    const { playing, waiting } = this;
    const place = () => Math.min(Math.round((this.position + (this.playing ? 0.12 : 0)) * RATE), track ? track.samples - 1 : 0);
    if (track && playing) {
      const first = track.passage(place());
      if (first) await track.want(first);
      // One passage later by now, perhaps.
      const second = track.passage(place());
      if (second && second !== first) await track.want(second);
    }
    if (this.playing && track?.passage(place())?.buffer) {
      const when = Math.round(soon(audio().context) * RATE);
      this.#at = Math.min(Math.round(this.position * RATE + when - audio().context.currentTime * RATE), track.samples - 1);
      this.#silence(when / RATE);
      this.track = track;
      this.#start(when);
      return;
    }
    this.#at = Math.min(Math.round(this.position * RATE), track ? track.samples : 0);
    this.stop();
    this.track = track;
    if (playing || waiting) this.play();
  }

  async play() {
    const { context } = audio();
    this.waiting = true;
    if (this.track && this.#at >= this.#bounds[1] - RATE / 100) this.#at = this.#bounds[0];
    await context.resume();
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#tick();
  }

  #tick() {
    if (this.waiting && this.track) {
      const passage = this.track.passage(this.#at);
      if (passage?.buffer) this.begin(Math.round(soon(audio().context) * RATE));
      else if (passage) this.#want(passage);
    } else if (this.playing) this.#schedule();
  }

  // Begins at a sample of the audio context's clock; the passage at hand is decoded.
  begin(when) {
    this.#silence(audio().context.currentTime);
    this.#start(when);
  }

  #start(when) {
    const { context, volume } = audio();
    this.waiting = false;
    this.playing = true;
    this.#bus = new GainNode(context);
    this.#bus.connect(this.out ?? volume);
    this.#cursor = this.#at;
    this.#when = when;
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#schedule();
  }

  pause() {
    this.#at = Math.round(this.position * RATE);
    this.stop();
  }

  stop() {
    this.playing = this.waiting = false;
    clearInterval(this.#timer);
    this.#silence(audio().context.currentTime);
  }

  seek(seconds) {
    const was = this.playing || this.waiting;
    this.stop();
    this.#at = Math.round(Math.max(0, Math.min(seconds, this.seconds)) * RATE);
    if (was) this.play();
  }

  loop(region) {
    const was = this.playing, at = this.position;
    this.region = region;
    if (was) this.stop();
    this.#at = Math.round((region && (at < region[0] || at >= region[1]) ? region[0] : at) * RATE);
    if (was) this.play();
  }

  #silence(when) {
    if (this.#bus) {
      this.#bus.gain.setTargetAtTime(0, when, 0.006);
      for (const { source } of this.#entries) source.stop(when + 0.05);
    }
    this.#entries = [];
    this.#bus = null;
  }

  #want(passage) {
    this.track.want(passage).catch(() => this.stop());
  }

  #schedule() {
    const { context } = audio();
    const now = Math.round(context.currentTime * RATE);
    const [first, end] = this.#bounds;
    this.#entries = this.#entries.filter((each) => each.when + each.length > now - RATE);
    if (this.steady && this.#when < now) this.#skip(now - this.#when + RATE / 10, first, end);
    while (this.#when < now + SCHEDULED_S * RATE) {
      if (this.#cursor >= end) {
        if (!this.region) break;
        this.#cursor = first;
      }
      const passage = this.track.passage(this.#cursor);
      if (!passage?.buffer) break;
      this.#enter(passage, Math.min(passage.start + passage.length, end));
    }
    this.#fetchAhead(first, end);
    if (now >= this.#when) this.#runDry(end);
  }

  #enter(passage, end) {
    const { context } = audio();
    const length = end - this.#cursor, offset = (this.#cursor - passage.start) / RATE;
    const source = new AudioBufferSourceNode(context, { buffer: passage.buffer });
    source.connect(this.#bus);
    // Without a duration the last sample cannot be lost to rounding.
    if (end === passage.start + passage.length) source.start(this.#when / RATE, offset);
    else source.start(this.#when / RATE, offset, length / RATE);
    this.#entries.push({ source, when: this.#when, start: this.#cursor, length });
    this.starts.push({ when: this.#when, start: this.#cursor, length });
    if (this.starts.length > 4000) this.starts.shift();
    this.#when += length;
    this.#cursor = end;
  }

  #fetchAhead(first, end) {
    let cursor = this.#cursor;
    for (let count = 0; count < WANTED_PASSAGES; count++) {
      if (cursor >= end) {
        if (!this.region) return;
        cursor = first;
      }
      const passage = this.track.passage(cursor);
      if (!passage) return;
      this.#want(passage);
      cursor = passage.start + passage.length;
    }
  }

  #skip(samples, first, end) {
    this.#when += samples;
    this.#cursor += samples;
    if (this.region && this.#cursor >= end) this.#cursor = first + ((this.#cursor - first) % (end - first));
  }

  // All that was scheduled has sounded: the end, or a passage that is late.
  #runDry(end) {
    if (this.steady) return;
    this.#at = this.#cursor;
    const over = !this.region && this.#cursor >= end;
    this.stop();
    if (!over) this.play();
  }
}

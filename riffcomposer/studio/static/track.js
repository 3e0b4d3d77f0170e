// A sound that the server has: fetched by passage as it is needed, and forgotten again.

import { bytes } from "/static/api.js";
import { decode, RATE } from "/static/sound.js";

const PASSAGE_S = 6;
const HELD = 12;

export class Track {
  // `samples` in all, of which `ready` are there; the sound of a running render grows.
  constructor(address, samples, ready = samples) {
    this.address = address;
    this.samples = samples;
    this.passages = [];
    this.fetched = () => undefined;
    this.#held = new Set();
    this.grow(ready);
  }

  #held;

  get seconds() { return this.samples / RATE; }
  get readySamples() { const last = this.passages.at(-1); return last ? last.start + last.length : 0; }
  get ready() { return this.readySamples / RATE; }

  // Adds passages up to `ready`; one that is not whole only at the end, or if it is asked for.
  grow(ready, partly = false) {
    const whole = PASSAGE_S * RATE;
    for (let start = this.readySamples; start < ready; start = this.readySamples) {
      const length = Math.min(whole, ready - start);
      if (length < whole && ready < this.samples && !partly) return;
      this.passages.push({ start, length, buffer: null, fetching: null });
    }
  }

  // The passage that holds a sample, or undefined if it is not there yet.
  passage(sample) {
    let low = 0, high = this.passages.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1, passage = this.passages[middle];
      if (sample < passage.start) high = middle - 1;
      else if (sample >= passage.start + passage.length) low = middle + 1;
      else return passage;
    }
    return undefined;
  }

  // Fetches a passage unless it is held; those that were not asked for longest are forgotten.
  want(passage) {
    this.#held.delete(passage);
    this.#held.add(passage);
    passage.fetching ??= this.#fetch(passage);
    return passage.fetching;
  }

  async #fetch(passage) {
    try {
      passage.buffer = await decode(await bytes(`${this.address}?start=${passage.start}&stop=${passage.start + passage.length}`));
    } catch (error) {
      passage.fetching = null;
      throw error;
    }
    this.fetched(passage);
    for (const old of this.#held) {
      if (this.#held.size <= HELD) break;
      if (!old.buffer) continue;
      this.#held.delete(old);
      old.buffer = old.fetching = null;
    }
  }
}

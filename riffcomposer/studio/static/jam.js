// A jam: pieces of one clip, each scheduled to begin at the very sample at which the one before it ends.

import { ask, find, make, upload } from "/static/api.js";
import { audio, decode, RATE, soon } from "/static/sound.js";
import { melColumns, sheetOf } from "/static/mel.js";
import { Landscape } from "/static/mel3d.js";

const AHEAD_S = 2.5;
const COLUMNS_PER_PIECE = 128;
const SHOWN_S = 12;

export class Jam {
  constructor(page) {
    this.page = page;
    this.schedule = [];
    this.id = null;
    find("jam-form").addEventListener("submit", (event) => { event.preventDefault(); this.begin(); });
    find("jam-steer").addEventListener("click", () => this.steer());
    find("jam-end").addEventListener("click", () => this.end());
    find("jam-share").addEventListener("click", () => this.share());
    find("keep-form").addEventListener("submit", (event) => { event.preventDefault(); this.keep(); });
    find("jam-kind").addEventListener("change", () => this.names());
    find("jam-3d").addEventListener("change", () => this.turn());
    find("jam-file").addEventListener("change", (event) => event.target.files[0] && this.own(event.target.files[0]));
  }

  know(about) {
    this.about = about;
    this.names();
    const shared = new URLSearchParams(location.hash.replace(/^#jam\??/, ""));
    for (const [name, value] of shared) {
      const field = document.querySelector(`#jam-form #jam-${CSS.escape(name)}`);
      if (field && field.matches("input, select")) field.value = value;
    }
    if (location.hash.startsWith("#jam")) this.page.open("jam");
  }

  names() {
    const kind = find("jam-kind").value;
    const names = kind === "loop" ? this.about.loops.map((loop) => loop.name) : kind === "score" ? this.about.styles : [];
    find("jam-own").hidden = kind !== "file";
    find("jam-names").replaceChildren(...names.map((value) => make("option", { value })));
    if (kind === "file" && this.about.loops.some((loop) => loop.name === find("jam-name").value)) find("jam-name").value = "";
    if (names.length && !names.includes(find("jam-name").value)) find("jam-name").value = names[0];
  }

  // A file of one's own: kept in the folder, and the jam is set to its tempo.
  async own(file) {
    this.say(`reading ${file.name}`);
    try {
      const { path, seconds, tempo, tempo_is_certain } = await upload(file);
      find("jam-name").value = path;
      if (tempo) find("jam-tempo").value = tempo;
      const sure = tempo_is_certain ? "" : ", which is uncertain: set the tempo if it is another";
      this.say(tempo ? `${path}: ${seconds.toFixed(1)} s at ${tempo} beats per minute${sure}` : `${path} is in the folder`);
    } catch (error) { this.say(error.message); }
  }

  #fields() {
    const value = (name) => find(`jam-${name}`).value;
    return { prompt: value("prompt"), seed: Number(value("seed")), strength: Number(value("strength")), start: value("kind"), name: value("name"), tempo: Number(value("tempo")), clips: Number(value("clips")) };
  }

  share() {
    const fields = this.#fields();
    const words = new URLSearchParams({ prompt: fields.prompt, seed: fields.seed, strength: fields.strength, kind: fields.start, name: fields.name, tempo: fields.tempo, clips: fields.clips });
    history.replaceState(null, "", `#jam?${words}`);
    navigator.clipboard?.writeText(location.href).then(() => this.say("the link is in the clipboard"), () => this.say("the link is in the address bar"));
  }

  say(text) { find("jam-status").textContent = text; }

  async begin() {
    if (this.id) await this.end();
    this.page.player.pause();
    const { context } = audio();
    await context.resume();
    let state;
    try { state = await ask("POST", "jam", this.#fields()); } catch (error) { this.say(error.message); return; }
    this.id = state.id;
    this.state = state;
    this.schedule = [];
    this.pieces = [];
    this.next = 0;
    this.at = null;
    this.repeats = 0;
    this.latest = this.target = null;
    find("jam-steer").disabled = find("jam-end").disabled = false;
    this.say("making the first clips");
    const bus = new GainNode(context, { gain: 1 });
    bus.connect(audio().volume);
    this.bus = bus;
    this.#listen(this.id);
    this.#animate(this.id);
    this.timer = setInterval(() => this.#keepUp(), 100);
    this.states = setInterval(() => this.#look(), 1500);
  }

  // Fetches pieces one after another; only the latest is kept beside those that are scheduled.
  async #listen(id) {
    let number = 0;
    while (this.id === id) {
      const answer = await fetch(`/api/v1/jam/${id}/pieces/${number}.wav`);
      if (answer.status === 200) {
        const buffer = await decode(await answer.arrayBuffer());
        if (this.id !== id) return;
        this.pieces.push({ number, buffer });
        number += 1;
        while (this.id === id && this.pieces.length > 2) await new Promise((go) => setTimeout(go, 100));
      } else if (answer.status === 202) {
        await new Promise((go) => setTimeout(go, 200));
      } else {
        if (this.id === id) { this.say((await answer.json().catch(() => ({}))).message || "the jam is over"); this.end(); }
        return;
      }
    }
  }

  #keepUp() {
    const { context } = audio();
    if (this.at === null) {
      if (!this.pieces.length) return;
      this.at = soon(context, 0.25);
    }
    while (this.at < context.currentTime + AHEAD_S) {
      const piece = this.pieces.shift();
      if (piece) {
        this.latest = piece;
        this.#play(piece, false);
      } else if (this.at < context.currentTime + 0.4 && this.latest) {
        // The machine is slower than the music: the last clip sounds once more, from bar line to bar line.
        this.repeats += 1;
        this.say("this machine is slower than the music: the last clip is repeated meanwhile");
        this.#play(this.latest, true);
      } else return;
    }
  }

  #play(piece, again) {
    const { context } = audio();
    const late = this.at < context.currentTime;
    const source = new AudioBufferSourceNode(context, { buffer: piece.buffer });
    source.connect(this.bus);
    source.start(this.at);
    this.schedule.push({ number: piece.number, when: this.at, samples: piece.buffer.length, again, late });
    if (this.schedule.length > 2000) this.schedule.shift();
    piece.columns ??= melColumns(piece.buffer, COLUMNS_PER_PIECE);
    piece.sheet ??= sheetOf(piece.columns);
    this.strips = [...(this.strips || []), { when: this.at, duration: piece.buffer.duration, sheet: piece.sheet, columns: piece.columns }].slice(-8);
    if (!again && piece.number % 4 === 0) {
      const way = this.target && piece.number < this.target.clip ? `; “${this.target.prompt}” is reached at clip ${this.target.clip + 1}` : "";
      this.say(`clip ${piece.number + 1}${way}`);
    }
    // Whole samples add up exactly: no gap and no overlap.
    this.at = (Math.round(this.at * RATE) + piece.buffer.length) / RATE;
  }

  async #look() {
    if (!this.id) return;
    try { this.state = await ask("GET", `jam/${this.id}`); } catch { return; }
    const factor = this.state.realtime_factor;
    const speed = factor ? `clips are rendered ${factor.toFixed(1)} times as fast as they sound` : "all clips are in the store";
    find("jam-ahead").replaceChildren(make("li", {}, `${speed}; ${this.repeats} repeats so far`), ...this.state.ahead.map((point) => make("li", {}, `clip ${point.clip + 1}: ${point.prompt}, seed ${point.seed}`)));
  }

  async steer() {
    const { prompt, strength, clips } = this.#fields();
    try {
      const state = await ask("POST", `jam/${this.id}/steer`, { prompt, strength, clips });
      this.target = { prompt, clip: state.reached };
      this.say(`“${prompt}” is reached at clip ${state.reached + 1}`);
      await this.#look();
    } catch (error) { this.say(error.message); }
  }

  get heard() {
    const now = audio().context.currentTime;
    const played = this.schedule.filter((entry) => entry.when <= now);
    return played.length ? played.at(-1).number + 1 : 0;
  }

  async keep() {
    const status = find("keep-status");
    if (!this.id) { status.value = "begin a jam first"; return; }
    const last = this.heard, first = Math.max(0, last - Number(find("keep-clips").value));
    const path = find("keep-path").value;
    try {
      const digest = await this.page.digestOf(path);
      const answer = await ask("POST", `jam/${this.id}/keep`, { first, last, path, name: find("keep-name").value, digest });
      status.value = `${answer.clips} clips kept in ${path}; ${answer.same} of them are in the store already`;
      await this.page.wrote(path, answer);
    } catch (error) { status.value = error.message; }
  }

  async end() {
    const id = this.id;
    this.id = null;
    clearInterval(this.timer);
    clearInterval(this.states);
    const { context } = audio();
    this.bus?.gain.setTargetAtTime(0, context.currentTime, 0.05);
    find("jam-steer").disabled = find("jam-end").disabled = true;
    if (id) await ask("DELETE", `jam/${id}`).catch(() => undefined);
  }

  // The flat picture or the landscape.
  turn() {
    const deep = find("jam-3d").checked;
    try { if (deep) this.landscape ??= new Landscape(find("jam-landscape")); } catch (error) {
      this.say(error.message);
      find("jam-3d").checked = false;
      return;
    }
    find("jam-canvas").hidden = deep;
    find("jam-landscape").hidden = !deep;
  }

  #animate(id) {
    if (this.id !== id) return;
    this.draw();
    requestAnimationFrame(() => this.#animate(id));
  }

  // The audio clock moves in steps of its buffers; between them the picture follows the screen's clock.
  get #now() {
    const { currentTime } = audio().context, screen = performance.now() / 1000;
    if (this.offset === undefined || Math.abs(currentTime - screen - this.offset) > 0.05) this.offset = currentTime - screen;
    return screen + this.offset;
  }

  draw() {
    if (!this.strips?.length || find("view-jam").hidden) return;
    this.frames = (this.frames || 0) + 1;
    if (find("jam-3d").checked) { this.landscape.draw(this.strips, this.#now); return; }
    const canvas = find("jam-canvas");
    const width = Math.max(1, canvas.clientWidth), height = canvas.height;
    if (canvas.width !== width) canvas.width = width;
    const context = canvas.getContext("2d");
    context.fillStyle = "#0c1113";
    context.fillRect(0, 0, width, height);
    const now = this.#now;
    const scale = width / SHOWN_S;
    for (const strip of this.strips) {
      const x = (strip.when - now + SHOWN_S * 0.6) * scale;
      if (x < width && x + strip.duration * scale > 0) context.drawImage(strip.sheet, x, 0, strip.duration * scale + 1, height);
    }
    context.fillStyle = "#ff5d6c";
    context.fillRect(width * 0.6, 0, 2, height);
  }
}

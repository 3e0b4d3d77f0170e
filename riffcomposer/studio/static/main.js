// The page: what is loaded, and how its parts talk to each other.

import { ask, bytes, clock, find, follow, make, moveHead, Refused, songPath } from "/static/api.js";
import { Compare } from "/static/compare.js";
import { Editor } from "/static/editor.js";
import { Jam } from "/static/jam.js";
import { columnsOf, melColumns, sheetOf } from "/static/mel.js";
import { Player } from "/static/player.js";
import { showDiff, showReport } from "/static/report.js";
import { audio, levels, RATE } from "/static/sound.js";
import { listenToTabs, showView } from "/static/tabs.js";
import { Takes } from "/static/takes.js";
import { Timeline } from "/static/timeline.js";
import { Track } from "/static/track.js";

const CHECK_DELAY_MS = 80;
const METER_MS = 100;
const IDLE_MS = 250;

const count = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;

class Page {
  constructor() {
    this.path = "";
    this.digest = null;
    this.saved = "";
    this.job = null;
    this.view = null;
    this.asked = 0;
    this.player = new Player();
    this.editor = new Editor(find("editor"), { changed: () => this.changed(), save: () => this.save() });
    this.timeline = new Timeline(find("timeline"), { seek: (at) => this.player.seek(at), choose: (number) => this.choose(number) });
    this.takes = new Takes(this);
    this.compare = new Compare(this);
    this.jam = new Jam(this);
    this.section = null;
    this.draft = false;
    this.unsaved = new Map();
    this.facts = { opened: performance.now(), checks: [] };
  }

  async begin() {
    const [about, schema] = await Promise.all([ask("GET", "studio"), ask("GET", "schema")]);
    this.about = about;
    this.editor.know(schema, { init: ["score", ...about.loops.map((loop) => loop.name)], mask: about.masks });
    find("new-style").replaceChildren(...about.styles.map((style) => make("option", {}, style)));
    await this.list();
    this.jam.know(about);
    const first = about.first_song || find("song").value;
    if (first) await this.load(first);
    else this.timeline.message("There is no song in this folder yet: New… writes one.");
  }

  async list() {
    const songs = await ask("GET", "songs");
    find("song").replaceChildren(...songs.map((song) => make("option", { value: song.path }, song.path)));
    if (this.path) find("song").value = this.path;
  }

  async load(path) {
    const song = await ask("GET", `songs/${songPath(path)}`);
    // What was typed and not saved waits here until its song is opened again.
    if (this.path && this.editor.text !== this.saved) this.unsaved.set(this.path, { text: this.editor.text, digest: this.digest });
    const typed = this.unsaved.get(path);
    this.unsaved.delete(path);
    this.path = path;
    this.digest = typed ? typed.digest : song.digest;
    this.saved = song.text;
    this.view = this.section = null;
    this.draft = false;
    this.player.stop();
    this.player.load(null);
    this.player.seek(0);
    this.region();
    this.picture();
    this.editor.open(typed ? typed.text : song.text);
    this.dirty();
    this.status(typed ? "with the changes that you have not saved" : "");
    find("song").value = path;
    find("editor-title").textContent = path;
    document.title = `${path} – riffcomposer studio`;
    const git = song.git;
    find("git").textContent = git.tracked ? `${git.branch}${git.changed ? ", changed since the commit" : ", as committed"}` : "not in git";
    find("git").title = git.reason || "";
    await this.check();
    if (find("diff-box").open) this.diff();
  }

  replace(text, digest) {
    this.digest = digest;
    this.saved = text;
    this.editor.text = text;
  }

  changed() {
    this.dirty();
    this.typed = performance.now();
    clearTimeout(this.checkTimer);
    this.checkTimer = setTimeout(() => this.check(), CHECK_DELAY_MS);
  }

  dirty() {
    const differs = this.editor.text !== this.saved;
    find("save").textContent = differs ? "Save •" : "Save";
    find("save").ariaLabel = differs ? "Save, there are changes" : "Save";
  }

  // A text with faults has no plan. An answer that a later question overtook is dropped.
  async check() {
    const asked = (this.asked += 1), typed = this.typed;
    const song = { path: this.path, text: this.editor.text };
    const { diagnostics } = await ask("POST", "check", song);
    if (asked !== this.asked) return;
    this.editor.show(diagnostics);
    this.problems(diagnostics);
    if (typed) this.facts.checks.push(performance.now() - typed);
    this.typed = 0;
    try {
      if (this.errors) throw new Refused(422, { message: "The song has faults: see the list." });
      const view = await ask("POST", "plan", { ...song, draft: this.draft });
      if (asked !== this.asked) return;
      this.view = view;
      this.timeline.show(view);
      this.takes.show(view);
      if (this.section !== null && this.section >= view.sections.length) this.section = null;
      this.timeline.choosen(this.section);
    } catch (error) {
      if (asked === this.asked && !this.view) this.timeline.message(error.message);
    }
  }

  problems(diagnostics) {
    const list = diagnostics.map((found) => {
      const text = found.hint ? `${found.message}; ${found.hint}` : found.message;
      const button = make("button", { type: "button" }, `Line ${found.line}: ${text}`);
      button.addEventListener("click", () => this.editor.go(found));
      return make("li", { className: found.severity }, button);
    });
    const errors = diagnostics.filter((found) => found.severity === "error").length;
    find("check-count").textContent = diagnostics.length ? `${count(errors, "fault")}, ${count(diagnostics.length - errors, "warning")}` : "";
    find("problems").replaceChildren(...(list.length ? list : [make("li", { className: "fine" }, "No faults.")]));
    find("render").disabled = find("draft").disabled = errors > 0 || Boolean(this.job);
    this.errors = errors;
  }

  // One after another: a save that overtook the one before it would name a version that is not there any more.
  save() {
    this.saving = (this.saving || Promise.resolve()).then(() => this.#write());
    return this.saving;
  }

  async #write() {
    const { path } = this, { text } = this.editor;
    if (!path) return false;
    if (text === this.saved) return true;
    try {
      const { digest } = await ask("PUT", `songs/${songPath(path)}`, { text, digest: this.digest });
      if (path !== this.path) return false;
      this.digest = digest;
    } catch (error) {
      if (error instanceof Refused && error.status === 409) find("conflict-dialog").showModal();
      else this.status(error.message);
      return false;
    }
    this.saved = text;
    this.dirty();
    if (find("diff-box").open) this.diff();
    return true;
  }

  async resolve(mine) {
    find("conflict-dialog").close();
    const disk = await ask("GET", `songs/${songPath(this.path)}`);
    this.digest = disk.digest;
    this.saved = disk.text;
    if (mine) await this.save(); else this.editor.text = disk.text;
  }

  async digestOf(path) {
    try { return (await ask("GET", `songs/${songPath(path)}`)).digest; } catch (error) { if (error.status === 404) return null; throw error; }
  }

  async wrote(path, answer) {
    await this.list();
    if (path === this.path) this.replace(answer.text, answer.digest);
  }

  status(text) { find("status").value = text; }

  // Plays or pauses; a song that was not rendered here is rendered, and sounds as soon as its first passage is there.
  play() {
    const { player } = this;
    if (player.playing || player.waiting) { player.pause(); return; }
    if (!player.track && !this.job) {
      if (find("render").disabled) { this.status("there is nothing to play: see Check for what is wrong in the song"); return; }
      this.render(this.draft);
    }
    player.play();
  }

  // Nobody waits any longer for sound that does not come.
  #silent() { if (!this.player.track) this.player.stop(); }

  async render(draft) {
    if (!(await this.save())) { this.#silent(); return; }
    if (this.draft !== draft) {
      this.draft = draft;
      await this.check();
    }
    try { this.job = (await ask("POST", "renders", { path: this.path, draft })).id; } catch (error) { this.status(error.message); this.#silent(); return; }
    await this.watch(this.job, this.path);
  }

  async watch(job, song) {
    this.job = job;
    this.facts.asked = performance.now();
    find("render").disabled = find("draft").disabled = true;
    find("cancel").disabled = false;
    this.player.load(null);
    this.picture();
    let live = null;
    let end = null;
    await follow(job, {
      state: (event) => { end = event; this.status(event.error ? event.error.message : event.state); },
      progress: (event) => this.progress(event),
      sound: (event) => {
        if (song !== this.path) return;
        if (!live) this.player.load((live = this.#live(job, event.total)));
        const from = live.passages.length;
        live.grow(event.ready, !from || this.player.waiting);
        // Each is fetched once for its picture, one after another; only those that are heard stay.
        for (const passage of live.passages.slice(from)) {
          live.painted = live.painted.then(() => this.player.track === live && live.want(passage)).catch(() => undefined);
        }
      },
    });
    this.job = null;
    find("cancel").disabled = true;
    find("progress").value = 0;
    // What is there of a render that was cancelled is all that will come.
    if (live && !end?.result) live.samples = live.readySamples;
    // Another song may be open by now.
    if (end?.result && song === this.path) await this.finished(end.result);
    this.#silent();
    await this.check();
  }

  progress(event) {
    find("progress").value = event.total ? event.done / event.total : 0;
    const left = event.eta_s ? `, about ${Math.ceil(event.eta_s)} s` : "";
    this.status(`${event.stage}: ${event.detail || ""}${left}`);
    if (event.clip) {
      if (this.working && this.working !== event.clip) this.timeline.mark(this.working, "cached");
      this.working = event.clip;
      this.timeline.mark(event.clip, / failed: /.test(event.detail) ? "failed" : "working");
    } else if (this.working) {
      this.timeline.mark(this.working, "cached");
      this.working = null;
    }
  }

  // The sound of a running render.
  #live(job, samples) {
    const track = new Track(`jobs/${job}/sound`, samples, 0);
    track.painted = Promise.resolve();
    track.fetched = (passage) => {
      if (!passage.start && !passage.sheet) {
        this.facts.sound = performance.now();
        if (this.job === job) this.status("the first sound is there"); // the render may have ended before
      }
      passage.sheet ??= sheetOf(melColumns(passage.buffer, this.#columns(passage.length / samples)));
      if (this.player.track === track) this.picture();
    };
    return track;
  }

  async finished(result) {
    await this.listen(new Track(result.track, result.report.samples), false);
    this.facts.finished = performance.now();
    showReport(find("report"), result.report, RATE, (at) => { this.player.seek(at); if (!this.player.playing) this.player.play(); });
    find("report-box").open = true;
    this.status(`${result.files[0]}: ${result.rendered} clips rendered, ${result.cached} from the store, ${result.stage_seconds.total.toFixed(1)} s`);
    this.compare.refresh();
  }

  // A finished file.
  async listen(track, play = true) {
    await this.player.load(track);
    if (play) { this.player.seek(0); if (!this.player.playing && !this.player.waiting) this.player.play(); }
    const columns = columnsOf(await bytes(`${track.address}?columns=${this.#columns(1)}`));
    track.sheet = sheetOf(columns);
    this.picture();
  }

  choose(number) {
    const section = this.view.sections[number];
    this.section = this.section === number ? null : number;
    this.timeline.choosen(this.section);
    this.player.seek(section.start / RATE);
    this.region();
  }

  region() {
    const section = this.section === null ? null : this.view?.sections[this.section];
    const wanted = find("loop").checked && section ? [section.start / RATE, Math.min(section.end / RATE, this.player.ready || Infinity)] : null;
    this.player.loop(wanted && wanted[1] > wanted[0] ? wanted : null);
  }

  #columns(share) { return Math.max(2, Math.min(4096, Math.round((find("spectrogram").clientWidth || 1200) * share))); }

  // The spectrogram of what is loaded: of a file one sheet, of a running render one for each passage.
  picture() {
    const canvas = find("spectrogram"), { track } = this.player;
    const width = (canvas.width = Math.max(1, canvas.clientWidth));
    const context = canvas.getContext("2d");
    context.fillStyle = "#0c1113";
    context.fillRect(0, 0, width, canvas.height);
    if (!track) return;
    if (track.sheet) { context.drawImage(track.sheet, 0, 0, width, canvas.height); return; }
    for (const passage of track.passages) {
      const x = (width * passage.start) / track.samples, wide = (width * passage.length) / track.samples;
      if (passage.sheet) context.drawImage(passage.sheet, x, 0, wide + 1, canvas.height);
    }
  }

  get sounds() { return this.player.playing || this.jam.id !== null || Boolean(this.compare.pair); }

  // While something sounds, the playheads move with the screen; else a look four times per second is enough.
  tick() {
    const at = this.player.position, seconds = this.player.seconds || this.timeline.seconds;
    const set = (element, name, value) => { if (element[name] !== value) element[name] = value; };
    set(find("time"), "value", `${clock(at)} / ${clock(seconds)}`);
    const seek = find("seek");
    set(seek, "max", String(seconds || 1));
    if (document.activeElement !== seek || this.player.playing) set(seek, "value", at.toFixed(2));
    set(find("play"), "textContent", this.player.playing || this.player.waiting ? "Pause" : "Play");
    if (!find("view-song").hidden) {
      this.timeline.move(at);
      moveHead(find("playhead"), find("spectrogram").clientWidth, at / Math.max(0.01, seconds));
    }
    const now = performance.now();
    if (now - (this.metered || 0) > METER_MS) {
      this.metered = now;
      this.meter();
    }
    if (this.sounds) requestAnimationFrame(() => requestAnimationFrame(() => this.tick()));
    else setTimeout(() => this.tick(), IDLE_MS);
  }

  meter() {
    const { lufs, peak } = this.sounds ? levels() : { lufs: -Infinity, peak: -Infinity };
    const share = (db) => Math.max(0, Math.min(1, (db + 60) / 60));
    find("meter").querySelector("i").style.width = `${100 * share(lufs)}%`;
    find("meter").querySelector("b").style.left = `${100 * share(peak)}%`;
    find("levels").value = lufs > -90 ? `${lufs.toFixed(1)} LUFS, peak ${peak.toFixed(1)} dB` : "– LUFS, peak – dB";
  }

  async diff() {
    showDiff(find("diff"), await ask("GET", `diff/${songPath(this.path)}`));
  }

  open(name) {
    showView(name);
    if (name === "compare") this.compare.refresh();
    if (name === "song" && this.player.track) this.picture();
  }

  listenToKeys() {
    listenToTabs((name) => this.open(name));
    const toggle = () => this.play();
    find("play").addEventListener("click", toggle);
    document.addEventListener("keydown", (event) => {
      if (event.key === " " && event.target === document.body) { event.preventDefault(); toggle(); }
    });
    find("seek").addEventListener("input", (event) => this.player.seek(Number(event.target.value)));
    find("loop").addEventListener("change", () => this.region());
    find("volume").addEventListener("input", (event) => { audio().volume.gain.value = Number(event.target.value); });
    find("render").addEventListener("click", () => this.render(false));
    find("draft").addEventListener("click", () => this.render(true));
    find("cancel").addEventListener("click", () => this.job && ask("DELETE", `jobs/${this.job}`));
    find("save").addEventListener("click", () => this.save());
    find("song").addEventListener("change", (event) => this.load(event.target.value));
    find("diff-box").addEventListener("toggle", () => find("diff-box").open && this.diff());
    find("new").addEventListener("click", () => find("new-dialog").showModal());
    find("new-cancel").addEventListener("click", () => find("new-dialog").close());
    find("new-form").addEventListener("submit", async (event) => {
      event.preventDefault();
      try {
        const { path } = await ask("POST", "songs", { name: find("new-name").value, style: find("new-style").value });
        find("new-dialog").close();
        await this.list();
        await this.load(path);
      } catch (error) { find("new-error").textContent = error.message; }
    });
    find("conflict-theirs").addEventListener("click", () => this.resolve(false));
    find("conflict-mine").addEventListener("click", () => this.resolve(true));
    addEventListener("beforeunload", (event) => { if (this.editor.text !== this.saved || this.unsaved.size) event.preventDefault(); });
    addEventListener("resize", () => this.player.track && this.picture());
  }

  // A page that is opened while a job runs follows it.
  async resume() {
    const running = (await ask("GET", "jobs")).find((job) => job.kind === "render" && !job.revision && (job.state === "running" || job.state === "queued"));
    if (!running) return;
    if (running.song !== this.path) await this.load(running.song);
    this.draft = running.draft;
    await this.check();
    await this.watch(running.id, running.song);
  }
}

const page = new Page();
window.studio = page;
page.listenToKeys();
page.tick();
await page.begin();
await page.resume();

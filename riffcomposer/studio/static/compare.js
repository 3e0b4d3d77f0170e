// A/B: two tracks at one loudness, played at once; switching turns one down as the other comes up.

import { ask, find, follow, make } from "/static/api.js";
import { Player } from "/static/player.js";
import { audio, RATE, soon } from "/static/sound.js";
import { Track } from "/static/track.js";

const GLIDE_S = 0.012;

export class Compare {
  constructor(page) {
    this.page = page;
    this.pair = null;
    find("compare-play").addEventListener("click", () => (this.pair ? this.stop() : this.play()));
    find("compare-switch").addEventListener("click", () => this.swap());
    find("compare-render").addEventListener("click", () => this.revision());
  }

  async refresh() {
    const jobs = (await ask("GET", "jobs")).filter((job) => job.state === "done" && job.result?.track);
    for (const [id, back] of [["compare-a", 2], ["compare-b", 1]]) {
      const list = find(id), chosen = list.value;
      list.replaceChildren(...jobs.map((job) => make("option", { value: job.id }, `${job.id}: ${job.title}`)));
      list.value = jobs.some((job) => job.id === chosen) ? chosen : jobs.at(-Math.min(back, jobs.length))?.id ?? "";
    }
    this.jobs = new Map(jobs.map((job) => [job.id, job]));
  }

  async revision() {
    const status = find("compare-status");
    try {
      const job = await ask("POST", "renders", { path: this.page.path, revision: find("compare-revision").value });
      status.value = "rendering that revision";
      await follow(job.id, { state: (event) => { status.value = event.error ? event.error.message : `that revision: ${event.state}`; } });
      await this.refresh();
    } catch (error) { status.value = error.message; }
  }

  async play() {
    const status = find("compare-status");
    const chosen = ["compare-a", "compare-b"].map((id) => this.jobs.get(find(id).value));
    if (!chosen[0] || !chosen[1]) { status.value = "render the song twice, or a revision of it, to compare"; return; }
    this.page.player.pause();
    const { context, volume } = audio();
    await context.resume();
    const tracks = chosen.map((job) => new Track(job.result.track, job.result.report.samples));
    await Promise.all(tracks.map((track) => track.want(track.passages[0])));
    // Both are played to the end of the shorter one, so that they stay together when they begin again.
    const seconds = Math.min(...tracks.map((track) => track.seconds));
    const loudness = chosen.map((job) => job.result.report.outputs[0].integrated_lufs ?? -70);
    const target = Math.min(...loudness);
    const when = Math.round(soon(context) * RATE);
    this.pair = tracks.map((track, at) => {
      const match = new GainNode(context, { gain: 10 ** ((target - loudness[at]) / 20) });
      const gate = new GainNode(context, { gain: at ? 0 : 1 });
      match.connect(gate).connect(volume);
      const player = new Player({ out: match, steady: true });
      player.track = track;
      player.region = [0, seconds];
      player.begin(when);
      return { player, gate };
    });
    this.heard = 0;
    find("compare-play").textContent = "Stop";
    find("compare-switch").disabled = false;
    status.value = `A ${loudness[0].toFixed(1)} LUFS, B ${loudness[1].toFixed(1)} LUFS, both at ${target.toFixed(1)}`;
  }

  swap() {
    const now = audio().context.currentTime;
    this.heard = 1 - this.heard;
    this.pair.forEach(({ gate }, at) => gate.gain.setTargetAtTime(at === this.heard ? 1 : 0, now, GLIDE_S));
    find("compare-switch").textContent = this.heard ? "Hear A" : "Hear B";
    find("compare-switch").ariaPressed = String(Boolean(this.heard));
  }

  stop() {
    for (const { player } of this.pair) player.stop();
    this.pair = null;
    find("compare-play").textContent = "Play both";
    find("compare-switch").textContent = "Hear B";
    find("compare-switch").ariaPressed = "false";
    find("compare-switch").disabled = true;
  }
}

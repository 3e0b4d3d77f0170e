// Takes of a section: made by the queue, heard side by side, one of them written into the song.

import { ask, find, follow, make, songPath } from "/static/api.js";
import { Track } from "/static/track.js";

// A figure, or why there is none.
const figure = (figures, name, show) => (figures[name] === null ? make("span", { className: "quiet" }, figures.why[name] || "–") : show(figures[name]));
const unit = (word) => (value) => `${value.toFixed(2)} ${word}`.trim();
const percent = (value) => `${value < 0 ? "−" : "+"}${Math.abs(100 * value).toFixed(2)} %`;

export class Takes {
  constructor(page) {
    this.page = page;
    this.job = null;
    find("takes-cancel").addEventListener("click", () => this.job && ask("DELETE", `jobs/${this.job}`));
    find("takes-form").addEventListener("submit", (event) => { event.preventDefault(); this.make(); });
    find("takes-section").addEventListener("change", () => this.list());
  }

  show(view) {
    const chosen = find("takes-section").value;
    const names = [...new Set(view.sections.map((section) => section.name))].filter((name) => !/ \(\d+\)$/.test(name));
    find("takes-section").replaceChildren(...names.map((name) => make("option", {}, name)));
    if (names.includes(chosen)) find("takes-section").value = chosen;
    this.list();
  }

  // The takes of the chosen section that were made before.
  async list() {
    const section = find("takes-section").value, path = this.page.path, wanted = `${path}\n${section}`;
    if (this.job || !section || this.listed === wanted) return;
    this.listed = wanted;
    find("takes-list").replaceChildren();
    try {
      const { takes } = await ask("GET", `takes?${new URLSearchParams({ path, section })}`);
      if (this.listed === wanted && !this.job) find("takes-list").replaceChildren(...takes.map((take) => this.#row(take, section)));
    } catch (error) { find("takes-status").value = error.message; }
  }

  async make() {
    if (!(await this.page.save())) return;
    const section = find("takes-section").value;
    const status = find("takes-status"), list = find("takes-list");
    list.replaceChildren();
    let job;
    try {
      job = await ask("POST", "takes", { path: this.page.path, section, count: Number(find("takes-count").value), vary: find("takes-vary").value, draft: find("takes-draft").checked });
    } catch (error) { status.value = error.message; return; }
    status.value = "queued";
    this.job = job.id;
    this.listed = `${this.page.path}\n${section}`;
    find("takes-cancel").disabled = false;
    await follow(job.id, {
      progress: (event) => { status.value = `${event.stage} ${Math.round((100 * event.done) / (event.total || 1))} %`; },
      take: (take) => list.append(this.#row(take, section)),
      state: (event) => { status.value = event.error ? event.error.message : event.state; },
    });
    this.job = null;
    find("takes-cancel").disabled = true;
  }

  #row(take, section) {
    const listen = make("button", { type: "button", ariaLabel: `Play take ${take.number}` }, "▶");
    listen.addEventListener("click", () => this.page.listen(new Track(`tracks/${songPath(take.track)}`, take.samples)));
    const pick = make("button", { type: "button", ariaLabel: `Write take ${take.number} into the song` }, "Pick");
    pick.addEventListener("click", () => this.pick(section, take.number));
    const { figures } = take;
    const cells = [String(take.number), take.label, listen, figure(figures, "integrated_lufs", unit("LUFS")), figure(figures, "joins_worst_db", unit("dB")), figure(figures, "nearness", percent), figure(figures, "new_harmony", unit("")), figure(figures, "texture_db", unit("dB")), pick];
    return make("tr", {}, ...cells.map((cell) => make("td", {}, cell)));
  }

  async pick(section, number) {
    const status = find("takes-status");
    try {
      const answer = await ask("POST", "picks", { path: this.page.path, section, number, digest: this.page.digest });
      this.page.replace(answer.text, answer.digest);
      status.value = `take ${number} is in the song`;
    } catch (error) { status.value = error.message; }
  }
}

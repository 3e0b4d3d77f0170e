// The plan as a picture: sections, clips and their states, chords, energy, joins and the playhead.

import { make, moveHead } from "/static/api.js";

const CHORD_PIXELS = 7;

export class Timeline {
  constructor(element, { seek, choose }) {
    this.element = element;
    this.seek = seek;
    this.choose = choose;
    this.view = null;
    this.clips = new Map();
    this.head = make("div", { className: "head" });
    element.addEventListener("click", (event) => {
      if (event.target.closest("button") || !this.view) return;
      const box = element.getBoundingClientRect();
      this.seek(((event.clientX - box.left) / box.width) * this.seconds);
    });
  }

  get seconds() { return this.view ? this.view.samples / this.view.sample_rate : 0; }

  show(view) {
    this.view = view;
    this.clips.clear();
    const place = (element, start, end) => {
      element.style.left = `${(100 * start) / view.samples}%`;
      element.style.width = `${(100 * (end - start)) / view.samples}%`;
      return element;
    };
    const parts = [];
    let free = 0;
    view.sections.forEach((section, number) => {
      const chords = (section.chords || []).map((chord) => chord.name).join(" ");
      const title = `${section.name}: ${section.transition}${section.style ? `, ${section.style}: ${chords}` : ""}`;
      const button = make("button", { type: "button", className: "section", title, ariaPressed: "false" }, section.name);
      button.addEventListener("click", () => this.choose(number));
      parts.push(place(button, section.start, section.end));
      parts.push(place(make("div", { className: "join", title: section.transition }), section.start, section.start));
      for (const chord of section.chords || []) {
        const start = section.body + chord.bar * view.samples_per_bar;
        const left = (this.element.clientWidth * start) / view.samples;
        // Only as many as there is room for; the section's title has all of them.
        if (left < free) continue;
        free = left + CHORD_PIXELS * (chord.name.length + 1);
        const span = make("span", { className: "chord" }, chord.name);
        span.style.left = `${(100 * start) / view.samples}%`;
        parts.push(span);
      }
    });
    const layers = new Map();
    for (const clip of view.clips) {
      const names = view.sections[clip.section].layers;
      const row = Math.max(0, names.indexOf(clip.layer));
      const rows = Math.max(1, names.length);
      const bar = make("div", { className: `clip ${clip.state === "cached" ? "cached" : ""}`, title: `${clip.layer ? `${clip.layer}, ` : ""}${clip.label}: ${clip.state}${clip.why.length ? ` (${clip.why.join("; ")})` : ""}` });
      place(bar, clip.start, clip.start + clip.samples);
      bar.style.top = `${2.2 + (1.5 * row) / rows}rem`;
      bar.style.height = `${1.4 / rows}rem`;
      parts.push(bar);
      layers.set(clip.key, [...(layers.get(clip.key) || []), bar]);
    }
    this.clips = layers;
    parts.push(this.#energy(view));
    const legend = make("div", { className: "legend" });
    for (const [name, words] of [["cached", "cached"], ["", "to render"], ["working", "rendering"], ["failed", "failed"]]) legend.append(make("i", { className: name }), words);
    this.element.replaceChildren(...parts, legend, this.head);
    this.element.classList.toggle("scored", view.sections.some((section) => section.energy));
    this.chips = [...this.element.querySelectorAll(".section")];
    this.label();
  }

  label() {
    const counts = { cached: 0, "to render": 0 };
    for (const clip of this.view.clips) counts[clip.state] = (counts[clip.state] || 0) + 1;
    this.element.setAttribute("aria-label", `Timeline: ${this.view.sections.length} sections, ${counts.cached} clips cached, ${counts["to render"]} to render`);
  }

  #energy(view) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 1000 100");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    for (const section of view.sections) {
      if (!section.energy) continue;
      const line = document.createElementNS(svg.namespaceURI, "polyline");
      line.setAttribute("points", section.energy.map((value, bar) => `${(1000 * Math.min(section.end, section.body + bar * view.samples_per_bar)) / view.samples},${100 - 100 * value}`).join(" "));
      svg.append(line);
    }
    return svg;
  }

  message(text) {
    this.view = null;
    this.element.replaceChildren(make("p", {}, text));
    this.element.setAttribute("aria-label", `Timeline: ${text}`);
  }

  mark(key, state) {
    for (const bar of this.clips.get(key) || []) bar.className = `clip ${state}`;
  }

  choosen(number) {
    this.chips?.forEach((button, at) => { button.ariaPressed = String(at === number); });
  }

  move(seconds) {
    if (this.view) moveHead(this.head, this.element.clientWidth, seconds / Math.max(0.01, this.seconds));
  }
}

// The report of a render, with each join clickable.

import { clock, make } from "/static/api.js";

const figure = (value, unit) => (value === null || value === undefined ? "–" : `${value.toFixed(2)} ${unit}`);

export function showReport(element, report, rate, seek) {
  const first = report.outputs[0];
  const rows = report.sections.map((section) => make("tr", {}, make("td", {}, section.name), make("td", {}, figure(section.integrated_lufs, "LUFS")), make("td", {}, figure(section.true_peak_dbtp ?? null, "dBTP"))));
  const place = (sample, words) => {
    const button = make("button", { type: "button", className: "mono" }, `${clock(sample / rate)} ${words}`);
    button.addEventListener("click", () => seek(Math.max(0, sample / rate - 1)));
    return button;
  };
  const joins = report.joins.each.map((join) => place(join.start_sample, figure(join.level_step_db, "dB")));
  const transitions = report.transitions.map((each) => place(each.start_sample, figure(each.level_step_db, "dB")));
  element.replaceChildren(
    make("p", {}, `${figure(first.integrated_lufs, "LUFS")}, true peak ${figure(first.true_peak_dbtp, "dBTP")}, ${report.repetition.distinct} different clips. ${report.movement.verdict}.`),
    make("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: "Loudness of the sections" }, make("table", {}, make("tbody", {}, ...rows))),
    make("h3", {}, `Joins (${joins.length}): the step of level in each`), make("div", { className: "row" }, ...joins),
    make("h3", {}, "Cuts and crossfades"), make("div", { className: "row" }, ...(transitions.length ? transitions : ["none"])),
  );
}

export function showDiff(element, diff) {
  if (diff.unreadable) { element.replaceChildren(make("p", { className: "quiet" }, diff.unreadable)); return; }
  const lines = diff.changes.map((change) => `${change.field}: ${change.old} → ${change.new}`);
  for (const section of diff.sections) {
    lines.push(`${section.name}: ${section.kinds.join(", ")}`);
    for (const change of section.changes) lines.push(`    ${change.field}: ${change.old} → ${change.new}`);
  }
  const again = (diff.clips || []).reduce((sum, each) => sum + each.to_render, 0);
  if (lines.length) lines.push(`${again} clips to render again`);
  element.replaceChildren(...(lines.length ? lines : ["no audible change"]).map((line) => make("div", { className: "mono" }, line)));
}

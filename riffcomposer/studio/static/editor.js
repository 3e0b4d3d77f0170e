// The song's text in CodeMirror: diagnostics at their place as one types, completion and hover.

import * as CM from "/codemirror/index.js";
import { pathAt, SchemaHelp } from "/static/schema_help.js";
import { make } from "/static/api.js";

const setMarks = CM.StateEffect.define();
const marks = CM.StateField.define({
  create: () => CM.Decoration.none,
  update(set, transaction) {
    let found = set.map(transaction.changes);
    for (const effect of transaction.effects) if (effect.is(setMarks)) found = effect.value;
    return found;
  },
  provide: (field) => CM.EditorView.decorations.from(field),
});

const colours = CM.EditorView.theme({
  "&": { color: "var(--ink)", backgroundColor: "var(--panel)" },
  ".cm-content": { caretColor: "var(--ink)" },
  ".cm-gutters": { backgroundColor: "var(--ground)", color: "var(--quiet)", border: "none" },
  "&.cm-focused .cm-cursor": { borderLeftColor: "var(--ink)" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--tint) 60%, transparent)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "color-mix(in srgb, var(--accent) 30%, transparent)" },
  ".cm-tooltip": { backgroundColor: "var(--panel)", color: "var(--ink)", border: "1px solid var(--field)", padding: "2px 6px", maxWidth: "34rem" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--accent)", color: "var(--on-accent)" },
});

const dark = matchMedia("(prefers-color-scheme: dark)");
const tags = new CM.Compartment();
const highlighting = () => CM.syntaxHighlighting(dark.matches ? CM.oneDarkHighlightStyle : CM.defaultHighlightStyle);

export class Editor {
  constructor(parent, { changed, save }) {
    this.diagnostics = [];
    this.help = null;
    this.language = new CM.Compartment();
    this.yaml = [];
    const nonce = document.querySelector("meta[name=csp-nonce]").content;
    // One object: CodeMirror knows a source of completions again by its identity.
    const data = [{ autocomplete: (context) => this.#complete(context), commentTokens: { line: "#" } }];
    this.state = (doc) => CM.EditorState.create({
      doc,
      extensions: [
        CM.keymap.of([{ key: "Mod-s", preventDefault: true, run: () => { save(); return true; } }]),
        CM.basicSetup, marks, colours, tags.of(highlighting()), this.language.of(this.yaml),
        CM.EditorView.cspNonce.of(nonce),
        CM.EditorView.contentAttributes.of({ "aria-label": "The song's text, YAML", spellcheck: "false" }),
        CM.EditorState.languageData.of(() => data),
        CM.hoverTooltip((view, at) => this.#hover(view, at)),
        CM.EditorView.updateListener.of((update) => { if (update.docChanged) changed(); }),
      ],
    });
    this.view = new CM.EditorView({ parent, state: this.state("") });
    // A region that scrolls is reached by keyboard, also where its text is not in focus.
    this.view.scrollDOM.tabIndex = 0;
    dark.addEventListener("change", () => this.view.dispatch({ effects: tags.reconfigure(highlighting()) }));
    const yaml = CM.languages.find((language) => language.name === "YAML");
    yaml.load().then((support) => { this.yaml = support; this.view.dispatch({ effects: this.language.reconfigure(support) }); });
  }

  know(schema, values) { this.help = new SchemaHelp(schema, values); }
  // Another song: nothing that was done to the one before can be undone here.
  open(text) { this.view.setState(this.state(text)); }
  get text() { return this.view.state.doc.toString(); }
  set text(value) {
    this.view.dispatch({ changes: { from: 0, to: this.view.state.doc.length, insert: value } });
  }

  // Columns of diagnostics count characters; CodeMirror counts UTF-16 units.
  #range(found) {
    const document_ = this.view.state.doc;
    const line = document_.line(Math.max(1, Math.min(found.line, document_.lines)));
    const characters = [...line.text];
    const unit = (column) => characters.slice(0, Math.max(0, column - 1)).join("").length;
    const from = Math.min(line.from + unit(found.column), line.to);
    const to = Math.min(line.from + unit(Math.max(found.end_column, found.column + 1)), line.to);
    return to > from ? [from, to] : [line.from, Math.max(line.to, line.from)];
  }

  show(diagnostics) {
    this.diagnostics = diagnostics.map((found) => ({ ...found, range: this.#range(found) }));
    const ranges = this.diagnostics
      .filter((found) => found.range[1] > found.range[0])
      .map((found) => CM.Decoration.mark({ class: found.severity === "error" ? "cm-fault" : "cm-warning", attributes: { title: found.message } }).range(...found.range));
    this.view.dispatch({ effects: setMarks.of(CM.Decoration.set(ranges, true)) });
  }

  go(found) {
    const [from] = this.#range(found);
    this.view.dispatch({ selection: { anchor: from }, effects: CM.EditorView.scrollIntoView(from, { y: "center" }) });
    this.view.focus();
  }

  #place(state, at) {
    const line = state.doc.lineAt(at);
    const lines = state.doc.toString().split("\n");
    const path = pathAt(lines, line.number - 1);
    const before = line.text.slice(0, at - line.from);
    // Inside braces on this line, the keys are those of the value that the braces belong to.
    const open = before.lastIndexOf("{"), close = before.lastIndexOf("}");
    if (open > close) {
      const owner = /([\w-]+)\s*:\s*\{[^{}]*$/.exec(before);
      if (owner) path.push(owner[1]); else if (/^\s*-\s*\{/.test(line.text)) { if (path.at(-1) !== "-") path.push("-"); }
    }
    return { path, before, line };
  }

  #complete(context) {
    if (!this.help) return null;
    const { path, before } = this.#place(context.state, context.pos);
    const value = /([\w-]+):\s+([\w-]*)$/.exec(before);
    if (value) {
      const options = this.help.choices(path, value[1]).map((label) => ({ label, type: "enum" }));
      return options.length ? { from: context.pos - value[2].length, options, validFor: /^[\w-]*$/ } : null;
    }
    const word = /(?:^\s*(?:-\s+)*|[{,]\s*)([\w-]*)$/.exec(before);
    if (!word || (!context.explicit && !word[1])) return null;
    const options = Object.entries(this.help.properties(path)).map(([label, schema]) => ({ label, type: "property", apply: `${label}: `, info: schema.description || "" }));
    return options.length ? { from: context.pos - word[1].length, options, validFor: /^[\w-]*$/ } : null;
  }

  #hover(view, at) {
    const fault = this.diagnostics.find((found) => at >= found.range[0] && at <= found.range[1]);
    if (fault) {
      const text = fault.hint ? `${fault.message}; ${fault.hint}` : fault.message;
      return { pos: fault.range[0], end: fault.range[1], create: () => ({ dom: make("div", {}, text) }) };
    }
    if (!this.help) return null;
    const { path, line } = this.#place(view.state, at);
    for (const match of line.text.matchAll(/([\w-]+)\s*:/g)) {
      const from = line.from + match.index, to = from + match[1].length;
      if (at < from || at > to) continue;
      const found = this.help.describe(path, match[1]);
      if (!found?.text) return null;
      const more = [found.fallback !== undefined ? `default: ${JSON.stringify(found.fallback)}` : "", found.examples.length ? `for instance ${found.examples.join(", ")}` : ""].filter(Boolean).join("; ");
      return { pos: from, end: to, create: () => ({ dom: make("div", {}, found.text, make("div", { className: "quiet" }, more)) }) };
    }
    return null;
  }
}

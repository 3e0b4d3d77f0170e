// Completion and hover from the JSON Schema of songs.

export class SchemaHelp {
  constructor(schema, values) {
    this.schema = schema;
    this.values = values;
  }

  // All forms that a schema may take, references followed.
  #forms(schema, depth = 0) {
    if (!schema || depth > 6) return [];
    if (schema.$ref) return this.#forms(this.schema.definitions[schema.$ref.split("/").at(-1)], depth + 1);
    const parts = [...(schema.anyOf || []), ...(schema.allOf || []), ...(schema.oneOf || [])];
    return [schema, ...parts.flatMap((part) => this.#forms(part, depth + 1))];
  }

  properties(path) {
    let forms = this.#forms(this.schema);
    for (const part of path) {
      forms = part === "-"
        ? forms.flatMap((form) => this.#forms(form.items))
        : forms.flatMap((form) => this.#forms(form.properties?.[part] ?? (typeof form.additionalProperties === "object" ? form.additionalProperties : null)));
    }
    return Object.assign({}, ...forms.map((form) => form.properties || {}));
  }

  describe(path, key) {
    const schema = this.properties(path)[key];
    if (!schema) return null;
    const forms = this.#forms(schema);
    const text = schema.description || forms.find((form) => form.description)?.description || "";
    const examples = forms.flatMap((form) => form.examples || []).slice(0, 2).map((value) => JSON.stringify(value));
    const fallback = schema.default ?? forms.find((form) => form.default !== undefined && form.default !== null)?.default;
    return { text, examples, fallback };
  }

  choices(path, key) {
    if (this.values[key]) return this.values[key];
    const schema = this.properties(path)[key];
    const forms = this.#forms(schema);
    const found = forms.flatMap((form) => [...(form.enum || []), ...(form.const !== undefined ? [form.const] : []), ...(form.type === "boolean" ? [true, false] : [])]);
    return [...new Set(found)].filter((value) => value !== null).map(String);
  }
}

// The keys that lead to a line of block YAML, `-` for an item of a list, by columns alone.
export function pathAt(lines, number) {
  const tokens = (text) => {
    const [, spaces, dashes, key] = /^(\s*)((?:-\s+)*)(?:([\w-]+)\s*:)?/.exec(text);
    const found = [];
    for (let at = 0; at < dashes.length; at++) if (dashes[at] === "-") found.push({ column: spaces.length + at, name: "-" });
    if (key) found.push({ column: spaces.length + dashes.length, name: key });
    return { found, column: spaces.length + dashes.length };
  };
  const own = tokens(lines[number]);
  const path = [];
  let limit = own.column;
  const take = (token) => {
    // A list may begin at the column of its own key.
    if (token.column < limit || (token.column === limit && path[0] === "-" && token.name !== "-")) {
      path.unshift(token.name);
      limit = token.column;
    }
  };
  own.found.filter((token) => token.name === "-").reverse().forEach(take);
  for (let at = number - 1; at >= 0; at--) {
    if (lines[at].trim() && !lines[at].trim().startsWith("#")) tokens(lines[at]).found.reverse().forEach(take);
  }
  return path;
}

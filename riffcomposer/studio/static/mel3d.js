// The jam's spectrogram as a landscape (WebGL 2): bands from left to right, time into the distance.

import { BANDS, palette } from "/static/mel.js";

const COLUMNS = 128;
const SLOTS = 8;
const SHADES = 256;

const VERTEX = `#version 300 es
in vec2 at;
uniform sampler2D levels;
uniform vec3 strip;
uniform float aspect;
out float level;
out float far;
void main() {
  int column = (int(strip.x) + int(at.x)) % ${COLUMNS * SLOTS};
  level = strip.z > 0.0 ? texelFetch(levels, ivec2(int(at.y), column), 0).r : 2.0;
  float age = -(strip.y + at.x * strip.z);
  float depth = 1.7 + 0.42 * age;
  far = clamp(age / 11.0, 0.0, 1.0);
  float x = (at.y / ${BANDS - 1}.0 - 0.5) * 3.4;
  float y = 0.75 * min(level, 1.0) * min(level, 1.0) * float(strip.z > 0.0) - 1.15;
  gl_Position = vec4(2.4 * x / aspect * 1.4, 2.2 * y + 0.75 * depth, (depth - 3.5) / 3.6 * depth, depth);
}`;

const FRAGMENT = `#version 300 es
precision mediump float;
in float level;
in float far;
uniform sampler2D shades;
out vec4 colour;
void main() {
  vec3 shade = level > 1.5 ? vec3(1.0, 0.36, 0.42) : texture(shades, vec2(level, 0.5)).rgb;
  colour = vec4(mix(shade, vec3(0.047, 0.067, 0.075), far * far), 1.0);
}`;

export class Landscape {
  // Throws where the browser has no WebGL 2.
  constructor(canvas) {
    const gl = canvas.getContext("webgl2", { alpha: false, antialias: false, powerPreference: "low-power" });
    if (!gl) throw new Error("this browser draws no WebGL 2");
    this.canvas = canvas;
    this.gl = gl;
    this.slots = new Map();
    this.next = 0;
    const program = (this.program = gl.createProgram());
    for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program));
    gl.useProgram(program);
    for (const name of ["strip", "aspect", "levels", "shades"]) this[name] = gl.getUniformLocation(program, name);
    this.#mesh();
    this.#textures();
    gl.enable(gl.DEPTH_TEST);
    gl.clearColor(0.047, 0.067, 0.075, 1);
  }

  // One strip of triangles for each pair of columns, joined by points that are drawn twice.
  #mesh() {
    const { gl } = this, points = [];
    for (let column = 0; column < COLUMNS; column++) {
      for (let band = 0; band < BANDS; band++) {
        if (column && !band) points.push(column, band);
        points.push(column, band, column + 1, band);
      }
      points.push(column + 1, BANDS - 1);
    }
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array(points), gl.STATIC_DRAW);
    const at = gl.getAttribLocation(this.program, "at");
    gl.enableVertexAttribArray(at);
    gl.vertexAttribPointer(at, 2, gl.FLOAT, false, 0, 0);
    this.points = points.length / 2;
  }

  #textures() {
    const { gl } = this;
    const texture = (unit, filter) => {
      gl.activeTexture(gl.TEXTURE0 + unit);
      gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
      for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, name, filter);
      for (const name of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, name, gl.CLAMP_TO_EDGE);
    };
    texture(1, gl.LINEAR);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB8, SHADES, 1, 0, gl.RGB, gl.UNSIGNED_BYTE, Uint8Array.from(palette.flat()));
    gl.uniform1i(this.shades, 1);
    texture(0, gl.NEAREST);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.texStorage2D(gl.TEXTURE_2D, 1, gl.R8, BANDS, COLUMNS * SLOTS);
    gl.uniform1i(this.levels, 0);
  }

  // The place of a strip's columns; strips that follow one another are neighbours, so that they join.
  #slot(strip) {
    const { gl } = this;
    if (!this.slots.has(strip)) {
      const slot = this.next;
      this.next = (slot + 1) % SLOTS;
      for (const [old, place] of this.slots) if (place === slot) this.slots.delete(old);
      this.slots.set(strip, slot);
      const bytes = new Uint8Array(COLUMNS * BANDS);
      strip.columns.forEach((column, at) => bytes.set(column, at * BANDS));
      gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, slot * COLUMNS, BANDS, COLUMNS, gl.RED, gl.UNSIGNED_BYTE, bytes);
    }
    return this.slots.get(strip);
  }

  // Strips are {when, duration, columns}, times those of `now`.
  draw(strips, now) {
    const { gl, canvas } = this;
    const width = Math.max(1, canvas.clientWidth), height = Math.max(1, canvas.clientHeight);
    if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
    gl.viewport(0, 0, width, height);
    gl.uniform1f(this.aspect, width / height);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    for (const strip of strips.slice(-SLOTS)) {
      const slot = this.#slot(strip), from = strip.when - now;
      if (from > 2 || from + strip.duration < -12) continue;
      // The column after the last is the next strip's first; where that is not there yet, it is left out.
      const last = strip === strips.at(-1) ? this.points - 2 * BANDS - 2 : this.points;
      gl.uniform3f(this.strip, slot * COLUMNS, from, strip.duration / COLUMNS);
      gl.drawArrays(gl.TRIANGLE_STRIP, 0, last);
    }
    // Where it sounds now.
    gl.disable(gl.DEPTH_TEST);
    gl.uniform3f(this.strip, 0, 0, 0);
    gl.drawArrays(gl.LINE_STRIP, 0, 2 * BANDS);
    gl.enable(gl.DEPTH_TEST);
  }
}

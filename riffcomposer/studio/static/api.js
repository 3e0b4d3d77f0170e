// Requests to the studio's own API, and its server-sent events.

export class Refused extends Error {
  constructor(status, answer) {
    super(answer.message || `the studio answered ${status}`);
    this.status = status;
    this.answer = answer;
  }
}

export async function ask(method, path, body) {
  const options = { method, headers: {} };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const answer = await fetch(`/api/v1/${path}`, options);
  if (!answer.ok) {
    const text = await answer.text();
    let content = { message: text };
    try { content = JSON.parse(text); } catch { /* a sentence of the guard, not JSON */ }
    throw new Refused(answer.status, content);
  }
  return answer.json();
}

export async function bytes(path) {
  const answer = await fetch(`/api/v1/${path}`);
  if (!answer.ok) throw new Refused(answer.status, { message: await answer.text() });
  return answer.arrayBuffer();
}

// Sends a file as it is; the answer says where it is in the folder.
export async function upload(file) {
  const answer = await fetch(`/api/v1/uploads?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file });
  const text = await answer.text();
  let content = { message: text };
  try { content = JSON.parse(text); } catch { /* a sentence of the guard, not JSON */ }
  if (!answer.ok) throw new Refused(answer.status, content);
  return content;
}

// Follows a job to its end; `on` has a function for each kind of event.
export function follow(job, on) {
  return new Promise((done) => {
    const source = new EventSource(`/api/v1/jobs/${job}/events`);
    for (const kind of Object.keys(on)) source.addEventListener(kind, (event) => on[kind](JSON.parse(event.data)));
    source.addEventListener("end", () => { source.close(); done(); });
  });
}

export const songPath = (path) => path.split("/").map(encodeURIComponent).join("/");
export const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
export const find = (id) => document.getElementById(id);

// Moves a playhead by whole pixels, so that the page is drawn anew only when something changes.
export function moveHead(head, width, share) {
  const wanted = `translateX(${Math.round((width - 2) * Math.min(1, share))}px)`;
  if (head.style.transform !== wanted) head.style.transform = wanted;
}

// An element with properties and children; texts become text nodes, so nothing is read as markup.
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value; else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

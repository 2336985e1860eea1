// The controller's API: JSON, problems as sentences, and the event stream, all with the token if there is one.
import { at } from "./element.js";

const KEY = "prober.token";
let asking = null;

/** GET (or `given.method`) a document under /api/v1. Throws an Error whose message is the problem's own sentence. */
export async function ask(path, given = {}) {
  const answer = await reach(path, given);
  return answer.status === 204 ? null : answer.json();
}

/** A file, as a blob: a link can't carry the token. */
export async function download(path, name) {
  const blob = await (await reach(path)).blob();
  const anchor = document.createElement("a");
  anchor.href = URL.createObjectURL(blob);
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 1000);
}

/** Calls `then(event, data)` for each event of the stream; returns when it ends, throws when it breaks. */
export async function listen(path, then, signal) {
  const answer = await reach(path, { headers: { Accept: "text/event-stream" }, signal });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ""; ; ) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).replaceAll("\r\n", "\n").split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) tell(block, then);
  }
}

function tell(block, then) {
  let event = "message";
  const data = [];
  for (const line of block.split("\n")) {
    if (line.startsWith("event:")) event = line.slice(6).trim();
    if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
  }
  if (data.length) then(event, JSON.parse(data.join("\n")));
}

async function reach(path, given = {}) {
  for (let again = false; ; again = true) {
    const token = sessionStorage.getItem(KEY);
    const headers = { Accept: "application/json", ...given.headers, ...(token && { Authorization: `Bearer ${token}` }) };
    const answer = await fetch(path, { ...given, headers, cache: "no-store" }).catch(unreached);
    if (answer.ok) return answer;
    if (answer.status !== 401) throw new Error(await problem(answer));
    if (token === sessionStorage.getItem(KEY)) await fromReader(again || token !== null);
  }
}

/** Browsers each have words of their own for an address where nothing answers. */
function unreached(error) {
  throw error.name === "TypeError" ? new Error("The controller does not answer") : error;
}

async function problem(answer) {
  const text = await answer.text();
  try {
    const { detail, title } = JSON.parse(text);
    return detail ?? title ?? `The controller answered ${answer.status}`;
  } catch (error) {
    if (error instanceof SyntaxError) return `The controller answered ${answer.status}`;
    throw error;
  }
}

/** One dialog however many requests were refused; resolves when the reader has given a token. */
function fromReader(refused) {
  asking ??= new Promise((resolve) => {
    const dialog = at("token");
    at("token-refused").hidden = !refused;
    at("token-value").value = "";
    dialog.oncancel = (event) => event.preventDefault();
    dialog.onclose = () => {
      sessionStorage.setItem(KEY, at("token-value").value.trim());
      asking = null;
      resolve();
    };
    dialog.showModal();
  });
  return asking;
}

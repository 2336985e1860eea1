// A run on demand: asked for once, followed until it ends.
import { ask } from "./api.js";
import { at, shown } from "./element.js";
import { sentence } from "./findings.js";

const EVERY = 500;
const TRIES = 20;

/** Runs the whole matrix; progress in the bar under the header. */
export async function run() {
  const [button, bar, text] = [at("run"), at("progress-bar"), at("progress-text")];
  button.disabled = true;
  at("progress").hidden = false;
  bar.value = 0;
  text.textContent = "Asking the agents…";
  try {
    const body = { method: "POST", body: "{}", headers: { "Content-Type": "application/json" } };
    const started = await ask("/api/v1/runs", body);
    const ended = await follow(started, (one) => progress(one, bar, text));
    text.textContent = `${ended.state === "finished" ? "Run finished" : `Run ${shown(ended.state)}`}: ${sentence(ended)}`;
  } catch (error) {
    text.textContent = `The run could not be followed: ${shown(error.message)}`;
  } finally {
    button.disabled = false;
  }
}

/** Polls the run until it is no longer running; a controller away for a moment is waited for. */
async function follow(started, tell) {
  let one = started;
  for (let failures = 0; one.state === "running"; ) {
    tell(one);
    await new Promise((resolve) => setTimeout(resolve, EVERY));
    try {
      one = await ask(`/api/v1/runs/${encodeURIComponent(started.id)}`);
      failures = 0;
    } catch (error) {
      if (++failures >= TRIES) throw error;
    }
  }
  tell(one);
  return one;
}

function progress(one, bar, text) {
  bar.max = Math.max(1, one.probes ?? 1);
  bar.value = one.judged ?? 0;
  text.textContent = `${one.judged ?? 0} of ${one.probes ?? "?"} probes judged`;
}

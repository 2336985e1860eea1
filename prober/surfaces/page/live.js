// The live matrix: the event stream, polling while it is down, and how long nothing has been heard.
import { ask, listen } from "./api.js";

const SILENCE = 10_000;
const POLL = 3_000;
const RETRY = 2_000;

/** Calls `onMatrix(document)` for each matrix heard, `onSilence(seconds or null)` each second. Runs until the page goes. */
export function live(onMatrix, onSilence) {
  let heard = Date.now();
  let streaming = false;
  let polling = false;
  const hear = (matrix) => {
    heard = Date.now();
    onMatrix(matrix);
  };
  const stream = async () => {
    for (;;) {
      const silent = new AbortController();
      const watch = setInterval(() => Date.now() - heard > SILENCE && streaming && silent.abort(), 1000);
      const open = (event, data) => {
        streaming = true;
        if (event === "matrix") hear(data);
      };
      await listen("/api/v1/events", open, silent.signal).catch((error) => console.info("events:", error.message));
      clearInterval(watch);
      streaming = false;
      await pause(RETRY);
    }
  };
  const poll = async () => {
    if (streaming || polling) return;
    polling = true;
    await ask("/api/v1/matrix").then(hear, (error) => console.info("matrix:", error.message));
    polling = false;
  };
  poll();
  stream();
  setInterval(poll, POLL);
  setInterval(() => onSilence(Date.now() - heard >= SILENCE ? Math.round((Date.now() - heard) / 1000) : null), 1000);
}

const pause = (time) => new Promise((resolve) => setTimeout(resolve, time));

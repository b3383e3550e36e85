// Talks to the endpoint. An answer that is no result becomes an error with the sentence of the problem.

export class Refused extends Error {
  constructor(sentence, status, after) {
    super(sentence);
    this.status = status;
    this.after = after; // seconds until another try may be welcome, or 0
  }
}

async function answerOf(path, options) {
  let answer;
  try {
    answer = await fetch(path, { credentials: "same-origin", referrerPolicy: "no-referrer", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("The server does not answer; is textlrp serve still running?", 0, 2);
  }
  if (answer.ok) return answer;
  let detail = `The server answered ${answer.status}.`;
  try {
    detail = String((await answer.json()).detail);
  } catch {
    // not a problem of ours: the status says it
  }
  throw new Refused(detail, answer.status, Number(answer.headers.get("Retry-After")) || 0);
}

export const get = async (path) => (await answerOf(path, {})).json();

export function post(path, asked, signal) {
  return answerOf(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(asked),
    signal,
  });
}

/** Runs the latest question only: an earlier one is broken off, and an answer that comes too late is dropped. */
export class Latest {
  #control = null;

  async run(work) {
    this.#control?.abort();
    const control = new AbortController();
    this.#control = control;
    try {
      const result = await work(control.signal);
      return control === this.#control ? { result } : null;
    } catch (error) {
      if (control !== this.#control || error.name === "AbortError") return null;
      return { error };
    }
  }
}

/** Calls `work` when calls have paused for `pause` ms, and at least every `most` ms while they go on. */
export function debounced(work, pause, most) {
  let timer = 0;
  let since = 0;
  return () => {
    const now = performance.now();
    if (!timer) since = now;
    clearTimeout(timer);
    const fire = () => {
      timer = 0;
      work();
    };
    timer = setTimeout(fire, Math.max(0, Math.min(pause, since + most - now)));
  };
}

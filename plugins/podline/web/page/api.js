// Asks the API, and says in words what went wrong.

import { useCallback, useEffect, useRef, useState } from "./host.js";

const API = new URL("../../api/v1/", import.meta.url);
export const HOST = new URL("../../../", import.meta.url); // Airflow's own root, with its prefix
const LIVE_MS = 3000;
const AGAIN_MS = [300, 1000];
const KEPT = 30; // answers

// The last answers, by their questions: the host mounts a page anew whenever it likes.
const known = new Map();

function remember(key, answer) {
  known.delete(key);
  known.set(key, answer);
  if (known.size > KEPT) known.delete(known.keys().next().value);
}

export const part = encodeURIComponent;

export function address(path, query = {}) {
  const url = new URL(path, API);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
  }
  return url;
}

// An answer that is none, with HTTP's status; 0: there was nobody to answer.
class Refused extends Error {
  constructor(status, words) {
    super(words);
    this.status = status;
  }
}

// A network that changes breaks off what is under way: a question is asked again.
async function fetched(url, options) {
  for (const wait of options.method ? [] : AGAIN_MS) {
    try {
      return await fetch(url, options);
    } catch (error) {
      if (error.name === "AbortError") throw error;
    }
    await new Promise((done) => setTimeout(done, wait));
  }
  return fetch(url, options);
}

async function ask(path, query, options) {
  let answer;
  try {
    answer = await fetched(address(path, query), { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "Airflow does not answer. It is asked again when you press “Try again”.");
  }
  if (answer.ok) return answer.json();
  const { detail } = await answer.json().catch(() => ({}));
  const words = typeof detail === "string" ? detail : "";
  if (answer.status === 401 || (answer.status === 403 && words.startsWith("Invalid JWT"))) {
    const login = new URL("api/v2/auth/login", HOST);
    login.searchParams.set("next", location.href);
    location.assign(login);
  }
  if (answer.status === 403) {
    const right = options?.method ? "change" : "see";
    const what = /^(models|edge)/.test(path) ? "assets" : "this DAG’s task instances";
    throw new Refused(403, `You may not ${right} ${what}: ask for that right in Airflow.`);
  }
  throw new Refused(answer.status, words || `Airflow answers ${answer.status}.`);
}

// Change something.
export function send(path, body) {
  const headers = { "Content-Type": "application/json" };
  return ask(path, {}, { method: "POST", headers, body: JSON.stringify(body) });
}

// The answer to a question (path null: none is asked), asked again while `isLive(answer)`, which may
// say after how many milliseconds, but not in a hidden tab.
export function useAnswer(path, query, isLive = () => false) {
  const [state, setState] = useState({});
  const [turn, setTurn] = useState(0);
  const live = useRef(isLive);
  live.current = isLive;
  const key = `${path}?${JSON.stringify(query)}`;
  useEffect(() => {
    if (path === null) return undefined;
    const stop = new AbortController();
    let timer;
    const again = (wait) => {
      timer = setTimeout(() => (document.hidden ? again(wait) : read()), wait);
    };
    const read = async () => {
      try {
        const answer = await ask(path, query, { signal: stop.signal });
        remember(key, answer);
        setState({ answer, error: null, key });
        const wait = live.current(answer);
        if (wait) again(wait === true ? LIVE_MS : wait);
      } catch (error) {
        if (error.name === "AbortError") return;
        // What was known stays, where Airflow is but away.
        if (error.status >= 400) known.delete(key);
        setState({ answer: known.get(key), error, key });
      }
    };
    read();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [key, turn]);
  const retry = useCallback(() => setTurn((n) => n + 1), []);
  const { answer, error } = state.key === key ? state : { answer: known.get(key) };
  return { answer, error, retry };
}

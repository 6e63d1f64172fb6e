// Asks the API, and says in words what went wrong.

import { useCallback, useEffect, useRef, useState } from "./host.js";

const API = new URL("../../api/v1/", import.meta.url);
const HOST = new URL("../../../", import.meta.url); // Airflow's own root, with its prefix
const LIVE_MS = 3000;

export const part = encodeURIComponent;

export function address(path, query = {}) {
  const url = new URL(path, API);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
  }
  return url;
}

async function ask(path, query, signal) {
  let answer;
  try {
    answer = await fetch(address(path, query), { credentials: "same-origin", signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("Airflow does not answer. It is asked again when you press “Try again”.");
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
    const what = path.startsWith("models") ? "assets" : "this DAG’s task instances";
    throw new Error(`You may not see ${what}: ask for that right in Airflow.`);
  }
  throw new Error(words || `Airflow answers ${answer.status}.`);
}

// The answer to a question, asked again while `isLive(answer)`, but not in a hidden tab.
export function useAnswer(path, query, isLive = () => false) {
  const [state, setState] = useState({ answer: null, error: null, key: "" });
  const [turn, setTurn] = useState(0);
  const live = useRef(isLive);
  live.current = isLive;
  const key = `${path}?${JSON.stringify(query)}`;
  useEffect(() => {
    const stop = new AbortController();
    let timer;
    const again = () => {
      timer = setTimeout(() => (document.hidden ? again() : read()), LIVE_MS);
    };
    const read = async () => {
      try {
        const answer = await ask(path, query, stop.signal);
        setState({ answer, error: null, key });
        if (live.current(answer)) again();
      } catch (error) {
        if (error.name === "AbortError") return;
        // What was known stays, but never under another question.
        setState((old) => ({ answer: old.key === key ? old.answer : null, error, key }));
      }
    };
    read();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [key, turn]);
  const retry = useCallback(() => setTurn((n) => n + 1), []);
  const { answer, error } = state.key === key ? state : {};
  return { answer, error, retry };
}

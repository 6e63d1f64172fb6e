// What the user has chosen in Airflow: a time zone, and the language of the words of states.

import { HOST } from "./api.js";
import { useEffect, useState } from "./host.js";

const ZONE = "timezone"; // Airflow's keys in the browser's storage
const LANGUAGE = "i18nextLng";

// Airflow's own, of its file for English.
const ENGLISH = {
  awaiting_input: "Awaiting Input",
  deferred: "Deferred",
  failed: "Failed",
  no_status: "No Status",
  queued: "Queued",
  removed: "Removed",
  restarting: "Restarting",
  running: "Running",
  scheduled: "Scheduled",
  skipped: "Skipped",
  success: "Success",
  up_for_reschedule: "Up For Reschedule",
  up_for_retry: "Up For Retry",
  upstream_failed: "Upstream Failed",
};
let words = { language: "en", states: ENGLISH };

const asWord = (state) => (state[0].toUpperCase() + state.slice(1)).replaceAll("_", " ");

export const stateWord = (state) => words.states[state || "no_status"] ?? ENGLISH[state] ?? asWord(state);

export function zone() {
  try {
    const chosen = JSON.parse(localStorage.getItem(ZONE));
    if (chosen && Intl.DateTimeFormat("en", { timeZone: chosen })) return chosen;
  } catch {
    // What is kept there is no zone: Airflow takes the browser's, too.
  }
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

async function fetchWords(language) {
  for (const name of new Set([language, language.split("-")[0]])) {
    const answer = await fetch(new URL(`static/i18n/locales/${name}/common.json`, HOST)).catch(() => null);
    const found = answer?.ok ? await answer.json().catch(() => null) : null;
    if (found?.states) return { language, states: found.states };
  }
  return { language, states: ENGLISH };
}

// Draws the page anew when another zone or language is chosen.
export function usePreferences() {
  const [, draw] = useState(0);
  useEffect(() => {
    let gone = false;
    const again = () => gone || draw((n) => n + 1);
    const speak = async () => {
      const language = localStorage.getItem(LANGUAGE) ?? "en";
      if (language === words.language) return;
      words = language.startsWith("en") ? { language, states: ENGLISH } : await fetchWords(language);
      again();
    };
    speak();
    const watch = new MutationObserver(speak);
    watch.observe(document.documentElement, { attributes: true, attributeFilter: ["lang"] });
    const events = ["storage", "local-storage"]; // the second is Airflow's, within one tab
    for (const name of events) window.addEventListener(name, again);
    return () => {
      gone = true;
      watch.disconnect();
      for (const name of events) window.removeEventListener(name, again);
    };
  }, []);
}

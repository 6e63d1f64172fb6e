// Times of day as Airflow writes them, in the time zone that is chosen there.

import { h } from "./host.js";
import { zone } from "./preferences.js";

const FORMS = new Map();

function form(timeZone) {
  // Swedish writes as Airflow does: 2026-11-28 11:05:53.
  const made =
    FORMS.get(timeZone) ??
    Intl.DateTimeFormat("sv-SE", {
      dateStyle: "short",
      timeStyle: "medium",
      timeZone,
    });
  FORMS.set(timeZone, made);
  return made;
}

// `at`: seconds since the epoch, or ISO 8601.
const dateOf = (at) => new Date(typeof at === "number" ? at * 1000 : at);
const isNone = (at) => at === null || at === undefined;

export function moment(at) {
  return isNone(at) ? "–" : form(zone()).format(dateOf(at));
}

// The time of day alone, as precisely as a `step` in seconds asks for.
export function clock(at, step) {
  const digits = step >= 1 ? 0 : Math.min(3, Math.ceil(-Math.log10(step)));
  const [whole, rest] = [Math.floor(at), at - Math.floor(at)];
  const text = form(zone()).format(dateOf(whole)).split(" ")[1];
  return digits ? `${text}${rest.toFixed(digits).slice(1)}` : text;
}

export function Moment({ at }) {
  if (isNone(at)) return "–";
  const iso = dateOf(at).toISOString();
  return h("time", { dateTime: iso, title: `${form("UTC").format(dateOf(at))} UTC` }, moment(at));
}

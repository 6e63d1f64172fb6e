// What goes on: which runs do, and the time for them.

import { useEffect, useState } from "./host.js";

const LIVE = ["running", "queued"];
export const isLive = (run) => LIVE.includes(run.state);

// Seconds since the epoch, each second anew while something runs.
export function useNow(live) {
  const [now, set] = useState(() => Date.now() / 1000);
  useEffect(() => {
    if (!live) return undefined;
    const timer = setInterval(() => document.hidden || set(Date.now() / 1000), 1000);
    return () => clearInterval(timer);
  }, [live]);
  return now;
}

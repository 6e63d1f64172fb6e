// Which part of a run's time is looked at: by buttons, keys, the wheel with Ctrl, or a range drawn.

import { useCallback, useEffect, useRef, useState } from "./host.js";

const LEAST = 0.001; // seconds that can be looked at
const STEP = 1.6;

function within(range, whole) {
  const length = Math.min(Math.max(range.to - range.from, LEAST), whole.to - whole.from);
  const from = Math.min(Math.max(range.from, whole.from), whole.to - length);
  return { from, to: from + length };
}

// `whole`: all there is. Without a zoom, what is looked at grows with it.
export function useZoom(whole) {
  const [range, set] = useState(null);
  const view = range ? within(range, whole) : whole;
  const latest = useRef();
  latest.current = { view, whole };

  // `at`: what stays where it is, as a part of the view.
  const by = useCallback((factor, at = 0.5) => {
    const { view: old, whole: all } = latest.current;
    const length = (old.to - old.from) * factor;
    if (length >= all.to - all.from) return set(null);
    const fixed = old.from + at * (old.to - old.from);
    return set(within({ from: fixed - at * length, to: fixed + (1 - at) * length }, all));
  }, []);
  const pan = useCallback((parts) => {
    const { view: old, whole: all } = latest.current;
    const by_ = parts * (old.to - old.from);
    set((kept) => kept && within({ from: old.from + by_, to: old.to + by_ }, all));
  }, []);
  return {
    view,
    zoomed: range !== null,
    closer: (at) => by(1 / STEP, at),
    wider: (at) => by(STEP, at),
    reset: () => set(null),
    // Brings a time into view, no nearer and no farther.
    reveal: (begin, end) => {
      const length = view.to - view.from;
      const middle = (begin + Math.min(end, begin + length)) / 2;
      if (range && (begin < view.from || begin > view.to))
        set({ from: middle - length / 2, to: middle + length / 2 });
    },
    to: (a, b) => set({ from: Math.min(a, b), to: Math.max(a, b) }),
    by,
    pan,
  };
}

// The wheel with Ctrl (or a pinch, which browsers send as that) zooms; with Shift it moves.
export function useWheel(node, { by, pan, zoomed }) {
  useEffect(() => {
    const place = node.current;
    if (!place) return undefined;
    const turn = (event) => {
      const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
      const box = place.getBoundingClientRect();
      if (event.ctrlKey) by(Math.exp(event.deltaY / 300), (event.clientX - box.left) / box.width);
      else if (zoomed && sideways) pan(sideways / box.width);
      else return;
      event.preventDefault();
    };
    place.addEventListener("wheel", turn, { passive: false });
    return () => place.removeEventListener("wheel", turn);
  }, [by, pan, zoomed]);
}

const FEW = 5; // pixels that a hand shakes

// A range that a mouse or pen draws: `drawn` in pixels while it does, and what to put on its node.
// A finger scrolls, and draws only where `touch` says so.
export function useDrawnRange(done, touch = false) {
  const [drawn, draw] = useState(null);
  const begun = useRef(null);
  const x = (event) => event.clientX - event.currentTarget.getBoundingClientRect().left;
  const forget = () => {
    begun.current = null;
    draw(null);
  };
  const handlers = {
    onPointerDown: (event) => {
      if (event.button === 0 && (touch || event.pointerType !== "touch")) begun.current = x(event);
    },
    onPointerMove: (event) => {
      if (begun.current === null) return;
      const here = x(event);
      if (!drawn && Math.abs(here - begun.current) < FEW) return;
      if (!drawn) event.currentTarget.setPointerCapture(event.pointerId);
      draw([begun.current, here]);
    },
    onPointerUp: () => {
      if (drawn) done(...drawn);
      forget();
    },
    onPointerCancel: forget,
  };
  return { drawn, handlers };
}

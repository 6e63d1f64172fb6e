// What is told of the thing that is pointed at, touched or focused, beside it and within the window.

import { Box, Portal, h, useEffect, useLayoutEffect, useRef, useState } from "./host.js";

export const TOOLTIP = "podline-tooltip";
const APART = 14; // pixels from what it is about
const EDGE = 8;

// `at`: x and y in the window. `close`: by Escape.
export function Tooltip({ at, close, children }) {
  const node = useRef(null);
  const [place, move] = useState({ left: -9999, top: 0 });
  useLayoutEffect(() => {
    const { width, height } = node.current.getBoundingClientRect();
    const beside = at.x + APART + width < window.innerWidth - EDGE ? at.x + APART : at.x - APART - width;
    const below = at.y + APART + height < window.innerHeight - EDGE ? at.y + APART : at.y - APART - height;
    move({
      left: Math.max(EDGE, Math.min(beside, window.innerWidth - EDGE - width)),
      top: Math.max(EDGE, Math.min(below, window.innerHeight - EDGE - height)),
    });
  }, [at.x, at.y, children]);
  useEffect(() => {
    const press = (event) => event.key === "Escape" && close();
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, [close]);
  return h(
    Portal,
    null,
    h(
      Box,
      {
        ref: node,
        id: TOOLTIP,
        role: "tooltip",
        position: "fixed",
        style: place,
        zIndex: 2000,
        bg: "bg",
        color: "fg",
        borderWidth: "1px",
        borderRadius: "md",
        boxShadow: "lg",
        padding: 3,
        fontSize: "sm",
        maxWidth: "min(420px, calc(100vw - 16px))",
        pointerEvents: "none",
        overflowWrap: "anywhere",
      },
      children,
    ),
  );
}

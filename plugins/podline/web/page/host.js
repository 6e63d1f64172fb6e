// What the host page brings: React, its router and Chakra. Nothing is bundled, nothing is built.

const { React, ReactRouterDOM, ChakraUI } = globalThis;

export { React };
export const h = React.createElement;
export const { Fragment, memo, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } = React;
const { Link: RouterLink } = ReactRouterDOM;
export const { useNavigate, useSearchParams } = ReactRouterDOM;
export const { Alert, Box, Button, Flex, Heading, Input, Link, NativeSelect, Portal, Spinner, Text } =
  ChakraUI;

// A link within Airflow's pages. There are hundreds on a page: Chakra's own would take a fifth of a second.
export function PageLink({ style, ...rest }) {
  return h(RouterLink, { style: { color: "var(--chakra-colors-fg-info)", ...style }, ...rest });
}

// Draws what is further down after what is seen first.
export function Later({ children }) {
  const [now, set] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => requestAnimationFrame(() => set(true)));
    return () => clearTimeout(timer);
  }, []);
  return now ? children : null;
}

// How wide a node is, in pixels; 0 until that is known.
export function useWidth() {
  const node = useRef(null);
  const [width, set] = useState(0);
  useLayoutEffect(() => {
    if (!node.current) return undefined;
    set(node.current.clientWidth);
    const watch = new ResizeObserver(() => node.current && set(node.current.clientWidth));
    watch.observe(node.current);
    return () => watch.disconnect();
  }, []);
  return [node, width];
}

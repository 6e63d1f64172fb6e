// What the host page brings: React, its router and Chakra. Nothing is bundled, nothing is built.

const { React, ReactRouterDOM, ChakraUI } = globalThis;

export { React };
export const h = React.createElement;
export const { Fragment, memo, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } = React;
export const { Link: RouterLink, useNavigate, useSearchParams } = ReactRouterDOM;
export const {
  Alert, Box, Button, Flex, Heading, Input, Link, NativeSelect, Portal, Spinner, Table, Text,
} = ChakraUI;

// A link within Airflow's pages, in its own style; inline, so that what is long can be cut.
export function PageLink({ to, children, ...rest }) {
  return h(Link, { asChild: true, color: "fg.info", display: "inline", ...rest }, h(RouterLink, { to }, children));
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

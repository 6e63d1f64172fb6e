// What the host page brings: React, its router and Chakra. Nothing is bundled, nothing is built.

const { React, ReactRouterDOM, ChakraUI } = globalThis;

export { React };
export const h = React.createElement;
export const { Fragment, useCallback, useEffect, useMemo, useRef, useState } = React;
export const { Link: RouterLink, useNavigate, useSearchParams } = ReactRouterDOM;
export const { Alert, Badge, Box, Button, Flex, Heading, Input, Link, NativeSelect, Spinner, Table, Text } =
  ChakraUI;

// A link within Airflow's pages, in its own style.
export function PageLink({ to, children, ...rest }) {
  return h(Link, { asChild: true, color: "fg.info", ...rest }, h(RouterLink, { to }, children));
}

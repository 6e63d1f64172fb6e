// What a page keeps in its address: what is looked for, how it is sorted, and where it was turned to.

import { useCallback, useState } from "./host.js";

function read(defaults) {
  const query = new URLSearchParams(location.search);
  return Object.fromEntries(
    Object.entries(defaults).map(([name, value]) => [name, query.get(name) ?? value]),
  );
}

// Texts by name, and what changes some of them. A default is not written.
export function useFields(defaults) {
  const [fields, keep] = useState(() => read(defaults));
  const change = useCallback((changes) => {
    const url = new URL(location.href);
    for (const [name, value] of Object.entries(changes)) {
      if (value === defaults[name]) url.searchParams.delete(name);
      else url.searchParams.set(name, value);
    }
    // Beside the router: when its own address changes, the host mounts the page anew.
    history.replaceState(history.state, "", url);
    keep((old) => ({ ...old, ...changes }));
  }, []);
  return [fields, change];
}

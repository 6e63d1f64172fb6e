// Numbers as words.

// One way to write a length of time, wherever one stands.
export function seconds(value) {
  if (value === null || value === undefined) return "–";
  const sign = value < 0 ? "−" : "";
  const size = Math.abs(value);
  const whole = Math.round(size);
  const rest = (n, unit) => (n ? ` ${n} ${unit}` : "");
  if (whole >= 3600) {
    const minutes = Math.round(size / 60);
    return `${sign}${Math.floor(minutes / 60)} h${rest(minutes % 60, "min")}`;
  }
  if (whole >= 120) return `${sign}${Math.floor(whole / 60)} min${rest(whole % 60, "s")}`;
  if (size >= 0.9995) return `${sign}${size.toFixed(size < 10 ? 2 : 1)} s`;
  return `${sign}${(size * 1000).toFixed(size && size < 0.00995 ? 1 : 0)} ms`;
}

// How much longer, with its sign.
export function difference(value) {
  if (value === null || value === undefined) return "–";
  return value > 0 ? `+${seconds(value)}` : seconds(value);
}

export function share(value) {
  return value === null || value === undefined ? "–" : `${Math.round(value * 100)} %`;
}

// A part that may be very small.
export function portion(value) {
  return value && value < 0.01 ? `${Number((value * 100).toPrecision(1))} %` : share(value);
}

export function bytes(value) {
  if (value === null || value === undefined) return "–";
  const units = ["B", "KB", "MB", "GB", "TB"];
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit ? value.toFixed(value < 10 ? 1 : 0) : value} ${units[unit]}`;
}

export function range(found, form = seconds) {
  if (!found) return "–";
  if (found.n < 3) return `${form(found.p50)}, n = ${found.n}`;
  return `${form(found.p50)} [${form(found.p10)} – ${form(found.p90)}], n = ${found.n}`;
}

// A metric: four digits that count.
export function number(value) {
  if (value === null || value === undefined) return "–";
  return Number.isInteger(value) ? value.toLocaleString("en") : Number(value.toPrecision(4)).toString();
}

export function count(value, one, many = `${one}s`) {
  return `${value.toLocaleString("en")} ${value === 1 ? one : many}`;
}

// A parameter's value.
export function literal(value) {
  return value === undefined || value === null
    ? "–"
    : typeof value === "string"
      ? value
      : JSON.stringify(value);
}

export function instance(taskId, mapIndex) {
  return mapIndex >= 0 ? `${taskId}[${mapIndex}]` : taskId;
}

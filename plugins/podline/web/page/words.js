// Numbers as words.

export function seconds(value) {
  if (value === null || value === undefined) return "–";
  const sign = value < 0 ? "−" : "";
  const size = Math.abs(value);
  if (size >= 3600) return `${sign}${Math.floor(size / 3600)} h ${Math.round((size % 3600) / 60)} min`;
  if (size >= 120) return `${sign}${Math.floor(size / 60)} min ${Math.round(size % 60)} s`;
  if (size >= 0.9995) return `${sign}${size.toFixed(2)} s`;
  return `${sign}${(size * 1000).toFixed(size < 0.00995 ? 1 : 0)} ms`;
}

export function share(value) {
  return value === null || value === undefined ? "–" : `${Math.round(value * 100)} %`;
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

export function moment(epoch) {
  if (epoch === null || epoch === undefined) return "–";
  return new Date(epoch * 1000).toLocaleString();
}

// Of a moment in ISO 8601.
export function day(text) {
  return new Date(text).toLocaleString();
}

// A metric: four digits that count.
export function number(value) {
  if (value === null || value === undefined) return "–";
  return Number.isInteger(value) ? value.toLocaleString("en") : Number(value.toPrecision(4)).toString();
}

export function instance(taskId, mapIndex) {
  return mapIndex >= 0 ? `${taskId}[${mapIndex}]` : taskId;
}

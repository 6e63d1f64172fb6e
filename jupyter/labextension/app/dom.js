// Elements, made in one line.

const SVG = "http://www.w3.org/2000/svg";

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== undefined && value !== null) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

/** An element with attributes (`onclick` and the like are listeners) and children. */
export function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same of SVG. */
export function drawn(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

/** A colour by place, told apart from its neighbours'; the theme's own text goes beside it. */
export function colour(place) {
  return `hsl(${Math.round((place * 137.508 + 210) % 360)} 62% 48%)`;
}

/** Seconds as people read them. */
export function seconds(value) {
  if (value >= 100) return `${Math.round(value)} s`;
  return `${value.toFixed(value >= 10 ? 1 : 2)} s`;
}

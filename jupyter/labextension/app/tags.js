// A cell's tags as fields of a form, and back. What a tag means is the compiler's to say.

export const KINDS = {
  "": "goes on with the stage above",
  step: "begins a stage",
  parameters: "parameters",
  imports: "imports",
  functions: "functions",
  "pipeline-metrics": "metrics",
  skip: "is left out",
};
const NAMING = ["step", "block", "notebook"];
const KIND_WORDS = [...NAMING, ...Object.keys(KINDS), "pipeline-parameters"];
// Those that only a cell which begins a stage may have.
export const STAGE_WORDS = [
  "prev", "image", "cache", "limit", "request", "label", "annotation", "secret", "retry", "timeout",
  "ahead", "pool", "priority_weight", "max_active_tis_per_dag",
];
export const MAY_RAISE = "raises-exception";
const NAME = /^[_a-z][_a-z0-9]{0,249}$/;
const RESERVED = ["imports", "functions", "skip"];

const word = (tag) => String(tag).split(":", 1)[0];
const rest = (tag) => String(tag).slice(word(tag).length + 1);

/** What a cell's tags say, as texts. */
export function read(tags) {
  const naming = tags.find((tag) => NAMING.includes(word(tag)) && String(tag).includes(":"));
  const plain = tags.find((tag) => Object.hasOwn(KINDS, tag) || tag === "pipeline-parameters");
  const kind = tags.includes("skip") ? "skip" : naming !== undefined ? "step" : (plain ?? "");
  const fields = Object.fromEntries(STAGE_WORDS.map((name) => [name, []]));
  for (const tag of tags) if (STAGE_WORDS.includes(word(tag))) fields[word(tag)].push(rest(tag));
  const known = [...KIND_WORDS, ...STAGE_WORDS, MAY_RAISE];
  return {
    kind: kind === "pipeline-parameters" ? "parameters" : kind,
    name: naming === undefined ? "" : rest(naming),
    fields,
    mayRaise: tags.includes(MAY_RAISE),
    others: tags.filter((tag) => !known.includes(word(tag))).map(String),
  };
}

/** The tags with those of some words replaced, where the first of them stood; others stay. */
function replaced(tags, words, added) {
  const first = tags.findIndex((tag) => words.includes(word(tag)));
  const kept = tags.filter((tag) => !words.includes(word(tag)));
  kept.splice(first < 0 ? kept.length : first, 0, ...added);
  return kept;
}

/** The tags with another kind; what only a stage's cell may have goes, unless it is left out. */
export function withKind(tags, kind, name = "") {
  if (kind === "skip") return ["skip", ...tags.filter((tag) => tag !== "skip")];
  const added = kind === "step" ? [`step:${name}`] : kind ? [kind] : [];
  const found = replaced(tags, KIND_WORDS, added);
  return kind === "step" ? found : found.filter((tag) => !STAGE_WORDS.includes(word(tag)));
}

/** The tags with other values of one word. */
export function withValues(tags, name, values) {
  return replaced(tags, [name], values.map((value) => `${name}:${value}`));
}

/** The tags with or without `raises-exception`. */
export function withMayRaise(tags, may) {
  return replaced(tags, [MAY_RAISE], may ? [MAY_RAISE] : []);
}

/** The tags after a stage got another name. */
export function renamed(tags, old, name) {
  return tags.map((tag) =>
    [...NAMING, "prev"].includes(word(tag)) && rest(tag) === old ? `${word(tag)}:${name}` : tag,
  );
}

/** Why a text cannot name a stage, with the fix; nothing: it can. */
export function nameProblem(name, others) {
  if (!name) return "A stage needs a name: write one, such as train.";
  if (RESERVED.includes(name)) return `${name} is a kind of cell: choose another name.`;
  if (others.includes(name)) return `There is a stage ${name} already: choose another name.`;
  if (NAME.test(name)) return "";
  const near = name.toLowerCase().replace(/[^a-z0-9]+/g, "_").replace(/^_+|_+$/g, "");
  const fix = near ? `call it ${/^[0-9]/.test(near) ? "_" : ""}${near}` : "write one, such as train";
  return `A name has only a-z, 0-9 and _, and no digit first: ${fix}.`;
}

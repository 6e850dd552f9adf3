// @ts-check
// The state that the user controls: filters, search, and the form of lines. It is kept
// in the fragment of the address, so that reload, Back, and bookmarks work, and so that
// neither logs of servers nor Referer headers contain it.

/** @typedef {{kind: string, value: string}} Filter */

export const levelNames = ["none", "trace", "debug", "info", "warn", "error", "fatal"];
/** The groups of levels that can be switched. */
export const levelGroups = [
  { name: "error", label: "Error", levels: [5, 6] },
  { name: "warn", label: "Warn", levels: [4] },
  { name: "info", label: "Info", levels: [3] },
  { name: "debug", label: "Debug", levels: [1, 2] },
  { name: "none", label: "Other", levels: [0] },
];

export const state = {
  /** @type {Filter[]} */ filters: [],
  /** @type {Set<string>} groups that are hidden */ hidden: new Set(),
  find: "", findRe: false,
  /** @type {string[]} fields with a column of their own */ columns: [],
  zone: "local", wrap: false, fields: false, pods: false,
};

export const flags = /** @type {const} */ (["wrap", "fields", "pods"]);
const maxColumns = 8; // as many as the server returns
const listKinds = ["i", "ir", "e", "er", "src", "field", "from", "to"];

/** The filter as parameters of a request. */
export function filterParams() {
  const p = new URLSearchParams();
  for (const f of state.filters) p.append(f.kind, f.value);
  if (state.hidden.size) {
    const shown = levelGroups.filter((g) => !state.hidden.has(g.name)).flatMap((g) => g.levels.map((l) => levelNames[l]));
    p.set("level", shown.join(",") || "trace");
  }
  return p;
}

/** Adds the search, as the parameter that only marks matches or as the one that selects. */
export function addFind(/** @type {URLSearchParams} */ p, /** @type {"find"|"mark"} */ name) {
  if (state.find) p.set(name + (state.findRe ? "r" : ""), state.find);
  return p;
}

/** @param {string} [at] the place to link to */
export function toHash(at) {
  const p = new URLSearchParams();
  for (const f of state.filters) p.append(f.kind, f.value);
  if (state.hidden.size) p.set("hide", [...state.hidden].join(","));
  if (state.find) p.set(state.findRe ? "findr" : "find", state.find);
  for (const name of state.columns) p.append("col", name);
  if (state.zone !== "local") p.set("tz", state.zone);
  for (const name of flags) if (state[name]) p.set(name, "1");
  if (at) p.set("at", at);
  return "#" + p;
}

/** Reads the fragment and returns the place that it links to. */
export function fromHash() {
  const p = new URLSearchParams(location.hash.slice(1));
  state.filters = [];
  for (const [kind, value] of p) if (listKinds.includes(kind)) state.filters.push({ kind, value });
  state.hidden = new Set((p.get("hide") || "").split(",").filter(Boolean));
  state.find = p.get("findr") || p.get("find") || "";
  state.findRe = p.has("findr");
  state.columns = p.getAll("col").slice(0, maxColumns);
  state.zone = p.get("tz") || "local";
  for (const name of flags) state[name] = p.get(name) === "1";
  return p.get("at") || "";
}

/** Writes the fragment; a change of filters makes an entry in the history. @param {boolean} [entry] @param {string} [at] */
export function saveHash(entry, at) {
  const hash = toHash(at);
  if (hash === (location.hash || "#")) return;
  if (entry) history.pushState(null, "", hash);
  else history.replaceState(null, "", hash);
}

/** Adds or removes the column of a field. @param {string} name */
export function toggleColumn(name) {
  const others = state.columns.filter((c) => c !== name);
  state.columns = others.length < state.columns.length ? others : [...others, name].slice(-maxColumns);
}

/** @param {string} kind @param {string} value */
export function addFilter(kind, value) {
  if (kind === "from" || kind === "to") state.filters = state.filters.filter((f) => f.kind !== kind);
  if (!state.filters.some((f) => f.kind === kind && f.value === value)) state.filters.push({ kind, value });
}

// @ts-check
// The drawer shows everything about one line: all of its text, its fields with
// buttons that filter by them, and where it comes from.
import { $, el, toast } from "./dom.js";
import { api } from "./api.js";
import { store, row, fetchRows } from "./store.js";
import { list, draw } from "./list.js";
import { addFilter, toggleColumn } from "./state.js";
import { fillText, noteText, kinds } from "./row.js";
import { clock, day } from "./time.js";
import { copyText, copyLink } from "./copy.js";

let request = /** @type {AbortController|null} */ (null);
let changed = (/** @type {boolean} */ _filter) => {}, context = () => {};

export const drawerOpen = () => !$("drawer").hidden;

export function closeDrawer() {
  request?.abort();
  const focused = $("drawer").contains(document.activeElement);
  $("drawer").hidden = true;
  if (focused) $("list").focus();
}

const only = (/** @type {string} */ value, kind = "field") => { addFilter(kind, value); changed(true); };

/** A button with a symbol. @param {string} symbol @param {string} label @param {() => void} onclick */
const small = (symbol, label, onclick) => el("button", { class: "mini", "aria-label": label, title: label, onclick }, symbol);

/** @param {string[][]} pairs @param {(name: string, value: string, key: string) => any[]} actions key is the name in a condition */
function pairsList(pairs, actions) {
  return el("dl", { class: "kv" }, ...pairs.flatMap(([name, value, key]) => [
    el("dt", { title: name }, name),
    el("dd", {}, value),
    el("dd", { class: "acts" }, ...actions(name, value, key)),
  ]));
}

/** Shows the line with this number. @param {number} n @param {boolean} [focus] */
export async function openDrawer(n, focus) {
  request?.abort();
  const { signal } = (request = new AbortController()); // a later call replaces request
  let a;
  try {
    const r = row(n) || (await fetchRows(n, n + 1))[0];
    if (r && !signal.aborted) a = await api("line", new URLSearchParams({ seq: String(r[0]) }), signal);
  } catch (err) {
    if (!signal.aborted) toast(/** @type {Error} */ (err).message);
  }
  if (!a || signal.aborted) return;
  show(a);
  // The text, not the first button: a repeated Enter would close the line again.
  if (focus) $("drawer").querySelector(".full")?.focus();
  draw();
}

/** @param {any} a */
function show(a) {
  const [, ms, , , , kind, flags, text, parts] = a.row;
  const s = a.stream;
  const body = el("div", { class: "full", tabIndex: 0, role: "region", "aria-label": "Text of the line" });
  if (kind === kinds.log) fillText(body, text, parts);
  else body.textContent = noteText(a.row);
  const cut = flags ? el("p", { class: "note-text" }, "This is only the beginning of a longer line.") : null;
  const source = [["time", `${day(ms)} ${clock(ms)}`], ["UTC", a.time]];
  if (a.level) source.push(["level", a.level]);
  for (const [name, value] of [["namespace", s.ns], ["pod", s.pod], ["container", s.c], ["node", s.node], ["owner", a.owner], ["image", a.image]]) {
    if (value) source.push([name, value]);
  }
  if (s.pod) source.push(["restarts", String(a.restarts)]);
  const sourceActions = (/** @type {string} */ name, /** @type {string} */ value) => {
    const of = { namespace: `${value}//`, pod: `${s.ns}/${s.pod}/`, container: `${s.ns}/${s.pod}/${s.c}` }[name];
    return of ? [small("+", `Only ${name} ${value}`, () => only(of, "src")), small("−", `Without ${name} ${value}`, () => only("-" + of, "src"))] : [];
  };
  const fieldActions = (/** @type {string} */ name, /** @type {string} */ value, /** @type {string} */ key) => [
    small("+", `Only lines with ${name}=${value}`, () => only(`${key}=${value}`)),
    small("−", `Hide lines with ${name}=${value}`, () => only(`${key}!=${value}`)),
    small("▥", `Show ${name} as a column`, () => { toggleColumn(name); changed(false); }),
  ];
  $("drawer").replaceChildren(
    el("div", { class: "panelhead" }, el("h2", {}, "Line"),
      el("button", { class: "mini", "aria-label": "Close the line", onclick: closeDrawer }, "✕")),
    body, ...(cut ? [cut] : []),
    el("div", { class: "acts row2" },
      el("button", { class: "btn", onclick: () => copyText(text, "Text copied") }, "Copy"),
      el("button", { class: "btn", onclick: () => copyLink(a.row) }, "Copy link"),
      el("button", { class: "btn", title: "Show the lines around it, without filters (c)", onclick: () => context() }, "In context")),
    ...(a.fields ? [el("h3", {}, "Fields"), pairsList(a.fields, fieldActions)] : []),
    el("h3", {}, "Source"), pairsList(/** @type {[string, string][]} */ (source), sourceActions),
    ...(a.labels && Object.keys(a.labels).length
      ? [el("h3", {}, "Labels"), pairsList(Object.entries(a.labels).sort(), () => [])] : []),
  );
  $("drawer").hidden = false;
}

/** Follows the cursor while the drawer is open. */
export const followCursor = () => { if (drawerOpen() && list.cursor < store.end) openDrawer(list.cursor); };

/** @param {{changed: (filter: boolean) => void, context: () => void}} hooks */
export const startDrawer = (hooks) => { ({ changed, context } = hooks); };

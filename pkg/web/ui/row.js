// @ts-check
// A row of the list. Its elements are reused for other lines.
import { el } from "./dom.js";
import { store } from "./store.js";
import { state } from "./state.js";
import { clock, day, full, shortClock } from "./time.js";

export const kinds = { log: 0, diagnostic: 1, gap: 2, exit: 3, restart: 4 };
const flagCut = 1, flagShortened = 2;

export function newRow() {
  const time = el("time");
  const pod = el("b"), container = el("i");
  const src = el("span", { class: "src" }, pod, container);
  const cells = el("span", { class: "cells" });
  const tx = el("span", { class: "tx" });
  const node = el("div", { class: "row" }, time, src, cells, tx);
  return { node, time, src, pod, container, cells, tx, key: "", number: NaN, titled: false, /** @type {any} */ shown: undefined };
}

/** Sets the tooltips of a row, when the pointer is there. @param {ReturnType<typeof newRow>} view */
export function titleRow(view) {
  if (!view.shown) return;
  const [, ms, ns, stream] = view.shown, s = store.streams.get(stream) || {};
  view.titled = true;
  view.time.title = ms ? `${day(ms)}, ${full(ms, ns)}` : "";
  view.src.title = [s.ns, s.pod, s.c, s.node].filter(Boolean).join(" / ");
}

/** Puts a text into an element, with the classes of its parts. @param {HTMLElement} target @param {string} text @param {any[]} parts [start, length, classes, …] */
export function fillText(target, text, parts) {
  if (!parts.length) {
    target.textContent = text;
    return;
  }
  const nodes = [];
  let at = 0;
  for (let i = 0; i < parts.length; i += 3) {
    const [start, length, classes] = parts.slice(i, i + 3);
    if (start > at) nodes.push(text.slice(at, start));
    const part = text.slice(start, start + length);
    nodes.push(span(part, classes));
    at = start + length;
    // A link ends where the next part does not continue it.
    if (/\ba\b/.test(classes) && !(parts[i + 3] === at && /\ba\b/.test(parts[i + 5]))) nodes.push(link(text, parts, i));
  }
  if (at < text.length) nodes.push(text.slice(at));
  target.replaceChildren(...nodes);
}

/** @param {string} text @param {string} classes */
function span(text, classes) {
  const node = el("span", {}, text);
  const names = [];
  for (const name of classes.split(" ")) {
    if (name === "a") names.push("au");
    else if (name.startsWith("f#")) node.style.color = name.slice(1);
    else if (name.startsWith("g#")) node.style.backgroundColor = name.slice(1);
    else names.push(name);
  }
  node.className = names.join(" ");
  return node;
}

/** The arrow that opens an address. @param {string} text @param {any[]} parts @param {number} i */
function link(text, parts, i) {
  let first = i;
  while (first >= 3 && /\ba\b/.test(parts[first - 1]) && parts[first - 3] + parts[first - 2] === parts[first]) first -= 3;
  const address = text.slice(parts[first], parts[i] + parts[i + 1]);
  if (!/^https?:\/\//.test(address)) return "";
  return el("a", { class: "a", href: address, target: "_blank", rel: "noopener noreferrer", "aria-label": "Open " + address, tabIndex: -1 }, "↗");
}

/** Returns the text of a line that is not a log line, such as a gap. @param {any[]} r */
export function noteText(r) {
  const [, ms, , , , kind, , text] = r;
  switch (kind) {
    case kinds.gap: {
      const since = r[9];
      const when = since > 0 && ms > 0 ? ` between ${shortClock(since)} and ${shortClock(ms)}` : "";
      return `gap: lines${when} may be missing${text ? ": " + text : ""}`;
    }
    case kinds.exit: return "stopped" + (text ? ": " + text : "");
    case kinds.restart: return "restarted";
    default: return text;
  }
}

/** @param {ReturnType<typeof newRow>} view @param {any[]|undefined} r */
function fillCells(view, r) {
  const values = (r && r[10]) || state.columns.map(() => "");
  view.cells.replaceChildren(...values.map((/** @type {string} */ v, /** @type {number} */ i) => el("span", { class: "cell", title: `${state.columns[i]}: ${v}` }, v)));
}

/** @param {ReturnType<typeof newRow>} view @param {number} number @param {any[]|undefined} r @param {string} marks classes of the selection */
export function fillRow(view, number, r, marks) {
  view.number = number;
  const key = r ? marks + clock(r[1]) : "wait " + number;
  if (key === view.key && r === view.shown) return;
  view.key = key;
  view.shown = r;
  const { node, time, pod, container, src, tx } = view;
  if (view.titled) time.title = src.title = "";
  view.titled = false;
  node.dataset.n = String(number);
  node.id = "row" + number;
  if (state.columns.length || view.cells.children.length) fillCells(view, r);
  if (!r) {
    node.className = "row wait";
    time.textContent = pod.textContent = container.textContent = tx.textContent = "";
    return;
  }
  const [, ms, , stream, level, kind, flags, text, parts] = r;
  const s = store.streams.get(stream) || { pod: "", c: "", ns: "", color: 0 };
  node.className = "row" + (level >= 5 ? " error" : level === 4 ? " warn" : "") + marks;
  time.textContent = clock(ms);
  src.className = "src c" + s.color;
  pod.textContent = s.pod;
  container.textContent = s.c ? " " + s.c : "";
  if (kind !== kinds.log) {
    node.className += " note" + (kind === kinds.gap ? " gap" : "");
    tx.textContent = noteText(r);
    return;
  }
  fillText(tx, text, parts);
  if (flags & flagShortened) tx.append(el("span", { class: "more" }, " … longer, open the line to see all"));
  else if (flags & flagCut) tx.append(el("span", { class: "more" }, " … cut by ktail"));
}

// @ts-check
// Find marks matches and goes from one to the next. It hides nothing.
import { $, count } from "./dom.js";
import { api } from "./api.js";
import { state, filterParams, addFind, addFilter } from "./state.js";
import { store, row, takeRange } from "./store.js";
import { list, goTo, drawLane } from "./list.js";

let search = /** @type {AbortController|null} */ (null);
let changed = (/** @type {boolean} */ _filter) => {};
let timer = 0, counted = 0, due = 0;

/** The sequence number from which to search. */
function here() {
  if (list.follow) return store.seq[1];
  const r = row(Number.isNaN(list.cursor) ? list.anchor : list.cursor);
  return r ? r[0] : store.seq[0];
}

/** Searches for the next match until it is found, or only counts if dir is 0. @param {number} dir @param {Record<string, string>} [more] */
async function look(dir, more) {
  search?.abort();
  search = new AbortController();
  const signal = search.signal, after = here();
  counted = store.seq[1];
  const params = more ? filterParams() : addFind(filterParams(), "find");
  for (const [name, value] of Object.entries(more || {})) params.set(name, value);
  params.set("after", String(after));
  params.set("dir", String(dir));
  try {
    for (;;) {
      const a = await api("where", params, signal);
      if (!more) showCount(a, dir || Number(!Number.isNaN(list.cursor) && a.seq === after));
      const found = dir !== 0 && a.seq > 0;
      if (found) { takeRange(a); goTo(a.number); }
      if (found && more) return;
      if (!a.more) {
        if (dir !== 0 && !found) notFound(more ? more.next : "match", dir);
        break;
      }
      if (found) dir = 0;
    }
    if (!more) await showLane(signal);
  } catch (err) {
    if (!(/** @type {any} */ (err).status)) return; // aborted, or the poll reports it
    const c = $("findCount");
    c.textContent = /** @type {Error} */ (err).message;
    c.classList.add("bad");
  } finally {
    if (search?.signal === signal) search = null;
  }
}

/** Counts the matches again if there are new lines, at most once a second. */
export function recount() {
  if (!state.find || due || counted === store.seq[1] || $("findCount").classList.contains("bad")) return;
  due = setTimeout(() => {
    due = 0;
    if (state.find && !search) look(0);
  }, 1000);
}

/** @param {string} what @param {number} dir */
function notFound(what, dir) {
  $("status").textContent = `no ${what} ${dir > 0 ? "after" : "before"} this line`;
  if (what !== "match") return;
  const c = $("findCount");
  if (!/^0/.test(c.textContent)) c.textContent = (dir > 0 ? "last of " : "first of ") + c.textContent.replace(/^.* of /, "");
}

/** @param {any} a @param {number} dir */
function showCount(a, dir) {
  const c = $("findCount");
  c.classList.remove("bad");
  const total = count(a.total) + (a.more || a.atLeast ? "…" : "");
  c.textContent = dir !== 0 && a.index > 0 ? `${count(a.index)} of ${total}` : total;
}

/** @param {AbortSignal} signal */
async function showLane(signal) {
  const params = addFind(filterParams(), "find");
  params.set("buckets", "300");
  drawLane((await api("marks", params, signal)).counts);
}

/** Searches for the text in the box. */
export function refreshFind() {
  const on = state.find !== "";
  for (const id of ["findPrev", "findNext", "findFilter"]) $(id).disabled = !on;
  $("findRe").setAttribute("aria-pressed", String(state.findRe));
  if ($("find").value !== state.find && document.activeElement !== $("find")) $("find").value = state.find;
  if (on) return void look(0);
  search?.abort();
  $("findCount").textContent = "";
  $("findCount").classList.remove("bad");
  drawLane([]);
}

export const findNext = (/** @type {number} */ dir) => { if (state.find) look(dir); };
export const nextLevel = (/** @type {string} */ level, /** @type {number} */ dir) => look(dir, { next: level });

/** Makes the search a filter. */
export function findToFilter() {
  if (!state.find) return;
  addFilter(state.findRe ? "ir" : "i", state.find);
  state.find = $("find").value = "";
  changed(true);
}

/** @param {(filter: boolean) => void} onChanged */
export function startFind(onChanged) {
  changed = onChanged;
  const box = $("find");
  const take = () => {
    if (box.value === state.find) return;
    state.find = box.value;
    changed(false);
  };
  box.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(take, 120); });
  box.addEventListener("keydown", (/** @type {KeyboardEvent} */ e) => {
    if (e.isComposing) return;
    if (e.key === "Enter") {
      e.preventDefault();
      clearTimeout(timer);
      take();
      if (e.metaKey || e.ctrlKey) findToFilter();
      else findNext(e.shiftKey ? 1 : -1);
    } else if (e.key === "Escape") {
      e.preventDefault();
      if (box.value) { box.value = ""; take(); } else $("list").focus();
    }
  });
  $("findRe").addEventListener("click", () => { state.findRe = !state.findRe; changed(false); });
  $("findPrev").addEventListener("click", () => findNext(-1));
  $("findNext").addEventListener("click", () => findNext(1));
  $("findFilter").addEventListener("click", findToFilter);
  refreshFind();
}

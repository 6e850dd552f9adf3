// @ts-check
// The rows in memory, as pages of 256 rows of the view. The least recently used pages
// are dropped, and requested again when they are shown.
import { api } from "./api.js";
import { filterParams, addFind, state } from "./state.js";

export const pageSize = 256;
const maxPages = 24, maxFetched = 64e6;

/** @typedef {any[]} Row [seq, ms, ns, stream, level, kind, flags, text, parts, since, columns] */

export const store = {
  epoch: "", view: 0, first: 0, end: 0, searched: 0, complete: true, limited: false,
  seq: [1, 1], time: [0, 0], evicted: [0, 0], rate: [0, 0], ended: false, lines: 0, title: "", version: "", pods: 0,
  sv: 0, seen: 0, // seen: number after the last row that was there when the list stopped following
  /** @type {Map<number, any>} */ streams: new Map(),
  /** @type {Map<number, (Row|undefined)[]>} */ pages: new Map(),
  /** @type {Set<number>} */ loading: new Set(),
  /** @type {() => void} */ onRows: () => {},
  /** Is called before the numbers of rows change; same: not because of a filter. @type {(same: boolean) => void} */ onLeave: () => {},
};

let generation = 0;
/** Rows with other marks, shown until those with the new ones are there. @type {Map<number, (Row|undefined)[]>} */
let stale = new Map();

/** Forgets all rows: the filter has changed or, with keep, only the marks. @param {boolean} [keep] @param {boolean} [same] the filter is the same */
export function clearRows(keep, same = false) {
  generation++;
  if (!keep) { store.onLeave(same); store.view = 0; } // its numbers no longer mean anything
  stale = keep ? new Map([...stale, ...store.pages].slice(-maxPages)) : new Map();
  store.pages = new Map();
  store.loading.clear();
}

/** @param {Map<number, (Row|undefined)[]>} pages @param {number} n */
function at(pages, n) {
  const page = pages.get(Math.floor(n / pageSize));
  return page && page[n - Math.floor(n / pageSize) * pageSize];
}

/** @param {number} n @returns {Row|undefined} */
export const row = (n) => at(store.pages, n) || at(stale, n);

/** @param {number} first number of the first row @param {Row[]} rows */
export function putRows(first, rows) {
  rows.forEach((r, i) => {
    const p = Math.floor((first + i) / pageSize);
    let page = store.pages.get(p);
    if (!page) store.pages.set(p, page = []);
    page[first + i - p * pageSize] = r;
  });
  while (store.pages.size > maxPages) store.pages.delete(/** @type {number} */ (store.pages.keys().next().value));
}

/** The parameters of requests for rows. */
export function rowParams() {
  const p = addFind(filterParams(), "mark");
  if (state.fields) p.set("fmt", "fields");
  for (const name of state.columns) p.append("col", name);
  return p;
}

/** Takes over what an answer says about the view. Reports whether it is another one. @param {any} a */
export function takeRange(a) {
  const fresh = a.view !== store.view || (a.epoch !== undefined && a.epoch !== store.epoch);
  if (fresh && store.view) clearRows(false, true);
  if (fresh) store.seen = a.end;
  store.view = a.view;
  store.first = a.first;
  store.end = a.end;
  store.searched = a.searched;
  store.complete = a.complete;
  store.limited = !!a.limited;
  return fresh;
}

/** Requests the rows of [from, to) that are not in memory. @param {number} from @param {number} to */
export function want(from, to) {
  if (!store.view) return;
  from = Math.max(from, store.first);
  to = Math.min(to, store.end);
  for (let p = Math.floor(from / pageSize); p * pageSize < to; p++) {
    const page = store.pages.get(p);
    if (page) { // used again
      store.pages.delete(p);
      store.pages.set(p, page);
    }
    let missing = false;
    for (let n = Math.max(from, p * pageSize); n < Math.min(to, (p + 1) * pageSize) && !missing; n++) missing = !at(store.pages, n);
    if (missing && !store.loading.has(p)) load(p);
  }
}

/** @param {number} p */
async function load(p) {
  store.loading.add(p);
  const of = generation;
  const params = rowParams();
  params.set("at", String(p * pageSize));
  params.set("n", String(pageSize));
  try {
    const a = await api("lines", params);
    if (of !== generation) return;
    if (a.view === store.view && a.epoch === store.epoch) putRows(a.at, a.rows);
  } catch { /* the poll reports it */ } finally {
    if (of === generation) store.loading.delete(p);
  }
  store.onRows();
}

/** Requests the rows [from, to) that are left, with whole texts. @param {number} from @param {number} to @returns {Promise<Row[]>} */
export async function fetchRows(from, to) {
  const rows = /** @type {Row[]} */ ([]), params = filterParams(), { view, epoch } = store;
  params.set("full", "1");
  for (let n = from, size = 0; n < to;) {
    params.set("at", String(n));
    params.set("n", String(Math.min(512, to - n)));
    const a = await api("lines", params);
    if (a.view !== view || a.epoch !== epoch) throw new Error("the filter or the run has changed, try again");
    for (const r of a.rows) size += r[7].length;
    if (size > maxFetched) throw new Error(`more than ${maxFetched / 1e6} MB, download them instead`);
    rows.push(...a.rows);
    n = a.rows.length ? a.at + a.rows.length : Math.max(a.first, n + 512);
  }
  return rows;
}

// @ts-check
// Connects the parts of the page.
import { $, el, toast } from "./dom.js";
import { api } from "./api.js";
import { state, flags, fromHash, saveHash, filterParams, addFilter } from "./state.js";
import { store, clearRows, row, takeRange } from "./store.js";
import { list, setFollow, goTo, draw, moveCursor, pageBy, isVisible, renumber } from "./list.js";
import { onLive, restart, showLive, banner } from "./live.js";
import { startFilters, showFilters, showLevels } from "./filters.js";
import { startFind, refreshFind, recount, findNext, nextLevel } from "./find.js";
import { startHistogram, refreshHistogram, histogramChanged, drawHistogram } from "./hist.js";
import { startDrawer, openDrawer, closeDrawer, drawerOpen, followCursor } from "./drawer.js";
import { startPods, showPods, refreshPods } from "./pods.js";
import { startKeys, showHelp } from "./keys.js";
import { copyRows, copyLink, download, placeOf } from "./copy.js";
import { zones, zoneName, shortClock } from "./time.js";

/** The list before the numbers of rows changed, with the row n that stays in place; same: the filter stays, too. @type {typeof list & {n: number, seq: number, ms: number, epoch: string, seen: number, same: boolean}|null} */
let stay = null;
const bookmarks = /** @type {Set<number>} */ (new Set());

/** Records the place in the log before the numbers of rows change. @param {boolean} same */
function keepPlace(same) {
  const n = !list.follow && isVisible(list.cursor) ? list.cursor : list.anchor, r = row(n);
  if (list.follow) stay = null;
  else if (r) stay = { ...list, n, seq: r[0], ms: r[1], epoch: store.epoch, seen: store.seen, same };
  else if (stay) stay.same &&= same; // rows of the view before have not come, or there are none
}

/** The filter, the search or the form of the lines has changed. @param {boolean} filter */
function changed(filter) {
  saveHash(filter);
  refresh(filter);
}

/** @param {boolean} filter */
function refresh(filter) {
  showFilters();
  showOptions();
  clearRows(!filter);
  banner("");
  restart();
  histogramChanged();
  refreshFind();
  if (filter) closeDrawer();
  showPods();
  draw();
}

/** Goes back to the place after the numbers of rows have changed. */
async function anchor() {
  if (!stay || list.follow) return;
  const at = stay, run = at.epoch === store.epoch;
  await goToPlace(run ? { seq: at.seq } : { time: at.ms }, (n) => {
    if (at !== stay || list.follow) return;
    if (at.same && run) store.seen = at.seen + n - at.n;
    renumber(at, n, at.same && run);
    stay = { ...at, ...list, n, seen: store.seen, same: true };
  });
}

/** @param {Record<string, any>} place a time or a sequence number @param {(n: number) => void} [then] */
async function goToPlace(place, then = (n) => { stay = null; goTo(n); }) {
  const params = filterParams(), filter = String(params);
  for (const [name, value] of Object.entries(place)) params.set(name, value);
  try {
    let a = await api("where", params);
    while (!a.complete && !a.limited && a.searched > a.seq) a = await api("where", params);
    if (filter !== String(filterParams())) return;
    takeRange(a);
    then(Math.min(a.number, a.end - 1));
  } catch (err) {
    toast(/** @type {Error} */ (err).message);
  }
}

/** Follows a link: by sequence number if it is of this run, by time otherwise. @param {string} at */
async function goToLink(at) {
  const [seq, ms, epoch] = at.split(".");
  if (epoch === store.epoch && Number(seq) >= store.seq[0]) return goToPlace({ seq });
  if (epoch === store.epoch || Number(ms) < store.time[0]) {
    toast(`This line has left the buffer, which begins at ${shortClock(store.time[0])}`);
    if (Number(ms) < store.time[0]) return undefined;
  }
  return goToPlace({ time: ms });
}

function showOptions() {
  for (const name of flags) $(name + "Toggle").setAttribute("aria-pressed", String(state[name]));
  if (![...$("zone").options].some((o) => o.value === state.zone)) $("zone").append(el("option", { value: state.zone }, state.zone));
  $("zone").value = state.zone;
}

/** @param {(typeof flags)[number]} name */
function toggle(name) {
  state[name] = !state[name];
  saveHash(false);
  showOptions();
  if (name === "fields") { clearRows(true); restart(); }
  if (name === "pods") { showPods(); refreshPods(); }
  draw();
}

const nextZone = () => setZone(zones[(zones.findIndex(([zone]) => zone === state.zone) + 1) % zones.length][0]);

/** @param {string} zone */
function setZone(zone) {
  state.zone = zone;
  saveHash(false);
  showOptions();
  $("zone").title = zoneName();
  draw();
  drawHistogram();
}

function context() {
  const r = row(list.cursor);
  if (!r) return;
  saveHash(false, placeOf(r));
  state.filters = [];
  state.hidden.clear();
  saveHash(true, placeOf(r));
  refresh(true);
  goToPlace({ seq: r[0] });
}

/** @param {number} minutes */
function jump(minutes) {
  const r = row(list.follow ? store.end - 1 : Number.isNaN(list.cursor) ? list.anchor : list.cursor);
  if (r) goToPlace({ time: r[1] + minutes * 60000, after: r[0], dir: minutes });
}

function mark() {
  const r = row(list.cursor);
  if (!r) return;
  const had = bookmarks.delete(r[0]);
  if (!had) bookmarks.add(r[0]);
  toast(had ? "Mark removed" : "Line marked: u goes to the next mark");
}

/** @param {number} dir */
function nextMark(dir) {
  const r = row(list.cursor) || row(list.anchor);
  const seqs = [...bookmarks].sort((a, b) => a - b);
  const next = dir > 0 ? seqs.find((s) => s > r?.[0]) : seqs.reverse().find((s) => s < r?.[0]);
  if (next !== undefined) goToPlace({ seq: next });
}

function theme() {
  const dark = getComputedStyle(document.documentElement).colorScheme === "dark" ||
    (document.documentElement.dataset.theme === undefined && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("ktail-theme", dark ? "light" : "dark");
  drawHistogram();
  showPods();
}

function escape() {
  if (drawerOpen()) closeDrawer();
  else if (!Number.isNaN(list.cursor)) { list.cursor = list.mark = NaN; draw(); }
  else if (state.find) { state.find = $("find").value = ""; changed(false); }
}

function keys() {
  startKeys({
    "/": () => $("find").focus(), n: () => findNext(1), N: () => findNext(-1), "&": () => $("addText").focus(),
    e: () => nextLevel("error", 1), E: () => nextLevel("error", -1), w: () => nextLevel("warn", 1), W: () => nextLevel("warn", -1),
    j: () => { moveCursor(1); followCursor(); }, k: () => { moveCursor(-1); followCursor(); }, J: () => moveCursor(1, true), K: () => moveCursor(-1, true),
    Space: () => pageBy(1), b: () => pageBy(-1), g: () => goTo(store.first, true, 0), G: () => setFollow(true), F: () => setFollow(true),
    p: () => setFollow(!list.follow), Enter: () => { if (!Number.isNaN(list.cursor)) openDrawer(list.cursor, true); },
    c: context, y: copyRows, Y: () => copyLink(row(list.cursor)), m: mark, u: () => nextMark(1), U: () => nextMark(-1),
    "[": () => jump(-1), "]": () => jump(1), z: () => toggle("wrap"), f: () => toggle("fields"), t: nextZone, s: () => toggle("pods"),
    d: download, Escape: escape, "?": () => showHelp(store.version),
  });
}

function buttons() {
  $("live").addEventListener("click", () => setFollow(!list.follow));
  $("toEnd").addEventListener("click", () => { setFollow(true); $("list").focus(); });
  for (const name of flags) $(name + "Toggle").addEventListener("click", () => toggle(name));
  $("download").addEventListener("click", download);
  $("theme").addEventListener("click", theme);
  $("help").addEventListener("click", () => showHelp(store.version));
  $("zone").append(...zones.map(([value, label]) => el("option", { value }, label)));
  $("zone").addEventListener("change", () => setZone($("zone").value));
}

/** Starts everything but the list. @param {string} link the place that the address links to */
export function start(link) {
  buttons();
  keys();
  list.onChange = () => { showLive(); drawHistogram(); if (list.follow) restart(); };
  list.onOpen = (n) => openDrawer(n);
  startFilters(() => changed(true));
  startFind(changed);
  store.onLeave = keepPlace;
  startHistogram({
    goTime: (ms) => goToPlace({ time: ms }),
    range: (from, to) => { addFilter("from", String(from)); addFilter("to", String(to)); changed(true); },
    levels: showLevels,
  });
  startDrawer({ changed, context });
  startPods(() => changed(true));
  showFilters();
  showOptions();
  addEventListener("popstate", () => {
    const at = fromHash();
    refresh(true);
    if (at) goToLink(at);
  });
  onLive({
    anchor,
    anotherRun: () => { bookmarks.clear(); closeDrawer(); },
    update: (streams) => {
      if ($("title").textContent !== store.title) $("title").textContent = store.title;
      if (link) goToLink(link);
      link = "";
      showLive();
      refreshHistogram();
      recount();
      if (streams) showPods();
    },
    pods: refreshPods,
  });
}

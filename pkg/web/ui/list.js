// @ts-check
// The list shows a window on the log, of about sixty rows. Its position is the anchor:
// the number of the first row, and the pixels of it that are hidden. Rows may therefore
// have any height, and the heights of all other rows need not be known. The pad only
// gives the scroll bar its size. Above four million pixels, a scroll of a few pixels
// moves the anchor by the same amount, and the thumb is corrected afterwards.
import { $, fit, color, count } from "./dom.js";
import { store, row, want } from "./store.js";
import { state } from "./state.js";
import { newRow, fillRow, titleRow } from "./row.js";
import { clock, shortClock } from "./time.js";

const maxPad = 4e6;
const readAhead = 128;

export const list = {
  follow: true,
  anchor: 0, // number of the first row
  offset: 0, // pixels of it that are hidden
  cursor: NaN, // number of the selected row
  mark: NaN, // other end of the selected range
  bottom: 0, // number after the last row on the screen
  /** @type {() => void} */ onChange: () => {},
  /** @type {(n: number) => void} */ onOpen: () => {},
};

const scroller = $("list"), pad = $("pad"), box = $("box"), rows = $("rows");
const pool = /** @type {ReturnType<typeof newRow>[]} */ ([]);
let height = outerHeight, rowHeight = 20, total = 0, scheduled = false;
let lastTop = 0, settle = 0;
const narrow = matchMedia("(max-width: 720px)");

const variable = () => state.wrap || narrow.matches;
const screenful = () => Math.ceil(height / rowHeight) + 1;
/** How many pixels the scroll bar can move for each pixel of the log. */
const scale = () => Math.min(1, maxPad / Math.max(1, total * rowHeight));

/** The number of rows that a screen shows. */
export const rowsOnScreen = () => Math.min(512, screenful() + 4);

/** Draws with the next frame. */
export function draw() {
  if (!pool.length && store.end > store.first) paint(); // the first rows need not wait
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => { scheduled = false; paint(); fill(); });
}

/** @param {boolean} on */
export function setFollow(on) {
  if (on === list.follow) return;
  if (!on) anchorHere();
  list.follow = on;
  if (on) list.cursor = list.mark = NaN;
  draw();
  list.onChange();
}

/** Sets the anchor to the first row on the screen. */
function anchorHere() {
  const top = box.getBoundingClientRect().top;
  for (const view of pool) {
    if (view.node.hidden || Number.isNaN(view.number)) continue;
    const r = view.node.getBoundingClientRect();
    if (r.bottom > top) {
      list.anchor = view.number;
      list.offset = Math.max(0, top - r.top);
      return;
    }
  }
}

/** Goes to a row and selects it. @param {number} n @param {boolean} [select] @param {number} [place] where on the screen, 0 to 1 */
export function goTo(n, select = true, place = 0.33) {
  setFollow(false);
  n = clamp(n);
  if (select) { list.cursor = n; list.mark = NaN; }
  if (!select || !isVisible(n)) {
    list.anchor = variable() ? n : Math.max(store.first, n - Math.floor((screenful() - 1) * place));
    list.offset = 0;
  }
  syncBar();
  draw();
  list.onChange();
}

const clamp = (/** @type {number} */ n) => Math.max(store.first, Math.min(store.end - 1, n));

/** Scrolls by pixels. @param {number} px */
export function scrollBy(px) {
  if (list.follow && px >= 0) return;
  setFollow(false);
  list.offset += px;
  while (list.offset < 0 && list.anchor > store.first) {
    list.anchor--;
    list.offset += heightOf(list.anchor);
  }
  while (list.offset > 0 && list.anchor < store.end - 1) {
    const h = heightOf(list.anchor);
    if (list.offset < h) break;
    list.offset -= h;
    list.anchor++;
  }
  if (list.anchor <= store.first && list.offset < 0) list.offset = 0;
  draw();
}

/** @param {number} n */
function heightOf(n) {
  if (!variable()) return rowHeight;
  if (!viewOf(n)) paint();
  return viewOf(n)?.node.offsetHeight || rowHeight;
}

/** Leaves no space after the last row if there are others before it. */
function fill() {
  if (!variable() || list.follow || list.anchor <= store.first || !(space() >= 1)) return;
  if (!row(store.end - 1) || !row(Math.max(store.first, list.anchor - screenful()))) return; // their heights are unknown
  scrollBy(-space());
  paint();
  syncBar();
}

/** How many pixels of the screen are after the last row; NaN if it is not there. */
function space() {
  const r = viewOf(store.end - 1)?.node.getBoundingClientRect();
  return r ? box.getBoundingClientRect().bottom - r.bottom : NaN;
}

const viewOf = (/** @type {number} */ n) => pool.find((v) => v.number === n);

/** Takes over the numbers of another view, in which row was.n is row n. If the filter is the same, all others shift with it. @param {typeof list & {n: number}} was @param {number} n @param {boolean} same */
export function renumber(was, n, same) {
  const by = n - was.n;
  list.anchor = same || !variable() ? was.anchor + by : n;
  list.offset = was.offset;
  list.cursor = same || was.cursor === was.n ? was.cursor + by : NaN;
  list.mark = same ? was.mark + by : NaN;
  syncBar();
}

/** Makes the scroll bar as long as the log. */
function sizePad() {
  total = Math.max(0, store.end - store.first);
  pad.style.height = Math.max(height, Math.min(maxPad, total * rowHeight)) + "px";
}

/** Puts the thumb of the scroll bar where the anchor is. */
function syncBar() {
  sizePad();
  const max = pad.offsetHeight - height;
  const top = list.follow ? max : variable() && space() > -1 ? max - 4 : ((list.anchor - store.first) * rowHeight + list.offset) * scale();
  if (Math.abs(scroller.scrollTop - top) >= 1) scroller.scrollTop = top;
  lastTop = scroller.scrollTop;
}

function onScroll() {
  const top = scroller.scrollTop, delta = top - lastTop;
  if (Math.abs(delta) < 0.5) return;
  lastTop = top;
  const max = pad.offsetHeight - height;
  if (top >= max - 2 && delta > 0 && (list.bottom >= store.end - 1 || delta > 2 * height)) return setFollow(true);
  if (scale() === 1 && !variable()) { // the bar is exact
    setFollow(false);
    list.anchor = store.first + Math.floor(top / rowHeight);
    list.offset = top % rowHeight;
    draw();
  } else if (Math.abs(delta) > 2 * height || top <= 0) { // the thumb was dragged
    setFollow(false);
    list.anchor = clamp(store.first + Math.round(top / scale() / rowHeight));
    list.offset = 0;
    draw();
  } else scrollBy(delta);
  clearTimeout(settle);
  settle = setTimeout(() => { if (!list.follow) syncBar(); }, 160);
}

function resize() {
  height = scroller.clientHeight;
  rowHeight = parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--row")) || 20;
  box.style.height = height + "px";
  draw();
}

function paint() {
  if (!height || !store.view) return; // until the first answer, the rows stay as they are
  sizePad();
  box.classList.toggle("wrap", variable());
  box.classList.toggle("narrow", narrow.matches);
  box.classList.toggle("follow", list.follow && total * rowHeight > height);
  const n = Math.min(screenful() + (list.follow ? 0 : 1), total);
  if (!list.follow && total) list.anchor = Math.max(store.first, Math.min(list.anchor, Math.max(store.first, store.end - (variable() ? 1 : screenful() - 1))));
  const from = list.follow ? Math.max(store.first, store.end - n) : list.anchor;
  list.bottom = Math.min(store.end, from + n);
  want(list.follow ? from : from - readAhead, list.follow ? store.end : list.bottom + readAhead);
  while (pool.length < n) {
    const view = newRow();
    pool.push(view);
    rows.append(view.node);
  }
  const low = Math.min(list.cursor, list.mark), high = Math.max(list.cursor, list.mark);
  pool.forEach((view, i) => {
    const number = from + i;
    const hide = i >= n || number >= store.end;
    if (view.node.hidden !== hide) view.node.hidden = hide;
    if (hide) { view.number = NaN; view.key = ""; return; }
    const marks = (number === list.cursor ? " sel" : "") + (number >= low && number <= high ? " range" : "");
    fillRow(view, number, row(number), marks);
  });
  rows.style.transform = list.follow ? "" : `translateY(${-list.offset}px)`;
  if (list.follow) syncBar();
  if (!Number.isNaN(list.cursor)) scroller.setAttribute("aria-activedescendant", "row" + list.cursor);
  else scroller.removeAttribute("aria-activedescendant");
  showEdge(from);
}

/** Reports above the first row how many lines have left the buffer. @param {number} from */
function showEdge(from) {
  const gone = (store.limited || store.evicted[0] > 0 && store.complete) && from <= store.first && total > 0;
  const note = $("evicted");
  note.hidden = !gone;
  if (gone) note.textContent = store.limited ? "The filters select more lines, which are not listed: add a filter" : `${count(store.evicted[0])} earlier lines (until ${shortClock(store.evicted[1])}) have left the buffer: --web-buffer`;
}

/** Draws ticks beside the scroll bar. @param {number[]} counts for equal parts of the log */
export function drawLane(counts) {
  const { g, w, h } = fit($("lane"));
  g.fillStyle = color("--warn-fill");
  counts.forEach((n, i) => { if (n > 0) g.fillRect(0, (i * h) / counts.length, w, Math.max(2, h / counts.length)); });
}

/** Fits the column of names to the widest one. */
export function fitNames() {
  let widest = 0, longest = 0;
  for (const s of store.streams.values()) {
    widest = Math.max(widest, s.pod.length + (s.c ? s.c.length + 1 : 0));
    longest = Math.max(longest, s.pod.length);
  }
  box.style.setProperty("--src", Math.min(Math.max(widest, 8), 34) + "ch");
  scroller.classList.toggle("single", longest === 0);
}

/** Moves the cursor. @param {number} by @param {boolean} [extend] */
export function moveCursor(by, extend) {
  if (store.end === store.first) return;
  setFollow(false);
  const at = Number.isNaN(list.cursor) ? (by > 0 ? list.anchor - 1 : list.bottom) : list.cursor;
  if (extend && Number.isNaN(list.mark)) list.mark = at;
  if (!extend) list.mark = NaN;
  list.cursor = clamp(at + by);
  const px = below(list.cursor);
  if (list.cursor <= list.anchor || Number.isNaN(px)) { list.anchor = list.cursor; list.offset = 0; }
  else if (px > 0) scrollBy(px);
  syncBar();
  draw();
  list.onChange();
}

/** How many pixels to scroll down to see a row, or its start if it is higher than the screen; NaN if that is unknown. @param {number} n */
function below(n) {
  if (!variable()) return Math.ceil((n + 1 - list.anchor) - (list.offset + height) / rowHeight) * rowHeight;
  paint();
  const r = row(list.anchor) && row(n) && viewOf(n)?.node.getBoundingClientRect(), b = box.getBoundingClientRect();
  return r ? Math.min(r.bottom - b.bottom, r.top - b.top) : NaN;
}

export const isVisible = (/** @type {number} */ n) => n >= list.anchor && below(n) < 1;

/** The selected range: first, and after the last. */
export function selection() {
  if (Number.isNaN(list.cursor)) return null;
  const other = Number.isNaN(list.mark) ? list.cursor : list.mark;
  return [Math.min(list.cursor, other), Math.max(list.cursor, other) + 1];
}

/** A page up or down. @param {number} dir */
export function pageBy(dir) {
  scrollBy(dir * Math.max(rowHeight, height - 2 * rowHeight));
  syncBar();
  if (dir > 0 && list.bottom >= store.end && !variable()) setFollow(true);
}

function onClick(/** @type {MouseEvent} */ e) {
  const target = /** @type {HTMLElement} */ (e.target);
  if (target.closest("a") || String(getSelection())) return;
  const node = /** @type {HTMLElement|null} */ (target.closest(".row"));
  if (!node || !node.dataset.n) return;
  const n = Number(node.dataset.n);
  setFollow(false);
  if (e.shiftKey && !Number.isNaN(list.cursor)) list.mark = n;
  else {
    list.cursor = n;
    list.mark = NaN;
    if (!target.closest("time")) list.onOpen(n);
  }
  draw();
  list.onChange();
}

export function startList() {
  store.onRows = draw;
  scroller.addEventListener("scroll", onScroll, { passive: true });
  rows.addEventListener("click", onClick);
  rows.addEventListener("pointerover", (e) => {
    const view = pool.find((v) => v.node.contains(/** @type {Node} */ (e.target)));
    if (view) titleRow(view);
  });
  document.addEventListener("selectionchange", () => {
    const s = getSelection();
    if (list.follow && s && !s.isCollapsed && rows.contains(s.anchorNode)) setFollow(false);
  });
  new ResizeObserver(resize).observe(scroller);
  narrow.addEventListener("change", resize);
  resize();
  setInterval(() => { if (state.zone === "ago" && clock(0)) draw(); }, 1000);
}

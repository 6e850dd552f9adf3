// @ts-check
// Lines over time by level. A click goes there; a drag selects a range of time.
import { $, fit, color, count } from "./dom.js";
import { api } from "./api.js";
import { filterParams } from "./state.js";
import { store, row } from "./store.js";
import { list } from "./list.js";
import { shortClock } from "./time.js";

const buckets = 180;
/** @type {{start: number, width: number, counts: number[][], more?: boolean}} */
let data = { start: 0, width: 1, counts: [] };
let dragFrom = -1, dragTo = -1, busy = false, due = false, again = 0, timer = 0;
let onLevels = (/** @type {number[]} */ _counts) => {};

/** Requests the counts and draws them, at most once a second. The last call is not lost: no other may follow. */
export async function refreshHistogram() {
  due = true;
  clearTimeout(timer);
  const wait = again - performance.now();
  if (wait > 0) timer = setTimeout(refreshHistogram, wait);
  if (busy || wait > 0 || document.hidden) return;
  busy = true;
  due = false;
  const params = filterParams(), of = String(params);
  params.set("buckets", String(buckets));
  const a = await api("hist", params).catch(() => ({ ...data, more: false })); // the poll reports it
  busy = false;
  if (of === String(filterParams())) {
    data = a;
    again = performance.now() + (data.more ? 250 : 1000);
    drawHistogram();
    const sums = Array(7).fill(0);
    for (const c of data.counts) c.forEach((n, l) => (sums[l] += n));
    onLevels(sums);
  } else due = true;
  if (due || data.more) refreshHistogram();
}

/** Makes the next call of refreshHistogram send a request. */
export const histogramChanged = () => { again = 0; };

export function drawHistogram() {
  const canvas = $("hist");
  const { g, w, h } = fit(canvas);
  const n = data.counts.length;
  if (!n) return;
  const groups = data.counts.map((c) => [c[5] + c[6], c[4], c[0] + c[1] + c[2] + c[3]]);
  const most = Math.max(1, ...groups.map((c) => c[0] + c[1] + c[2]));
  const fills = [color("--err-fill"), color("--warn-fill"), color("--rest-fill")];
  const bar = w / n;
  groups.forEach((c, i) => {
    let y = h;
    c.forEach((v, k) => {
      if (!v) return;
      const height = Math.max(1.5, (v / most) * (h - 3));
      g.fillStyle = fills[k];
      g.fillRect(i * bar, y - height, Math.max(1, bar - 1), height);
      y -= height;
    });
  });
  drawPlace(g, w, h);
  const axis = document.querySelectorAll(".axis span");
  const end = data.start + data.width * n;
  [data.start, (data.start + end) / 2, end].forEach((t, i) => (axis[i].textContent = shortClock(t)));
  const all = groups.reduce((sum, c) => sum + c[0] + c[1] + c[2], 0), bad = groups.reduce((sum, c) => sum + c[0], 0);
  canvas.setAttribute("aria-label", `${count(all)} lines from ${shortClock(data.start)} to ${shortClock(end)}, ${count(bad)} of them errors`);
}

/** Marks the period on the screen, and the range that is being selected. @param {CanvasRenderingContext2D} g @param {number} w @param {number} h */
function drawPlace(g, w, h) {
  const span = data.width * data.counts.length;
  const x = (/** @type {number} */ ms) => ((ms - data.start) / span) * w;
  const first = row(list.follow ? Math.max(store.first, list.bottom - 40) : list.anchor), last = row(list.bottom - 1);
  g.strokeStyle = color("--accent");
  if (first && last) {
    const from = Math.max(0, x(first[1])), to = Math.min(w, x(last[1]));
    g.lineWidth = 2;
    g.strokeRect(from - 1, 1, Math.max(3, to - from), h - 2);
  }
  if (dragFrom >= 0 && Math.abs(dragTo - dragFrom) > 3) {
    g.globalAlpha = 0.2;
    g.fillStyle = color("--accent");
    g.fillRect(Math.min(dragFrom, dragTo), 0, Math.abs(dragTo - dragFrom), h);
    g.globalAlpha = 1;
  }
}

/** @param {{goTime: (ms: number) => void, range: (from: number, to: number) => void, levels: (counts: number[]) => void}} hooks */
export function startHistogram(hooks) {
  onLevels = hooks.levels;
  const canvas = $("hist"), tip = $("histTip");
  const time = (/** @type {number} */ x) => data.start + (Math.max(0, x) / canvas.clientWidth) * data.width * data.counts.length;
  canvas.addEventListener("pointerdown", (/** @type {PointerEvent} */ e) => {
    canvas.setPointerCapture(e.pointerId);
    dragFrom = dragTo = e.offsetX;
  });
  canvas.addEventListener("pointermove", (/** @type {PointerEvent} */ e) => {
    if (!data.counts.length) return;
    if (dragFrom >= 0) { dragTo = e.offsetX; drawHistogram(); }
    const i = Math.floor((e.offsetX / canvas.clientWidth) * data.counts.length);
    const c = data.counts[i];
    tip.hidden = !c;
    if (!c) return;
    const sum = c.reduce((a, b) => a + b, 0);
    tip.textContent = `${shortClock(data.start + i * data.width)}  ${count(sum)} lines` +
      (c[5] + c[6] ? `, ${count(c[5] + c[6])} errors` : "") + (c[4] ? `, ${count(c[4])} warnings` : "");
    tip.style.left = Math.max(4, Math.min(e.offsetX + 24, canvas.clientWidth - tip.offsetWidth)) + "px";
  });
  canvas.addEventListener("pointerleave", () => { tip.hidden = true; });
  canvas.addEventListener("pointerup", (/** @type {PointerEvent} */ e) => {
    if (dragFrom < 0) return;
    const from = Math.min(dragFrom, e.offsetX), to = Math.max(dragFrom, e.offsetX);
    dragFrom = -1;
    if (!data.counts.length) return;
    if (to - from > 3) hooks.range(Math.floor(time(from)), Math.ceil(time(to)));
    else hooks.goTime(Math.floor(time(from)));
  });
  new ResizeObserver(drawHistogram).observe(canvas);
}

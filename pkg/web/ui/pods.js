// @ts-check
// The panel of pods: their state, CPU, and memory. A click shows only their lines.
import { $, el, fit, color, bytes, count } from "./dom.js";
import { api } from "./api.js";
import { state } from "./state.js";
import { store } from "./store.js";
import { ago } from "./time.js";

const mostPods = 300; // on the panel; those in trouble are first
/** @type {any} */
let info = { pods: [] };
/** @type {() => void} */
let changed = () => {};

/** Summarizes the state of a pod. @param {any} p @returns {{rank: number, cls: string, text: string, sub: string, last: string}} */
export function summary(p) {
  let rank = 3, cls = "ok", text = p.reason || p.phase || "";
  const restarts = p.containers.reduce((/** @type {number} */ n, /** @type {any} */ c) => n + c.restarts, 0);
  const troubled = p.containers.find((/** @type {any} */ c) => c.state === "waiting" && c.reason && !/^(ContainerCreating|PodInitializing)$/.test(c.reason)) ||
    p.containers.find((/** @type {any} */ c) => c.state === "terminated" && !/^Completed/.test(c.reason || ""));
  if (p.gone) { rank = 4; cls = ""; text = "deleted"; }
  else if (p.deleting) { rank = 2; cls = "warn"; text = "terminating"; }
  else if (p.phase === "Failed") { rank = 0; cls = "bad"; text = p.reason || troubled?.reason || text; } // the reason of the pod explains the others
  else if (troubled) { rank = 0; cls = "bad"; text = troubled.reason || troubled.state; }
  else if (p.phase === "Succeeded") { rank = 4; cls = ""; text = "completed"; }
  else if (p.phase === "Pending") { rank = 1; cls = "warn"; text = p.containers.find((/** @type {any} */ c) => c.reason)?.reason || "pending"; }
  else if (!p.ready) { rank = 1; cls = "warn"; text = "not ready"; }
  const withLast = p.containers.filter((/** @type {any} */ c) => c.last).sort((/** @type {any} */ a, /** @type {any} */ b) => (b.lastTime || 0) - (a.lastTime || 0))[0];
  const last = withLast ? `last exit ${withLast.last}${withLast.lastTime ? ", " + ago(withLast.lastTime) : ""}` : "";
  return { rank, cls, text: text === "Running" ? "running" : text, sub: restarts ? `${restarts} restart${restarts > 1 ? "s" : ""}` : "", last };
}

/** Returns the pods of the cluster or, without a cluster, those that lines name. */
function entries() {
  if (info.pods.length) return info.pods;
  const byPod = new Map();
  for (const s of store.streams.values()) {
    if (!s.pod) continue;
    const key = s.ns + "/" + s.pod;
    if (!byPod.has(key)) byPod.set(key, { ns: s.ns, name: s.pod, unknown: true, containers: [] });
    byPod.get(key).containers.push({ name: s.c, restarts: 0 });
  }
  return [...byPod.values()];
}

/** @param {HTMLCanvasElement} canvas @param {number[]} values @param {number} limit */
function sparkline(canvas, values, limit) {
  const { g, w, h } = fit(canvas);
  const most = Math.max(limit, ...values, 1);
  if (limit) {
    g.strokeStyle = color("--err-fill");
    g.globalAlpha = 0.6;
    g.setLineDash([2, 2]);
    g.beginPath();
    g.moveTo(0, h - (limit / most) * (h - 1));
    g.lineTo(w, h - (limit / most) * (h - 1));
    g.stroke();
    g.setLineDash([]);
    g.globalAlpha = 1;
  }
  g.strokeStyle = color("--accent");
  g.lineWidth = 1.3;
  g.beginPath();
  values.forEach((v, i) => g.lineTo(values.length < 2 ? w : (i / (values.length - 1)) * w, h - 1 - (v / most) * (h - 2)));
  g.stroke();
}

/** The sum over the containers of a pod. @param {any} p @param {string} name */
const sum = (p, name) => p.containers.reduce((/** @type {number} */ n, /** @type {any} */ c) => n + (c[name] || 0), 0);

/** Samples of all containers together. @param {any} p */
function samples(p) {
  const byTime = new Map();
  for (const c of p.containers) {
    for (const s of c.samples || []) {
      const { cpu, mem } = byTime.get(s.t) || { cpu: 0, mem: 0 };
      byTime.set(s.t, { t: s.t, cpu: cpu + s.cpu, mem: mem + s.mem });
    }
  }
  return [...byTime.values()].sort((a, b) => a.t - b.t);
}

/** @param {any} p */
function usage(p) {
  const all = samples(p);
  if (!all.length) return p.unknown || info.metrics || p.gone ? [] : [el("span", { class: "sub" }, "no CPU and memory sample")];
  const last = all[all.length - 1];
  const old = Date.now() - last.t > 90000 ? ` (${ago(last.t)})` : "";
  const line = (/** @type {string} */ name, /** @type {number[]} */ values, /** @type {string} */ now, /** @type {number} */ limit, /** @type {string} */ of) => {
    const canvas = /** @type {HTMLCanvasElement} */ (el("canvas", { "aria-hidden": "true" }));
    requestAnimationFrame(() => canvas.isConnected && sparkline(canvas, values, limit));
    return [el("span", {}, name), canvas, el("span", {}, now + (limit ? " / " + of : "") + old)];
  };
  const cpuLimit = sum(p, "cpuLim") || sum(p, "cpuReq"), memLimit = sum(p, "memLim") || sum(p, "memReq");
  return [el("span", { class: "usage" },
    ...line("cpu", all.map((s) => s.cpu), last.cpu + "m", cpuLimit, cpuLimit + "m"),
    ...line("mem", all.map((s) => s.mem), bytes(last.mem), memLimit, bytes(memLimit)))];
}

/** @param {any} p */
const sourceOf = (p) => `${p.ns}/${p.name}/`;

/** @param {any} p @param {MouseEvent} e */
function choose(p, e) {
  const value = sourceOf(p);
  const chosen = state.filters.some((f) => f.kind === "src" && f.value === value);
  const others = state.filters.filter((f) => f.kind !== "src");
  if (e.altKey) state.filters.push({ kind: "src", value: "-" + value });
  else if (chosen) state.filters = state.filters.filter((f) => f.kind !== "src" || f.value !== value);
  else if (e.shiftKey) state.filters.push({ kind: "src", value });
  else state.filters = [...others, { kind: "src", value }];
  changed();
}

/** Draws the panel. */
export function showPods() {
  const panel = $("pods");
  panel.hidden = !state.pods;
  if (!state.pods) return;
  const focused = /** @type {HTMLElement|null} */ (document.activeElement)?.dataset?.pod;
  const pods = entries().map((/** @type {any} */ p) => ({ p, s: p.unknown ? { rank: 3, cls: "", text: "", sub: "", last: "" } : summary(p) }))
    .sort((/** @type {any} */ a, /** @type {any} */ b) => a.s.rank - b.s.rank || (a.p.ns + a.p.name < b.p.ns + b.p.name ? -1 : 1));
  panel.replaceChildren(
    el("div", { class: "panelhead" }, el("h2", {}, `${count(all.length)} pod${all.length === 1 ? "" : "s"}`),
      el("button", { class: "mini", "aria-label": "Close the pods", onclick: () => { state.pods = false; changed(); $("podsToggle").focus(); } }, "✕")),
    ...pods.slice(0, mostPods).map(({ p, s }) => el("button", {
      class: "pod", "data-pod": sourceOf(p), onclick: (/** @type {MouseEvent} */ e) => choose(p, e),
      "aria-pressed": String(state.filters.some((f) => f.kind === "src" && f.value === sourceOf(p))),
      title: "Click: show only this pod · Shift-click: add it · Alt-click: exclude it" + (p.node ? `\n${p.owner || ""} on ${p.node}` : ""),
    },
    el("span", { class: "name" }, el("span", { class: "state " + s.cls }), el("span", {}, p.name), el("em", {}, [s.text, s.sub].filter(Boolean).join(" · "))),
    ...(s.last ? [el("span", { class: "sub" + (s.rank === 0 ? " bad" : "") }, s.last)] : []),
    ...(p.containers.length > 1 ? [el("span", { class: "sub" }, p.containers.map((/** @type {any} */ c) => c.name).join(", "))] : []),
    ...usage(p))),
    ...(pods.length > mostPods ? [el("p", { class: "note-text" }, `and ${pods.length - mostPods} more`)] : []),
    ...(info.metrics ? [el("p", { class: "note-text" }, info.metrics)] : []),
  );
  if (focused) /** @type {HTMLElement|null} */ (panel.querySelector(`[data-pod="${CSS.escape(focused)}"]`))?.focus();
}

/** Requests the state of the pods. */
export async function refreshPods() {
  if (!state.pods) return;
  info = await api("pods").catch(() => info);
  info.pods ||= [];
  showPods();
}

/** @param {() => void} onChanged */
export function startPods(onChanged) {
  changed = onChanged;
  refreshPods();
}

// @ts-check
// The panel of pods: their state, CPU, and memory. A click shows only their lines.
import { $, el, bytes, count } from "./dom.js";
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

/** A line of values over time, and a dashed one at the limit. Hundreds of canvases would take half a second. @param {number[]} values @param {number} limit */
function sparkline(values, limit) {
  const most = Math.max(limit, ...values, 1), step = 64 / Math.max(1, values.length - 1), y = (/** @type {number} */ v) => (13 - (v / most) * 12).toFixed(1);
  const make = (/** @type {string} */ tag, /** @type {Record<string, string>} */ attributes) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  };
  const svg = make("svg", { viewBox: "0 0 64 14", "aria-hidden": "true" });
  if (limit) svg.append(make("path", { class: "limit", d: `M0 ${y(limit)}H64` }));
  svg.append(make("path", { d: "M" + values.map((v, i) => `${(i * step).toFixed(1)} ${y(v)}`).join("L") }));
  return svg;
}

/** The sum over the running containers of a pod; 0 unless each has one. @param {any} p @param {string} name */
const sum = (p, name) => (p.containers.every((/** @type {any} */ c) => c.state !== "running" || c[name])
  ? p.containers.reduce((/** @type {number} */ n, /** @type {any} */ c) => n + (c.state === "running" ? c[name] : 0), 0) : 0);

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

/** The latest figures, gray when two are overdue; nothing when five are. @param {any} p */
function usage(p) {
  const all = samples(p), last = all.at(-1), age = last ? Date.now() - last.t : 0;
  const every = Math.max(15000, all.length > 1 ? last.t - all[all.length - 2].t : 0);
  if (!last || age > 5 * every) return p.unknown || info.metrics || p.gone ? [] : [el("span", { class: "sub" }, "no CPU and memory sample")];
  const old = age > 2 * every ? ` (${ago(last.t)})` : "";
  const line = (/** @type {string} */ name, /** @type {number[]} */ values, /** @type {string} */ now, /** @type {number} */ limit, /** @type {string} */ of) =>
    [el("span", {}, name), sparkline(values, limit), el("span", {}, now + (limit ? " / " + of : "") + old)];
  const cpuLimit = sum(p, "cpuLim") || sum(p, "cpuReq"), memLimit = sum(p, "memLim") || sum(p, "memReq");
  return [el("span", { class: "usage" + (old ? " old" : "") },
    ...line("cpu", all.map((s) => s.cpu), last.cpu + "m", cpuLimit, cpuLimit + "m"),
    ...line("mem", all.map((s) => s.mem), bytes(last.mem), memLimit, bytes(memLimit)))];
}

/** @param {any} p */
const sourceOf = (p) => `${p.ns}/${p.name}/`;

/** @param {string} value @param {MouseEvent} e */
function choose(value, e) {
  const chosen = state.filters.some((f) => f.kind === "src" && f.value === value);
  const others = state.filters.filter((f) => f.kind !== "src");
  if (e.altKey) state.filters.push({ kind: "src", value: "-" + value });
  else if (chosen) state.filters = state.filters.filter((f) => f.kind !== "src" || f.value !== value);
  else if (e.shiftKey) state.filters.push({ kind: "src", value });
  else state.filters = [...others, { kind: "src", value }];
  changed();
}

/** The button of a pod, which stays the same, so that it keeps the focus. @param {{p: any, s: ReturnType<typeof summary>}} entry */
function podButton({ p, s }) {
  const id = sourceOf(p), late = p.containers.some((/** @type {any} */ c) => c.samples && Date.now() - c.samples.at(-1).t > 30000);
  const b = $("podList").querySelector(`[data-pod="${CSS.escape(id)}"]`) ||
    el("button", { class: "pod", "data-pod": id, onclick: (/** @type {MouseEvent} */ e) => choose(id, e) });
  b.setAttribute("aria-pressed", String(state.filters.some((f) => f.kind === "src" && f.value === id)));
  b.title = "Click: show only this pod · Shift-click: add it · Alt-click: exclude it" + (p.node ? `\n${p.owner || ""} on ${p.node}` : "");
  if (b.pod === p && b.last === s.last && !late) return b; // nothing has changed
  Object.assign(b, { pod: p, last: s.last });
  b.replaceChildren(
    el("span", { class: "name" }, el("span", { class: "state " + s.cls }), el("span", {}, p.name), el("em", {}, [s.text, s.sub].filter(Boolean).join(" · "))),
    ...(s.last ? [el("span", { class: "sub" + (s.rank === 0 ? " bad" : "") }, s.last)] : []),
    ...(p.containers.length > 1 ? [el("span", { class: "sub" }, p.containers.map((/** @type {any} */ c) => c.name).join(", "))] : []),
    ...usage(p));
  return b;
}

let timer = 0;
/** Draws the panel, and again after a while, because it shows ages. A button that is pressed must stay until the click. */
export function showPods() {
  const panel = $("pods"), rows = $("podList"), focused = /** @type {any} */ (document.activeElement), pressed = panel.matches(":active");
  panel.hidden = !state.pods;
  clearTimeout(timer);
  if (!state.pods) return;
  timer = setTimeout(showPods, pressed ? 100 : 5000);
  if (pressed) return;
  const pods = entries().map((/** @type {any} */ p) => ({ p, s: p.unknown ? { rank: 3, cls: "", text: "", sub: "", last: "" } : summary(p) }))
    .sort((/** @type {any} */ a, /** @type {any} */ b) => a.s.rank - b.s.rank || (a.p.ns + a.p.name < b.p.ns + b.p.name ? -1 : 1));
  const buttons = pods.slice(0, mostPods).map(podButton), more = pods.length - buttons.length;
  $("podCount").textContent = `${count(pods.length)} pod${pods.length === 1 ? "" : "s"}`;
  $("podNote").textContent = [more && `and ${count(more)} more`, info.metrics].filter(Boolean).join(". ");
  if (buttons.length !== rows.children.length || buttons.some((b, i) => b !== rows.children[i])) rows.replaceChildren(...buttons);
  if (rows.contains(focused)) focused.focus({ preventScroll: true });
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
  $("podsClose").onclick = () => { $("podsToggle").click(); $("podsToggle").focus(); };
  refreshPods();
}

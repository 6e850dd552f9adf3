// @ts-check
// The poll: the page asks for the end of the log, gets an answer as soon as there are
// new lines, draws, and asks again, at most ten times a second, and less often if there
// are more lines than anyone can read. After a broken connection, there is nothing to
// resume, because each answer is complete.
import { $, count } from "./dom.js";
import { api, ownToken } from "./api.js";
import { store, takeRange, putRows, rowParams } from "./store.js";
import { list, draw, fitNames, rowsOnScreen } from "./list.js";
import { shortClock } from "./time.js";

const everyMs = 100, busyMs = 150, pausedMs = 500;

let poll = /** @type {AbortController|null} */ (null);
let after = 0, lost = false;
/** @type {{anchor: () => Promise<void>, anotherRun: () => void, update: (streams: boolean) => void, pods: () => void}|undefined} */
let hooks;

/** Polls again at once, for example after a change of the filter. */
export function restart() {
  after = 0;
  poll?.abort();
  wake();
}

let wake = () => {};
/** Waits, at most until restart is called. @param {number} ms */
const sleep = (ms) => new Promise((done) => {
  wake = () => done(undefined);
  setTimeout(wake, ms);
});
const visibilityChange = () => new Promise((done) => {
  document.title = "ktail (asleep)";
  document.addEventListener("visibilitychange", done, { once: true });
});

/** Sets what is called after answers, and calls it for those that have arrived. @param {NonNullable<typeof hooks>} h */
export function onLive(h) {
  hooks = h;
  if (store.view) h.update(true);
}

/** Polls for good. @param {() => void} answered is called after the first answer, or error */
export async function startLive(answered) {
  let wait = 250, first = true;
  for (;;) {
    while (document.hidden) await visibilityChange();
    const started = performance.now(), end = store.end;
    poll = new AbortController();
    let again = 0;
    try {
      again = await ask(poll.signal);
      wait = 250;
    } catch (err) {
      if (poll.signal.aborted) continue;
      failed(err);
      await sleep(wait);
      wait = Math.min(wait * 2, 5000);
      continue;
    } finally {
      if (first) answered();
      first = false;
    }
    const pause = Math.max(again, !list.follow && store.complete ? pausedMs : store.end - end > rowsOnScreen() ? busyMs : everyMs);
    await sleep(Math.max(store.complete ? 0 : 10, pause - (performance.now() - started)));
  }
}

/** Polls once. Returns the minimum delay of the next poll in milliseconds. @param {AbortSignal} signal @returns {Promise<number>} */
async function ask(signal) {
  const params = rowParams();
  params.set("after", String(after));
  params.set("wait", "10");
  params.set("sv", String(store.sv));
  params.set("pv", String(store.pods));
  if (list.follow) params.set("rows", String(rowsOnScreen()));
  const a = await api("live", params, signal);
  if (lost) { lost = false; banner(""); }
  if (store.epoch && a.epoch !== store.epoch) anotherRun();
  const fresh = takeRange(a);
  store.epoch = a.epoch;
  Object.assign(store, { seq: a.seq, time: a.time, evicted: a.evicted, rate: a.rate, ended: !!a.ended, lines: a.lines, sv: a.sv });
  if (a.title) store.title = a.title;
  if (a.version) store.version = a.version;
  for (const s of a.streams || []) store.streams.set(s.id, s);
  if (a.streams) fitNames();
  after = a.seq[1];
  if (a.rows) putRows(a.end - a.rows.length, a.rows);
  if (a.pods && a.pods !== store.pods) { store.pods = a.pods; hooks?.pods(); }
  if (fresh) await hooks?.anchor();
  draw();
  hooks?.update(!!a.streams);
  return a.again || 0;
}

function anotherRun() {
  store.streams.clear();
  store.sv = 0;
  list.cursor = list.mark = NaN;
  hooks?.anotherRun();
  banner(`ktail was restarted: its earlier lines (${shortClock(store.time[0])} to ${shortClock(store.time[1])}) are no longer available.`);
  setTimeout(() => { if (!lost) banner(""); }, 10000);
}

/** Shows an error. @param {any} err */
function failed(err) {
  lost = true;
  if (err.status === 400) return banner(err.message, true);
  state("lost", err.status === 401 ? "no access" : "connection lost");
  if (err.status !== 401) return banner("The connection to ktail is lost: it has ended, or the port is no longer forwarded. Trying again.", true);
  return banner(ownToken() ? "This page belongs to another run of ktail. Open the address that ktail has printed."
    : "This link contains no token. Open the address that ktail has printed in this browser first.", true);
}

/** @param {string} message @param {boolean} [bad] */
export function banner(message, bad) {
  const b = $("banner");
  b.hidden = !message;
  b.classList.toggle("bad", !!bad);
  if (b.textContent !== message) b.textContent = message;
}

/** @param {string} name @param {string} text */
function state(name, text) {
  const button = $("live");
  button.dataset.state = name;
  button.setAttribute("aria-pressed", String(name === "live"));
  if ($("liveText").textContent !== text) $("liveText").textContent = text;
}

let told = 0;

/** Shows whether the list follows the log, and the rate of lines. */
export function showLive() {
  if (lost) return;
  const [lines, errors] = store.rate;
  const rate = $("rate");
  const busy = list.follow && lines > 200 ? `, showing the newest ${Math.min(rowsOnScreen() - 4, store.end - store.first)}` : "";
  rate.replaceChildren(store.ended ? `${count(store.lines)} lines` : `${count(lines)} lines/s${busy}`);
  if (errors >= 0.5 && !store.ended) {
    const b = document.createElement("b");
    b.textContent = `${count(errors)} errors/s`;
    rate.append(" · ", b);
  }
  if (list.follow) {
    state("live", store.ended ? "all lines read" : "live");
    store.seen = store.end;
  } else state("paused", "paused");
  const fresh = store.end - store.seen;
  const button = $("toEnd");
  button.hidden = list.follow || store.end === store.first;
  const text = fresh > 0 ? `${count(fresh)} new lines ↓` : "Newest ↓";
  if (button.textContent !== text) button.textContent = text;
  if (!list.follow && fresh > 0 && Date.now() - told > 5000) {
    told = Date.now();
    $("status").textContent = `paused, ${count(fresh)} new lines`;
  }
  const title = (list.follow ? "" : "❚❚ ") + (store.title || "ktail");
  if (document.title !== title) document.title = title;
  const empty = $("empty");
  empty.hidden = store.end !== store.first;
  if (!empty.hidden) empty.textContent = emptyText();
}

function emptyText() {
  if (!store.complete) return "Searching…";
  if (store.seq[1] > store.seq[0]) return "No line matches the filters.";
  return store.ended ? "There are no lines." : "Waiting for lines…";
}

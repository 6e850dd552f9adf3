// @ts-check
// Times, in the selected time zone. Times are in milliseconds, the precision of Date;
// the nanoseconds below are passed separately.
import { state } from "./state.js";

export const zones = [
  ["local", "Local time"], ["UTC", "UTC"], ["America/New_York", "New York"], ["America/Los_Angeles", "Los Angeles"],
  ["Europe/London", "London"], ["Europe/Berlin", "Berlin"], ["Asia/Kolkata", "India"], ["Asia/Shanghai", "Shanghai"],
  ["Asia/Tokyo", "Tokyo"], ["ago", "Ago"], ["off", "No times"],
];

/** The zone that Intl calls so; undefined is local time. */
const zoneOf = () => (["local", "ago", "off"].includes(state.zone) ? undefined : state.zone);

/** @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map();

/** @param {Intl.DateTimeFormatOptions} options */
function format(options) {
  const zone = zoneOf();
  const name = JSON.stringify([zone, options]);
  let f = formats.get(name);
  if (!f) {
    try {
      f = new Intl.DateTimeFormat("en-GB", { ...options, timeZone: zone, hourCycle: "h23" });
    } catch { // an unknown zone in a link
      state.zone = "local";
      return format(options);
    }
    formats.set(name, f);
  }
  return f;
}

const clockOptions = /** @type {const} */ ({ hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 });
const dateOptions = /** @type {const} */ ({ month: "short", day: "numeric" });
const dayOptions = /** @type {const} */ ({ weekday: "short", year: "numeric", month: "short", day: "numeric" });

/** The time of day, by Date where it knows the zone: Intl takes 50 ms when it is first used. @param {number} ms */
function timeOfDay(ms) {
  const zone = zoneOf(), t = new Date(ms);
  if (zone && zone !== "UTC") return format(clockOptions).format(t);
  if (!zone) t.setTime(ms - t.getTimezoneOffset() * 60000);
  return t.toISOString().slice(11, -1);
}

/** The time of a row. @param {number} ms */
export function clock(ms) {
  if (state.zone === "off") return "";
  return state.zone === "ago" ? ago(ms) : timeOfDay(ms);
}

/** A time of day in seconds, with the date if it is half a day away. @param {number} ms */
export const shortClock = (ms) => (Math.abs(Date.now() - ms) > 43200000 ? format(dateOptions).format(ms) + " " : "") + timeOfDay(ms).slice(0, 8);
/** @param {number} ms */
export const day = (ms) => format(dayOptions).format(ms);

/** @param {number} ms */
export function ago(ms) {
  const s = Math.max(0, (Date.now() - ms) / 1000);
  if (s < 60) return s.toFixed(0) + "s ago";
  if (s < 3600) return Math.floor(s / 60) + "m" + Math.floor(s % 60) + "s ago";
  if (s < 86400) return Math.floor(s / 3600) + "h" + Math.floor((s % 3600) / 60) + "m ago";
  return Math.floor(s / 86400) + "d" + Math.floor((s % 86400) / 3600) + "h ago";
}

/** RFC 3339 in UTC with nine digits. @param {number} ms @param {number} ns nanoseconds below */
export const full = (ms, ns) => new Date(ms).toISOString().slice(0, -1) + String(ns).padStart(6, "0") + "Z";

export const zoneName = () => (state.zone !== "local" ? state.zone : Intl.DateTimeFormat().resolvedOptions().timeZone || "local");

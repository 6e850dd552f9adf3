// @ts-check
// Copying and downloading.
import { toast, count } from "./dom.js";
import { api } from "./api.js";
import { store, row, fetchRows } from "./store.js";
import { selection } from "./list.js";
import { filterParams, toHash } from "./state.js";
import { full } from "./time.js";

const maxCopied = 50000;

/** @param {string} text @param {string} done */
export async function copyText(text, done) {
  try {
    await navigator.clipboard.writeText(text);
    toast(done);
  } catch (err) {
    toast("Copying failed: " + /** @type {Error} */ (err).message);
  }
}

/** A line as the terminal prints it. @param {any[]} r */
function printed(r) {
  const s = store.streams.get(r[3]);
  return (s && s.pod ? `${s.pod} ${s.c} ` : "") + r[7];
}

/** Copies the selected rows. The text may have to be fetched first, so it is promised. */
export async function copyRows() {
  const range = selection();
  if (!range) {
    toast("Select a line first: click its time");
    return;
  }
  const [from, to] = range;
  if (to - from > maxCopied) {
    toast(`More than ${count(maxCopied)} lines: download them instead`);
    return;
  }
  const text = fetchRows(from, to).then((rows) => rows.filter((r) => r[5] === 0).map(printed).join("\n") + "\n");
  try {
    await navigator.clipboard.write([new ClipboardItem({ "text/plain": text.then((t) => new Blob([t], { type: "text/plain" })) })]);
    toast(to - from === 1 ? "Line copied" : `${count(to - from)} lines copied`);
  } catch (err) {
    toast("Copying failed: " + /** @type {Error} */ (err).message);
  }
}

/** The place of a line in a link. @param {any[]} r */
export const placeOf = (r) => `${r[0]}.${r[1]}.${store.epoch}`;

/** Copies a link to a line, without the token. @param {number} n */
export function copyLink(n) {
  const r = row(n);
  if (!r) return;
  const link = `${location.origin}/${toHash(placeOf(r))}`;
  copyText(`${link}\n# ktail ${store.title}, ${full(r[1], r[2])}\n`, "Link copied. It contains no token, so it works only for those who have access to this page");
}

/** Downloads what the filters show. @param {string} [as] */
export async function download(as = "text") {
  try {
    const { ticket } = await api("ticket", undefined, undefined, "POST");
    const params = filterParams();
    params.set("ticket", ticket);
    params.set("as", as);
    const a = document.createElement("a");
    a.href = "/download?" + params;
    a.download = "";
    document.body.append(a);
    a.click();
    a.remove();
  } catch (err) {
    toast("Download failed: " + /** @type {Error} */ (err).message);
  }
}

// @ts-check
// Copying and downloading.
import { toast, count } from "./dom.js";
import { api } from "./api.js";
import { store, fetchRows } from "./store.js";
import { selection } from "./list.js";
import { filterParams, toHash } from "./state.js";
import { full } from "./time.js";

const maxCopied = 50000;

/** @param {() => Promise<string>} write returns what it has copied */
async function copy(write) {
  try {
    toast(await write());
  } catch (err) {
    toast("Copying failed: " + /** @type {Error} */ (err).message);
  }
}

/** @param {string} text @param {string} done */
export const copyText = (text, done) => copy(() => navigator.clipboard.writeText(text).then(() => done));

/** A line as the terminal prints it. @param {any[]} r */
function printed(r) {
  const s = store.streams.get(r[3]);
  return (s && s.pod ? `${s.pod} ${s.c} ` : "") + r[7];
}

/** Copies the selected rows. The text may have to be fetched first, so it is promised. */
export async function copyRows() {
  const range = selection();
  if (!range) return toast("Select a line first: click its time");
  const [from, to] = range;
  if (to - from > maxCopied) return toast(`More than ${count(maxCopied)} lines: download them instead`);
  let done = "";
  const text = fetchRows(from, to).then((rows) => {
    const lines = rows.filter((r) => r[5] === 0), gone = to - from - rows.length;
    done = `${count(lines.length)} line${lines.length === 1 ? "" : "s"} copied${gone ? `, ${count(gone)} had left the buffer` : ""}`;
    return new Blob([lines.map(printed).join("\n") + "\n"], { type: "text/plain" });
  });
  // An error of the text says more than that of the clipboard.
  return copy(() => Promise.all([text, navigator.clipboard.write([new ClipboardItem({ "text/plain": text })])]).then(() => done));
}

/** The place of a line in a link. @param {any[]} r */
export const placeOf = (r) => `${r[0]}.${r[1]}.${store.epoch}`;

/** Copies a link to a line, without the token. @param {any[]|undefined} r */
export function copyLink(r) {
  if (!r) return;
  const link = `${location.origin}/${toHash(placeOf(r))}`;
  copyText(`${link}\n# ktail ${store.title}, ${full(r[1], r[2])}\n`, "Link copied. It contains no token, so it works only for those who have access to this page");
}

/** Downloads what the filters show. */
export async function download() {
  try {
    const { ticket } = await api("ticket", undefined, undefined, "POST");
    const params = filterParams();
    params.set("ticket", ticket);
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

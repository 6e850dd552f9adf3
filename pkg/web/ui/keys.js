// @ts-check
// The keyboard. Single keys do nothing while a text is typed, and can be turned off.
import { $, el } from "./dom.js";

const offKey = "ktail-keys-off";

/** @type {[string[], string][]} */
const helpText = [
  [["/"], "find"], [["n", "N"], "next, previous match"], [["&"], "filter"], [["e", "E"], "next, previous error"],
  [["w", "W"], "next, previous warning"], [["j", "k"], "next, previous line (also ↑ ↓; Shift selects)"],
  [["Space", "b"], "page down, up"], [["g", "G"], "oldest, newest line"], [["F", "p"], "follow, pause"],
  [["Enter"], "open the line"], [["c"], "line in context, without filters"], [["y", "Y"], "copy lines, copy link"],
  [["m", "u", "U"], "mark; next, previous mark"], [["[", "]"], "a minute back, forward"], [["z"], "wrap"],
  [["f"], "fields"], [["t"], "times"], [["s"], "pods"], [["d"], "download"], [["Esc"], "close, deselect"], [["?"], "this help"],
];

const typing = (/** @type {any} */ t) => t instanceof HTMLInputElement && t.type !== "checkbox" || t instanceof HTMLSelectElement || t instanceof HTMLTextAreaElement;

/** @param {string} version */
export function showHelp(version) {
  const dialog = $("helpDialog");
  const off = el("input", {
    type: "checkbox", checked: localStorage.getItem(offKey) !== "1",
    onchange: () => localStorage.setItem(offKey, off.checked ? "0" : "1"),
  });
  dialog.replaceChildren(
    el("h2", { id: "helpTitle" }, "Keyboard"),
    el("dl", { class: "keys" }, ...helpText.map(([keys, text]) => el("div", {},
      el("dt", {}, ...keys.flatMap((k, i) => [i ? " " : "", el("kbd", {}, k)])), el("dd", {}, text)))),
    el("p", {}, el("label", {}, off, " Enable single-key shortcuts")),
    el("p", { class: "note-text" }, "A search without capital letters ignores case. Regular expressions have the syntax of Go (RE2), as in ktail -i. " +
      "Click a line to see all of it; click its time, then Shift-click another, to select lines. ktail " + version),
    el("button", { class: "btn", onclick: () => dialog.close() }, "Close"));
  dialog.showModal();
}

/** @param {Record<string, () => void>} actions by key */
export function startKeys(actions) {
  let found = 0;
  document.addEventListener("keydown", (e) => {
    if (e.isComposing || e.defaultPrevented || $("helpDialog").open) return;
    if ((e.ctrlKey || e.metaKey) && !e.altKey && e.key === "f" && !e.shiftKey) {
      if (document.activeElement === $("find") && Date.now() - found < 5000) return; // the second one is the browser's
      found = Date.now();
      e.preventDefault();
      $("find").focus();
      $("find").select();
      return;
    }
    if ((e.ctrlKey || e.metaKey) && e.key === "c" && !String(getSelection()) && !typing(e.target)) {
      actions.y();
      return;
    }
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if (typing(e.target)) {
      if (e.key === "Escape") $("list").focus();
      return;
    }
    const onButton = e.target instanceof HTMLButtonElement || e.target instanceof HTMLAnchorElement;
    if (onButton && (e.key === "Enter" || e.key === " ")) return;
    const name = { " ": "Space", ArrowDown: e.shiftKey ? "J" : "j", ArrowUp: e.shiftKey ? "K" : "k", PageDown: "Space", PageUp: "b", Home: "g", End: "G" }[e.key] || e.key;
    if (e.key.length === 1 && localStorage.getItem(offKey) === "1") return;
    const action = actions[name];
    if (!action) return;
    e.preventDefault();
    action();
  });
}

// @ts-check
// Filters hide lines. They are chips; each can be removed.
import { $, el, count } from "./dom.js";
import { api } from "./api.js";
import { state, levelGroups, addFilter, filterParams, toggleColumn, saveHash } from "./state.js";
import { clock } from "./time.js";

let changed = () => {};

const words = {
  i: "contains", e: "does not contain", ir: "matches", er: "does not match", src: "", field: "field", from: "from", to: "until",
};

/** @param {{kind: string, value: string}} f */
function label(f) {
  if (f.kind === "from" || f.kind === "to") return clock(Number(f.value));
  if (f.kind !== "src") return f.value;
  return f.value.replace(/^-/, "").split("/").slice(1).filter(Boolean).join(" ") || f.value;
}

export function showFilters() {
  $("chips").replaceChildren(...state.filters.map((f, i) => {
    const not = f.kind === "e" || f.kind === "er" || (f.kind === "src" && f.value.startsWith("-"));
    const word = f.kind === "src" ? (not ? "without" : "only") : words[/** @type {keyof typeof words} */ (f.kind)];
    return chip(word, label(f), f.value, "filter", not, () => state.filters.splice(i, 1));
  }), ...state.columns.map((name) => chip("column", name, name, "column", false, () => toggleColumn(name))));
}

/** @param {string} word @param {string} text @param {string} title @param {string} what @param {boolean} not @param {() => void} remove */
const chip = (word, text, title, what, not, remove) => el("li", { class: "chip" + (not ? " not" : "") },
  el("span", { title }, el("small", {}, word), text),
  el("button", {
    class: "mini", "aria-label": `Remove ${what}: ${word === what ? "" : word + " "}${text}`,
    onclick: () => { remove(); changed(); $("addText").focus(); },
  }, "×"));

/** @param {number[]} counts lines by level */
export function showLevels(counts) {
  const group = $("levels");
  if (!group.children.length) {
    group.append(...levelGroups.map((g) => el("button", {
      class: "level", "data-level": g.name, "aria-pressed": "true", title: "Show or hide this level; double-click to show only this level",
      onclick: (/** @type {MouseEvent} */ e) => {
        if (e.detail > 1) return;
        if (!state.hidden.delete(g.name)) state.hidden.add(g.name);
        if (state.hidden.size === levelGroups.length) state.hidden.clear();
        changed();
      },
      ondblclick: () => {
        state.hidden = new Set(levelGroups.filter((o) => o !== g).map((o) => o.name));
        saveHash(); // in the entry of the first click
        changed();
      },
    }, g.label, el("i"))));
  }
  levelGroups.forEach((g, i) => {
    const button = group.children[i];
    const shown = !state.hidden.has(g.name);
    if (button.getAttribute("aria-pressed") !== String(shown)) button.setAttribute("aria-pressed", String(shown));
    const n = g.levels.reduce((sum, l) => sum + (counts[l] || 0), 0);
    const text = shown && n ? short(n) : "";
    if (button.lastChild && button.lastChild.textContent !== text) button.lastChild.textContent = text;
  });
}

/** @param {number} n */
const short = (n) => (n < 10000 ? count(n) : n < 1e6 ? Math.round(n / 1000) + "k" : (n / 1e6).toFixed(1) + "M");

/** Offers the names of fields. */
async function offerFields() {
  if ($("addKind").value !== "field") return;
  const { fields } = await api("fields", filterParams());
  const names = Object.keys(fields).sort((a, b) => fields[b] - fields[a]).slice(0, 60);
  $("fieldNames").replaceChildren(...names.map((n) => el("option", { value: n + "=" })));
}

/** @param {() => void} onChanged */
export function startFilters(onChanged) {
  changed = onChanged;
  const kind = $("addKind"), text = $("addText");
  kind.addEventListener("change", () => {
    text.placeholder = kind.value === "field" ? "order=42, took>500" : "Filter  &";
    $("fieldNames").replaceChildren();
    text.focus();
    offerFields().catch(() => {});
  });
  text.addEventListener("focus", () => offerFields().catch(() => {}));
  $("addForm").addEventListener("submit", (/** @type {Event} */ e) => {
    e.preventDefault();
    if (!text.value.trim()) return;
    addFilter(kind.value, text.value);
    text.value = "";
    changed();
  });
  showLevels([]);
}

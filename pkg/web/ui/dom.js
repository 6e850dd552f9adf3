// @ts-check
// Helpers for the document. Text from outside goes into text nodes only.

/** @param {string} id @returns {any} */
export const $ = (id) => document.getElementById(id);

/**
 * Makes an element. Properties that start with "on" are listeners, "class" and names
 * with a dash are attributes, others are properties.
 * @param {string} tag @param {Record<string, any>} [props] @param {...any} children
 * @returns {any}
 */
export function el(tag, props = {}, ...children) {
  const node = /** @type {any} */ (document.createElement(tag));
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class" || name.includes("-")) node.setAttribute(name, String(value));
    else node[name] = value;
  }
  node.append(...children.filter((c) => c !== null && c !== undefined && c !== false));
  return node;
}

let toastTimer = 0;
/** Shows a short message. @param {string} message */
export function toast(message) {
  const t = $("toast");
  t.textContent = message;
  t.classList.add("on");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => t.classList.remove("on"), 2500);
}

/** @param {number} n */
export const count = (n) => String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, ",");

/** @param {number} n bytes */
export function bytes(n) {
  const units = ["B", "Ki", "Mi", "Gi", "Ti"];
  let i = 0;
  while (n >= 1024 && i < units.length - 1) { n /= 1024; i++; }
  return (n >= 100 || i === 0 ? Math.round(n) : n.toFixed(1)) + units[i];
}

/** Returns the value of a custom property of the theme. @param {string} name */
export function color(name) {
  const probe = $("toast");
  probe.style.setProperty("--probe", "0");
  probe.style.outlineColor = `var(${name})`;
  const value = getComputedStyle(probe).outlineColor;
  probe.style.outlineColor = "";
  return value;
}

/** Sizes a canvas to its element, in device pixels. @param {HTMLCanvasElement} canvas */
export function fit(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const w = canvas.clientWidth, h = canvas.clientHeight;
  if (canvas.width !== Math.round(w * ratio)) canvas.width = Math.round(w * ratio);
  if (canvas.height !== Math.round(h * ratio)) canvas.height = Math.round(h * ratio);
  const g = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  g.clearRect(0, 0, w, h);
  return { g, w, h };
}

// @ts-check
// Requests to ktail, with the token of the run.

const key = "ktail-token";

// The token leaves the address before anything else happens.
const address = new URLSearchParams(location.hash.slice(1));
const token = address.get("k");
if (token) {
  sessionStorage.setItem(key, token);
  address.delete("k");
  history.replaceState(null, "", "#" + address);
}

// A tab without a token, such as that of a copied link, asks the other tabs. Only pages of
// the same origin get the messages, and a token that ktail does not accept is not passed on.
const tabs = new BroadcastChannel(key);
export const ownToken = () => sessionStorage.getItem(key) || "";
let accepted = false, received = () => {};
tabs.onmessage = ({ data }) => {
  if (!data && accepted) tabs.postMessage(ownToken());
  if (data && !ownToken()) {
    sessionStorage.setItem(key, data);
    received();
  }
};

/** Sends a request. Errors of the server have its status. @param {string} path @param {URLSearchParams} [params] @param {AbortSignal} [signal] @param {string} [method] @returns {Promise<any>} */
export async function api(path, params, signal, method = "GET") {
  if (!ownToken()) {
    tabs.postMessage("");
    await new Promise((/** @type {(_?: any) => void} */ done) => { received = done; setTimeout(done, 300); });
  }
  const timeout = AbortSignal.timeout(30000);
  const response = await fetch("/api/" + path + (params ? "?" + params : ""), {
    method, cache: "no-store", redirect: "error",
    headers: { Authorization: "Bearer " + ownToken() },
    signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
  });
  accepted = response.ok;
  if (response.ok) return response.json();
  const body = await response.text();
  let message = body;
  try { message = JSON.parse(body).error || body; } catch { /* plain text */ }
  throw Object.assign(new Error(message.trim()), { status: response.status });
}

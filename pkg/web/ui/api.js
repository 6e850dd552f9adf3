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

/** Sends a request. Errors of the server have its status. @param {string} path @param {URLSearchParams} [params] @param {AbortSignal} [signal] @param {string} [method] @returns {Promise<any>} */
export async function api(path, params, signal, method = "GET") {
  const timeout = AbortSignal.timeout(30000);
  const response = await fetch("/api/" + path + (params ? "?" + params : ""), {
    method, cache: "no-store", redirect: "error",
    headers: { Authorization: "Bearer " + (sessionStorage.getItem(key) || "") },
    signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
  });
  if (response.ok) return response.json();
  const body = await response.text();
  let message = body;
  try { message = JSON.parse(body).error || body; } catch { /* plain text */ }
  throw Object.assign(new Error(message.trim()), { status: response.status });
}

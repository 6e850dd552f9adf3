// @ts-check
// Requests to ktail, with the token of the run.

const key = "ktail-token";

/** Takes the token out of the address before anything else happens. */
function takeToken() {
  const params = new URLSearchParams(location.hash.slice(1));
  const token = params.get("k");
  if (!token) return;
  sessionStorage.setItem(key, token);
  params.delete("k");
  history.replaceState(null, "", "#" + params);
}
takeToken();

export class ApiError extends Error {
  /** @param {number} status @param {string} message */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/**
 * @param {string} path @param {URLSearchParams} [params] @param {AbortSignal} [signal] @param {string} [method]
 * @returns {Promise<any>}
 */
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
  throw new ApiError(response.status, message.trim());
}

// Talks to the agent. Everything that can go wrong becomes one kind of error, with what to do.

const BASE = "/api/v1";
// Longer than any answer takes that still comes.
const PATIENCE_MS = 8000;

export class Fault extends Error {
  constructor(status, code, message, toDo, body) {
    super(message);
    Object.assign(this, { status, code, toDo, body });
  }
  // Whether nobody answered, so that nobody knows whether it was done.
  get unreachable() { return this.status === 0; }
}

async function ask(path, options = {}) {
  const cut = new AbortController();
  const timer = setTimeout(() => cut.abort(), PATIENCE_MS);
  try {
    const response = await fetch(path, { ...options, cache: "no-store", credentials: "same-origin", signal: cut.signal });
    const text = await response.text();
    let body = null;
    try { body = text === "" ? null : JSON.parse(text); } catch { body = null; }
    if (!response.ok) {
      const error = body?.error ?? {};
      throw new Fault(response.status, error.code ?? "http", error.message ?? `HTTP ${response.status}`, error.to_do ?? "", body);
    }
    return body;
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault(0, "unreachable", String(error.message ?? error), "", null);
  } finally {
    clearTimeout(timer);
  }
}

// Parts of a path are escaped: an id is opaque.
export function path(...parts) {
  return parts.map((part) => "/" + encodeURIComponent(part)).join("");
}

export function get(where, query = {}) {
  const wanted = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const search = new URLSearchParams(wanted).toString();
  return ask(BASE + where + (search ? "?" + search : ""));
}

// The header is what another site's form cannot send.
export function post(where, body) {
  const headers = { "Content-Type": "application/json", "X-Coilsight": "1" };
  return ask(BASE + where, { method: "POST", headers, body: JSON.stringify(body) });
}

// Whether the agent answers at all.
export async function alive() {
  const cut = new AbortController();
  const timer = setTimeout(() => cut.abort(), 4000);
  try {
    return (await fetch("/healthz", { cache: "no-store", signal: cut.signal })).ok;
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
}

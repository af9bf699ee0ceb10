// Who is logged in on this page.

import { get, post } from "./api.js";

export const session = { operator: null, until: null, line: "", languages: ["en"], demo: false };
const heard = new Set();

// Calls `listener` whenever somebody else is logged in, or nobody.
export function onSession(listener) {
  heard.add(listener);
}

function take(news) {
  const before = session.operator;
  Object.assign(session, news);
  if (before !== session.operator) heard.forEach((listener) => listener());
}

export async function readSession() {
  take(await get("/session"));
}

export async function login(code) {
  take(await post("/login", { code }));
}

export async function logout() {
  take(await post("/logout", {}));
}

// The agent no longer knows who this is.
export function forgotten() {
  take({ operator: null, until: null });
}

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

// Counts logins and logouts: what was asked before one is no longer true after it.
let turns = 0;

export async function readSession() {
  const before = turns;
  const news = await get("/session");
  if (before === turns) take(news);
}

export async function login(code) {
  const news = await post("/login", { code });
  turns += 1;
  take(news);
}

export async function logout() {
  const news = await post("/logout", {});
  turns += 1;
  take(news);
}

// The agent no longer knows who this is.
export function forgotten() {
  turns += 1;
  take({ operator: null, until: null });
}

// Starts the page: header, routes, keys, and what comes in by itself.

import { el, put, tell } from "./dom.js";
import { choose, language, preferred, t, time } from "./languages.js";
import { session, onSession, readSession, logout } from "./session.js";
import { askWho, listen } from "./login.js";
import { asking } from "./dialog.js";
import { help } from "./help.js";
import { follow } from "./live.js";
import { faultText } from "./faults.js";
import { QUEUES } from "./queues.js";
import { listView } from "./list.js";
import { coilView } from "./coil.js";
import { statusView } from "./status.js";
import { rejudgeView } from "./rejudge.js";

const header = document.getElementById("top");
const main = document.getElementById("main");
const alarm = document.getElementById("alarm");
// How long what is shouted stands.
const SHOUT_MS = 10_000;
let view = null;
let lostAt = null;
let byItself = false;

// Goes to a place of the page; `itself` where nobody asked for it.
function go(place, itself = false) {
  byItself = itself;
  if (location.hash === `#${place}`) route();
  else location.hash = place;
}

function route() {
  const [name = "", ...rest] = location.hash.replace(/^#\/?/, "").split("/").map(plain);
  view?.close();
  const options = { go, byItself, shout };
  byItself = false;
  main.scrollTop = 0;
  main.className = name || "list";
  if (name === "coils" && rest[0]) {
    view = coilView(main, { ...options, id: rest[0], from: QUEUES.includes(rest[1]) ? rest[1] : "all" });
  } else if (name === "status") view = statusView(main, options);
  else if (name === "rejudge") view = rejudgeView(main, options);
  else view = listView(main, { ...options, queue: QUEUES.includes(name) ? name : null });
  document.title = `${view.title} · Coilsight`;
  showHeader();
}

// A broken escape in an address leads nowhere, and breaks nothing.
function plain(part) {
  try { return decodeURIComponent(part); } catch { return part; }
}

function showHeader() {
  const focus = header.contains(document.activeElement) ? document.activeElement.dataset.name : null;
  const place = location.hash.split("/")[1] ?? "";
  const here = place === "status" || place === "rejudge" ? place : "coils";
  const link = (name, href) => el("a", { href, "data-name": name, "aria-current": name === here ? "page" : null }, t(`nav.${name}`));
  const key = (name, text, act, more = {}) => el("button", { type: "button", "data-name": name, onclick: act, ...more }, text);
  const who = session.operator
    ? [el("span", { class: "name", title: session.operator }, session.operator), key("out", t("logout"), leave)]
    : [el("span", { class: "name nobody" }, t("nobody")), key("in", t("login"), () => askWho(null))];
  put(header,
    el("span", { class: `line ${lostAt ? "down" : "up"}` }, el("span", { class: "dot", "aria-hidden": "true" }), session.line.toUpperCase() || "Coilsight",
      session.demo ? el("span", { class: "demo" }, t("demo")) : null),
    el("nav", { "aria-label": t("nav") }, link("coils", "#/"), link("status", "#/status"), link("rejudge", "#/rejudge")),
    el("div", { class: "languages", role: "group", "aria-label": t("language") }, session.languages.map((name) => key(`language-${name}`, name.toUpperCase(),
      () => speak(name), { lang: name, "aria-pressed": String(name === language), title: t(`language.${name}`) }))),
    key("help", "?", help, { class: "help", "aria-label": t("help"), "aria-keyshortcuts": "?" }),
    el("div", { class: "who" }, who));
  if (focus) header.querySelector(`[data-name="${CSS.escape(focus)}"]`)?.focus();
}

async function leave() {
  try { await logout(); } catch (fault) { shout(faultText(fault)); }
}

async function speak(name) {
  try {
    await choose(name);
    showAlarm();
    route();
  } catch (fault) {
    shout(faultText({ message: String(fault.message), toDo: "" }));
  }
}

// What nobody may miss, for a while; beside what is said of the connection, for they often come together.
let shouted = "";
let quieter = null;
function shout(text) {
  shouted = text;
  clearTimeout(quieter);
  quieter = setTimeout(() => { shouted = ""; showAlarm(); }, SHOUT_MS);
  showAlarm();
}

function showAlarm() {
  document.body.classList.toggle("lost", lostAt !== null);
  const lines = [lostAt === null ? "" : t("lost", { at: time(lostAt) }), shouted].filter(Boolean);
  alarm.hidden = lines.length === 0;
  put(alarm, lines.map((line) => el("p", {}, line)));
}

function link(up) {
  const was = lostAt;
  lostAt = up ? null : (lostAt ?? new Date().toISOString());
  if (was && up) tell(t("back_again"));
  showAlarm();
  showHeader();
}

function changed() {
  view?.refresh();
  readSession().catch(() => { /* the line above says so */ });
}

function key(event) {
  if (asking() || event.ctrlKey || event.altKey || event.metaKey) return;
  const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  // A button's own keys stay its own, and the arrows read the picture that has the focus.
  const on = (what) => event.target instanceof Element && event.target.closest(what);
  if (((name === "Enter" || name === " ") && on("a, button, summary")) || (name.startsWith("Arrow") && on("canvas"))) return;
  const queue = QUEUES[Number(name) - 1];
  if (queue) return go(`/${queue}`);
  if (name === "?") return help();
  const act = view?.keys[name];
  if (!act) return;
  event.preventDefault();
  act(event);
}

async function start() {
  let offered = ["en", "de"];
  try {
    await readSession();
    offered = session.languages;
  } catch { /* the agent is not there: said as soon as the connection is tried */ }
  await choose(preferred(offered));
  onSession(showHeader);
  addEventListener("hashchange", route);
  // In a field Escape only leaves the field.
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && event.target instanceof HTMLInputElement && !asking()) { event.preventDefault(); event.target.blur(); }
  });
  listen(key);
  route();
  follow(changed, link);
}

start();

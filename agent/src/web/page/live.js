// Keeps the page up to date: server-sent events, and questions at intervals where those do not come through.

import { alive } from "./api.js";

// How often is asked: with events only whether the agent is there (a pulled plug closes no connection), without
// them for everything.
const WITH_EVENTS_MS = 6000;
const WITHOUT_MS = 3000;

// `changed()` is called when there may be something new, `link(up)` when the connection comes or goes.
export function follow(changed, link) {
  let source = null;
  let up = null;
  const set = (now) => {
    if (now === up) return;
    const back = now && up === false;
    up = now;
    link(up);
    if (back) changed();
  };
  const listen = () => {
    source?.close();
    source = new EventSource("/api/v1/events");
    source.addEventListener("open", () => set(true));
    source.addEventListener("revision", () => { set(true); changed(); });
    source.addEventListener("error", () => look());
  };
  let looking = false;
  const look = async () => {
    if (looking) return;
    looking = true;
    const there = await alive();
    looking = false;
    set(there);
    if (!there) return;
    if (source.readyState === EventSource.OPEN) return;
    changed();
    // A browser gives up on a stream for good after some answers.
    if (source.readyState === EventSource.CLOSED) listen();
  };
  let last = 0;
  setInterval(() => {
    const wait = source.readyState === EventSource.OPEN && up ? WITH_EVENTS_MS : WITHOUT_MS;
    if (performance.now() - last >= wait) { last = performance.now(); look(); }
  }, 1000);
  // A browser keeps pages that were left, and their streams with them: they would use up its connections to the agent.
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => { if (event.persisted) { listen(); changed(); } });
  addEventListener("offline", () => set(false));
  addEventListener("online", look);
  listen();
  return look;
}

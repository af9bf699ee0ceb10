// What went wrong, for people: what happened and what to do.

import { t, has } from "./languages.js";

// The agent's own words where the page has none of its own in this language.
export function faultText(fault) {
  if (fault.unreachable) return t("fault.unreachable");
  const key = `fault.${fault.code}`;
  if (has(key)) return t(key, { message: fault.message });
  return [fault.message, fault.toDo].filter(Boolean).map((text) => text.replace(/[.\s]*$/, ".")).join(" ");
}

// What the reference of drift is, and how somebody takes a new one: after a gauge was exchanged, say.

import { el, put, tell } from "./dom.js";
import { post } from "./api.js";
import { t, time } from "./languages.js";
import { gaugeName } from "./reasons.js";
import { askWho } from "./login.js";
import { dialog, title } from "./dialog.js";
import { session, forgotten } from "./session.js";
import { faultText } from "./faults.js";

const LONGEST = 1000;

// Those that stand, and a button; `changed()` is called when there is another.
export function references({ references: taken = [], gauges }, changed) {
  const said = el("p", { role: "alert", class: "failed", hidden: true });
  const renew = async () => {
    said.hidden = true;
    const body = await ask(gauges);
    if (!body) return;
    try {
      if (await send(body)) {
        tell(t("reference.taken"));
        changed();
      }
    } catch (fault) {
      put(said, faultText(fault));
      said.hidden = false;
    }
  };
  return [
    el("ul", { class: "references" }, taken.map((one) => el("li", {}, line(one), one.remark ? el("span", { class: "remark" }, ` ${one.remark}`) : null))),
    el("button", { type: "button", class: "renew", onclick: renew }, t("reference.take")), said,
  ];
}

function line({ of, at, by, after_coil: coil }) {
  const values = { at: time(at), name: by, coil: coil ?? "–" };
  return of === "all" ? t("reference.all", values) : t("reference.gauge", { ...values, gauge: gaugeName(of.gauge) });
}

// Which gauge, or all, and why: none is chosen beforehand, for it cannot be taken back. Null where somebody thought better of it.
function ask(gauges) {
  const name = "reference";
  const which = el("select", { "aria-label": t("reference.which"), autofocus: true }, el("option", { value: "" }, t("reference.which")), gauges.map(({ gauge }, i) => el("option", { value: i }, gaugeName(gauge))),
    el("option", { value: "all" }, t("reference.everything")));
  const remark = el("input", { type: "text", maxlength: LONGEST, "aria-label": t("remark.label"), placeholder: t("remark.label") });
  const body = () => ({ of: which.value === "all" ? "all" : { gauge: gauges[Number(which.value)].gauge }, remark: remark.value.trim() || null });
  return dialog(name, (close) => [
    title(name, t("reference.take")),
    el("p", {}, t("reference.lead")),
    el("div", { class: "fields" }, which, remark),
    el("div", { class: "choices" },
      el("button", { type: "button", class: "leave", onclick: () => close(null) }, t("cancel")),
      el("button", { type: "button", class: "anyway", onclick: () => (which.value === "" ? which.focus() : close(body())) }, t("reference.do"))),
  ]);
}

// Asks who it is where nobody is known; whether it was done.
async function send(body) {
  if (!session.operator && !(await askWho(t("reference.why")))) return false;
  try {
    await post("/drift/reference", body);
  } catch (fault) {
    if (fault.status !== 401) throw fault;
    forgotten();
    return send(body);
  }
  return true;
}

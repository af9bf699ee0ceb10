// Scores as bars with their 95 % intervals: ensemble, line and each model, per class.

import { el } from "./dom.js";
import { t, number, percent } from "./languages.js";
import { whisker } from "./figures.js";

// The least that a score's interval spans from chance: balanced accuracy of a coin is a half.
const FIGURES = [["balanced_accuracy", 0], ["score", 0], ["recall", 0], ["specificity", 0], ["mcc", -1]];

export function scores(report) {
  const reviews = report.reviews;
  const asked = el("p", { class: "quiet" }, t("scores.reviews", { n: number(reviews.n), ok: number(reviews.ok), nok: number(reviews.nok), open: number(reviews.open) }), " ",
    t("scores.drawn", { n: number(report.drawn.n), labelled: number(report.drawn.labelled), nok: number(report.drawn.nok) }));
  const judges = report.judges.filter((judge) => judge.overall.n > 0);
  if (!judges.some((judge) => judge.overall.labelled > 0)) {
    return [el("p", { class: "nobody-said" }, t("scores.nobody", { n: number(report.coils) })), asked];
  }
  // Other sets are other ensembles.
  const whose = report.of_set < report.coils ? ` ${t("scores.of_set", { n: number(report.of_set), set: report.set.slice(0, 8) })}` : "";
  return [el("p", { class: "quiet" }, t("scores.coils", { n: number(report.coils) }), whose, " ", t("scores.interval")), judges.map(judge), asked];
}

function judge(it) {
  const name = it.kind === "model" ? `${it.model} (${it.set.slice(0, 8)})` : t(`scores.${it.kind}`);
  return el("div", { class: "judge" }, el("h3", {}, name, " ", el("span", { class: "quiet" }, t("scores.labelled", { labelled: number(it.overall.labelled), n: number(it.overall.n) }))),
    figures(it.overall),
    it.classes.length ? el("details", {}, el("summary", {}, t("scores.classes")), it.classes.map((one) => el("div", {},
      el("h4", {}, one.class ? t("list.class", { class: one.class }) : t("coil.no_order"), " ", el("span", { class: "quiet" }, t("scores.labelled", { labelled: number(one.labelled), n: number(one.n) }))),
      figures(one)))) : null);
}

function figures(f) {
  if (f.labelled === 0) return el("p", { class: "none" }, t("scores.nobody_class"));
  const rows = FIGURES.filter(([name]) => f[name]).map(([name, from]) => {
    const show = (value) => (from < 0 ? number(value, 2) : percent(value));
    return el("tr", {}, el("th", { scope: "row" }, t(`scores.${name}`)), el("td", { class: "figure" }, el("b", {}, show(f[name].value))),
      el("td", { class: "wide" }, whisker(f[name], from)), el("td", { class: "figure quiet" }, `${show(f[name].low)} – ${show(f[name].high)}`));
  });
  return [rows.length ? el("table", { class: "figures" }, el("tbody", {}, rows)) : null, f.note ? el("p", { class: "quiet", lang: "en" }, f.note) : null];
}

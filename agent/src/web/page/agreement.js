// How far people and models agree, as text and as numbers.

import { el } from "./dom.js";
import { t, number, percent } from "./languages.js";
import { whisker } from "./figures.js";

export function agreement(all) {
  const groups = [["between", all.between], ["within", all.within], ["models", all.models]];
  return el("section", { class: "agreement", "aria-labelledby": "agreed" },
    el("h2", { id: "agreed" }, t("agreement.title")),
    el("p", { class: "lead" }, told(all.summary)),
    all.among ? el("p", { lang: "en" }, all.among.text) : null,
    groups.filter(([, pairs]) => pairs.length > 0).map(([name, pairs]) => table(name, pairs)));
}

function told({ between, at_most: most, within, ensemble }) {
  const parts = [
    between === null ? null : t("agreement.said_between", { share: percent(between), most: percent(most) }),
    within === null ? null : t("agreement.said_within", { share: percent(within) }),
    ensemble === null ? null : t("agreement.said_ensemble", { share: percent(ensemble) }),
  ].filter(Boolean);
  return parts.length ? parts.join(" ") : t("agreement.said_nothing");
}

function table(name, pairs) {
  return el("table", { class: "figures" },
    el("caption", {}, t(`agreement.${name}`)),
    el("thead", {}, el("tr", {}, ["pair", "coils", "alike", "kappa", "bar"].map((column) => el("th", { scope: "col" }, t(`agreement.${column}`))))),
    el("tbody", {}, pairs.map((pair) => el("tr", { title: pair.text },
      el("th", { scope: "row" }, pair.a === pair.b ? pair.a : `${pair.a} · ${pair.b}`),
      el("td", { class: "figure" }, number(pair.coils)),
      el("td", { class: "figure" }, pair.coils ? percent(pair.alike / pair.coils) : "–"),
      el("td", { class: "figure" }, pair.kappa ? number(pair.kappa.value, 2) : "–"),
      el("td", { class: "wide" }, pair.kappa ? whisker(pair.kappa, -1) : "")))));
}

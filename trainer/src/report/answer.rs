//! The answer first: the best of each school beside each other and beside the paper's, and whether they really differ.

use super::Told;
use super::names::{find, metric, of_path, paper, school};
use super::tables::Table;
use super::text::{NONE, digits, escape, number, p, share, summary};
use crate::study::results::{Comparison, Metric, Results, Test};

/// Differences with a smaller p are called shown.
const LEVEL: f64 = 0.05;

/// The section.
pub fn section(told: &Told) -> String {
    let results = told.results;
    let said = metric(results.select);
    let mut table = Table::new(
        &format!(
            "The best configuration of each school by mean {said}, and the paper's F1 of NOK on its own 60 gold coils"
        ),
        &[
            "School",
            "Configuration",
            said,
            "On gold: F1 of NOK",
            "Paper: F1 of NOK",
            "ROC AUC",
            "Average precision",
            "Weights",
        ],
    );
    for chosen in &results.chosen {
        let found = find(results, chosen).map(|f| f.1);
        let of = |metric: Metric| summary(found.and_then(|c| c.summary.get(&metric)));
        let path = format!("{}/{}", chosen.experiment, chosen.configuration);
        let gold = told.gold.and_then(|g| g.of.iter().find(|of| of.configuration == path));
        let gold = gold.map_or_else(|| NONE.into(), |of| super::text::estimate(&of.report.overall.f1_nok));
        let (value, span) = paper(chosen.school);
        let span =
            span.map_or_else(|| "no interval given".into(), |(low, high)| format!("[{low:.2}, {high:.2}]"));
        table.row(
            school(chosen.school),
            vec![
                escape(&path),
                format!("<span class=big>{}</span>", of(results.select)),
                gold,
                format!("{value:.2} <span class=ci>{span}</span>"),
                of(Metric::RocAuc),
                of(Metric::AveragePrecision),
                found.map_or_else(|| NONE.into(), |c| escape(&c.weight_origin)),
            ],
        );
    }
    let sentences: Vec<String> =
        results.between.iter().map(|c| format!("<p class=verdict>{}</p>\n", sentence(results, c))).collect();
    let sentences = if results.between.is_empty() {
        "<p class=verdict>There is one school alone: nothing to compare.</p>\n".into()
    } else {
        sentences.concat()
    };
    format!(
        "<section id=answer><h2>Answer</h2>\n{sentences}{}{}<p class=note>Each was chosen as the best of its school on these very \
         coils, which flatters it; gold was not seen in choosing. The paper's coils are others: its figures are no target for \
         these. The naive t test is the paper's: its p is too small, since the networks of different folds share coils.</p></section>\n",
        table.html(),
        comparisons("The chosen ones against each other", results, &results.between)
    )
}

/// Whether two configurations really differ, in a sentence.
fn sentence(results: &Results, of: &Comparison) -> String {
    let (a, b) = (escape(of_path(results, &of.of)), escape(of_path(results, &of.with)));
    let Some(difference) = of.difference.filter(|d| d.is_finite()) else {
        return format!("<b>{a} and {b} were not compared</b>: no cell defines both.");
    };
    let size = digits(difference.abs()).unwrap_or_default();
    let what = metric(results.select);
    let direction = match difference {
        d if d > 0.0 => format!("{a} is {size} above {b} in {what}"),
        d if d < 0.0 => format!("{a} is {size} below {b} in {what}"),
        _ => format!("{a} and {b} have the same {what}"),
    };
    let value = |test: &Option<Test>| test.as_ref().map(|t| t.holm.unwrap_or(t.p)).filter(|p| p.is_finite());
    let told = |p: f64| if p < 0.001 { "p &lt; 0.001".to_owned() } else { format!("p = {p:.3}") };
    let corrected = match value(&of.corrected_t) {
        Some(p) if p < LEVEL => format!("The difference is shown (corrected t test, {})", told(p)),
        Some(p) => format!("The difference is not shown (corrected t test, {})", told(p)),
        None => "Whether they differ was not tested (no corrected t test)".into(),
    };
    let naive = match (value(&of.corrected_t), value(&of.naive_t)) {
        (Some(c), Some(n)) if c >= LEVEL && n < LEVEL => {
            format!("; the naive t test of the paper would have called it significant ({})", told(n))
        }
        (_, Some(n)) => format!("; the naive t test of the paper gives {}", told(n)),
        (_, None) => String::new(),
    };
    format!("<b>{direction}.</b> {corrected}{naive}.")
}

/// A table of comparisons, all tests beside each other.
pub fn comparisons(caption: &str, results: &Results, of: &[Comparison]) -> String {
    if of.is_empty() {
        return String::new();
    }
    let mut table = Table::new(
        &format!("{caption}: p values, two-sided, corrected for the comparisons of this table (Holm)"),
        &[
            "",
            "Difference",
            "Corrected t",
            "Naive t (paper's)",
            "McNemar, first repeat",
            "Permutation",
            "DeLong (AUC)",
        ],
    );
    for c in of {
        table.row(
            &format!("{} − {}", of_path(results, &c.of), of_path(results, &c.with)),
            vec![
                number(c.difference),
                p(c.corrected_t.as_ref()),
                p(c.naive_t.as_ref()),
                p(c.mcnemar.as_ref()),
                p(c.permutation.as_ref()),
                p(c.delong.as_ref()),
            ],
        );
    }
    table.html()
}

/// What an interval of the bootstrap is called.
pub fn how(results: &Results) -> String {
    let of = &results.bootstrap;
    let level = share(of.level);
    format!(
        "{level} intervals, {} draws with seed {}: “coil” redraws coils, “day” redraws days of production, whose coils resemble \
         each other",
        of.draws, of.seed
    )
}

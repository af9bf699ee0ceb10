//! What the chosen ones come to on gold, and how often anybody has looked.

use super::Told;
use super::figures::{confusion, curves, side_by_side};
use super::names::school;
use super::tables::Table;
use super::text::{escape, estimate, share};
use crate::score::report::{Estimate, Metrics};

type Row = (&'static str, fn(&Metrics) -> &Estimate);

const ROWS: [Row; 14] = [
    ("F1 of NOK", |m| &m.f1_nok),
    ("Precision of NOK", |m| &m.precision_nok),
    ("Recall of NOK", |m| &m.recall_nok),
    ("F1 of OK", |m| &m.f1_ok),
    ("Precision of OK", |m| &m.precision_ok),
    ("Recall of OK", |m| &m.recall_ok),
    ("Accuracy", |m| &m.accuracy),
    ("Macro F1", |m| &m.macro_f1),
    ("MCC", |m| &m.mcc),
    ("ROC AUC", |m| &m.roc_auc),
    ("Average precision", |m| &m.average_precision),
    ("False alarms per 1,000", |m| &m.false_alarms_per_1000),
    ("Misses per 1,000", |m| &m.misses_per_1000),
    ("F1 of NOK on the line", |m| &m.f1_nok_on_line),
];

/// The paper's table 2, as far as its text gives it: transfer, contrastive.
fn paper(row: &str) -> &'static str {
    match row {
        "F1 of NOK" => "0.79, 0.62",
        "Precision of NOK" => "0.913, 0.61",
        "Recall of NOK" => "0.70, 0.60",
        _ => "not in its text",
    }
}

/// The section.
pub fn section(told: &Told) -> String {
    let Some(gold) = told.gold else {
        return "<section id=gold><h2>Gold</h2><p class=none>Nobody has looked at gold in this study.</p></section>\n".into();
    };
    let mut heads = vec!["Metric"];
    heads.extend(gold.of.iter().map(|of| school(of.school)));
    heads.push("Paper: transfer, contrastive");
    let share = gold.of.first().map(|of| share(of.report.prevalence)).unwrap_or_default();
    let mut table = Table::new(
        &format!(
            "On the gold set {}, each trained on all of the set studied; per 1,000 and on the line: {share} NOK coils",
            gold.set
        ),
        &heads,
    );
    for (name, part) in ROWS {
        let mut cells: Vec<String> = gold.of.iter().map(|of| estimate(part(&of.report.overall))).collect();
        cells.push(format!("<span class=soft>{}</span>", paper(name)));
        table.row(name, cells);
    }
    let matrices: Vec<String> = gold
        .of
        .iter()
        .map(|of| {
            confusion(
                &of.report.overall.confusion,
                &format!("{} on gold: {}", school(of.school), of.configuration),
            )
        })
        .collect();
    let nok = gold.of.first().map_or(0.0, |of| {
        let c = &of.report.overall.confusion;
        c.nok() as f64 / c.coils().max(1) as f64
    });
    let looks = if gold.looks == 1 { "1 look is".to_owned() } else { format!("{} looks are", gold.looks) };
    format!(
        "<section id=gold><h2>Gold</h2>\n<p><b>{looks} on record</b> in this study’s ledger, for {} chosen configurations. What \
         gold says was not used to choose. SHA-256 of coils and labels: <code>{}</code></p>\n{}{}{}{}</section>\n",
        gold.of.len(),
        escape(&gold.sha256),
        table.html(),
        classes(told),
        side_by_side(&matrices),
        side_by_side(&curves(&gold.of.iter().map(|of| (of.school, &of.curves)).collect::<Vec<_>>(), nok))
    )
}

fn classes(told: &Told) -> String {
    let of = told.gold.map_or(&[][..], |g| &g.of);
    let mut table = Table::new(
        "Gold by tolerance class",
        &["", "Coils (NOK)", "F1 of NOK", "False alarms per 1,000", "Misses per 1,000", "ROC AUC"],
    );
    for of in of {
        for class in &of.report.by_class {
            let m = &class.metrics;
            table.row(
                &format!("{}, class {}", school(of.school), class.class),
                vec![
                    format!("{} ({})", m.confusion.coils(), m.confusion.nok()),
                    estimate(&m.f1_nok),
                    estimate(&m.false_alarms_per_1000),
                    estimate(&m.misses_per_1000),
                    estimate(&m.roc_auc),
                ],
            );
        }
    }
    table.html()
}

//! The chosen configurations in full: the paper's tables 2, 3, 6 and 7 and its figures 18 to 24 and 28.

use super::Told;
use super::figures::{confusion, curves, reliability, side_by_side};
use super::names::{METRICS, find, metric, school};
use super::tables::Table;
use super::text::{NONE, count, escape, estimate, number, percent, summary};
use crate::study::results::{Configuration, Forward};
use std::collections::BTreeSet;

/// The section.
pub fn section(told: &Told) -> String {
    let results = told.results;
    let of: Vec<_> = results.chosen.iter().filter_map(|c| Some((c, find(results, c)?.1))).collect();
    if of.is_empty() {
        return "<section id=chosen><h2>The chosen ones</h2><p class=none>Nothing was chosen.</p></section>\n".into();
    }
    let mut heads = vec!["Metric"];
    heads.extend(of.iter().map(|(c, _)| school(c.school)));
    let mut all = Table::new(
        "Metrics of cells: mean ± standard deviation over cells, intervals by coil and by day (the paper's tables 2 and 6)",
        &heads,
    );
    for m in METRICS {
        all.row(metric(m), of.iter().map(|(_, c)| summary(c.summary.get(&m))).collect());
    }
    let row = |table: &mut Table, name: &str, cell: &dyn Fn(&Configuration) -> String| {
        table.row(name, of.iter().map(|(_, c)| cell(c)).collect());
    };
    row(&mut all, "Brier score", &|c| {
        format!("{} <span class=ci>no interval drawn</span>", number(Some(c.calibration.brier)))
    });
    row(&mut all, "Calibration error", &|c| {
        format!("{} <span class=ci>no interval drawn</span>", number(Some(c.calibration.ece)))
    });
    let forward = |part: fn(&Forward) -> String| {
        move |c: &Configuration| c.forward.as_ref().map_or_else(|| NONE.into(), part)
    };
    row(&mut all, "Forward in time: F1 of NOK", &forward(|f| estimate(&f.f1_nok)));
    row(&mut all, "Forward in time: ROC AUC", &forward(|f| estimate(&f.roc_auc)));
    row(&mut all, "Forward in time: average precision", &forward(|f| estimate(&f.average_precision)));
    row(&mut all, "Learned values (trained)", &|c| {
        format!("{} <span class=ci>{} trained</span>", count(c.parameters), count(c.trainable))
    });

    let matrices: Vec<String> = of
        .iter()
        .map(|(chosen, c)| {
            confusion(
                &c.confusion,
                &format!("{}: all repeats, each coil once a repeat", school(chosen.school)),
            )
        })
        .collect();
    let mut drawn = curves(&of.iter().map(|(c, _)| (c.school, &c.curves)).collect::<Vec<_>>(), share(told));
    drawn
        .push(reliability(&of.iter().map(|(chosen, c)| (chosen.school, &c.calibration)).collect::<Vec<_>>()));
    format!(
        "<section id=chosen><h2>The chosen ones</h2>\n{}{}{}{}{}</section>\n",
        all.html(),
        judging(told),
        alarms(told, &of.iter().map(|(chosen, c)| (school(chosen.school), *c)).collect::<Vec<_>>()),
        side_by_side(&matrices),
        side_by_side(&drawn)
    )
}

/// How long a coil takes: the paper's table 7.
fn judging(told: &Told) -> String {
    if told.judging.is_empty() {
        return "<p class=none>How long judging a coil takes (the paper's table 7) was not measured: the final networks were not \
            trained.</p>\n"
            .into();
    }
    let mut table = Table::new(
        "Judging a coil as the line does: from its matrix to P(NOK), by the released network, on one thread of the machine that \
         finished the study (the paper's table 7)",
        &["Configuration", "Median", "99 % take at most", "Coils", "Numbers", "Bundle"],
    );
    for of in told.judging {
        let name = format!("{}: {}", school(of.school), of.configuration);
        let cells = match &of.judging {
            Ok(times) => vec![
                format!("{:.1} ms", times.median_ms),
                format!("{:.1} ms", times.p99_ms),
                times.coils.to_string(),
                if of.float { "f32" } else { "int8" }.into(),
                format!("{:.1} MB", of.bytes as f64 / 1e6),
            ],
            Err(why) => vec![NONE.into(), NONE.into(), NONE.into(), NONE.into(), escape(why)],
        };
        table.row(&name, cells);
    }
    table.html()
}

fn share(told: &Told) -> f64 {
    told.results.data.nok as f64 / (told.results.data.coils.max(1)) as f64
}

/// False alarms and misses: the paper's table 3, and per 1,000 coils of the line.
fn alarms(told: &Told, of: &[(&str, &Configuration)]) -> String {
    let share = super::text::share(told.results.data.prevalence);
    let mut heads = vec!["Rate"];
    heads.extend(of.iter().map(|(name, _)| *name));
    let mut table = Table::new(
        &format!(
            "False alarms and misses (the paper's table 3), and on a line with {share} NOK coils. No intervals here: a coil counts \
             once a repeat; those of gold have theirs"
        ),
        &heads,
    );
    let row = |table: &mut Table, name: &str, cell: &dyn Fn(&Configuration) -> String| {
        table.row(name, of.iter().map(|(_, c)| cell(c)).collect());
    };
    row(&mut table, "OK coils stopped (paper: 6.7 % transfer, 33.3 % contrastive)", &|c| {
        percent(c.confusion.false_nok, c.confusion.ok())
    });
    row(&mut table, "NOK coils let through (paper: 30 % transfer, 40 % contrastive)", &|c| {
        percent(c.confusion.false_ok, c.confusion.nok())
    });
    // All coils first, those of unknown class last.
    let order = |class: &str| (class != "all", class == "?", class.to_owned());
    let classes: BTreeSet<_> =
        of.iter().flat_map(|(_, c)| c.on_the_line.keys()).map(|class| order(class)).collect();
    for (_, _, class) in classes {
        let name = match class.as_str() {
            "all" => "all coils".to_owned(),
            "?" => "tolerance class not known".to_owned(),
            class => format!("tolerance class {class}"),
        };
        let part = |c: &Configuration, part: fn(&crate::score::OnTheLine) -> f64| {
            number(c.on_the_line.get(&class).and_then(|l| l.as_ref().map(part)))
        };
        row(&mut table, &format!("False alarms per 1,000, {name}"), &|c| part(c, |l| l.false_alarms));
        row(&mut table, &format!("Misses per 1,000, {name}"), &|c| part(c, |l| l.misses));
    }
    table.html()
}

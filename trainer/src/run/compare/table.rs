//! A comparison as Markdown.

use super::{Comparison, Difference, Figures, Row};
use crate::score::report::Estimate;
use std::fmt;

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { coils, nok, bootstrap, .. } = self;
        writeln!(
            f,
            "{coils} coils, {nok} NOK. [{:.0} % intervals by stratified bootstrap over coils, {} draws]\n",
            100.0 * bootstrap.level,
            bootstrap.draws
        )?;
        writeln!(f, "Out of fold; thresholds by the stated costs, chosen on the same scores.\n")?;
        figures(f, self.rows.iter().map(|row| (row, Some(&row.out_of_fold))))?;
        self.forward(f)?;
        self.alarms(f)?;
        self.cost(f)?;
        self.differences(f, true)
    }
}

/// What a comparison says of judging forward in time alone.
pub struct ForwardTable<'a>(pub &'a Comparison);

impl fmt::Display for ForwardTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.forward(f)?;
        self.0.differences(f, false)
    }
}

impl Comparison {
    fn forward(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rows.iter().all(|row| row.forward.is_none()) {
            return Ok(());
        }
        writeln!(
            f,
            "\nForward in time. AP and AUC over all later stretches, each ranked by its own network; F1 and recall over \
             the last stretch, by thresholds chosen before it.\n"
        )?;
        figures(f, self.rows.iter().map(|row| (row, row.forward.as_ref())))
    }

    fn alarms(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.rows.first() else { return Ok(()) };
        let classes: Vec<Option<char>> = first.out_of_fold.alarms.iter().map(|of| of.class).collect();
        let heads: Vec<String> = classes
            .iter()
            .map(|class| class.map_or_else(|| "all".into(), |c| format!("class {c}")))
            .collect();
        writeln!(
            f,
            "\nMisses / false alarms per 1,000 coils at the line's share of NOK; in brackets Wilson's 95 % intervals, and the NOK coils \
             seen.\n"
        )?;
        heading(f, &[&["run".into(), "judged".into()][..], &heads].concat())?;
        for row in &self.rows {
            let both = [("out of fold", Some(&row.out_of_fold)), ("forward in time", row.forward.as_ref())];
            for (how, figures) in both {
                let Some(figures) = figures else { continue };
                let cell = |class: &Option<char>| {
                    let of = figures.alarms.iter().find(|of| of.class == *class);
                    of.map_or_else(
                        || "-".into(),
                        |of| {
                            let number = |e: &Estimate| match (e.value, e.interval) {
                                (Some(v), Some(i)) => format!("{v:.1} [{:.1}, {:.1}]", i.low, i.high),
                                _ => "-".into(),
                            };
                            let (missed, alarms) = (&of.misses_per_1000, &of.false_alarms_per_1000);
                            format!("{} / {} ({})", number(missed), number(alarms), of.nok)
                        },
                    )
                };
                let cells: Vec<String> = classes.iter().map(cell).collect();
                line(f, &[&[row.name.clone(), how.into()][..], &cells].concat())?;
            }
        }
        Ok(())
    }

    fn cost(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nWhat they are and what training cost, all measured networks together.\n")?;
        let heads =
            ["run", "network", "parameters", "weights", "networks", "time", "processor", "memory", "on"];
        heading(f, &heads.map(String::from))?;
        for Row { name, network, parameters, weight_origin, cost, .. } in &self.rows {
            let mut cells =
                vec![name.clone(), network.clone(), parameters.to_string(), weight_origin.clone()];
            match cost {
                None => cells.extend(["-"; 5].map(String::from)),
                Some(cost) => cells.extend([
                    cost.networks.to_string(),
                    format!("{:.0} s", cost.spent.wall_s),
                    format!("{:.0} s", cost.spent.processor_s),
                    format!("{:.0} MiB", cost.spent.peak_mib),
                    format!("{}, {} threads", cost.device, cost.threads),
                ]),
            }
            line(f, &cells)?;
        }
        Ok(())
    }

    fn differences(&self, f: &mut fmt::Formatter<'_>, out_of_fold: bool) -> fmt::Result {
        let Some(baseline) = &self.baseline else { return Ok(()) };
        writeln!(
            f,
            "\nDifferences from {baseline} on the same coils, with paired intervals: one that holds 0 shows nothing.\n"
        )?;
        heading(f, &["run", "judged", "AP", "AUC", "F1 at 50 %"].map(String::from))?;
        for row in self.rows.iter().filter(|row| row.name != *baseline) {
            let Some(found) = &row.difference else { continue };
            let of_folds = Some(&found.out_of_fold).filter(|_| out_of_fold);
            let both = [("out of fold", of_folds), ("forward in time", found.forward.as_ref())];
            for (how, found) in both {
                let Some(Difference { average_precision, roc_auc, f1_nok_even }) = found else { continue };
                let cells = [average_precision, roc_auc, f1_nok_even].map(signed);
                line(f, &[&[row.name.clone(), how.into()][..], &cells].concat())?;
            }
        }
        Ok(())
    }
}

fn figures<'a>(
    f: &mut fmt::Formatter<'_>,
    rows: impl Iterator<Item = (&'a Row, Option<&'a Figures>)>,
) -> fmt::Result {
    heading(f, &["run", "AP", "AUC", "F1 NOK", "F1 at 50 %", "recall NOK"].map(String::from))?;
    for (row, found) in rows {
        let Some(found) = found else { continue };
        let Figures { average_precision, roc_auc, f1_nok, f1_nok_even, recall_nok, .. } = found;
        let cells = [average_precision, roc_auc, f1_nok, f1_nok_even, recall_nok].map(ToString::to_string);
        line(f, &[&[row.name.clone()][..], &cells].concat())?;
    }
    Ok(())
}

fn signed(estimate: &Estimate) -> String {
    let Some(value) = estimate.value else { return "-".into() };
    match estimate.interval {
        Some(i) => format!("{value:+.3} [{:+.3}, {:+.3}]", i.low, i.high),
        None => format!("{value:+.3}"),
    }
}

fn heading(f: &mut fmt::Formatter<'_>, cells: &[String]) -> fmt::Result {
    line(f, cells)?;
    line(f, &vec!["---".to_owned(); cells.len()])
}

fn line(f: &mut fmt::Formatter<'_>, cells: &[String]) -> fmt::Result {
    writeln!(f, "| {} |", cells.join(" | ").replace('\n', " "))
}

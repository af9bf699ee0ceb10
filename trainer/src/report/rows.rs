//! Tables for spreadsheets and data frames: `cells.csv`, `configurations.csv`. What was not measured is empty.

use super::Told;
use super::names::{METRICS, key};
use crate::score::report::Estimate;
use crate::study::results::{Configuration, Experiment, Results};
use anyhow::Context;

fn told(value: Option<f64>) -> String {
    value.filter(|v| v.is_finite()).map_or_else(String::new, |v| v.to_string())
}

fn three(of: &Estimate) -> [String; 3] {
    [told(of.value), told(of.interval.map(|i| i.low)), told(of.interval.map(|i| i.high))]
}

fn table(heads: &[String], rows: impl Iterator<Item = Vec<String>>) -> anyhow::Result<Vec<u8>> {
    let mut out = csv::Writer::from_writer(Vec::new());
    out.write_record(heads).context("a table cannot be written")?;
    for row in rows {
        out.write_record(&row).context("a row has other columns than its table")?;
    }
    out.into_inner().context("a table cannot be finished")
}

fn all(results: &Results) -> impl Iterator<Item = (&Experiment, &Configuration)> {
    results.experiments.iter().flat_map(|e| e.configurations.iter().map(move |c| (e, c)))
}

/// A row a cell.
pub fn cells(results: &Results) -> anyhow::Result<Vec<u8>> {
    let fixed = ["experiment", "configuration", "repeat", "fold", "epochs", "coils", "nok"];
    let counts = ["true_nok", "false_nok", "false_ok", "true_ok"];
    let heads: Vec<String> =
        fixed.into_iter().chain(counts).chain(METRICS.map(key)).map(Into::into).collect();
    let rows =
        all(results).flat_map(|(e, c)| c.cells.iter().map(move |cell| (e, c, cell))).map(|(e, c, cell)| {
            let confusion = &cell.confusion;
            let mut row = vec![e.name.clone(), c.name.clone()];
            row.extend([cell.repeat, cell.fold, cell.epochs, cell.coils, cell.nok].map(|n| n.to_string()));
            row.extend(
                [confusion.true_nok, confusion.false_nok, confusion.false_ok, confusion.true_ok]
                    .map(|n| n.to_string()),
            );
            row.extend(METRICS.map(|m| told(cell.metrics.get(&m).copied())));
            row
        });
    table(&heads, rows)
}

/// A row a configuration: means, spreads, intervals by coil and by day, forward in time, on the line, cost.
pub fn configurations(report: &Told) -> anyhow::Result<Vec<u8>> {
    let fixed = [
        "experiment",
        "configuration",
        "school",
        "point",
        "network",
        "weight_origin",
        "parameters",
        "trainable",
        "share",
        "cells",
    ];
    let mut heads: Vec<String> = fixed.map(Into::into).into();
    for m in METRICS.map(key) {
        heads.extend(
            ["mean", "sd", "coil_low", "coil_high", "day_low", "day_high"].map(|part| format!("{m}_{part}")),
        );
    }
    for part in ["f1_nok", "roc_auc", "average_precision"] {
        heads.extend(["", "_low", "_high"].map(|end| format!("forward_{part}{end}")));
    }
    let rest = [
        "false_alarms_per_1000",
        "misses_per_1000",
        "brier",
        "ece",
        "cost_cells",
        "wall_s",
        "processor_s",
        "peak_mib",
    ];
    heads.extend(rest.map(Into::into));
    let rows = all(report.results).map(|(e, c)| {
        let point: Vec<String> =
            e.axes.iter().zip(&c.point).map(|((name, _), v)| format!("{name}={v}")).collect();
        let school = serde_json::to_value(e.school).ok();
        let school = school.as_ref().and_then(|v| v.as_str()).unwrap_or_default();
        let mut row = vec![
            e.name.clone(),
            c.name.clone(),
            school.into(),
            point.join(","),
            c.network.clone(),
            c.weight_origin.clone(),
        ];
        row.extend([
            c.parameters.to_string(),
            c.trainable.to_string(),
            told(Some(c.share)),
            c.cells.len().to_string(),
        ]);
        for m in METRICS {
            let of = c.summary.get(&m);
            row.extend([told(of.and_then(|s| s.mean)), told(of.and_then(|s| s.sd))]);
            for estimate in [of.map(|s| s.by_coil), of.map(|s| s.by_day)] {
                let interval = estimate.and_then(|e| e.interval);
                row.extend([told(interval.map(|i| i.low)), told(interval.map(|i| i.high))]);
            }
        }
        for part in [
            c.forward.as_ref().map(|f| &f.f1_nok),
            c.forward.as_ref().map(|f| &f.roc_auc),
            c.forward.as_ref().map(|f| &f.average_precision),
        ] {
            row.extend(part.map_or_else(|| [const { String::new() }; 3], three));
        }
        let line = c.on_the_line.get("all").and_then(Option::as_ref);
        row.extend([told(line.map(|l| l.false_alarms)), told(line.map(|l| l.misses))]);
        row.extend([told(Some(c.calibration.brier)), told(Some(c.calibration.ece))]);
        let path = format!("{}/{}", e.name, c.name);
        let cost = report.costs.iter().find(|own| own.configuration == path);
        row.push(cost.map_or_else(String::new, |own| own.cells.to_string()));
        row.extend(
            [cost.map(|own| own.wall_s), cost.map(|own| own.processor_s), cost.map(|own| own.peak_mib)]
                .map(told),
        );
        row
    });
    table(&heads, rows)
}

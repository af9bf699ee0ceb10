//! An experiment: what was varied, its figures and its tables (the paper's tables 4 to 7, figures 11, 17, 19 and 25 to 27).

use super::Told;
use super::answer::comparisons;
use super::figures::{figure, side_by_side};
use super::names::{colour, metric, school};
use super::svg::{Lines, Point, Row, Series, dots, range};
use super::tables::Table;
use super::text::{NONE, count, escape, estimate, number, share, summary};
use crate::study::results::{Configuration, Experiment, Metric, Results};

/// More rows of dots than this are drawn of the metric that selects alone.
const FEW: usize = 12;
/// What the paper draws of an experiment, beside the metric that selects.
const DRAWN: [Metric; 3] = [Metric::PrecisionNok, Metric::RecallNok, Metric::Accuracy];
const COLUMNS: [Metric; 8] = [
    Metric::F1Nok,
    Metric::PrecisionNok,
    Metric::RecallNok,
    Metric::Accuracy,
    Metric::Mcc,
    Metric::RocAuc,
    Metric::AveragePrecision,
    Metric::F1Argmax,
];

/// Its part of the page.
pub fn section(told: &Told, experiment: &Experiment) -> String {
    let results = told.results;
    let shown = folded(experiment, results.select);
    let note = if experiment.tuned.is_empty() {
        String::new()
    } else {
        format!(
            "<p class=note>Of {} configurations, {} are shown: at each point the best along {} by mean {}. The best of several looks \
             better than it is. All are in <code>configurations.csv</code>.</p>\n",
            experiment.configurations.len(),
            shown.len(),
            escape(&experiment.tuned.join(", ")),
            metric(results.select)
        )
    };
    let axes: Vec<String> = experiment
        .axes
        .iter()
        .map(|(name, values)| format!("{} ({})", escape(name), escape(&values.join(", "))))
        .collect();
    let axes = if axes.is_empty() { String::new() } else { format!(". Varied: {}", axes.join("; ")) };
    let compared = comparisons("Each against the first", results, &experiment.comparisons);
    format!(
        "<section><h3>{}</h3>\n<p class=soft>{}: <code>{}</code>{axes}.</p>\n{note}{}{}{}{compared}</section>\n",
        escape(&experiment.title),
        school(experiment.school),
        escape(&experiment.name),
        drawn(results, experiment, &shown),
        metrics(results, &shown),
        circumstances(told, experiment, &shown),
    )
}

fn mean(of: &Configuration, metric: Metric) -> Option<f64> {
    of.summary.get(&metric)?.mean.filter(|m| m.is_finite())
}

/// Configurations, the best alone along axes that were tuned; in order.
pub fn folded(experiment: &Experiment, select: Metric) -> Vec<&Configuration> {
    if experiment.tuned.is_empty() {
        return experiment.configurations.iter().collect();
    }
    let tuned: Vec<bool> = experiment.axes.iter().map(|(name, _)| experiment.tuned.contains(name)).collect();
    let kept = |c: &Configuration| -> Vec<String> {
        c.point
            .iter()
            .enumerate()
            .filter(|(i, _)| !tuned.get(*i).copied().unwrap_or(false))
            .map(|(_, v)| v.clone())
            .collect()
    };
    let mut shown: Vec<&Configuration> = Vec::new();
    for c in &experiment.configurations {
        match shown.iter_mut().find(|s| kept(s) == kept(c)) {
            Some(best) if mean(c, select) > mean(best, select) => *best = c,
            Some(_) => {}
            None => shown.push(c),
        }
    }
    shown
}

/// The axis that is a scale of numbers, and them; the longest of several.
fn scale(experiment: &Experiment) -> Option<(usize, Vec<f64>)> {
    let numbers = |values: &[String]| -> Option<Vec<f64>> {
        values.iter().map(|v| v.parse::<f64>().ok().filter(|v| v.is_finite())).collect()
    };
    experiment
        .axes
        .iter()
        .enumerate()
        .filter(|(_, (name, values))| !experiment.tuned.contains(name) && values.len() > 2)
        .filter_map(|(i, (_, values))| Some((i, numbers(values)?)))
        .max_by_key(|(i, values)| (values.len(), usize::MAX - i))
}

fn drawn(results: &Results, experiment: &Experiment, shown: &[&Configuration]) -> String {
    let mut wanted = vec![results.select];
    wanted.extend(DRAWN.into_iter().filter(|m| *m != results.select));
    let scale = scale(experiment);
    if scale.is_none() && shown.len() > FEW {
        wanted.truncate(1);
    }
    let any = |m: &Metric| shown.iter().any(|c| mean(c, *m).is_some());
    let figures: Vec<String> = wanted
        .into_iter()
        .filter(any)
        .map(|m| match &scale {
            Some((axis, values)) => sweep(experiment, shown, *axis, values, m),
            None => rows(experiment, shown, m),
        })
        .collect();
    side_by_side(&figures)
}

fn bounds(of: &Configuration, metric: Metric) -> Option<(f64, f64)> {
    let interval = of.summary.get(&metric)?.by_coil.interval?;
    (interval.low.is_finite() && interval.high.is_finite()).then_some((interval.low, interval.high))
}

fn cells(of: &Configuration, metric: Metric) -> Vec<f64> {
    of.cells.iter().filter_map(|c| c.metrics.get(&metric).copied()).filter(|v| v.is_finite()).collect()
}

/// Dots of cells, their mean and its interval: a row each.
fn rows(experiment: &Experiment, shown: &[&Configuration], of: Metric) -> String {
    let rows: Vec<Row> = shown
        .iter()
        .map(|c| Row {
            name: c.name.clone(),
            colour: colour(experiment.school),
            mean: mean(c, of),
            interval: bounds(c, of),
            cells: cells(c, of),
        })
        .collect();
    let title = format!("{}, {}", experiment.title, metric(of));
    figure(
        &dots(&title, metric(of), &rows),
        &format!("{}: cells (small), their mean and its interval by coil", metric(of)),
    )
}

/// Lines over a scale; a line for each point of the other axes.
fn sweep(
    experiment: &Experiment,
    shown: &[&Configuration],
    axis: usize,
    values: &[f64],
    of: Metric,
) -> String {
    let (name, labels) = &experiment.axes[axis];
    let others = |c: &Configuration| -> String {
        let own = c.point.iter().enumerate().filter(|(i, _)| *i != axis);
        let told = own.filter(|(i, _)| {
            experiment.axes.get(*i).is_some_and(|(name, _)| !experiment.tuned.contains(name))
        });
        told.map(|(i, v)| format!("{} {v}", experiment.axes[i].0)).collect::<Vec<_>>().join(", ")
    };
    let mut series: Vec<Series> = Vec::new();
    for c in shown {
        let place = c.point.get(axis).and_then(|label| labels.iter().position(|l| l == label));
        let (Some(place), Some(y)) = (place, mean(c, of)) else { continue };
        let point = Point { x: values[place], y, interval: bounds(c, of) };
        let name = others(c);
        match series.iter_mut().find(|s| s.name == name) {
            Some(own) => own.points.push(point),
            None => series.push(Series { name, colour: 0, points: vec![point], line: true, marks: true }),
        }
    }
    for (place, own) in series.iter_mut().enumerate() {
        own.colour = place;
        own.points.sort_by(|a, b| a.x.total_cmp(&b.x));
    }
    if series.len() == 1 {
        series[0].colour = colour(experiment.school);
    }
    let all = series.iter().flat_map(|s| &s.points);
    let y_range = range(
        all.flat_map(|p| p.interval.map_or([p.y, p.y], |(low, high)| [low.min(p.y), high.max(p.y)])),
        (-1.0, 1.0),
    );
    let (low, high) =
        values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
    let air = 0.05 * (high - low).max(1e-9);
    let lines = Lines {
        title: format!("{}, {} over {name}", experiment.title, metric(of)),
        x: name.clone(),
        y: metric(of).into(),
        x_ticks: values.iter().copied().zip(labels.iter().cloned()).collect(),
        x_range: (low - air, high + air),
        y_range,
        series,
        reference: None,
    };
    figure(&lines.draw(), &format!("{} over {name}: mean over cells, interval by coil", metric(of)))
}

fn metrics(results: &Results, shown: &[&Configuration]) -> String {
    let mut heads = vec!["Configuration"];
    heads.extend(COLUMNS.map(metric));
    let mut table = Table::new("Mean ± standard deviation over cells; intervals by coil and by day", &heads);
    let best = shown.iter().filter_map(|c| mean(c, results.select)).max_by(f64::total_cmp);
    for c in shown {
        let cell = |m: Metric| {
            let told = summary(c.summary.get(&m));
            let is_best = m == results.select && best.is_some() && mean(c, m) == best;
            if is_best { format!("<b class=best>{told}</b>") } else { told }
        };
        table.row(&c.name, COLUMNS.into_iter().map(cell).collect());
    }
    table.html()
}

/// What it was measured with, and what else is known of it.
fn circumstances(told: &Told, experiment: &Experiment, shown: &[&Configuration]) -> String {
    let mut table = Table::new(
        "What it was, forward in time, on the line, and what it cost to train",
        &[
            "Configuration",
            "Network, weights",
            "Learned values",
            "Coils given",
            "Forward: F1 of NOK",
            "Forward: average precision",
            "False alarms, misses per 1,000",
            "Brier, calibration error",
            "Training a network",
        ],
    );
    for c in shown {
        let forward = |part: fn(&crate::study::results::Forward) -> &crate::score::report::Estimate| {
            c.forward.as_ref().map_or_else(|| NONE.into(), |f| estimate(part(f)))
        };
        let line = c.on_the_line.get("all").and_then(Option::as_ref);
        let path = format!("{}/{}", experiment.name, c.name);
        let cost = told.costs.iter().find(|own| own.configuration == path && own.cells > 0);
        table.row(
            &c.name,
            vec![
                format!("{} <span class=ci>{}</span>", escape(&c.network), escape(&c.weight_origin)),
                format!("{} <span class=ci>{} trained</span>", count(c.parameters), count(c.trainable)),
                share(c.share),
                forward(|f| &f.f1_nok),
                forward(|f| &f.average_precision),
                line.map_or_else(
                    || NONE.into(),
                    |l| format!("{}, {}", number(Some(l.false_alarms)), number(Some(l.misses))),
                ),
                format!("{}, {}", number(Some(c.calibration.brier)), number(Some(c.calibration.ece))),
                cost.map_or_else(
                    || NONE.into(),
                    |own| format!("{} s", number(Some(own.wall_s / own.cells as f64))),
                ),
            ],
        );
    }
    table.html()
}

//! Figures that several parts of the page have: curves, reliability, confusion matrices.

use super::names;
use super::svg::{Lines, Point, Reference, Series};
use super::text::{escape, percent};
use crate::score::Confusion;
use crate::study::School;
use crate::study::results::{Calibration, Curves};

/// Colours of right and wrong decisions.
const RIGHT: usize = 0;
const WRONG: usize = 1;

/// A figure with what is seen in it.
pub fn figure(drawing: &str, caption: &str) -> String {
    format!("<figure>{drawing}<figcaption>{}</figcaption></figure>\n", escape(caption))
}

/// Figures beside each other where there is room.
pub fn side_by_side(figures: &[String]) -> String {
    format!("<div class=figures>{}</div>\n", figures.concat())
}

fn curve(school: School, points: &[(f64, f64)]) -> Series {
    let finite = points.iter().filter(|(x, y)| x.is_finite() && y.is_finite());
    Series {
        name: names::school(school).into(),
        colour: names::colour(school),
        points: finite.map(|&(x, y)| Point { x, y, interval: None }).collect(),
        line: true,
        marks: false,
    }
}

type Which = fn(&Curves) -> &[(f64, f64)];

/// ROC, precision-recall and cost curves, a school each.
pub fn curves(of: &[(School, &Curves)], nok_share: f64) -> Vec<String> {
    let share = nok_share.clamp(0.0, 1.0);
    let kinds: [(&str, &str, &str, Which, _); 3] = [
        (
            "ROC curves",
            "false alarms among OK coils",
            "NOK coils found",
            |c| &c.roc,
            Some(Reference { from: (0.0, 0.0), to: (1.0, 1.0), words: "chance", above: false }),
        ),
        (
            "Precision-recall curves",
            "recall of NOK",
            "precision of NOK",
            |c| &c.precision_recall,
            Some(Reference { from: (0.0, share), to: (1.0, share), words: "chance", above: false }),
        ),
        (
            "Cost curves",
            "probability-cost of NOK",
            "normalised expected cost",
            |c| &c.cost,
            Some(Reference { from: (0.0, 0.0), to: (0.5, 0.5), words: "all called OK", above: false }),
        ),
    ];
    let mut figures = Vec::new();
    for (title, x, y, which, reference) in kinds {
        let series: Vec<Series> = of
            .iter()
            .filter(|(_, c)| !which(c).is_empty())
            .map(|(school, c)| curve(*school, which(c)))
            .collect();
        if series.is_empty() {
            figures.push(format!("<figure><p class=none>{title}: not measured</p></figure>"));
            continue;
        }
        let named = if series.len() == 1 { format!(" of {}", series[0].name) } else { String::new() };
        let top = if title.starts_with("Cost") { 0.5 } else { 1.0 };
        let lines = Lines {
            title: format!("{title}{named}"),
            x: x.into(),
            y: y.into(),
            x_ticks: Vec::new(),
            x_range: (0.0, 1.0),
            y_range: (0.0, top),
            series,
            reference,
        };
        let caption = match title {
            "Cost curves" => format!(
                "{title}{named}: cost of the best threshold at each mix of costs and shares (Drummond and Holte)"
            ),
            _ => format!("{title}{named}, of mean P(NOK)"),
        };
        figures.push(figure(&lines.draw(), &caption));
    }
    figures
}

/// How far P(NOK) can be believed: what was said, and what came true.
pub fn reliability(of: &[(School, &Calibration)]) -> String {
    let one = |(school, calibration): &(School, &Calibration)| Series {
        line: true,
        marks: true,
        ..curve(*school, &calibration.bins.iter().map(|(said, true_, _)| (*said, *true_)).collect::<Vec<_>>())
    };
    let lines = Lines {
        title: "Reliability curves".into(),
        x: "mean P(NOK) of the bin".into(),
        y: "share of NOK in the bin".into(),
        x_ticks: Vec::new(),
        x_range: (0.0, 1.0),
        y_range: (0.0, 1.0),
        series: of.iter().map(one).collect(),
        reference: Some(Reference { from: (0.0, 0.0), to: (1.0, 1.0), words: "as said", above: true }),
    };
    figure(
        &lines.draw(),
        "Reliability: bins of equally many coils. Below the dashed line, P(NOK) is said too high.",
    )
}

/// A confusion matrix: counts, and shares of what the coils are.
pub fn confusion(of: &Confusion, caption: &str) -> String {
    let cell = |count: u64, whole: u64, colour: usize| {
        let part = if whole == 0 { 0.0 } else { 100.0 * count as f64 / whole as f64 };
        format!(
            "<td style=\"background:color-mix(in srgb,var(--c{colour}) {:.0}%,transparent)\"><b>{count}</b><span class=ci>{}</span></td>",
            0.55 * part,
            percent(count, whole)
        )
    };
    let (nok, ok) = (of.nok(), of.ok());
    format!(
        "<figure class=confusion><table><thead><tr><td></td><th scope=col>called NOK</th><th scope=col>called OK</th></tr></thead>\
         <tbody><tr><th scope=row>NOK</th>{}{}</tr><tr><th scope=row>OK</th>{}{}</tr></tbody></table><figcaption>{}</figcaption></figure>\n",
        cell(of.true_nok, nok, RIGHT),
        cell(of.false_ok, nok, WRONG),
        cell(of.false_nok, ok, WRONG),
        cell(of.true_ok, ok, RIGHT),
        escape(caption)
    )
}

//! Figures as SVG: lines over an axis, and rows of dots, both with intervals. Colours are classes of the page's style sheet.

use super::text::{digits, escape};
use std::fmt::Write;

/// Width of a figure: on a telephone its letters are still as large as the page's notes.
pub const WIDTH: f64 = 380.0;
const LEFT: f64 = 44.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 26.0;
/// Below the lower end of the y axis.
const BELOW: f64 = 40.0;
const HEIGHT: f64 = 260.0;

/// A point, and its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub x: f64,
    pub y: f64,
    pub interval: Option<(f64, f64)>,
}

/// Points that belong together.
#[derive(Clone, Debug)]
pub struct Series {
    /// Said beside it.
    pub name: String,
    /// Of the palette.
    pub colour: usize,
    pub points: Vec<Point>,
    /// Joined by a line.
    pub line: bool,
    /// Marked.
    pub marks: bool,
}

/// Lines over an axis.
#[derive(Clone, Debug)]
pub struct Lines {
    /// What is seen, for who cannot see it.
    pub title: String,
    pub x: String,
    pub y: String,
    /// Where ticks stand; spread out over points if none.
    pub x_ticks: Vec<(f64, String)>,
    pub x_range: (f64, f64),
    pub y_range: (f64, f64),
    pub series: Vec<Series>,
    /// What they are compared with.
    pub reference: Option<Reference>,
}

/// A dashed line of comparison, and what it means.
#[derive(Clone, Debug)]
pub struct Reference {
    pub from: (f64, f64),
    pub to: (f64, f64),
    pub words: &'static str,
    /// The words stand above it rather than below.
    pub above: bool,
}

/// A row of dots.
#[derive(Clone, Debug)]
pub struct Row {
    pub name: String,
    pub colour: usize,
    /// Mean, and its interval.
    pub mean: Option<f64>,
    pub interval: Option<(f64, f64)>,
    /// Of single cells.
    pub cells: Vec<f64>,
}

/// Round numbers from `low` to `high`, four to seven of them.
pub fn ticks(low: f64, high: f64) -> Vec<(f64, String)> {
    let span = (high - low).max(1e-9);
    let power = 10_f64.powf(span.log10().floor());
    let step =
        [0.1, 0.2, 0.5, 1.0, 2.0].map(|k| k * power).into_iter().find(|s| span / s <= 6.0).unwrap_or(power);
    let places = (-step.log10().floor()).max(0.0) as usize;
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last)
        .map(|k| (k as f64 * step, format!("{:.places$}", k as f64 * step).replace('-', "−")))
        .collect()
}

/// What holds all values, with some air, cut at `within`.
pub fn range(values: impl Iterator<Item = f64>, within: (f64, f64)) -> (f64, f64) {
    let (low, high) = values
        .filter(|v| v.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    if low > high {
        return within;
    }
    let air = (0.06 * (high - low)).max(0.02);
    ((low - air).max(within.0), (high + air).min(within.1).max(within.0 + 0.01))
}

/// A figure's frame.
pub fn open(width: f64, height: f64, title: &str) -> String {
    let title = escape(title);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" \
         role=\"img\" aria-label=\"{title}\"><title>{title}</title>"
    )
}

/// Words at a place; `class` says size, weight and anchor.
fn text(out: &mut String, (x, y): (f64, f64), class: &str, words: &str) {
    let _ = write!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\">{}</text>", escape(words));
}

fn line(out: &mut String, (x1, y1): (f64, f64), (x2, y2): (f64, f64), class: &str) {
    let _ =
        write!(out, "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" class=\"{class}\"/>");
}

impl Lines {
    fn at(&self, x: f64, y: f64) -> (f64, f64) {
        let part = |v: f64, (low, high): (f64, f64)| ((v - low) / (high - low).max(1e-9)).clamp(0.0, 1.0);
        let bottom = HEIGHT - BELOW;
        (
            LEFT + part(x, self.x_range) * (WIDTH - LEFT - RIGHT),
            bottom - part(y, self.y_range) * (bottom - TOP),
        )
    }

    /// Draws them. Series are named beside the figure if there is more than one.
    pub fn draw(&self) -> String {
        let mut out = open(WIDTH, HEIGHT, &self.title);
        let bottom = HEIGHT - BELOW;
        for (value, label) in ticks(self.y_range.0, self.y_range.1) {
            let (_, y) = self.at(self.x_range.0, value);
            line(&mut out, (LEFT, y), (WIDTH - RIGHT, y), "grid");
            text(&mut out, (LEFT - 5.0, y + 4.0), "end", &label);
        }
        let own = ticks(self.x_range.0, self.x_range.1);
        for (value, label) in if self.x_ticks.is_empty() { &own } else { &self.x_ticks } {
            let (x, _) = self.at(*value, self.y_range.0);
            line(&mut out, (x, bottom), (x, bottom + 4.0), "axis");
            text(&mut out, (x, bottom + 17.0), "mid", label);
        }
        line(&mut out, (LEFT, bottom), (WIDTH - RIGHT, bottom), "axis");
        text(&mut out, (f64::midpoint(LEFT, WIDTH - RIGHT), HEIGHT - 6.0), "mid soft", &self.x);
        text(&mut out, (4.0, 12.0), "soft", &self.y);
        if let Some(Reference { from, to, words, above }) = &self.reference {
            let (from, to) = (self.at(from.0, from.1), self.at(to.0, to.1));
            line(&mut out, from, to, "ref");
            let middle = (from.0 + 0.62 * (to.0 - from.0), from.1 + 0.62 * (to.1 - from.1));
            let (class, dx, dy) = if *above { ("end soft", -6.0, -4.0) } else { ("soft", 4.0, 14.0) };
            text(&mut out, (middle.0 + dx, middle.1 + dy), class, words);
        }
        for (place, series) in self.series.iter().enumerate() {
            // Intervals beside each other rather than over each other.
            let shift = 3.0 * (place as f64 - (self.series.len() as f64 - 1.0) / 2.0);
            self.series(&mut out, series, if series.marks { shift } else { 0.0 });
        }
        out.push_str("</svg>");
        if self.series.len() > 1 {
            out.push_str(&names(self.series.iter().map(|s| (s.name.as_str(), s.colour))));
        }
        out
    }

    fn series(&self, out: &mut String, series: &Series, shift: f64) {
        let c = series.colour % 6;
        let places: Vec<(f64, f64)> =
            series.points.iter().map(|p| self.at(p.x, p.y)).map(|(x, y)| (x + shift, y)).collect();
        if series.line && places.len() > 1 {
            let path: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            let _ = write!(out, "<polyline points=\"{}\" class=\"line c{c}\"/>", path.join(" "));
        }
        for (point, (x, y)) in series.points.iter().zip(&places) {
            if let Some((low, high)) = point.interval {
                let (low, high) = (self.at(point.x, low).1, self.at(point.x, high).1);
                line(out, (*x, low), (*x, high), &format!("bar c{c}"));
            }
            if series.marks {
                mark(out, (*x, *y), c);
            }
        }
    }
}

/// A mark whose shape tells colours apart on a grey print, too.
fn mark(out: &mut String, (x, y): (f64, f64), colour: usize) {
    let _ = match colour % 3 {
        0 => write!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" class=\"dot c{colour}\"/>"),
        1 => write!(
            out,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"7\" height=\"7\" class=\"dot c{colour}\"/>",
            x - 3.5,
            y - 3.5
        ),
        _ => write!(out, "<path d=\"M{x:.1} {:.1}l4.8 8.4h-9.6z\" class=\"dot c{colour}\"/>", y - 5.2),
    };
}

/// What the marks of a figure mean, as a line under it that breaks where the page does.
fn names<'a>(of: impl Iterator<Item = (&'a str, usize)>) -> String {
    let one = |(name, colour): (&str, usize)| {
        let c = colour % 6;
        let mut sign = String::new();
        mark(&mut sign, (7.0, 7.0), c);
        format!(
            "<span class=key><svg viewBox=\"0 0 14 14\" width=\"14\" height=\"14\" aria-hidden=\"true\">{sign}</svg>{}</span> ",
            escape(name)
        )
    };
    format!("<p class=keys>{}</p>", of.map(one).collect::<String>())
}

/// Rows of dots over one axis: cells small, their mean large, its interval as a bar; the value is written at the right.
pub fn dots(title: &str, axis: &str, rows: &[Row]) -> String {
    const ROW: f64 = 46.0;
    const VALUE: f64 = 46.0;
    let height = ROW * rows.len() as f64 + 44.0;
    let values = rows.iter().flat_map(|r| {
        r.cells
            .iter()
            .copied()
            .chain(r.mean)
            .chain(r.interval.into_iter().flat_map(|(low, high)| [low, high]))
    });
    let (low, high) = range(values, (-1.0, 1.0));
    let at = |v: f64| 14.0 + ((v - low) / (high - low).max(1e-9)).clamp(0.0, 1.0) * (WIDTH - VALUE - 22.0);
    let mut out = open(WIDTH, height, title);
    let bottom = ROW * rows.len() as f64 + 6.0;
    for (value, label) in ticks(low, high) {
        line(&mut out, (at(value), 4.0), (at(value), bottom), "grid");
        text(&mut out, (at(value), bottom + 15.0), "mid", &label);
    }
    text(&mut out, (f64::midpoint(8.0, WIDTH - VALUE), bottom + 32.0), "mid soft", axis);
    for (place, row) in rows.iter().enumerate() {
        let (name, y, c) = (ROW * place as f64 + 15.0, ROW * place as f64 + 27.0, row.colour % 6);
        text(&mut out, (8.0, name), "over", &shorten(&row.name, 54));
        for (i, value) in row.cells.iter().enumerate().filter(|(_, v)| v.is_finite()) {
            // A fixed scatter, so that equal values are seen as several.
            let away = 10.0 + [0.0, 3.0, -3.0, 1.5, -1.5][i % 5];
            let _ = write!(
                out,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"2.2\" class=\"cell c{c}\"/>",
                at(*value),
                y + away
            );
        }
        if let Some((low, high)) = row.interval {
            line(&mut out, (at(low), y), (at(high), y), &format!("bar c{c}"));
        }
        match row.mean.and_then(|mean| Some((mean, digits(mean)?))) {
            Some((mean, told)) => {
                mark(&mut out, (at(mean), y), c);
                text(&mut out, (WIDTH - 4.0, y + 4.0), "end strong", &told);
            }
            None => text(&mut out, (WIDTH - 4.0, y + 4.0), "end soft", "none"),
        }
    }
    out.push_str("</svg>");
    out
}

fn shorten(name: &str, most: usize) -> String {
    if name.chars().count() <= most {
        return name.into();
    }
    name.chars().take(most - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let labels = |low, high| ticks(low, high).into_iter().map(|t| t.1).collect::<Vec<_>>().join(" ");
        assert_eq!(labels(0.0, 1.0), "0.0 0.2 0.4 0.6 0.8 1.0");
        assert_eq!(labels(0.41, 0.78), "0.5 0.6 0.7");
        assert_eq!(labels(0.0, 9.0), "0 2 4 6 8");
        assert_eq!(labels(-0.1, 0.1), "−0.10 −0.05 0.00 0.05 0.10");
    }

    #[test]
    fn a_range_has_air_and_no_gaps() {
        assert_eq!(range([f64::NAN].into_iter(), (0.0, 1.0)), (0.0, 1.0));
        let (low, high) = range([0.5, 0.99].into_iter(), (0.0, 1.0));
        assert!(low < 0.5 && high == 1.0);
    }
}

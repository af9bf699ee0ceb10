//! What a model costs on the line, whatever a miss, a false alarm and NOK's share there come to.
//!
//! Two sums decide: prevalence · cost of a miss, and (1 − prevalence) · cost of a false alarm. The share of the first in both
//! is the probability-cost PC; the expected cost over both the normalised expected cost. A threshold is a straight line over
//! PC, a model the lower envelope of its thresholds, and the corner beneath PC and 1 − PC is what calling every coil
//! alike costs. C. Drummond, R. C. Holte, Cost curves: an improved method for visualizing classifier performance, Machine
//! Learning 65 (2006).
//!
//! The envelope takes the best threshold in hindsight: on coils that did not choose the threshold it is a bound, and a chosen
//! threshold's own line ([`normalised_cost`]) lies above it.

use serde::{Deserialize, Serialize};

use super::Costs;
use super::curves::{Point, roc};

/// The part of PC in which one threshold is the cheapest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// From this PC.
    pub from: f64,
    /// To this one.
    pub to: f64,
    /// The corner of the ROC curve's convex hull that is best there.
    pub best: Point,
}

/// A lower envelope, from PC 0 to PC 1 without gaps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CostCurve {
    /// In order of PC.
    pub segments: Vec<Segment>,
}

/// The cost of one threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CostAt {
    /// The lowest score called NOK; `None` where nothing is.
    pub threshold: Option<f64>,
    /// Expected cost per coil of the line, in the unit of the costs.
    pub cost: f64,
}

/// PC of the line: prevalence · miss / (prevalence · miss + (1 − prevalence) · false alarm). `None` where costs are not
/// positive and finite or the prevalence is not between 0 and 1.
pub fn probability_cost(costs: &Costs) -> Option<f64> {
    let (nok, ok) = per_coil(costs)?;
    Some(nok / (nok + ok))
}

/// The expected cost, of the greatest that could arise, at `pc` of calling NOK a share `point.y` of NOK and `point.x` of OK
/// coils: (1 − y) · PC + x · (1 − PC).
pub fn normalised_cost(point: &Point, pc: f64) -> f64 {
    (1.0 - point.y) * pc + point.x * (1.0 - pc)
}

/// The expected cost per coil of each threshold, from the highest score down. `None` unless both labels occur and
/// [`probability_cost`] is defined.
///
/// # Panics
/// When `nok` and `scores` differ in length.
pub fn cost_by_threshold(nok: &[bool], scores: &[f64], costs: &Costs) -> Option<Vec<CostAt>> {
    let (miss, stop) = per_coil(costs)?;
    let at = |p: &Point| CostAt { threshold: p.threshold, cost: (1.0 - p.y) * miss + p.x * stop };
    Some(roc(nok, scores)?.iter().map(at).collect())
}

/// What missing all NOK coils and what stopping all OK coils costs, per coil.
fn per_coil(costs: &Costs) -> Option<(f64, f64)> {
    let Costs { miss, false_alarm, prevalence, .. } = *costs;
    let positive = |x: f64| x.is_finite() && x > 0.0;
    let usable = positive(miss) && positive(false_alarm) && positive(prevalence) && prevalence < 1.0;
    usable.then_some((prevalence * miss, (1.0 - prevalence) * false_alarm))
}

impl CostCurve {
    /// The envelope of all thresholds. `None` unless both labels occur.
    ///
    /// # Panics
    /// When `nok` and `scores` differ in length.
    pub fn new(nok: &[bool], scores: &[f64]) -> Option<Self> {
        let mut hull: Vec<Point> = Vec::new();
        for point in roc(nok, scores)? {
            while let [.., a, b] = hull[..]
                && (b.x - a.x) * (point.y - a.y) >= (point.x - a.x) * (b.y - a.y)
            {
                hull.pop();
            }
            hull.push(point);
        }
        // Neighbours on the hull cost the same where PC is Δx / (Δx + Δy).
        let crossings: Vec<f64> = hull
            .windows(2)
            .map(|p| {
                let (dx, dy) = (p[1].x - p[0].x, p[1].y - p[0].y);
                dx / (dx + dy)
            })
            .collect();
        let from = std::iter::once(0.0).chain(crossings.iter().copied());
        let to = crossings.iter().copied().chain(std::iter::once(1.0));
        let segments = hull.iter().zip(from).zip(to).filter(|((_, from), to)| from < to);
        Some(Self {
            segments: segments.map(|((best, from), to)| Segment { from, to, best: *best }).collect(),
        })
    }

    /// The cheapest threshold at `pc` and what it costs, normalised. `None` unless 0 ≤ `pc` ≤ 1.
    pub fn at(&self, pc: f64) -> Option<(f64, Point)> {
        let segment = self.segments.iter().find(|s| (s.from..=s.to).contains(&pc))?;
        Some((normalised_cost(&segment.best, pc), segment.best))
    }

    /// Corners of the envelope: PC and normalised expected cost, to be joined by straight lines.
    pub fn corners(&self) -> Vec<(f64, f64)> {
        let Some(first) = self.segments.first() else { return Vec::new() };
        let corner = |s: &Segment| (s.to, normalised_cost(&s.best, s.to));
        let start = (first.from, normalised_cost(&first.best, first.from));
        std::iter::once(start).chain(self.segments.iter().map(corner)).collect()
    }

    /// The area under the envelope: the mean normalised cost if nothing is known of PC. 0 at best, 1/4 where scores know
    /// nothing.
    pub fn area(&self) -> f64 {
        self.corners().windows(2).map(|c| 0.5 * (c[0].1 + c[1].1) * (c[1].0 - c[0].0)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::golden::{self, close};

    fn costs(miss: f64, prevalence: f64) -> Costs {
        Costs { miss, false_alarm: 1.0, prevalence, enough_nok: 1 }
    }

    #[test]
    fn by_hand() {
        // The ROC curve through (0, 0), (0, 1/2), (1/2, 1/2), (1/2, 1), (1, 1): its hull leaves (1/2, 1/2) out. Half
        // the NOK coils found costs PC/2, all found for half the OK (1 − PC)/2: equal at 1/2.
        let (nok, scores) = ([false, false, true, true], [0.1, 0.4, 0.35, 0.8]);
        let curve = CostCurve::new(&nok, &scores).unwrap();
        assert_eq!(curve.corners(), [(0.0, 0.0), (0.5, 0.25), (1.0, 0.0)]);
        assert_eq!(curve.area(), 0.125);
        let (cost, best) = curve.at(0.2).unwrap();
        assert!((cost - 0.1).abs() < 1e-15 && best.threshold == Some(0.8));
        assert_eq!((curve.at(1.2), curve.at(f64::NAN)), (None, None));
        // 3 % NOK, a miss ten times as dear: PC 0.3 / (0.3 + 0.97); per coil, half of the misses cost 0.15.
        let pc = probability_cost(&costs(10.0, 0.03)).unwrap();
        assert!((pc - 0.3 / 1.27).abs() < 1e-15);
        let by_threshold = cost_by_threshold(&nok, &scores, &costs(10.0, 0.03)).unwrap();
        assert!((by_threshold[1].cost - 0.15).abs() < 1e-15 && by_threshold[1].threshold == Some(0.8));
        assert!((curve.at(pc).unwrap().0 * 1.27 - 0.15).abs() < 1e-15);
    }

    #[test]
    fn scores_that_know_nothing_cost_what_calling_all_alike_does() {
        let curve = CostCurve::new(&[true, false], &[1.0, 1.0]).unwrap();
        assert_eq!((curve.corners(), curve.area()), (vec![(0.0, 0.0), (0.5, 0.5), (1.0, 0.0)], 0.25));
        let perfect = CostCurve::new(&[true, false], &[1.0, 0.0]).unwrap();
        assert_eq!((perfect.segments.len(), perfect.area()), (1, 0.0));
        assert_eq!(CostCurve::new(&[true], &[1.0]), None);
        assert_eq!(probability_cost(&costs(0.0, 0.03)), None);
        assert_eq!(probability_cost(&costs(1.0, 1.0)), None);
        assert_eq!(cost_by_threshold(&[true, false], &[1.0, 0.0], &costs(f64::NAN, 0.1)), None);
    }

    #[test]
    fn the_envelope_is_the_least_over_all_thresholds() {
        for case in golden::cases("curves") {
            let (nok, scores) = (case.flags("nok"), case.list("scores"));
            let curve = CostCurve::new(&nok, &scores).unwrap();
            for (i, expected) in case.list("envelope").into_iter().enumerate() {
                close(curve.at(i as f64 / 20.0).unwrap().0, expected);
            }
            let by_threshold = cost_by_threshold(&nok, &scores, &costs(10.0, 0.03)).unwrap();
            let least = by_threshold.iter().map(|c| c.cost).fold(f64::INFINITY, f64::min);
            close(least, case.number("least_cost"));
        }
    }
}

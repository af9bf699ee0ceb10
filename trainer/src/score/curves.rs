//! ROC and precision-recall curves to draw.

use serde::{Deserialize, Serialize};

use super::average_precision::{Group, descending};

/// A point of a curve: what calling NOK from a score on leads to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// ROC: the share of OK coils called NOK. Precision-recall: the share of NOK coils called so.
    pub x: f64,
    /// ROC: the share of NOK coils called so. Precision-recall: of the coils called NOK, the share that is.
    pub y: f64,
    /// The lowest score called NOK; `None` where nothing is.
    pub threshold: Option<f64>,
}

/// The ROC curve, a point a distinct score from (0, 0) to (1, 1), straight between points (T. Fawcett, An introduction to
/// ROC analysis, Pattern Recognition Letters 27 (2006), algorithm 1). `None` unless both labels occur.
///
/// # Panics
/// When `nok` and `scores` differ in length.
pub fn roc(nok: &[bool], scores: &[f64]) -> Option<Vec<Point>> {
    let groups = descending(nok, scores);
    let (positives, negatives) = totals(&groups);
    if positives == 0.0 || negatives == 0.0 {
        return None;
    }
    let mut points = vec![Point { x: 0.0, y: 0.0, threshold: None }];
    let (mut found, mut stopped) = (0.0, 0.0);
    for group in groups {
        found += group.nok;
        stopped += group.ok;
        points.push(Point { x: stopped / negatives, y: found / positives, threshold: Some(group.score) });
    }
    Some(points)
}

/// The precision-recall curve, a point a distinct score from the highest down. It is a staircase: between two points the
/// precision is that of the second, and its area is [`super::average_precision()`]. `None` without a NOK coil.
///
/// # Panics
/// When `nok` and `scores` differ in length.
pub fn precision_recall(nok: &[bool], scores: &[f64]) -> Option<Vec<Point>> {
    let groups = descending(nok, scores);
    let (positives, _) = totals(&groups);
    let (mut found, mut called) = (0.0, 0.0);
    let point = |group: &Group| {
        found += group.nok;
        called += group.nok + group.ok;
        Point { x: found / positives, y: found / called, threshold: Some(group.score) }
    };
    (positives > 0.0).then(|| groups.iter().map(point).collect())
}

fn totals(groups: &[Group]) -> (f64, f64) {
    groups.iter().fold((0.0, 0.0), |(nok, ok), g| (nok + g.nok, ok + g.ok))
}

/// The area under a curve of straight pieces.
pub fn straight_area(points: &[Point]) -> f64 {
    points.windows(2).map(|p| 0.5 * (p[0].y + p[1].y) * (p[1].x - p[0].x)).sum()
}

/// The area under a staircase: each point's height since the one before, the first's since 0.
pub fn stairs_area(points: &[Point]) -> f64 {
    let from = std::iter::once(0.0).chain(points.iter().map(|p| p.x));
    points.iter().zip(from).map(|(p, from)| p.y * (p.x - from)).sum()
}

/// Some of the points, the first and last among them, that enclose the same area within `tolerance`, whether straight or a
/// staircase: points are left out as long as the box around them is small. The boxes' areas bound the change; each may have as
/// much of the tolerance as its share of the way along the curve. A ROC curve keeps at most some 2 / tolerance points.
///
/// Points must come with `x` not falling.
pub fn thin(points: &[Point], tolerance: f64) -> Vec<Point> {
    let way = |a: &Point, b: &Point| (b.x - a.x) + (b.y - a.y).abs();
    let whole: f64 = points.windows(2).map(|p| way(&p[0], &p[1])).sum();
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return Vec::new() };
    let mut kept = vec![*first];
    // Since the last point kept: its place, the lowest and highest so far, and the way.
    let (mut anchor, mut low, mut high, mut gone) = (first, first.y, first.y, 0.0);
    for pair in points.windows(2) {
        let (before, point) = (&pair[0], &pair[1]);
        (low, high, gone) = (low.min(point.y), high.max(point.y), gone + way(before, point));
        if (point.x - anchor.x) * (high - low) * whole > tolerance * gone && before != anchor {
            kept.push(*before);
            anchor = before;
            (low, high, gone) = (before.y.min(point.y), before.y.max(point.y), way(before, point));
        }
    }
    if points.len() > 1 {
        kept.push(*last);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::golden::{self, close};
    use crate::score::{average_precision, roc_auc};
    use proptest::prelude::*;

    #[test]
    fn by_hand() {
        // scikit-learn's documented example: labels 0 0 1 1, scores .1 .4 .35 .8.
        let (nok, scores) = ([false, false, true, true], [0.1, 0.4, 0.35, 0.8]);
        let at = |points: Vec<Point>| points.iter().map(|p| (p.x, p.y)).collect::<Vec<_>>();
        let found = at(roc(&nok, &scores).unwrap());
        assert_eq!(found, [(0.0, 0.0), (0.0, 0.5), (0.5, 0.5), (0.5, 1.0), (1.0, 1.0)]);
        let found = at(precision_recall(&nok, &scores).unwrap());
        assert_eq!(found, [(0.5, 1.0), (0.5, 0.5), (1.0, 2.0 / 3.0), (1.0, 0.5)]);
        assert_eq!((roc(&[true], &[1.0]), precision_recall(&[false], &[1.0])), (None, None));
    }

    #[test]
    fn as_scikit_learn_has_them() {
        for case in golden::cases("curves") {
            let (nok, scores) = (case.flags("nok"), case.list("scores"));
            for (name, points) in [("roc", roc(&nok, &scores)), ("pr", precision_recall(&nok, &scores))] {
                let (points, expected) = (points.unwrap(), case.rows(name));
                assert_eq!(points.len(), expected[0].len());
                for (i, point) in points.iter().enumerate() {
                    close(point.x, expected[0][i]);
                    close(point.y, expected[1][i]);
                    point.threshold.iter().for_each(|t| close(*t, expected[2][i]));
                }
            }
        }
    }

    #[test]
    fn corners_are_kept_and_straight_runs_are_not() {
        let nok: Vec<bool> = (0..4000).map(|i| i < 2000).collect();
        let scores: Vec<f64> = (0..4000).map(|i| -f64::from(i)).collect();
        let points = roc(&nok, &scores).unwrap();
        let thinned: Vec<_> = thin(&points, 1e-6).iter().map(|p| (p.x, p.y)).collect();
        assert_eq!(thinned, [(0.0, 0.0), (0.0, 1.0), (1.0, 1.0)]);
        assert!(thin(&[], 1e-3).is_empty());
        assert_eq!(thin(&points[..1], 1e-3), points[..1]);
    }

    proptest! {
        #[test]
        fn thinning_keeps_the_areas(
            rows in prop::collection::vec((any::<bool>(), 0_u16..500), 2..400), tolerance in 1e-4_f64..0.1
        ) {
            let nok: Vec<bool> = rows.iter().map(|r| r.0).collect();
            let scores: Vec<f64> = rows.iter().map(|r| f64::from(r.1) + f64::from(u8::from(r.0)) * 100.0).collect();
            if let Some(points) = roc(&nok, &scores) {
                prop_assert!((straight_area(&points) - roc_auc(&nok, &scores).unwrap()).abs() < 1e-9);
                let thinned = thin(&points, tolerance);
                prop_assert!((straight_area(&points) - straight_area(&thinned)).abs() <= tolerance + 1e-12);
                prop_assert_eq!((thinned[0], *thinned.last().unwrap()), (points[0], *points.last().unwrap()));
            }
            if let Some(points) = precision_recall(&nok, &scores) {
                prop_assert!((stairs_area(&points) - average_precision(&nok, &scores).unwrap()).abs() < 1e-9);
                let change = stairs_area(&points) - stairs_area(&thin(&points, tolerance));
                prop_assert!(change.abs() <= tolerance + 1e-12);
            }
        }
    }
}

//! Average precision: the area under the precision-recall curve, in steps.

/// Σ (Rₖ − Rₖ₋₁)·Pₖ over the distinct scores from the highest down, coils of equal score taken together, as
/// scikit-learn's `average_precision_score` does; nothing is interpolated. `None` without a NOK coil.
///
/// # Panics
/// When `nok` and `scores` differ in length.
pub fn average_precision(nok: &[bool], scores: &[f64]) -> Option<f64> {
    let positives = nok.iter().filter(|&&n| n).count() as f64;
    if positives == 0.0 {
        return None;
    }
    let (mut found, mut called, mut area) = (0.0, 0.0, 0.0);
    for group in descending(nok, scores) {
        found += group.nok;
        called += group.nok + group.ok;
        area += group.nok / positives * (found / called);
    }
    Some(area)
}

/// How many NOK and OK coils share one score.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group {
    pub score: f64,
    pub nok: f64,
    pub ok: f64,
}

/// The coils grouped by equal score, highest score first.
pub(super) fn descending(nok: &[bool], scores: &[f64]) -> Vec<Group> {
    assert_eq!(nok.len(), scores.len(), "a score for every label");
    let mut rows: Vec<(f64, bool)> = scores.iter().copied().zip(nok.iter().copied()).collect();
    rows.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    rows.chunk_by(|a, b| a.0 == b.0)
        .map(|same| {
            let positives = same.iter().filter(|r| r.1).count();
            Group { score: same[0].0, nok: positives as f64, ok: (same.len() - positives) as f64 }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn by_hand() {
        // scikit-learn's documented example: 0.5 * 1 + 0.5 * 2/3 = 0.8333.
        let ap = average_precision(&[false, false, true, true], &[0.1, 0.4, 0.35, 0.8]).unwrap();
        assert!((ap - (0.5 + 0.5 * 2.0 / 3.0)).abs() < 1e-15);
        // All alike: precision is the prevalence.
        assert_eq!(average_precision(&[true, false, false, false], &[0.3; 4]), Some(0.25));
        // One group of a NOK and an OK on top, a NOK alone below: 0.5 * 1/2 + 0.5 * 2/3.
        let ap = average_precision(&[true, false, true], &[0.9, 0.9, 0.2]).unwrap();
        assert!((ap - (0.25 + 1.0 / 3.0)).abs() < 1e-15);
        assert_eq!(average_precision(&[false, false], &[0.1, 0.2]), None);
    }

    proptest! {
        #[test]
        fn order_of_rows_does_not_matter_and_a_perfect_ranking_has_one(
            rows in prop::collection::vec((any::<bool>(), 0_u8..8), 1..40)
        ) {
            let nok: Vec<bool> = rows.iter().map(|r| r.0).collect();
            let scores: Vec<f64> = rows.iter().map(|r| f64::from(r.1)).collect();
            let (mut back_nok, mut back_scores) = (nok.clone(), scores.clone());
            back_nok.reverse();
            back_scores.reverse();
            prop_assert_eq!(average_precision(&nok, &scores), average_precision(&back_nok, &back_scores));
            let perfect: Vec<f64> = nok.iter().map(|&n| f64::from(u8::from(n))).collect();
            if let Some(ap) = average_precision(&nok, &perfect) {
                prop_assert!((ap - 1.0).abs() < 1e-12);
                prop_assert!(average_precision(&nok, &scores).unwrap() <= 1.0 + 1e-12);
            }
        }
    }
}

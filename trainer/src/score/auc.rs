//! Area under the ROC curve.

use super::average_precision::descending;

/// The chance that a NOK coil scores above an OK coil, a tie counting half (Mann and Whitney's U over the number of
/// pairs). `None` unless both labels occur.
///
/// # Panics
/// When `nok` and `scores` differ in length.
pub fn roc_auc(nok: &[bool], scores: &[f64]) -> Option<f64> {
    let positives = nok.iter().filter(|&&n| n).count() as f64;
    let negatives = nok.len() as f64 - positives;
    if positives == 0.0 || negatives == 0.0 {
        return None;
    }
    // From the highest score down: each OK coil is beaten by the NOK coils above it and half of those beside it.
    let (mut above, mut beaten) = (0.0, 0.0);
    for group in descending(nok, scores) {
        beaten += group.ok * (above + 0.5 * group.nok);
        above += group.nok;
    }
    Some(beaten / (positives * negatives))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn by_hand() {
        // scikit-learn's documented example: labels 0 0 1 1, scores .1 .4 .35 .8 -> 0.75.
        let auc = roc_auc(&[false, false, true, true], &[0.1, 0.4, 0.35, 0.8]);
        assert_eq!(auc, Some(0.75));
        // A tie between one NOK and one OK counts half: (1 + 0.5) / 2.
        assert_eq!(roc_auc(&[true, false, false], &[0.5, 0.5, 0.1]), Some(0.75));
        assert_eq!(roc_auc(&[true, true], &[0.5, 0.1]), None);
        assert_eq!(roc_auc(&[], &[]), None);
    }

    proptest! {
        #[test]
        fn counts_pairs(rows in prop::collection::vec((any::<bool>(), 0_u8..6), 2..40)) {
            let nok: Vec<bool> = rows.iter().map(|r| r.0).collect();
            let scores: Vec<f64> = rows.iter().map(|r| f64::from(r.1)).collect();
            let (mut won, mut pairs) = (0.0, 0.0);
            for (a, &sa) in scores.iter().enumerate().filter(|&(a, _)| nok[a]) {
                for (_, &sb) in scores.iter().enumerate().filter(|&(b, _)| !nok[b] && b != a) {
                    pairs += 1.0;
                    won += if sa > sb { 1.0 } else if sa == sb { 0.5 } else { 0.0 };
                }
            }
            match roc_auc(&nok, &scores) {
                None => prop_assert_eq!(pairs, 0.0),
                Some(auc) => prop_assert!((auc - won / pairs).abs() < 1e-12),
            }
        }
    }
}

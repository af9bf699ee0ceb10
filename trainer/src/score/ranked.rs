//! Scores sorted once, for AUC and average precision of many resamples of the same rows: each then takes time in proportion to
//! the rows.

/// Rows in order of their scores.
#[derive(Clone, Debug)]
pub struct Ranked {
    /// Labels, by row.
    nok: Vec<bool>,
    /// The place of each row's score among the distinct scores, the highest first.
    group: Vec<u32>,
    /// Distinct scores.
    groups: usize,
}

impl Ranked {
    /// # Panics
    /// When `nok` and `scores` differ in length.
    pub fn new(nok: &[bool], scores: &[f64]) -> Self {
        assert_eq!(nok.len(), scores.len(), "a score for every label");
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        let mut group = vec![0; scores.len()];
        let mut groups = 0;
        for (i, row) in order.iter().enumerate() {
            if i > 0 && scores[order[i - 1]] != scores[*row] {
                groups += 1;
            }
            group[*row] = groups as u32;
        }
        Self { nok: nok.to_vec(), group, groups: if scores.is_empty() { 0 } else { groups + 1 } }
    }

    /// NOK and OK rows of each distinct score.
    fn counts(&self, rows: &[usize]) -> Vec<[f64; 2]> {
        let mut counts = vec![[0.0; 2]; self.groups];
        for row in rows {
            counts[self.group[*row] as usize][usize::from(!self.nok[*row])] += 1.0;
        }
        counts
    }

    /// As [`super::roc_auc`], of these rows (with repetition).
    pub fn roc_auc(&self, rows: &[usize]) -> Option<f64> {
        let (mut above, mut pairs, mut ok_below) = (0.0, 0.0, 0.0);
        let counts = self.counts(rows);
        for [nok, ok] in counts.iter().rev() {
            above += nok * (ok_below + 0.5 * ok);
            ok_below += ok;
            pairs += nok;
        }
        pairs *= ok_below;
        (pairs > 0.0).then(|| above / pairs)
    }

    /// As [`super::average_precision()`], of these rows (with repetition).
    pub fn average_precision(&self, rows: &[usize]) -> Option<f64> {
        let counts = self.counts(rows);
        let positives: f64 = counts.iter().map(|[nok, _]| nok).sum();
        let (mut found, mut called, mut area) = (0.0, 0.0, 0.0);
        for [nok, ok] in counts {
            found += nok;
            called += nok + ok;
            if nok > 0.0 {
                area += nok * (found / called);
            }
        }
        (positives > 0.0).then(|| area / positives)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::{average_precision, roc_auc};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn resamples_have_the_plain_metrics(
            coils in prop::collection::vec((any::<bool>(), 0_u8..12), 1..60),
            picks in prop::collection::vec(any::<prop::sample::Index>(), 0..80),
        ) {
            let (nok, scores): (Vec<bool>, Vec<f64>) =
                coils.iter().map(|(nok, score)| (*nok, f64::from(*score))).unzip();
            let rows: Vec<usize> = picks.iter().map(|pick| pick.index(coils.len())).collect();
            let (drawn_nok, drawn): (Vec<bool>, Vec<f64>) = rows.iter().map(|i| (nok[*i], scores[*i])).unzip();
            let ranked = Ranked::new(&nok, &scores);
            let near = |a: Option<f64>, b: Option<f64>| match (a, b) {
                (Some(a), Some(b)) => (a - b).abs() < 1e-12,
                (a, b) => a == b,
            };
            prop_assert!(near(ranked.roc_auc(&rows), roc_auc(&drawn_nok, &drawn)));
            prop_assert!(near(ranked.average_precision(&rows), average_precision(&drawn_nok, &drawn)));
        }
    }
}

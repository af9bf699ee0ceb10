//! Rankings of coils that came in blocks, each judged by a network of its own.
//!
//! Scores of two networks are on scales of their own, and blocks of time differ in how rare NOK is. So a coil is compared
//! with the coils of its own block alone: the metric is worked out block by block and averaged, AUC by the pairs of a
//! block, average precision by its NOK coils. That is what both are within a block: AUC is the mean over pairs, average
//! precision the mean over NOK coils of the precision at their score. Resampling keeps the blocks (and labels) apart too.

use super::report::Estimate;
use super::{Bootstrap, average_precision, roc_auc};

/// Coils as labelled, scored and put into blocks; all of the same length.
#[derive(Clone, Copy, Debug)]
pub struct Blocks<'a> {
    /// The block of each coil, from 0.
    pub block: &'a [usize],
    /// The inspector's labels.
    pub nok: &'a [bool],
    /// Scores, comparable within a block.
    pub scores: &'a [f64],
}

impl Blocks<'_> {
    /// The chance that a NOK coil scores above an OK coil of its block. `None` without a block that has both labels.
    pub fn roc_auc(&self, rows: &[usize]) -> Option<f64> {
        self.mean(rows, roc_auc, |nok, ok| nok * ok)
    }

    /// The mean over NOK coils of the precision, in their block, at their score. `None` without a NOK coil.
    pub fn average_precision(&self, rows: &[usize]) -> Option<f64> {
        self.mean(rows, average_precision, |nok, _| nok)
    }

    /// A metric with its interval.
    pub fn estimate(
        &self,
        bootstrap: &Bootstrap,
        metric: impl Fn(&Self, &[usize]) -> Option<f64> + Sync,
    ) -> Estimate {
        let all: Vec<usize> = (0..self.nok.len()).collect();
        let metric = |rows: &[usize]| metric(self, rows);
        Estimate { value: metric(&all), interval: bootstrap.interval_within(&self.strata(), metric) }
    }

    /// Rows of the same block and label.
    pub fn strata(&self) -> Vec<Vec<usize>> {
        let mut strata = vec![Vec::new(); 2 * self.count()];
        for (row, (block, nok)) in self.block.iter().zip(self.nok).enumerate() {
            strata[2 * block + usize::from(*nok)].push(row);
        }
        strata
    }

    fn count(&self) -> usize {
        self.block.iter().max().map_or(0, |last| last + 1)
    }

    fn mean(
        &self,
        rows: &[usize],
        metric: fn(&[bool], &[f64]) -> Option<f64>,
        weight: fn(f64, f64) -> f64,
    ) -> Option<f64> {
        let mut blocks = vec![(Vec::new(), Vec::new()); self.count()];
        for row in rows {
            let (nok, scores) = &mut blocks[self.block[*row]];
            nok.push(self.nok[*row]);
            scores.push(self.scores[*row]);
        }
        let (mut sum, mut total) = (0.0, 0.0);
        for (nok, scores) in &blocks {
            let Some(value) = metric(nok, scores) else { continue };
            let positives = nok.iter().filter(|n| **n).count() as f64;
            let weight = weight(positives, nok.len() as f64 - positives);
            sum += weight * value;
            total += weight;
        }
        (total > 0.0).then(|| sum / total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Block 0: NOK 0.9, OK 0.5, NOK 0.4. Block 1, on another scale: OK 9, NOK 8, OK 7, OK 6.
    const BLOCK: [usize; 7] = [0, 0, 0, 1, 1, 1, 1];
    const NOK: [bool; 7] = [true, false, true, false, true, false, false];
    const SCORES: [f64; 7] = [0.9, 0.5, 0.4, 9.0, 8.0, 7.0, 6.0];
    const ALL: [usize; 7] = [0, 1, 2, 3, 4, 5, 6];

    fn blocks() -> Blocks<'static> {
        Blocks { block: &BLOCK, nok: &NOK, scores: &SCORES }
    }

    #[test]
    fn by_hand() {
        // AUC 1/2 of 2 pairs and 2/3 of 3 pairs: 3 of 5 pairs. Precisions 1, 2/3 and 1/2 at the three NOK coils.
        assert!((blocks().roc_auc(&ALL).unwrap() - 0.6).abs() < 1e-15);
        let precisions = (1.0 + 2.0 / 3.0 + 0.5) / 3.0;
        assert!((blocks().average_precision(&ALL).unwrap() - precisions).abs() < 1e-15);
        // Without the second block's NOK coil only the first block says anything.
        assert_eq!(blocks().roc_auc(&[0, 1, 2, 3, 5]), Some(0.5));
        assert_eq!(blocks().average_precision(&[1, 3]), None);
    }

    #[test]
    fn a_networks_scale_does_not_matter() {
        let other: Vec<f64> = SCORES.iter().map(|s| if *s > 1.0 { s / 1000.0 } else { *s }).collect();
        let other = Blocks { scores: &other, ..blocks() };
        assert_eq!(other.roc_auc(&ALL), blocks().roc_auc(&ALL));
        assert_eq!(other.average_precision(&ALL), blocks().average_precision(&ALL));
    }

    #[test]
    fn one_block_is_the_plain_metric_and_strata_hold_every_row_once() {
        let one = Blocks { block: &[0; 7], ..blocks() };
        assert_eq!(one.roc_auc(&ALL), roc_auc(&NOK, &SCORES));
        assert_eq!(one.average_precision(&ALL), average_precision(&NOK, &SCORES));
        assert_eq!(blocks().strata(), [vec![1], vec![0, 2], vec![3, 5, 6], vec![4]]);
    }
}

//! Losses on pairs: which pairs of a batch count how much, and what each costs.

use super::config::Alike;
use candle_core::{Result, Tensor};

/// Shares of two OK, of one each, of two NOK: the paper's pair sampling (section 3.3) gives as many pairs of each class with
/// itself, and as many of one class as of two.
const SHARES: [f64; 3] = [0.25, 0.5, 0.25];

/// Weight of every pair above the diagonal, `[n, n]`, all together 1: [`SHARES`], equal within a kind. A kind that the batch
/// lacks leaves its weight to the others. Of each kind only the share `hard` counts, at least one pair: the greatest
/// distances of one class, the least of two.
pub fn weights(labels: &[usize], distances: &Tensor, hard: f64) -> Result<Tensor> {
    let n = labels.len();
    if distances.dims() != [n, n] || n < 2 {
        candle_core::bail!("{n} labels for pairs {:?}", distances.dims());
    }
    let mut kinds: [Vec<(usize, usize)>; 3] = Default::default();
    for i in 0..n {
        (i + 1..n).for_each(|j| kinds[labels[i] + labels[j]].push((i, j)));
    }
    let total: f64 = SHARES.iter().zip(&kinds).filter(|(_, pairs)| !pairs.is_empty()).map(|(s, _)| s).sum();
    if hard < 1.0 {
        let distances = distances.detach().to_dtype(candle_core::DType::F64)?.to_vec2::<f64>()?;
        for (kind, pairs) in kinds.iter_mut().enumerate() {
            let ease = |(i, j): &(usize, usize)| distances[*i][*j] * if kind == 1 { 1.0 } else { -1.0 };
            pairs.sort_by(|a, b| ease(a).total_cmp(&ease(b)));
            pairs.truncate(((pairs.len() as f64 * hard).round() as usize).max(1));
        }
    }
    let mut weights = vec![0.0f64; n * n];
    for (share, pairs) in SHARES.iter().zip(&kinds) {
        for (i, j) in pairs {
            weights[i * n + j] = share / total / pairs.len() as f64;
        }
    }
    Tensor::from_vec(weights, (n, n), distances.device())?.to_dtype(distances.dtype())
}

/// The label of every pair `[n, n]`.
fn targets(labels: &[usize], alike: Alike, like: &Tensor) -> Result<Tensor> {
    let (one_class, two_classes) = match alike {
        Alike::Zero => (0.0, 1.0),
        Alike::One => (1.0, 0.0),
    };
    let target = |i: usize, j: usize| if labels[i] == labels[j] { one_class } else { two_classes };
    let n = labels.len();
    let targets: Vec<f64> = (0..n * n).map(|at| target(at / n, at % n)).collect();
    Tensor::from_vec(targets, (n, n), like.device())?.to_dtype(like.dtype())
}

/// Weighted binary cross-entropy of the log odds `[n, n]` that two coils are of one class.
pub fn similarity(log_odds: &Tensor, labels: &[usize], weights: &Tensor) -> Result<Tensor> {
    let targets = targets(labels, Alike::One, log_odds)?;
    // -t log s(z) - (1 - t) log(1 - s(z)) = (1 - t) z - log s(z).
    let loss = (((1.0 - targets)? * log_odds)? - log_sigmoid(log_odds)?)?;
    (loss * weights)?.sum_all()
}

/// Weighted contrastive loss of plain distances D `[n, n]`. With y = 0 for a pair of one class (Hadsell et al., equation 4)
/// `(1 - y) D^2 / 2 + y max(0, margin - D)^2 / 2`; with y = 1 for it (the second paper, equation 1) the two change places.
pub fn margin(
    distances: &Tensor,
    labels: &[usize],
    weights: &Tensor,
    margin: f64,
    alike: Alike,
) -> Result<Tensor> {
    let y = targets(labels, alike, distances)?;
    let not_y = (1.0 - &y)?;
    let (together, apart) = match alike {
        Alike::Zero => (not_y, y),
        Alike::One => (y, not_y),
    };
    let short = (margin - distances)?.relu()?;
    let loss = ((together * distances.sqr()?)? + (apart * short.sqr()?)?)?;
    (loss * weights)?.sum_all()? * 0.5
}

/// log(sigmoid(z)), without overflow.
pub fn log_sigmoid(z: &Tensor) -> Result<Tensor> {
    z.minimum(0.0)? - (z.abs()?.neg()?.exp()? + 1.0)?.log()?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::folded::Distance;
    use crate::nets::siamese::tests::golden;
    use crate::nn::gradcheck::{check64, values};
    use candle_core::Device;

    fn square(values: &[f32]) -> Tensor {
        let n = values.len().isqrt();
        Tensor::from_slice(values, (n, n), &Device::Cpu).expect("pairs")
    }

    fn number(t: Result<Tensor>) -> f32 {
        t.and_then(|t| t.to_scalar::<f32>()).expect("a loss")
    }

    #[test]
    fn kinds_of_pairs_weigh_as_the_paper_samples_them() {
        let flat = |labels: &[usize], distances: &Tensor, hard| {
            let found = weights(labels, distances, hard).and_then(|w| w.flatten_all()?.to_vec1::<f32>());
            found.expect("weights")
        };
        let zero = square(&[0.0; 16]);
        // 0-0, 0-1 twice, 0-1 twice, 1-1.
        let w = flat(&[0, 0, 1, 1], &zero, 1.0);
        assert_eq!(w, [0., 0.25, 0.125, 0.125, 0., 0., 0.125, 0.125, 0., 0., 0., 0.25, 0., 0., 0., 0.]);
        let w = flat(&[0, 0, 1], &square(&[0.0; 9]), 1.0);
        assert!(
            w.iter()
                .zip([0., 1.0 / 3.0, 1.0 / 3.0, 0., 0., 1.0 / 3.0, 0., 0., 0.])
                .all(|(a, b)| (a - b).abs() < 1e-7)
        );
        // The hardest: of one class the furthest, of two the nearest.
        let d = square(&[0., 5., 9., 1., 0., 0., 7., 2., 0., 0., 0., 3., 0., 0., 0., 0.]);
        assert_eq!(flat(&[0, 0, 0, 1], &d, 0.34), {
            let mut w = [0.0; 16];
            (w[2], w[3]) = (1.0 / 3.0, 2.0 / 3.0);
            w
        });
        assert!(weights(&[0], &square(&[0.0]), 1.0).is_err());
    }

    #[test]
    fn gradients_agree_with_differences() {
        for labels in [[0, 1, 1, 0, 0], [0, 0, 0, 0, 0], [0, 1, 1, 1, 1]] {
            for hard in [1.0, 0.4] {
                let z = (values((5, 5), 3) * 4.0).expect("spread");
                check64("similarity", &[&z], |v| similarity(&v[0], &labels, &weights(&labels, &v[0], hard)?));
                for alike in [Alike::Zero, Alike::One] {
                    let d = (values((5, 5), 3) + 1.1).expect("distances");
                    let loss =
                        |v: &[Tensor]| margin(&v[0], &labels, &weights(&labels, &v[0], hard)?, 1.0, alike);
                    check64("margin", &[&d], loss);
                }
            }
        }
    }

    #[test]
    fn similarity_agrees_with_hand_worked_numbers_and_stays_finite() {
        let loss = |z: f32, labels: &[usize]| {
            let z = square(&vec![z; labels.len() * labels.len()]);
            number(weights(labels, &z, 1.0).and_then(|w| similarity(&z, labels, &w)))
        };
        // Odds 3 to 1: a match costs ln 4/3, a pair of two classes ln 4.
        let (match_, apart) = ((4.0f32 / 3.0).ln(), 4.0f32.ln());
        let z = 3.0f32.ln();
        assert!((loss(z, &[0, 0, 1, 1]) - f32::midpoint(match_, apart)).abs() < 1e-6);
        assert!((loss(z, &[0, 0, 1]) - (match_ + 2.0 * apart) / 3.0).abs() < 1e-6);
        assert!((loss(z, &[1, 1]) - match_).abs() < 1e-6);
        assert_eq!(loss(1e4, &[0, 1]), 1e4);
        assert_eq!(loss(-1e4, &[0, 1]), 0.0);
    }

    #[test]
    fn the_margin_loss_agrees_with_hand_worked_numbers_in_both_conventions() {
        // One pair of two OK 3 apart, two pairs of two classes, 0.5 and 4 apart; margin 2.
        let d = square(&[0., 3., 0.5, 0., 0., 4., 0., 0., 0.]);
        let labels = [0, 0, 1];
        let w = weights(&labels, &d, 1.0).expect("weights");
        let wanted = (9.0 + 1.5f32.powi(2) + 0.0) / 3.0 / 2.0;
        for alike in [Alike::Zero, Alike::One] {
            assert!((number(margin(&d, &labels, &w, 2.0, alike)) - wanted).abs() < 1e-6, "{alike:?}");
        }
        let far = square(&[0., 1e4, 1e4, 0.]);
        assert_eq!(
            number(weights(&[0, 1], &far, 1.0).and_then(|w| margin(&far, &[0, 1], &w, 2.0, Alike::One))),
            0.0
        );
    }

    #[test]
    fn the_margin_loss_agrees_with_pytorch() {
        let cases = golden("margin");
        assert_eq!(cases.len(), 3);
        for case in cases {
            case.check(|x| {
                let d = Distance::Euclidean.plain(&Distance::Euclidean.of_pairs(x, x)?)?;
                margin(&d, &case.labels, &weights(&case.labels, &d, 1.0)?, case.margin, Alike::Zero)
            });
        }
    }
}

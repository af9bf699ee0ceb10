//! Losses that compare each coil of a batch with all others at once, on embeddings divided by their lengths.
//!
//! With `p_ij = exp(cos_ij / t) / sum over k != i of exp(cos_ik / t)`, `P_i` the others of i's class and `N_i` those of the other:
//!
//! - supervised contrastive loss (P. Khosla et al., Supervised Contrastive Learning, 2020, equation 2):
//!   the mean over i of `- mean over j in P_i of log p_ij`;
//! - Asymmetric Contrastive Loss (V. Vito, L. Y. Stefanus, An Asymmetric Contrastive Loss for Handling Imbalanced Datasets,
//!   2022), the same with a part for the pairs of two classes, which weighs most where `P_i` is small:
//!   the mean over i of `- mean over j in P_i of log p_ij - eta * mean over j in N_i of log(1 - p_ij)`.
//!
//! The authors' published code divides both sums of the second by the size of the batch. Means over `P_i` and over `N_i` let no
//! class weigh more for being frequent. A coil that is alone of its class has no first term and counts for none.

use super::distance::directions;
use candle_core::{Result, Tensor};

/// Stands for minus infinity where an exponential is to be 0; its difference with any cosine is finite.
const NEVER: f64 = -1e9;

/// The loss of embeddings `[n, d]`; `eta` 0 is the supervised contrastive loss.
pub fn loss(embeddings: &Tensor, labels: &[usize], temperature: f64, eta: f64) -> Result<Tensor> {
    let n = labels.len();
    let is_pair = |i: usize, j: usize| i != j && labels[i] == labels[j];
    let of_class = |class| labels.iter().filter(|l| **l == class).count();
    if embeddings.dims().first() != Some(&n) || n < 2 {
        candle_core::bail!("{n} labels for embeddings {:?}", embeddings.dims());
    }
    let constant = |f: &dyn Fn(usize, usize) -> f64| {
        let values: Vec<f64> = (0..n * n).map(|at| f(at / n, at % n)).collect();
        Tensor::from_vec(values, (n, n), embeddings.device())?.to_dtype(embeddings.dtype())
    };
    let z = directions(embeddings)?;
    let logits = (z.matmul(&z.t()?.contiguous()?)? / temperature)?;
    let others = (&logits + constant(&|i, j| if i == j { NEVER } else { 0.0 })?)?;
    let whole = log_sum_exp(&others)?;
    let counted = labels.iter().filter(|l| of_class(**l) > 1).count().max(1) as f64;
    let together = constant(&|i, j| {
        let alike = of_class(labels[i]) - 1;
        if is_pair(i, j) { 1.0 / alike as f64 / counted } else { 0.0 }
    })?;
    // The diagonal weighs nothing, and its logit is a plain number.
    let mut loss = (logits.broadcast_sub(&whole)? * together)?.sum_all()?.neg()?;
    if eta > 0.0 && of_class(0) > 0 && of_class(1) > 0 && n > 2 {
        let apart = constant(&|i, j| {
            if labels[i] == labels[j] { 0.0 } else { eta / of_class(labels[j]) as f64 / n as f64 }
        })?;
        // log(1 - p_ij) as the others' sum without j over the whole, so that it holds where p_ij rounds to 1.
        let without = without_each(&others)?;
        loss = (loss - (without.broadcast_sub(&whole)? * apart)?.sum_all()?)?;
    }
    Ok(loss)
}

/// `[n, 1]`: the logarithm of each row's sum of exponentials.
fn log_sum_exp(rows: &Tensor) -> Result<Tensor> {
    let last = rows.rank() - 1;
    let most = rows.detach().max_keepdim(last)?;
    rows.broadcast_sub(&most)?.exp()?.sum_keepdim(last)?.log()? + most
}

/// `[n, n]`: the same for row i without its j-th value.
fn without_each(rows: &Tensor) -> Result<Tensor> {
    let n = rows.dim(0)?;
    let gone: Vec<f64> = (0..n * n).map(|at| if at / n == at % n { NEVER } else { 0.0 }).collect();
    let gone = Tensor::from_vec(gone, (1, n, n), rows.device())?.to_dtype(rows.dtype())?;
    log_sum_exp(&rows.unsqueeze(1)?.broadcast_add(&gone)?)?.squeeze(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nets::siamese::tests::golden;
    use crate::nn::gradcheck::{check64, values};
    use candle_core::Device;

    fn number(x: &[[f32; 2]], labels: &[usize], temperature: f64, eta: f64) -> f64 {
        let x = Tensor::from_slice(x.as_flattened(), (x.len(), 2), &Device::Cpu).expect("embeddings");
        f64::from(loss(&x, labels, temperature, eta).and_then(|l| l.to_scalar::<f32>()).expect("loss"))
    }

    #[test]
    fn agrees_with_hand_worked_numbers() {
        // Two alike in one direction and one at right angles, temperature 1/2: cosines 1 and 0, logits 2 and 0.
        let x = [[3.0, 0.0], [1.0, 0.0], [0.0, 2.0]];
        let e2 = 2.0f64.exp();
        // Each of the first two: p of its like is e2 / (e2 + 1). The third is alone.
        let together = -(e2 / (e2 + 1.0)).ln();
        assert!((number(&x, &[0, 0, 1], 0.5, 0.0) - together).abs() < 1e-6);
        // 1 - p of the other class: e2 / (e2 + 1) for the first two, 1/2 for the third; over three anchors.
        let apart = (2.0 * together - 0.5f64.ln()) / 3.0;
        assert!((number(&x, &[0, 0, 1], 0.5, 4.0) - together - 4.0 * apart).abs() < 1e-5);
    }

    #[test]
    fn stays_finite_where_a_probability_rounds_to_one() {
        // The nearest is of the other class, the only like one opposite: 1 - p is exp(-200).
        let x = [[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]];
        let found = number(&x, &[0, 1, 0], 0.01, 1.0);
        assert!(found.is_finite() && found > 100.0, "{found}");
        assert_eq!(number(&[[1.0, 0.0], [-1.0, 0.0]], &[0, 1], 0.1, 1.0), 0.0, "nothing to compare");
        assert!(number(&[[0.0, 0.0], [0.0, 0.0], [1.0, 0.0]], &[0, 0, 1], 0.1, 1.0).is_finite());
    }

    #[test]
    fn gradients_agree_with_differences() {
        let x = values((6, 3), 1);
        for labels in [[0, 1, 1, 0, 0, 1], [0, 0, 0, 0, 0, 0], [0, 1, 1, 1, 1, 1]] {
            for (temperature, eta) in [(0.5, 0.0), (0.5, 2.0), (0.1, 1.0)] {
                check64("supervised", &[&x], |v| loss(&v[0], &labels, temperature, eta));
            }
        }
    }

    #[test]
    fn agrees_with_pytorch() {
        let cases = golden("supervised");
        assert_eq!(cases.len(), 9);
        for case in cases {
            case.check(|x| loss(x, &case.labels, case.temperature, case.eta));
        }
    }
}

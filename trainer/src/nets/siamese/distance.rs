//! Distances of all pairs of embeddings, with gradients.

use crate::export::folded::{Distance, LEAST_SQUARE};
use candle_core::{Result, Tensor};

impl Distance {
    /// The distance of each of `a` `[n, d]` to each of `b` `[m, d]`: `[n, m]`.
    pub fn of_pairs(self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        match self {
            Self::Euclidean => squared(a, b),
            Self::Cosine => squared(&directions(a)?, &directions(b)?)? * 0.5,
            Self::Manhattan => a.unsqueeze(1)?.broadcast_sub(&b.unsqueeze(0)?)?.abs()?.sum(2),
        }
    }

    /// What a margin is measured by: the distance itself, the Euclidean one not squared.
    pub fn plain(self, distance: &Tensor) -> Result<Tensor> {
        match self {
            // Rounding may leave a little less than zero, and a root has no slope at zero.
            Self::Euclidean => (distance.relu()? + f64::from(LEAST_SQUARE))?.sqrt(),
            Self::Cosine | Self::Manhattan => Ok(distance.clone()),
        }
    }
}

/// Embeddings `[n, d]` divided by their lengths.
pub fn directions(x: &Tensor) -> Result<Tensor> {
    x.broadcast_div(&(x.sqr()?.sum_keepdim(1)? + f64::from(LEAST_SQUARE))?.sqrt()?)
}

fn squared(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let length = |t: &Tensor| t.sqr()?.sum_keepdim(1);
    let products = (a.matmul(&b.t()?.contiguous()?)? * 2.0)?;
    length(a)?.broadcast_add(&length(b)?.t()?)?.broadcast_sub(&products)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::gradcheck::{check64, values};

    const ALL: [Distance; 3] = [Distance::Euclidean, Distance::Cosine, Distance::Manhattan];

    #[test]
    fn gradients_agree_with_differences() {
        let (a, b) = (values((4, 3), 1), values((5, 3), 2));
        for distance in ALL {
            check64("pairs", &[&a, &b], |v| distance.of_pairs(&v[0], &v[1]));
            check64("plain", &[&a, &b], |v| distance.plain(&distance.of_pairs(&v[0], &v[1])?));
        }
    }

    #[test]
    fn tensors_agree_with_plain_numbers() {
        let (a, b) = (values((4, 7), 1), values((5, 7), 2));
        let rows = |t: &Tensor| t.to_vec2::<f32>().expect("rows");
        for distance in ALL {
            let found = rows(&distance.of_pairs(&a, &b).expect("distances"));
            for (a, found) in rows(&a).iter().zip(found) {
                for (b, found) in rows(&b).iter().zip(found) {
                    let wanted = distance.between(a, b);
                    assert!((f64::from(found) - wanted).abs() < 1e-5, "{distance:?} {found} {wanted}");
                }
            }
        }
    }
}

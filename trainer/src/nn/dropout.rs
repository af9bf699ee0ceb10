//! Dropout from our own seeded generator.

use super::Pass;
use candle_core::{Result, Tensor};
use rand::Rng;

/// In training, sets each value to zero with probability `share` and scales the others by 1 / (1 - share), so that the
/// mean stays; otherwise returns `x`.
pub fn dropout(x: &Tensor, share: f32, pass: &mut Pass) -> Result<Tensor> {
    let Pass::Train(rng) = pass else { return Ok(x.clone()) };
    if share <= 0.0 {
        return Ok(x.clone());
    }
    let keep = 1.0 / (1.0 - share);
    let mask = (0..x.elem_count()).map(|_| if rng.random::<f32>() < share { 0.0 } else { keep }).collect();
    x.mul(&Tensor::from_vec::<_, f32>(mask, x.shape(), x.device())?.to_dtype(x.dtype())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::gradcheck::{check64, values};
    use crate::nn::seed::{Purpose, generator};

    #[test]
    fn keeps_the_share_and_the_mean_and_is_off_in_evaluation() {
        let x = Tensor::ones(20_000, candle_core::DType::F32, &candle_core::Device::Cpu).expect("ones");
        let mut rng = generator(1, Purpose::Dropout, 0, 0);
        let y =
            dropout(&x, 0.25, &mut Pass::Train(&mut rng)).and_then(|y| y.to_vec1::<f32>()).expect("dropout");
        let zeros = y.iter().filter(|v| **v == 0.0).count() as f32 / 20_000.0;
        assert!((zeros - 0.25).abs() < 0.02, "{zeros}");
        assert!(y.iter().all(|v| *v == 0.0 || (*v - 4.0 / 3.0).abs() < 1e-6));
        let same = dropout(&x, 0.25, &mut Pass::Eval).and_then(|y| y.to_vec1::<f32>()).expect("dropout");
        assert!(same.iter().all(|v| *v == 1.0));
    }

    #[test]
    fn gradients_agree_with_differences() {
        check64("dropout", &[&values((3, 4), 2)], |v| {
            dropout(&v[0], 0.5, &mut Pass::Train(&mut generator(7, Purpose::Dropout, 0, 0)))
        });
    }
}

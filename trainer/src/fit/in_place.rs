//! What an optimiser does to every value, in one pass each: on the processor in place, elsewhere as tensor algebra.

use crate::nn::algebra::has_kernels;
use crate::nn::kernel::lanes;
use candle_core::{CpuStorage, InplaceOp2, InplaceOp3, Layout, Result, Tensor, Var};
use rayon::prelude::*;

/// Values of a piece of work.
const PIECE: usize = 16 * 1024;

fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    crate::nn::kernel::view::slice(storage, layout)
}

fn slice_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((from, to))) => Ok(&mut values[from..to]),
        _ => candle_core::bail!("moments of shape {:?} are not contiguous f32", layout.shape()),
    }
}

/// Moves averages towards values, or towards their squares.
struct Follow {
    decay: f32,
    squared: bool,
}

impl InplaceOp2 for Follow {
    fn name(&self) -> &'static str {
        "follow"
    }

    fn cpu_fwd(&self, s1: &mut CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<()> {
        let (averages, values) = (slice_mut(s1, l1)?, slice(s2, l2)?);
        let pieces = averages.par_chunks_mut(PIECE).zip(values.par_chunks(PIECE));
        pieces.for_each(|(averages, values)| lanes::follow(averages, values, self.decay, self.squared));
        Ok(())
    }
}

/// `average = decay * average + (1 - decay) * value`, or of the value's square.
pub(super) fn follow(average: &mut Tensor, value: &Tensor, decay: f64, squared: bool) -> Result<()> {
    if has_kernels(average) {
        return average.inplace_op2(&value.contiguous()?, &Follow { decay: decay as f32, squared });
    }
    let value = if squared { value.sqr()? } else { value.clone() };
    *average = ((&*average * decay)? + (value * (1.0 - decay))?)?;
    Ok(())
}

/// Numbers of a step of AdamW that are the same for all values.
#[derive(Clone, Copy)]
pub(super) struct Step {
    /// Factor of the values: what decay leaves.
    pub keep: f64,
    /// Factor of the mean gradient.
    pub rate: f64,
    /// Divisor of the mean square.
    pub correction: f64,
    /// Added to its root.
    pub epsilon: f64,
}

impl InplaceOp3 for Step {
    fn name(&self) -> &'static str {
        "adamw-step"
    }

    fn cpu_fwd(
        &self,
        s1: &mut CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<()> {
        let (values, means, squares) = (slice_mut(s1, l1)?, slice(s2, l2)?, slice(s3, l3)?);
        let factors = [self.keep, self.rate, 1.0 / self.correction, self.epsilon].map(|f| f as f32);
        let moments = means.par_chunks(PIECE).zip(squares.par_chunks(PIECE));
        values
            .par_chunks_mut(PIECE)
            .zip(moments)
            .for_each(|(values, (means, squares))| lanes::adam(values, means, squares, factors));
        Ok(())
    }
}

/// `value = keep * value - rate * mean / (sqrt(square / correction) + epsilon)`.
pub(super) fn step(var: &Var, mean: &Tensor, square: &Tensor, step: Step) -> Result<()> {
    if has_kernels(var) {
        return var.inplace_op3(mean, square, &step);
    }
    let denominator = ((square / step.correction)?.sqrt()? + step.epsilon)?;
    let change = ((mean * step.rate)? / denominator)?;
    var.set(&((var.as_detached_tensor() * step.keep)? - change)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::gradcheck::values;
    use candle_core::DType;

    #[test]
    fn both_ways_agree() {
        let n = PIECE + 77;
        let run = |dtype: DType| -> Result<Vec<Vec<f64>>> {
            let take = |salt| values(n, salt).to_dtype(dtype);
            let (mut mean, mut square, grad) = (take(1)?, take(2)?.sqr()?, take(3)?);
            let var = Var::from_tensor(&take(4)?)?;
            follow(&mut mean, &grad, 0.9, false)?;
            follow(&mut square, &grad, 0.99, true)?;
            step(&var, &mean, &square, Step { keep: 0.99, rate: 0.01, correction: 0.5, epsilon: 1e-8 })?;
            [&mean, &square, var.as_tensor()].iter().map(|t| t.to_dtype(DType::F64)?.to_vec1()).collect()
        };
        let (fast, exact) = (run(DType::F32).expect("f32"), run(DType::F64).expect("f64"));
        for (fast, exact) in fast.iter().flatten().zip(exact.iter().flatten()) {
            assert!((fast - exact).abs() <= 1e-6 * (1.0 + exact.abs()), "{fast} {exact}");
        }
    }
}

//! Average pooling, and global average and maximum pooling over height and width.

use super::kernel::pool::{self, Windows};
use super::kernel::view::{slice, tensor_like, with};
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

struct AvgPool {
    kernel: (usize, usize),
}

impl AvgPool {
    fn windows(&self, shape: &Shape) -> Result<Windows> {
        let (_, h, w, channels) = shape.dims4()?;
        let windows = Windows { size: (h, w), channels, kernel: self.kernel };
        if self.kernel.0 * self.kernel.1 == 0 || self.kernel.0 > h || self.kernel.1 > w {
            candle_core::bail!("an average pool of {:?} does not fit a map of {shape:?}", self.kernel);
        }
        Ok(windows)
    }
}

impl CustomOp1 for AvgPool {
    fn name(&self) -> &'static str {
        "avg-pool-nhwc"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let windows = self.windows(layout.shape())?;
        let (h, w) = windows.out_size();
        let y = windows.forward(slice(x, layout)?);
        Ok((CpuStorage::F32(y), (layout.dims()[0], h, w, windows.channels).into()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let windows = self.windows(x.shape())?;
        let dx = with(dy, |dy| Ok(windows.backward(dy)))?;
        tensor_like(dx, x).map(Some)
    }
}

/// Means of windows of `kernel` (height, width) with the same stride; incomplete windows are dropped.
/// `[batch, h, w, c]` becomes `[batch, h / kh, w / kw, c]`.
pub fn avg_pool(x: &Tensor, kernel: (usize, usize)) -> Result<Tensor> {
    x.contiguous()?.apply_op1(AvgPool { kernel })
}

/// Global pooling: mean or maximum.
enum Global {
    Avg,
    Max,
}

impl CustomOp1 for Global {
    fn name(&self) -> &'static str {
        "global-pool-nhwc"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (batch, h, w, channels) = layout.shape().dims4()?;
        if h * w * channels == 0 {
            candle_core::bail!("a map of {:?} has nothing to pool", layout.shape());
        }
        let x = slice(x, layout)?;
        let y = match self {
            Self::Avg => pool::mean(x, h * w, channels),
            Self::Max => pool::max(x, h * w, channels),
        };
        Ok((CpuStorage::F32(y), (batch, channels).into()))
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let (_, h, w, channels) = x.dims4()?;
        let dx = match self {
            Self::Avg => with(dy, |dy| Ok(pool::mean_backward(dy, h * w, channels)))?,
            Self::Max => {
                with(x, |x| with(y, |y| with(dy, |dy| Ok(pool::max_backward(x, y, dy, h * w, channels)))))?
            }
        };
        tensor_like(dx, x).map(Some)
    }
}

/// Mean over height and width: `[batch, h, w, c]` becomes `[batch, c]`.
pub fn global_avg(x: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Global::Avg)
}

/// Maximum over height and width: `[batch, h, w, c]` becomes `[batch, c]`. Equal maxima: the gradient goes to the first.
pub fn global_max(x: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Global::Max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::gradcheck::{check, check_step, values};
    use candle_core::Device;

    const SHAPES: [(usize, usize, usize, usize); 4] =
        [(1, 4, 4, 3), (2, 5, 1, 2), (3, 7, 3, 1), (2, 6, 9, 4)];

    fn plain_windows(x: &Tensor, (kh, kw): (usize, usize)) -> Vec<Vec<f32>> {
        let (b, h, w, c) = x.dims4().expect("map");
        let x = x.flatten_all().and_then(|x| x.to_vec1::<f32>()).expect("values");
        let mut all = Vec::new();
        for i in 0..b {
            for oy in 0..h / kh {
                for ox in 0..w / kw {
                    for ch in 0..c {
                        let at = |k: usize| ((i * h + oy * kh + k / kw) * w + ox * kw + k % kw) * c + ch;
                        all.push((0..kh * kw).map(|k| x[at(k)]).collect());
                    }
                }
            }
        }
        all
    }

    fn assert_close(got: &Tensor, want: &[f32]) {
        let got = got.flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("values");
        assert_eq!(got.len(), want.len());
        assert!(got.iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-6), "{got:?} {want:?}");
    }

    fn mean(window: &[f32]) -> f32 {
        window.iter().sum::<f32>() / window.len() as f32
    }

    #[test]
    fn pools_agree_with_plain_loops() {
        for shape in SHAPES {
            let x = values(shape, 3);
            for kernel in [(1, 1), (2, 1), (2, shape.2.min(2)), (3, 1)] {
                let want: Vec<f32> = plain_windows(&x, kernel).iter().map(|w| mean(w)).collect();
                assert_close(&avg_pool(&x, kernel).expect("pool"), &want);
            }
            let whole = plain_windows(&x, (shape.1, shape.2));
            let max: Vec<f32> = whole.iter().map(|w| w.iter().copied().fold(f32::MIN, f32::max)).collect();
            assert_close(&global_avg(&x).expect("pool"), &whole.iter().map(|w| mean(w)).collect::<Vec<_>>());
            assert_close(&global_max(&x).expect("pool"), &max);
        }
    }

    #[test]
    fn gradients_agree_with_differences() {
        for shape in SHAPES {
            let x = values(shape, 5);
            check("avg", &[&x], |v| avg_pool(&v[0], (2, 1)));
            check("avg wide", &[&x], |v| avg_pool(&v[0], (3, v[0].dim(2)?.min(2))));
            check("global avg", &[&x], |v| global_avg(&v[0]));
            check_step("global max", &[&x], 1e-3, |v| global_max(&v[0]));
        }
    }

    #[test]
    fn equal_maxima_share_no_gradient() {
        let x = candle_core::Var::new(&[[[[2.0f32], [1.0], [2.0]]]], &Device::Cpu).expect("var");
        let grads = global_max(&x).and_then(|y| y.sum_all()?.backward()).expect("backward");
        let dx = grads.get(&x).and_then(|g| g.flatten_all().ok()).expect("gradient");
        assert_eq!(dx.to_vec1::<f32>().expect("values"), [1.0, 0.0, 0.0]);
    }

    #[test]
    fn windows_larger_than_the_map_are_refused() {
        assert!(avg_pool(&values((1, 2, 1, 1), 0), (1, 2)).is_err());
        assert!(avg_pool(&values((1, 2, 1, 1), 0), (0, 1)).is_err());
    }
}

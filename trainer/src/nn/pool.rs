//! Average and maximum pooling, in windows or over the whole map.

use super::algebra;
use super::conv::Pads;
use super::kernel::geometry::Geometry;
use super::kernel::pool::{self, Windows};
use super::kernel::view::{slice, tensor_like, with};
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

/// What is made of the values under a window.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Avg,
    Max,
}

struct Pool {
    kind: Kind,
    kernel: (usize, usize),
    stride: (usize, usize),
    pads: Pads,
}

impl Pool {
    fn windows(&self, shape: &Shape) -> Result<Windows> {
        let (batch, h, w, channels) = shape.dims4()?;
        let (kh, kw) = self.kernel;
        let g = Geometry::new(&[batch, h, w, 1], &[kh, kw, 1, 1], self.stride, self.pads)?;
        let (size, kernel, stride, pads, out_size) = (g.size, g.kernel, g.stride, g.pads, g.out_size);
        Ok(Windows { size, channels, kernel, stride, pads, out_size })
    }
}

impl CustomOp1 for Pool {
    fn name(&self) -> &'static str {
        "pool-nhwc"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let windows = self.windows(layout.shape())?;
        let x = slice(x, layout)?;
        let y = match self.kind {
            Kind::Avg => windows.mean(x),
            Kind::Max => windows.max(x),
        };
        let (h, w) = windows.out_size;
        Ok((CpuStorage::F32(y), (layout.dims()[0], h, w, windows.channels).into()))
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let windows = self.windows(x.shape())?;
        let dx = match self.kind {
            Kind::Avg => with(dy, |dy| Ok(windows.mean_backward(dy)))?,
            Kind::Max => with(x, |x| with(y, |y| with(dy, |dy| Ok(windows.max_backward(x, y, dy)))))?,
        };
        tensor_like(dx, x).map(Some)
    }
}

/// Means of windows of `kernel` (height, width), `stride` apart, zeros around the map counted; incomplete windows are dropped.
/// `[batch, h, w, c]` becomes `[batch, h', w', c]`.
pub fn avg_pool(x: &Tensor, kernel: (usize, usize), stride: (usize, usize), pads: Pads) -> Result<Tensor> {
    if !algebra::has_kernels(x) {
        return algebra::avg_pool(x, kernel, stride, pads);
    }
    x.contiguous()?.apply_op1(Pool { kind: Kind::Avg, kernel, stride, pads })
}

/// Maxima of windows; equal maxima: the gradient goes to the first. What lies around the map is never the maximum.
pub fn max_pool(x: &Tensor, kernel: (usize, usize), stride: (usize, usize), pads: Pads) -> Result<Tensor> {
    // A window of nothing but padding would have no maximum.
    if pads.before.0.max(pads.after.0) >= kernel.0 || pads.before.1.max(pads.after.1) >= kernel.1 {
        candle_core::bail!("a maximum pool of {kernel:?} with {pads:?} would see windows outside the map");
    }
    if !algebra::has_kernels(x) {
        return algebra::max_pool(x, kernel, stride, pads);
    }
    x.contiguous()?.apply_op1(Pool { kind: Kind::Max, kernel, stride, pads })
}

/// Over the whole map.
struct Global(Kind);

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
        let y = match self.0 {
            Kind::Avg => pool::mean(x, h * w, channels),
            Kind::Max => pool::max(x, h * w, channels),
        };
        Ok((CpuStorage::F32(y), (batch, channels).into()))
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let (_, h, w, channels) = x.dims4()?;
        let dx = match self.0 {
            Kind::Avg => with(dy, |dy| Ok(pool::mean_backward(dy, h * w, channels)))?,
            Kind::Max => {
                with(x, |x| with(y, |y| with(dy, |dy| Ok(pool::max_backward(x, y, dy, h * w, channels)))))?
            }
        };
        tensor_like(dx, x).map(Some)
    }
}

/// Mean over height and width: `[batch, h, w, c]` becomes `[batch, c]`.
pub fn global_avg(x: &Tensor) -> Result<Tensor> {
    if !algebra::has_kernels(x) {
        return x.mean((1, 2));
    }
    x.contiguous()?.apply_op1(Global(Kind::Avg))
}

/// Maximum over height and width: `[batch, h, w, c]` becomes `[batch, c]`. Equal maxima: the gradient goes to the first.
pub fn global_max(x: &Tensor) -> Result<Tensor> {
    if !algebra::has_kernels(x) {
        return algebra::global_max(x);
    }
    x.contiguous()?.apply_op1(Global(Kind::Max))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::gradcheck::{check64, values};
    use candle_core::Device;

    const SHAPES: [(usize, usize, usize, usize); 4] =
        [(1, 17, 2, 3), (2, 9, 1, 2), (3, 7, 3, 1), (2, 8, 9, 4)];

    /// Values under each window, NaN outside the map.
    fn plain_windows(x: &Tensor, (kh, kw): Pair, stride: Pair, pads: Pads) -> Vec<Vec<f32>> {
        let (b, h, w, c) = x.dims4().expect("map");
        let x = x.flatten_all().and_then(|x| x.to_vec1::<f32>()).expect("values");
        let (ph, pw) = pads.around((h, w));
        let mut all = Vec::new();
        for i in 0..b {
            for oy in (0..=ph - kh).step_by(stride.0) {
                for ox in (0..=pw - kw).step_by(stride.1) {
                    for ch in 0..c {
                        let at = |k: usize| {
                            let y = (oy + k / kw).wrapping_sub(pads.before.0);
                            let z = (ox + k % kw).wrapping_sub(pads.before.1);
                            if y < h && z < w { x[((i * h + y) * w + z) * c + ch] } else { f32::NAN }
                        };
                        all.push((0..kh * kw).map(at).collect());
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
        window.iter().filter(|v| !v.is_nan()).sum::<f32>() / window.len() as f32
    }

    fn most(window: &[f32]) -> f32 {
        window.iter().copied().fold(f32::NEG_INFINITY, f32::max)
    }

    type Pair = (usize, usize);

    /// Kernel, stride, zeros: whole windows, overlapping ones, gaps between them, zeros on one side.
    const WINDOWS: [(Pair, Pair, Pads); 6] = [
        ((1, 1), (1, 1), Pads::NONE),
        ((2, 1), (2, 1), Pads::NONE),
        ((3, 1), (2, 1), Pads::both((1, 0))),
        ((2, 1), (3, 2), Pads::NONE),
        ((3, 3), (2, 2), Pads::both((1, 1))),
        ((3, 2), (2, 2), Pads { before: (0, 0), after: (1, 1) }),
    ];

    #[test]
    fn pools_agree_with_plain_loops() {
        for shape in SHAPES {
            let x = values(shape, 3);
            for (kernel, stride, pads) in WINDOWS {
                let windows = plain_windows(&x, kernel, stride, pads);
                let (avg, max) = (avg_pool(&x, kernel, stride, pads), max_pool(&x, kernel, stride, pads));
                assert_close(&avg.expect("pool"), &windows.iter().map(|w| mean(w)).collect::<Vec<_>>());
                assert_close(&max.expect("pool"), &windows.iter().map(|w| most(w)).collect::<Vec<_>>());
            }
            let whole = plain_windows(&x, (shape.1, shape.2), (1, 1), Pads::NONE);
            assert_close(&global_avg(&x).expect("pool"), &whole.iter().map(|w| mean(w)).collect::<Vec<_>>());
            assert_close(&global_max(&x).expect("pool"), &whole.iter().map(|w| most(w)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn gradients_agree_with_differences() {
        for shape in SHAPES {
            let x = values(shape, 5);
            for (i, (kernel, stride, pads)) in WINDOWS.into_iter().enumerate() {
                check64(&format!("avg {i}"), &[&x], |v| avg_pool(&v[0], kernel, stride, pads));
                check64(&format!("max {i}"), &[&x], |v| max_pool(&v[0], kernel, stride, pads));
            }
            check64("global avg", &[&x], |v| global_avg(&v[0]));
            check64("global max", &[&x], |v| global_max(&v[0]));
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
    fn windows_that_do_not_fit_are_refused() {
        let x = values((1, 2, 1, 1), 0);
        assert!(avg_pool(&x, (1, 2), (1, 1), Pads::NONE).is_err());
        assert!(avg_pool(&x, (0, 1), (1, 1), Pads::NONE).is_err());
        assert!(max_pool(&x, (1, 1), (1, 0), Pads::NONE).is_err());
        assert!(max_pool(&x, (1, 1), (1, 1), Pads::both((1, 0))).is_err());
    }
}

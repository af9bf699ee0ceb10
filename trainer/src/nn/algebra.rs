//! Layers as tensor algebra: for every device and float type that candle has, with gradients that are matrix
//! multiplications and gathers.
//!
//! The way of CUDA, and in f64 the oracle that the processor's kernels are held against. candle's own convolutions and pools
//! are not used: their gradients are wrong or missing in places (docs/decisions).

use super::kernel::geometry::{Geometry, Pads};
use candle_core::{
    CpuStorage, CudaStorage, CustomOp3, DType, Device, DeviceLocation, Layout, Result, Shape, Tensor,
};
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

type Gradients = Result<(Option<Tensor>, Option<Tensor>)>;
type Backward = Box<dyn Fn(&Tensor, &Tensor, &Tensor) -> Gradients + Send + Sync>;

/// A value that was computed without a graph, and the gradients of its two arguments.
struct Given(Backward);

impl CustomOp3 for Given {
    fn name(&self) -> &'static str {
        "given-gradient"
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        y: &CpuStorage,
        layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        use candle_core::backend::BackendStorage;
        Ok((y.try_clone(layout)?, layout.shape().clone()))
    }

    fn cuda_fwd(
        &self,
        _: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
        y: &CudaStorage,
        layout: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        use candle_core::backend::BackendStorage;
        Ok((y.try_clone(layout)?, layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (dx, dw) = (self.0)(x, w, dy)?;
        Ok((dx, dw, None))
    }
}

/// `y`, which was computed from detached `x` and `w`, with the gradients that `backward(x, w, dy)` gives.
fn given(
    x: &Tensor,
    w: &Tensor,
    y: &Tensor,
    backward: impl Fn(&Tensor, &Tensor, &Tensor) -> Gradients + Send + Sync + 'static,
) -> Result<Tensor> {
    if !x.track_op() && !w.track_op() {
        return Ok(y.clone());
    }
    x.apply_op3(w, &y.contiguous()?, Given(Box::new(backward)))
}

/// What a [`Taps`] follows from.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Window {
    size: (usize, usize),
    out_size: (usize, usize),
    kernel: (usize, usize),
    stride: (usize, usize),
    pads: Pads,
}

/// Which input pixel lies under which tap of which output pixel's window, and the reverse; [`NOWHERE`] where there is none.
#[derive(Clone)]
struct Taps {
    /// Input pixels, output pixels, taps of a window.
    sizes: (usize, usize, usize),
    /// `[out * taps]`: input pixels.
    forward: Tensor,
    /// `[in * taps]`: output pixel times taps, plus tap.
    backward: Tensor,
}

/// An index that picks a row of zeros.
const NOWHERE: u32 = u32::MAX;

/// Tables of this many windows are remembered: more than a large network has.
const REMEMBERED: usize = 256;

impl Taps {
    /// Made once for each window and device: a step uses the same ones again, and they would have to be uploaded.
    fn new(g: &Geometry, device: &Device) -> Result<Self> {
        type Remembered = HashMap<(Window, DeviceLocation), Taps>;
        static ALL: LazyLock<Mutex<Remembered>> = LazyLock::new(Mutex::default);
        let Geometry { size, out_size, kernel, stride, pads, .. } = *g;
        let window = Window { size, out_size, kernel, stride, pads };
        let key = (window, device.location());
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taps) = all.get(&key).filter(|taps| taps.forward.device().same_device(device)) {
            return Ok(taps.clone());
        }
        if all.len() >= REMEMBERED {
            all.clear();
        }
        let taps = Self::of(window, device)?;
        all.insert(key, taps.clone());
        Ok(taps)
    }

    fn of(window: Window, device: &Device) -> Result<Self> {
        let ((h, w), (oh, ow), (kh, kw)) = (window.size, window.out_size, window.kernel);
        let (pixels, outputs, taps) = (h * w, oh * ow, kh * kw);
        let mut forward = vec![NOWHERE; outputs * taps];
        let mut backward = vec![NOWHERE; pixels * taps];
        for (o, places) in forward.chunks_exact_mut(taps).enumerate() {
            for (tap, place) in places.iter_mut().enumerate() {
                let y = (o / ow * window.stride.0 + tap / kw).wrapping_sub(window.pads.before.0);
                let x = (o % ow * window.stride.1 + tap % kw).wrapping_sub(window.pads.before.1);
                if y < h && x < w {
                    *place = (y * w + x) as u32;
                    backward[(y * w + x) * taps + tap] = (o * taps + tap) as u32;
                }
            }
        }
        Ok(Self {
            sizes: (pixels, outputs, taps),
            forward: Tensor::from_vec(forward, outputs * taps, device)?,
            backward: Tensor::from_vec(backward, pixels * taps, device)?,
        })
    }

    /// `[batch, h, w, c]` to `[batch, out, taps, c]`, zeros where the window leaves the map.
    fn unfold(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, channels) = (x.dim(0)?, x.dim(3)?);
        let (pixels, outputs, taps) = self.sizes;
        let rows = x.reshape((batch, pixels, channels))?.index_select(&self.forward, 1)?;
        rows.reshape((batch, outputs, taps, channels))
    }

    /// [`Taps::unfold`], but with something less than every value where the window leaves the map.
    fn unfold_below(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, channels) = (x.dim(0)?, x.dim(3)?);
        let (pixels, outputs, taps) = self.sizes;
        let below = Tensor::full(f64::NEG_INFINITY, (batch, 1, channels), x.device())?.to_dtype(x.dtype())?;
        let rows = Tensor::cat(&[&x.reshape((batch, pixels, channels))?, &below], 1)?;
        let index = self.forward.minimum(pixels as f64)?;
        rows.index_select(&index, 1)?.reshape((batch, outputs, taps, channels))
    }

    /// The transpose of [`Taps::unfold`]: `[batch, out, taps, c]` to `[batch, in, c]`.
    fn fold(&self, columns: &Tensor) -> Result<Tensor> {
        let (batch, channels) = (columns.dim(0)?, columns.dim(3)?);
        let (pixels, outputs, taps) = self.sizes;
        let rows = columns.reshape((batch, outputs * taps, channels))?.index_select(&self.backward, 1)?;
        rows.reshape((batch, pixels, taps, channels))?.sum(2)
    }
}

/// Dense convolution of `[batch, h, w, in]` with `[kh, kw, in, out]`.
pub fn conv2d(x: &Tensor, w: &Tensor, stride: (usize, usize), pads: Pads) -> Result<Tensor> {
    let g = Geometry::new(x.dims(), w.dims(), stride, pads)?;
    let (rows, depth) = (g.batch * g.pixels(), g.taps());
    if g.is_pointwise() {
        let y =
            x.contiguous()?.reshape((rows, depth))?.matmul(&w.contiguous()?.reshape((depth, g.output))?)?;
        return y.reshape((g.batch, g.out_size.0, g.out_size.1, g.output));
    }
    let taps = Taps::new(&g, x.device())?;
    let columns = taps.unfold(&x.detach())?.reshape((rows, depth))?;
    let y = columns.matmul(&w.detach().contiguous()?.reshape((depth, g.output))?)?;
    let y = y.reshape((g.batch, g.out_size.0, g.out_size.1, g.output))?;
    given(x, w, &y, move |x, w, dy| {
        let dy = dy.contiguous()?.reshape((rows, g.output))?;
        let dx = || -> Result<Tensor> {
            let back = dy.matmul(&w.detach().contiguous()?.reshape((depth, g.output))?.t()?)?;
            let shape = (g.batch, g.pixels(), g.kernel.0 * g.kernel.1, g.input);
            taps.fold(&back.reshape(shape)?)?.reshape(x.shape())
        };
        let dw = || -> Result<Tensor> {
            let columns = taps.unfold(&x.detach())?.reshape((rows, depth))?;
            columns.t()?.matmul(&dy)?.reshape(w.shape())
        };
        Ok((x.track_op().then(dx).transpose()?, w.track_op().then(dw).transpose()?))
    })
}

/// Convolution of each channel of `[batch, h, w, c]` with its own filter, `[kh, kw, 1, c]`.
pub fn depthwise(x: &Tensor, w: &Tensor, stride: (usize, usize), pads: Pads) -> Result<Tensor> {
    let (batch, height, width, channels) = x.dims4()?;
    let (kh, kw, _, _) = w.dims4()?;
    let g = Geometry::new(&[batch, height, width, 1], &[kh, kw, 1, channels], stride, pads)?;
    let taps = Taps::new(&g, x.device())?;
    let filters = (1, 1, kh * kw, channels);
    let y = taps.unfold(&x.detach())?.broadcast_mul(&w.detach().reshape(filters)?)?.sum(2)?;
    let y = y.reshape((batch, g.out_size.0, g.out_size.1, channels))?;
    given(x, w, &y, move |x, w, dy| {
        let dy = dy.contiguous()?.reshape((batch, g.pixels(), 1, channels))?;
        let dx = || -> Result<Tensor> {
            taps.fold(&dy.broadcast_mul(&w.detach().reshape(filters)?)?)?.reshape(x.shape())
        };
        let dw = || -> Result<Tensor> {
            let columns = taps.unfold(&x.detach())?;
            columns.broadcast_mul(&dy)?.sum(0)?.sum(0)?.reshape(w.shape())
        };
        Ok((x.track_op().then(dx).transpose()?, w.track_op().then(dw).transpose()?))
    })
}

/// The windows of a pool over `[batch, h, w, c]`.
fn windows(
    x: &Tensor,
    kernel: (usize, usize),
    stride: (usize, usize),
    pads: Pads,
) -> Result<(Geometry, Taps)> {
    let (batch, height, width, _) = x.dims4()?;
    let g = Geometry::new(&[batch, height, width, 1], &[kernel.0, kernel.1, 1, 1], stride, pads)?;
    let taps = Taps::new(&g, x.device())?;
    Ok((g, taps))
}

/// Means of windows, zeros around the map counted.
pub fn avg_pool(x: &Tensor, kernel: (usize, usize), stride: (usize, usize), pads: Pads) -> Result<Tensor> {
    let (g, taps) = windows(x, kernel, stride, pads)?;
    let (area, channels) = ((kernel.0 * kernel.1) as f64, x.dim(3)?);
    let y = (taps.unfold(&x.detach())?.sum(2)? / area)?;
    let y = y.reshape((g.batch, g.out_size.0, g.out_size.1, channels))?;
    given(x, &x.detach(), &y, move |x, _, dy| {
        let dy = (dy.contiguous()?.reshape((g.batch, g.pixels(), 1, channels))? / area)?;
        let spread =
            dy.broadcast_as((g.batch, g.pixels(), g.kernel.0 * g.kernel.1, channels))?.contiguous()?;
        Ok((Some(taps.fold(&spread)?.reshape(x.shape())?), None))
    })
}

/// Maxima of windows; of equal ones the first gets the gradient.
pub fn max_pool(x: &Tensor, kernel: (usize, usize), stride: (usize, usize), pads: Pads) -> Result<Tensor> {
    let (g, taps) = windows(x, kernel, stride, pads)?;
    let channels = x.dim(3)?;
    let columns = taps.unfold_below(&x.detach())?;
    let y = columns.max(2)?.reshape((g.batch, g.out_size.0, g.out_size.1, channels))?;
    given(x, &x.detach(), &y, move |x, _, dy| {
        let first = taps.unfold_below(&x.detach())?.argmax_keepdim(2)?;
        let count = g.kernel.0 * g.kernel.1;
        let shape = (g.batch, g.pixels(), count, channels);
        let numbers = Tensor::arange(0u32, count as u32, x.device())?.reshape((1, 1, count, 1))?;
        let chosen = numbers.broadcast_as(shape)?.eq(&first.broadcast_as(shape)?)?.to_dtype(dy.dtype())?;
        let dy = dy.contiguous()?.reshape((g.batch, g.pixels(), 1, channels))?;
        Ok((Some(taps.fold(&chosen.broadcast_mul(&dy)?)?.reshape(x.shape())?), None))
    })
}

/// Maximum over height and width, `[batch, h, w, c]` to `[batch, c]`; of equal ones the first gets the gradient.
pub fn global_max(x: &Tensor) -> Result<Tensor> {
    let (batch, height, width, channels) = x.dims4()?;
    let pixels = height * width;
    let y = x.detach().contiguous()?.reshape((batch, pixels, channels))?.max(1)?;
    given(x, &x.detach(), &y, move |x, _, dy| {
        let shape = (batch, pixels, channels);
        let first = x.detach().contiguous()?.reshape(shape)?.argmax_keepdim(1)?;
        let numbers = Tensor::arange(0u32, pixels as u32, x.device())?.reshape((1, pixels, 1))?;
        let chosen = numbers.broadcast_as(shape)?.eq(&first.broadcast_as(shape)?)?.to_dtype(dy.dtype())?;
        Ok((Some(chosen.broadcast_mul(&dy.reshape((batch, 1, channels))?)?.reshape(x.shape())?), None))
    })
}

/// Mean and biased variance of the last axis' channels over all others.
pub fn moments(x: &Tensor) -> Result<(Tensor, Tensor)> {
    let channels = x.dim(candle_core::D::Minus1)?;
    let rows = x.reshape(((), channels))?;
    let mean = rows.mean_keepdim(0)?;
    let variance = rows.broadcast_sub(&mean)?.sqr()?.mean(0)?;
    Ok((mean.squeeze(0)?, variance))
}

/// `(x - mean) / sqrt(variance + epsilon) * gamma + beta`, channels on the last axis.
pub fn normalise(
    x: &Tensor,
    (mean, variance): (&Tensor, &Tensor),
    (gamma, beta): (&Tensor, &Tensor),
    epsilon: f64,
) -> Result<Tensor> {
    let scale = (gamma / (variance + epsilon)?.sqrt()?)?;
    x.broadcast_sub(mean)?.broadcast_mul(&scale)?.broadcast_add(beta)
}

/// Whether the kernels of [`super::kernel`] take this tensor.
pub fn has_kernels(x: &Tensor) -> bool {
    x.device().is_cpu() && x.dtype() == DType::F32
}

//! Two-dimensional convolution on `[batch, height, width, channels]`, weights `[kh, kw, in, out]`.

use super::algebra;
use super::kernel::conv::column_sums;
pub use super::kernel::geometry::Pads;
use super::kernel::plan::{Plan, Steps};
use super::kernel::view::{slice, tensor_like, with};
use super::params::Builder;
use super::{Pass, seen};
use candle_core::{CpuStorage, CustomOp2, CustomOp3, D, Layout, Result, Shape, Tensor, Var};

/// Zeros around a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// (height, width), the same at both ends.
    Both((usize, usize)),
    /// As many as make the output `ceil(size / stride)`, an odd one below and to the right (TensorFlow's `SAME`).
    Same,
}

/// Sizes of a convolution layer; pairs are (height, width).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvShape {
    /// Input channels.
    pub input: usize,
    /// Output channels.
    pub output: usize,
    /// Window size.
    pub kernel: (usize, usize),
    /// Step of the window.
    pub stride: (usize, usize),
    /// Zeros around the map.
    pub padding: Padding,
    /// Into how many groups the channels are split, each of which sees its own input alone; as many as channels for a depthwise
    /// convolution.
    pub groups: usize,
}

impl ConvShape {
    /// Stride 1 and the padding that keeps the size of the map (for odd kernels).
    pub fn same(input: usize, output: usize, kernel: (usize, usize)) -> Self {
        let padding = Padding::Both((kernel.0 / 2, kernel.1 / 2));
        Self { input, output, kernel, stride: (1, 1), padding, groups: 1 }
    }

    /// One filter for each of `channels`.
    pub fn depthwise(channels: usize, kernel: (usize, usize), stride: (usize, usize)) -> Self {
        Self { stride, groups: channels, ..Self::same(channels, channels, kernel) }
    }

    /// The zeros around a map of `size`.
    pub fn pads(&self, size: (usize, usize)) -> Pads {
        match self.padding {
            Padding::Both(padding) => Pads::both(padding),
            Padding::Same => Pads::same(size, self.kernel, self.stride),
        }
    }

    /// `[kh, kw, input / groups, output]`, and the values that each output sees.
    pub fn weight(&self) -> ([usize; 4], usize) {
        let input = self.input / self.groups;
        ([self.kernel.0, self.kernel.1, input, self.output], self.kernel.0 * self.kernel.1 * input)
    }
}

/// A convolution layer with optional bias.
#[derive(Debug, Clone)]
pub struct Conv2d {
    /// Its sizes.
    pub shape: ConvShape,
    /// `[kh, kw, in, out]`.
    pub weight: Var,
    /// `[out]`.
    pub bias: Option<Var>,
    /// Whether its weights learn; a frozen layer passes no gradient to its own weights.
    pub trainable: bool,
}

impl Conv2d {
    /// He-initialised weights `NAME.weight` and, if asked, a zero bias `NAME.bias`.
    pub fn new(builder: &mut Builder, name: &str, shape: ConvShape, bias: bool) -> Result<Self> {
        let (dims, fan_in) = shape.weight();
        let weight = builder.he(&format!("{name}.weight"), &dims, fan_in)?;
        let constant = |b: &mut Builder| b.constant(&format!("{name}.bias"), shape.output, 0.0);
        let bias = bias.then(|| constant(builder)).transpose()?;
        Ok(Self { shape, weight, bias, trainable: true })
    }

    /// `[batch, h, w, in]` to `[batch, h', w', out]`.
    pub fn forward(&self, x: &Tensor, pass: &Pass) -> Result<Tensor> {
        let tracked = pass.is_train() && self.trainable;
        let bias = self.bias.as_ref().map(|b| seen(b, tracked));
        let (_, h, w, _) = x.dims4()?;
        let (stride, pads, groups) = (self.shape.stride, self.shape.pads((h, w)), self.shape.groups);
        conv2d(x, &seen(&self.weight, tracked), bias.as_ref(), stride, pads, groups)
    }
}

struct ConvOp(Steps);

impl ConvOp {
    fn run(
        &self,
        (x, xs): (&[f32], &Shape),
        (w, ws): (&[f32], &Shape),
        b: &[f32],
    ) -> Result<(CpuStorage, Shape)> {
        let plan = Plan::new(xs.dims(), ws.dims(), self.0)?;
        let shape = plan.shape();
        let (y, _) = plan.forward(x, w, |(): &mut (), tile| {
            if !b.is_empty() {
                for row in tile.chunks_exact_mut(b.len()) {
                    row.iter_mut().zip(b).for_each(|(y, b)| *y += b);
                }
            }
        });
        Ok((CpuStorage::F32(y), shape))
    }

    fn gradients(&self, x: &Tensor, w: &Tensor, dy: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let plan = Plan::new(x.dims(), w.dims(), self.0)?;
        let (want_dx, want_dw) = (x.track_op(), w.track_op());
        let found = with(x, |x| with(w, |w| with(dy, |dy| Ok(plan.backward(x, w, &dy, want_dx, want_dw)))))?;
        let dx = found.dx.map(|v| tensor_like(v, x)).transpose()?;
        Ok((dx, found.dw.map(|v| tensor_like(v, w)).transpose()?))
    }
}

impl CustomOp2 for ConvOp {
    fn name(&self) -> &'static str {
        "conv2d-nhwc"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        w: &CpuStorage,
        lw: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.run((slice(x, lx)?, lx.shape()), (slice(w, lw)?, lw.shape()), &[])
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        self.gradients(x, w, dy)
    }
}

impl CustomOp3 for ConvOp {
    fn name(&self) -> &'static str {
        "conv2d-bias-nhwc"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        w: &CpuStorage,
        lw: &Layout,
        b: &CpuStorage,
        lb: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        if lb.dims() != &lw.dims()[lw.dims().len() - 1..] {
            candle_core::bail!("bias {:?} does not go with weight {:?}", lb.dims(), lw.dims());
        }
        self.run((slice(x, lx)?, lx.shape()), (slice(w, lw)?, lw.shape()), slice(b, lb)?)
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        b: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (dx, dw) = self.gradients(x, w, dy)?;
        let db = with(dy, |dy| Ok(column_sums(dy, b.elem_count())))?;
        Ok((dx, dw, Some(tensor_like(db, b)?)))
    }
}

/// Convolution as a function: `x` `[batch, h, w, in]`, `weight` `[kh, kw, in / groups, out]`, `bias` `[out]`. The gradient of `x`
/// is computed only if `x` itself depends on a variable.
pub fn conv2d(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    stride: (usize, usize),
    pads: Pads,
    groups: usize,
) -> Result<Tensor> {
    let (input, per_group, output) = (x.dim(D::Minus1)?, weight.dim(D::Minus2)?, weight.dim(D::Minus1)?);
    if groups == 0 || input != per_group * groups || !output.is_multiple_of(groups) {
        candle_core::bail!(
            "a convolution of {groups} groups with weight {:?} does not take a map of {:?}",
            weight.dims(),
            x.dims()
        );
    }
    let (x, weight) = (x.contiguous()?, weight.contiguous()?);
    let depthwise = groups == input && output == input;
    let y = if (groups == 1 || depthwise) && algebra::has_kernels(&x) {
        let op = ConvOp(Steps { stride, pads, groups });
        return match bias {
            Some(bias) => x.apply_op3(&weight, &bias.contiguous()?, op),
            None => x.apply_op2(&weight, op),
        };
    } else if groups == 1 {
        algebra::conv2d(&x, &weight, stride, pads)?
    } else if depthwise {
        algebra::depthwise(&x, &weight, stride, pads)?
    } else {
        let each = output / groups;
        let part = |group: usize| {
            let x = x.narrow(3, group * per_group, per_group)?;
            conv2d(&x, &weight.narrow(3, group * each, each)?, None, stride, pads, 1)
        };
        Tensor::cat(&(0..groups).map(part).collect::<Result<Vec<_>>>()?, 3)?
    };
    bias.map_or(Ok(y.clone()), |bias| y.broadcast_add(bias))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::gradcheck::{check64, values};

    type Pair = (usize, usize);

    /// Batch, map, input and output channels, kernel, stride, zeros before and after, groups.
    struct Case(usize, Pair, Pair, Pair, Pair, (Pair, Pair), usize);

    fn cases() -> Vec<Case> {
        let (none, one) = (((0, 0), (0, 0)), ((1, 1), (1, 1)));
        vec![
            Case(1, (5, 4), (2, 3), (3, 3), (1, 1), one, 1),
            Case(2, (6, 1), (3, 2), (3, 3), (1, 1), one, 1),
            Case(1, (17, 2), (2, 3), (3, 3), (2, 2), one, 1),
            Case(2, (9, 1), (2, 4), (3, 3), (1, 1), one, 1),
            Case(1, (8, 9), (3, 2), (3, 3), (2, 2), one, 1),
            Case(2, (6, 3), (2, 2), (1, 1), (1, 1), none, 1),
            Case(2, (5, 4), (2, 3), (1, 1), (2, 1), none, 1),
            Case(1, (6, 5), (2, 1), (5, 2), (1, 2), ((2, 0), (2, 0)), 1),
            Case(2, (4, 3), (1, 2), (1, 3), (1, 1), ((1, 2), (1, 2)), 1),
            Case(17, (3, 2), (1, 2), (3, 3), (1, 1), one, 1),
            // A kernel less than its stride leaves values out.
            Case(1, (7, 8), (2, 2), (2, 2), (3, 3), none, 1),
            // Zeros below and to the right alone, as TensorFlow's SAME has them.
            Case(1, (8, 4), (2, 3), (3, 3), (2, 2), ((0, 0), (1, 1)), 1),
            Case(2, (8, 9), (4, 6), (3, 3), (2, 2), one, 2),
            Case(1, (17, 2), (6, 3), (3, 3), (1, 1), one, 3),
            Case(2, (9, 1), (5, 5), (3, 3), (1, 1), one, 5),
            Case(1, (8, 9), (3, 3), (5, 5), (2, 2), ((1, 1), (2, 2)), 3),
            Case(1, (5, 2), (33, 33), (3, 3), (2, 2), one, 33),
        ]
    }

    impl Case {
        fn tensors(&self, salt: usize) -> (Tensor, Tensor, Tensor) {
            let Case(n, (h, w), (ci, co), (kh, kw), _, _, groups) = *self;
            let weight = values((kh, kw, ci / groups, co), salt + 1);
            (values((n, h, w, ci), salt), weight, values(co, salt + 2))
        }

        fn run(&self, x: &Tensor, w: &Tensor, b: Option<&Tensor>) -> Result<Tensor> {
            let Case(.., stride, (before, after), groups) = *self;
            conv2d(x, w, b, stride, Pads { before, after }, groups)
        }

        /// By the definition, in plain loops.
        fn plain(&self, x: &Tensor, w: &Tensor, b: &[f32]) -> Vec<f32> {
            let Case(n, (h, wd), (ci, co), (kh, kw), stride, (before, after), groups) = *self;
            let flat = |t: &Tensor| t.flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("values");
            let (xs, ws, per_group) = (flat(x), flat(w), ci / groups);
            let oh = (h + before.0 + after.0 - kh) / stride.0 + 1;
            let ow = (wd + before.1 + after.1 - kw) / stride.1 + 1;
            let mut y = Vec::new();
            for p in 0..n * oh * ow * co {
                let (o, ox, oy, i) = (p % co, p / co % ow, p / co / ow % oh, p / co / ow / oh);
                let mut sum = f64::from(b[o]);
                for t in 0..kh * kw * per_group {
                    let (c, kx, ky) = (t % per_group, t / per_group % kw, t / per_group / kw);
                    let (iy, ix) = (oy * stride.0 + ky, ox * stride.1 + kx);
                    let inside = (before.0..h + before.0).contains(&iy);
                    if inside && (before.1..wd + before.1).contains(&ix) {
                        let channel = o / (co / groups) * per_group + c;
                        let at = ((i * h + iy - before.0) * wd + ix - before.1) * ci + channel;
                        sum += f64::from(xs[at]) * f64::from(ws[t * co + o]);
                    }
                }
                y.push(sum as f32);
            }
            y
        }
    }

    #[test]
    fn agrees_with_plain_loops() {
        for (i, case) in cases().iter().enumerate() {
            let (x, w, b) = case.tensors(i);
            let bias = b.to_vec1::<f32>().expect("values");
            for (b, bias) in [(Some(&b), bias.clone()), (None, vec![0.0; bias.len()])] {
                let y = case.run(&x, &w, b).expect("convolution");
                let got = y.flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("values");
                let want = case.plain(&x, &w, &bias);
                assert_eq!(got.len(), want.len());
                assert!(got.iter().zip(&want).all(|(g, w)| (g - w).abs() < 1e-5), "case {i}");
            }
        }
    }

    #[test]
    fn gradients_agree_with_differences() {
        for (i, case) in cases().iter().enumerate() {
            let (x, w, b) = case.tensors(i);
            check64(&format!("conv {i}"), &[&x, &w], |v| case.run(&v[0], &v[1], None));
            check64(&format!("conv with bias {i}"), &[&x, &w, &b], |v| case.run(&v[0], &v[1], Some(&v[2])));
        }
    }

    #[test]
    fn groups_that_do_not_divide_the_channels_are_refused() {
        let (x, w) = (values((1, 3, 3, 4), 0), values((1, 1, 2, 4), 1));
        for groups in [0, 1, 3, 4] {
            assert!(conv2d(&x, &w, None, (1, 1), Pads::NONE, groups).is_err(), "{groups}");
        }
        assert!(conv2d(&x, &w, None, (1, 1), Pads::NONE, 2).is_ok());
    }

    #[test]
    fn tensorflows_same_keeps_the_rounded_up_size() {
        for (n, k, s, want) in
            [(264, 3, 2, (0, 1)), (17, 3, 2, (1, 1)), (9, 5, 2, (2, 2)), (8, 5, 2, (1, 2)), (7, 1, 2, (0, 0))]
        {
            let pads = Pads::same((n, n), (k, k), (s, s));
            assert_eq!((pads.before.0, pads.after.1), want);
            assert_eq!((pads.around((n, n)).0 - k) / s + 1, n.div_ceil(s));
        }
    }

    #[test]
    fn an_untracked_input_gets_no_gradient() {
        let (x, w, _) = cases()[0].tensors(0);
        let w = Var::from_tensor(&w).expect("var");
        let grads = conv2d(&x, &w, None, (1, 1), Pads::both((1, 1)), 1)
            .and_then(|y| y.sum_all()?.backward())
            .expect("backward");
        assert!(grads.get(&x).is_none());
        assert!(grads.get(&w).is_some());
    }

    #[test]
    fn bits_do_not_depend_on_the_number_of_threads() {
        let (x, w) = (values((37, 9, 5, 3), 1), values((3, 3, 3, 8), 2));
        let bits = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("pool");
            pool.install(|| {
                let (x, w) = (Var::from_tensor(&x).expect("var"), Var::from_tensor(&w).expect("var"));
                let y = conv2d(&x, &w, None, (1, 1), Pads::both((1, 1)), 1).expect("convolution");
                let grads = y.sqr().and_then(|y| y.sum_all()?.backward()).expect("backward");
                [grads.get(&x), grads.get(&w), Some(&y)]
                    .map(|t| t.and_then(|t| t.flatten_all().ok()?.to_vec1::<f32>().ok()).expect("values"))
            })
        };
        assert_eq!(bits(1), bits(2));
    }
}

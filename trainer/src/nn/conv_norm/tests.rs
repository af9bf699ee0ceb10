use super::*;
use crate::nn::conv::{Padding, Pads};
use crate::nn::gradcheck::{check64, values};
use crate::nn::params::Params;
use crate::nn::seed::{Purpose, generator};
use rand_chacha::ChaCha8Rng;

type Pair = (usize, usize);
/// Batch, map, input and output channels, kernel, stride, padding, groups.
const CASES: [(usize, Pair, Pair, Pair, Pair, Pair, usize); 7] = [
    (1, (5, 4), (2, 3), (3, 3), (1, 1), (1, 1), 1),
    (3, (6, 1), (1, 2), (3, 3), (1, 1), (1, 1), 1),
    (2, (7, 5), (2, 2), (3, 3), (2, 2), (1, 1), 1),
    (18, (3, 2), (2, 1), (1, 1), (1, 1), (0, 0), 1),
    (2, (17, 2), (3, 5), (3, 3), (2, 2), (1, 1), 1),
    (2, (17, 2), (5, 5), (3, 3), (2, 2), (1, 1), 5),
    (1, (4, 3), (18, 18), (5, 5), (1, 1), (2, 2), 18),
];

fn rng() -> ChaCha8Rng {
    generator(5, Purpose::Weights, 0, 0)
}

fn block(case: usize, activation: Activation) -> (ConvNorm, Tensor) {
    let (batch, (h, w), (input, output), kernel, stride, padding, groups) = CASES[case];
    let shape = ConvShape { input, output, kernel, stride, padding: Padding::Both(padding), groups };
    let mut params = Params::default();
    let block = ConvNorm::new(
        &mut Builder::new(&mut params, &mut rng()),
        ("b.conv", "b.norm"),
        shape,
        NormConfig::default(),
        activation,
    )
    .expect("block");
    block.norm.gamma.set(&values(output, 3)).expect("set");
    block.norm.beta.set(&values(output, 4)).expect("set");
    (block, values((batch, h, w, input), case))
}

fn flat(t: &Tensor) -> Vec<f32> {
    t.flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("values")
}

#[test]
fn is_a_convolution_followed_by_a_norm_in_every_mode() {
    for case in 0..CASES.len() {
        for activation in [Activation::Identity, Activation::Relu, Activation::Relu6, Activation::Silu] {
            for trainable in [true, false] {
                let (mut fused, x) = block(case, activation);
                let (mut apart, _) = block(case, activation);
                fused.norm.trainable = trainable;
                apart.norm.trainable = trainable;
                for train in [true, false] {
                    let mut rng = rng();
                    let pass = if train { Pass::Train(&mut rng) } else { Pass::Eval };
                    let z = conv2d(
                        &x,
                        &apart.weight,
                        None,
                        apart.shape.stride,
                        apart.shape.pads((x.dims()[1], x.dims()[2])),
                        apart.shape.groups,
                    );
                    let want = z.and_then(|z| apart.norm.forward(&z, &pass)).expect("apart");
                    let got = fused.forward(&x, &pass).expect("fused");
                    assert_eq!(got.dims(), want.dims());
                    let far = flat(&got).iter().zip(flat(&want)).any(|(g, w)| (g - w).abs() > 1e-5);
                    assert!(!far, "case {case} train {train}");
                    let (a, b) = (flat(&fused.norm.variance), flat(&apart.norm.variance));
                    assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-5));
                }
            }
        }
    }
}

#[test]
fn gradients_agree_with_differences() {
    for (case, &(.., stride, padding, groups)) in CASES.iter().enumerate() {
        let steps = Steps { stride, pads: Pads::both(padding), groups };
        for act in [Activation::Identity, Activation::Relu, Activation::Relu6, Activation::Silu] {
            for given in [None, Some((0.1, 0.5))] {
                let (block, x) = block(case, Activation::Identity);
                let affine = values(2 * block.shape.output, 6);
                let run = |v: &[Tensor]| run(v, steps, given, act);
                check64(&format!("block {case} {act:?} {given:?}"), &[&x, &block.weight, &affine], run);
            }
        }
    }
}

/// By the fused kernels where there are any, else by algebra.
fn run(v: &[Tensor], steps: Steps, given: Option<(f64, f64)>, act: Activation) -> Result<Tensor> {
    let (x, weight, affine, epsilon) = (&v[0], &v[1], &v[2], 1e-5);
    let channels = affine.elem_count() / 2;
    if algebra::has_kernels(x) {
        let statistics = match given {
            Some((mean, variance)) => {
                Statistics::Given(vec![mean as f32; channels], vec![variance as f32; channels])
            }
            None => Statistics::Batch(std::sync::Arc::default()),
        };
        let convolved = OnceLock::new();
        let op = ConvNormOp { steps, epsilon, act, keep: true, statistics, convolved };
        return x.apply_op3(weight, affine, op);
    }
    let z = conv2d(x, weight, None, steps.stride, steps.pads, steps.groups)?;
    let full = |v: f64| Tensor::full(v, channels, x.device())?.to_dtype(x.dtype());
    let (mean, variance) = match given {
        Some((mean, variance)) => (full(mean)?, full(variance)?),
        None => algebra::moments(&z)?,
    };
    let affine = (&affine.narrow(0, 0, channels)?, &affine.narrow(0, channels, channels)?);
    act.apply(&algebra::normalise(&z, (&mean, &variance), affine, epsilon)?)
}

#[test]
fn parameters_get_their_gradients_and_a_frozen_block_gets_none() {
    let (mut block, x) = block(0, Activation::Relu);
    let x = Var::from_tensor(&x).expect("var");
    let run = |block: &ConvNorm| {
        let y = block.forward(&x, &Pass::Train(&mut rng())).expect("forward");
        y.sqr().and_then(|y| y.sum_all()?.backward()).expect("backward")
    };
    let grads = run(&block);
    assert!([&block.weight, &block.norm.gamma, &block.norm.beta].iter().all(|v| grads.get(v).is_some()));
    block.norm.trainable = false;
    let grads = run(&block);
    assert!([&block.weight, &block.norm.gamma, &block.norm.beta].iter().all(|v| grads.get(v).is_none()));
    assert!(grads.get(&x).is_some(), "gradients pass through");
}

use super::*;
use crate::nn::gradcheck::{check64, values};
use crate::nn::params::Params;
use crate::nn::seed::{Purpose, generator};
use candle_core::DType;

const SHAPES: [(usize, usize, usize, usize); 4] = [(1, 5, 1, 3), (2, 3, 2, 1), (19, 2, 3, 5), (2, 2, 2, 70)];

const ACTIVATIONS: [Activation; 4] =
    [Activation::Identity, Activation::Relu, Activation::Relu6, Activation::Silu];

fn layer(channels: usize, activation: Activation) -> BatchNorm {
    let mut params = Params::default();
    let mut rng = generator(1, Purpose::Weights, 0, 0);
    BatchNorm::new(&mut Builder::new(&mut params, &mut rng), "n", channels, NormConfig::default(), activation)
        .expect("layer")
}

/// Mean and biased variance of each channel.
fn plain_moments(x: &Tensor) -> Vec<(f64, f64)> {
    let channels = x.dims()[3];
    let x = x.flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("values");
    (0..channels)
        .map(|c| {
            let column: Vec<f64> = x.iter().skip(c).step_by(channels).map(|v| f64::from(*v)).collect();
            let mean = column.iter().sum::<f64>() / column.len() as f64;
            (mean, column.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / column.len() as f64)
        })
        .collect()
}

const EPSILON: f64 = 1e-5;

/// By kernels where there are any, else by algebra.
fn run(v: &[Tensor], given: Option<(f64, f64)>, act: Activation) -> Result<Tensor> {
    let (x, gamma, beta) = (&v[0], &v[1], &v[2]);
    let channels = gamma.elem_count();
    if algebra::has_kernels(x) {
        let statistics = match given {
            Some((mean, variance)) => {
                Statistics::Given(vec![mean as f32; channels], vec![variance as f32; channels])
            }
            None => Statistics::Batch(Arc::default()),
        };
        return x.apply_op3(gamma, beta, BatchNormOp { statistics, epsilon: EPSILON, act });
    }
    let full = |v: f64| Tensor::full(v, channels, x.device())?.to_dtype(x.dtype());
    let (mean, variance) = match given {
        Some((mean, variance)) => (full(mean)?, full(variance)?),
        None => algebra::moments(x)?,
    };
    act.apply(&algebra::normalise(x, (&mean, &variance), (gamma, beta), EPSILON)?)
}

#[test]
fn agrees_with_plain_loops_and_moves_the_running_statistics() {
    for shape in SHAPES {
        // Far from zero: a sum of squares in f32 would lose the variance.
        let x = (values(shape, 1) + 300.0).expect("shifted");
        for activation in ACTIVATIONS {
            let layer = layer(shape.3, activation);
            layer.gamma.set(&values(shape.3, 2)).expect("set");
            layer.beta.set(&values(shape.3, 3)).expect("set");
            let (gamma, beta) =
                (layer.gamma.to_vec1::<f32>().expect("values"), layer.beta.to_vec1::<f32>().expect("values"));
            let mut rng = generator(1, Purpose::Dropout, 0, 0);
            let y = layer.forward(&x, &Pass::Train(&mut rng)).expect("forward");
            let moments = plain_moments(&x);
            let flat = |t: &Tensor| t.flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("values");
            for (i, (x, y)) in flat(&x).iter().zip(flat(&y)).enumerate() {
                let c = i % shape.3;
                let (mean, variance) = moments[c];
                let z = (f64::from(*x) - mean) / (variance + EPSILON).sqrt() * f64::from(gamma[c])
                    + f64::from(beta[c]);
                let want = f64::from(activation.value(z as f32));
                assert!((f64::from(y) - want).abs() < 2e-3, "{shape:?} {y} {want}");
            }
            let n = (shape.0 * shape.1 * shape.2) as f64;
            let mean = layer.mean.to_vec1::<f32>().expect("values");
            let variance = layer.variance.to_vec1::<f32>().expect("values");
            for c in 0..shape.3 {
                assert!((f64::from(mean[c]) - 0.1 * moments[c].0).abs() < 1e-4);
                let unbiased = moments[c].1 * n / (n - 1.0);
                assert!((f64::from(variance[c]) - 0.9 - 0.1 * unbiased).abs() < 1e-4);
            }
        }
    }
}

#[test]
fn gradients_agree_with_differences() {
    for shape in SHAPES {
        let (x, gamma, beta) = (values(shape, 1), values(shape.3, 2), values(shape.3, 3));
        for act in ACTIVATIONS {
            check64(&format!("batch statistics {shape:?} {act:?}"), &[&x, &gamma, &beta], |v| {
                run(v, None, act)
            });
            check64("given statistics", &[&x, &gamma, &beta], |v| run(v, Some((0.1, 0.5)), act));
        }
    }
}

/// The layer in f32 by kernels and in f64 by algebra: values and running statistics.
#[test]
fn a_layer_of_another_float_type_does_the_same() {
    let x = (values((3, 4, 2, 5), 1) + 3.0).expect("shifted");
    let layers = [DType::F32, DType::F64].map(|dtype| {
        let mut layer = layer(5, Activation::Silu);
        for var in [&mut layer.gamma, &mut layer.beta, &mut layer.mean, &mut layer.variance] {
            *var = Var::from_tensor(&var.to_dtype(dtype).expect("converted")).expect("var");
        }
        let mut rng = generator(1, Purpose::Dropout, 0, 0);
        let x = x.to_dtype(dtype).expect("converted");
        let y = layer.forward(&x, &Pass::Train(&mut rng)).expect("forward");
        let numbers = |t: &Tensor| t.to_dtype(DType::F64).and_then(|t| t.flatten_all()?.to_vec1::<f64>());
        [&y, layer.mean.as_tensor(), layer.variance.as_tensor()].map(|t| numbers(t).expect("values"))
    });
    for (a, b) in layers[0].iter().flatten().zip(layers[1].iter().flatten()) {
        assert!((a - b).abs() < 1e-5, "{a} {b}");
    }
}

#[test]
fn evaluation_and_frozen_layers_use_running_statistics_and_leave_them() {
    let mut layer = layer(2, Activation::Identity);
    layer.mean.set(&Tensor::new(&[1.0f32, -1.0], layer.mean.device()).expect("t")).expect("set");
    layer.variance.set(&Tensor::new(&[4.0f32, 0.25], layer.mean.device()).expect("t")).expect("set");
    let x = Tensor::new(&[[[[3.0f32, 0.0]]]], layer.mean.device()).expect("x");
    let before = layer.mean.to_vec1::<f32>().expect("values");
    layer.trainable = false;
    let mut rng = generator(1, Purpose::Dropout, 0, 0);
    for pass in [Pass::Eval, Pass::Train(&mut rng)] {
        let y = layer.forward(&x, &pass).and_then(|y| y.flatten_all()?.to_vec1::<f32>()).expect("forward");
        assert!((y[0] - 1.0).abs() < 1e-5 && (y[1] - 2.0).abs() < 1e-4, "{y:?}");
        assert_eq!(layer.mean.to_vec1::<f32>().expect("values"), before);
    }
}

#[test]
fn one_value_per_channel_stays_finite() {
    let layer = layer(2, Activation::Relu);
    let mut rng = generator(1, Purpose::Dropout, 0, 0);
    layer.forward(&values((1, 1, 1, 2), 1), &Pass::Train(&mut rng)).expect("forward");
    assert!(layer.variance.to_vec1::<f32>().expect("values").iter().all(|v| v.is_finite()));
}

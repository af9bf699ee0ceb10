use super::*;
use crate::nn::gradcheck::{check_step, values};
use crate::nn::params::Params;
use crate::nn::seed::{Purpose, generator};

const SHAPES: [(usize, usize, usize, usize); 4] = [(1, 5, 1, 3), (2, 3, 2, 1), (19, 2, 3, 5), (2, 2, 2, 70)];

fn layer(channels: usize, activation: Activation) -> BatchNorm {
    let mut params = Params::default();
    let mut rng = generator(1, Purpose::Weights, 0, 0);
    BatchNorm::new(&mut Builder::new(&mut params, &mut rng), "n", channels, activation).expect("layer")
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

fn run(x: &Tensor, gamma: &Tensor, beta: &Tensor, statistics: Statistics, relu: bool) -> Result<Tensor> {
    x.apply_op3(gamma, beta, BatchNormOp { statistics, relu })
}

#[test]
fn agrees_with_plain_loops_and_moves_the_running_statistics() {
    for shape in SHAPES {
        // Far from zero: a sum of squares in f32 would lose the variance.
        let x = (values(shape, 1) + 300.0).expect("shifted");
        for activation in [Activation::Identity, Activation::Relu] {
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
                let want = if activation == Activation::Relu { z.max(0.0) } else { z };
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
        for relu in [false, true] {
            check_step("batch statistics", &[&x, &gamma, &beta], 1e-3, |v| {
                run(&v[0], &v[1], &v[2], Statistics::Batch(Arc::default()), relu)
            });
            check_step("given statistics", &[&x, &gamma, &beta], 1e-3, |v| {
                let (mean, variance) = (vec![0.1; shape.3], vec![0.5; shape.3]);
                run(&v[0], &v[1], &v[2], Statistics::Given(mean, variance), relu)
            });
        }
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

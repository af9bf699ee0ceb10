use super::*;
use crate::nn::gradcheck::values;
use candle_core::{DType, Device};

fn config(sides: Sides) -> CnnConfig {
    CnnConfig {
        sides,
        filters: vec![3, 4, 5],
        kernel: PerLayer::Each(vec![[3, 3], [5, 1], [1, 3]]),
        stride: PerLayer::Each(vec![[1, 1], [2, 1], [1, 1]]),
        pools: vec![PoolAfter { after: 1, kernel: [2, 2] }],
        feature_norm: true,
        feature_dropout: 0.2,
        hidden: 6,
        side_skip: true,
        ..CnnConfig::default()
    }
}

fn net(sides: Sides, side: usize) -> (Cnn, Tensor, Tensor) {
    let input = Input { height: 13, width: 6, channels: 2, side };
    let net = Cnn::new(config(sides), input, 1).expect("net");
    (net, values((5, 13, 6, 2), 1), values((5, side.max(1)), 2))
}

fn train(net: &Cnn, image: &Tensor, side: &Tensor) -> Result<Tensor> {
    net.forward(image, side, &mut Pass::Train(&mut generator(4, Purpose::Dropout, 0, 0)))
}

#[test]
fn folding_gives_the_logits_of_evaluation() {
    for sides in [Sides::Image, Sides::Shared] {
        for side in [0, 3] {
            let (net, image, order) = net(sides, side);
            // Statistics and affine parameters away from their starting values.
            train(&net, &image, &order).expect("a step moves the statistics");
            for (i, (name, var)) in net.params.vars().iter().enumerate() {
                if name.contains("norm") || name.starts_with("skip") {
                    var.set(&(values(var.shape().clone(), i) + 0.2).expect("values")).expect("set");
                }
            }
            let logits = net.forward(&image, &order, &mut Pass::Eval).and_then(|y| y.to_vec2::<f32>());
            let folded = net.fold().expect("folded");
            let chw =
                image.permute((0, 3, 1, 2)).and_then(|t| t.flatten_from(1)?.to_vec2::<f32>()).expect("image");
            let order = order.to_vec2::<f32>().expect("side");
            for (i, got) in logits.expect("logits").iter().enumerate() {
                let want = folded.forward(&chw[i], &order[i][..side]);
                assert!(
                    got.iter().zip(&want).all(|(g, w)| (g - w).abs() < 1e-4),
                    "{sides:?} {got:?} {want:?}"
                );
            }
        }
    }
}

/// Gradients of all parameters in f64 against differences along them, and those in f32 against f64.
#[test]
fn gradients_of_the_whole_net_agree_with_differences() {
    for sides in [Sides::Image, Sides::Shared] {
        let at = |dtype: DType| {
            let place = Place { dtype, ..Place::default() };
            let input = Input { height: 13, width: 6, channels: 2, side: 3 };
            let take = |t: Tensor| place.take(&t).expect("here");
            let (image, order) = (take(values((5, 13, 6, 2), 1)), take(values((5, 3), 2)));
            let net = Cnn::at(place.clone(), config(sides), input, 1).expect("net");
            let loss = move |net: &Cnn| train(net, &image, &order)?.sqr()?.sum_all();
            (net, loss)
        };
        let ((exact, loss), (fast, fast_loss)) = (at(DType::F64), at(DType::F32));
        let grads = loss(&exact).and_then(|y| y.backward()).expect("backward");
        let fast_grads = fast_loss(&fast).and_then(|y| y.backward()).expect("backward");
        for (name, var) in exact.params.vars() {
            let gradient = grads.get(var).unwrap_or_else(|| panic!("no gradient for {name}"));
            let norm = |t: &Tensor| t.sqr().and_then(|t| t.sum_all()?.to_scalar::<f64>()).expect("number");
            let (squared, base) = (norm(gradient), var.as_detached_tensor().copy().expect("copy"));
            let moved = |by: f64| -> Result<f64> {
                var.set(&(&base + (gradient * (by / squared.sqrt().max(1e-9)))?)?)?;
                loss(&exact)?.to_scalar()
            };
            let slope = (moved(1e-5).expect("above") - moved(-1e-5).expect("below")) / 2e-5;
            var.set(&base).expect("restored");
            assert!(
                (slope - squared.sqrt()).abs() <= 1e-5 * squared.sqrt() + 1e-8,
                "{name} {slope} {squared}"
            );
            let found = fast_grads.get(&fast.params.vars()[name]).expect("gradient");
            let off = (found.to_dtype(DType::F64).expect("f64") - gradient).expect("difference");
            let off = norm(&off).sqrt();
            assert!(off <= 1e-3 * squared.sqrt() + 1e-6, "{name} in f32: {off} off {}", squared.sqrt());
        }
    }
}

#[test]
fn swapping_the_sides_changes_nothing_when_they_share_weights() {
    let (net, image, order) = net(Sides::Shared, 3);
    let halves = |from: usize| image.narrow(2, from, 3).expect("half");
    let swapped = Tensor::cat(&[halves(3), halves(0)], 2).expect("swapped");
    let run = |image: &Tensor| {
        net.forward(image, &order, &mut Pass::Eval).and_then(|y| y.to_vec2::<f32>()).expect("forward")
    };
    assert_eq!(run(&image), run(&swapped));
}

#[test]
fn the_default_net_takes_a_coil_and_repeats_with_its_seed() {
    let input = Input { height: 264, width: 18, channels: 3, side: 0 };
    let make = |seed| Cnn::new(CnnConfig::default(), input, seed).expect("net");
    let bytes = |net: &Cnn| net.params().to_bytes().expect("bytes");
    assert_eq!(bytes(&make(1)), bytes(&make(1)));
    assert_ne!(bytes(&make(1)), bytes(&make(2)));
    let none = Tensor::zeros((2, 1), candle_core::DType::F32, &Device::Cpu).expect("side");
    let y = make(1).forward(&values((2, 264, 18, 3), 1), &none, &mut Pass::Eval).expect("forward");
    assert_eq!(y.dims(), [2, 2]);
    assert!(make(1).forward(&values((2, 18, 264, 3), 1), &none, &mut Pass::Eval).is_err(), "another shape");
}

//! Freezing: what is frozen stays, and what it gives can be kept.

use super::{logits, moved, small, yolov8};
use crate::fit::LossConfig;
use crate::nets::yolov8_cls::Scale;
use crate::nets::{Kept, Model, Network};
use crate::nn::Pass;
use crate::nn::seed::{Purpose, generator};
use candle_core::Tensor;

const LABELS: [usize; 5] = [0, 1, 0, 1, 1];

fn loss(net: &dyn Model, image: &Tensor, side: &Tensor) -> Tensor {
    let mut rng = generator(9, Purpose::Dropout, 0, 0);
    net.loss((image, side), &LABELS, &LossConfig::default(), &mut Pass::Train(&mut rng)).expect("loss")
}

#[test]
fn a_net_from_behind_its_frozen_stages_gives_the_same_bits_and_gradients() {
    for (name, config, input) in small() {
        for freeze in 0..=config.backbone.stage_count() {
            let (plain, image, side) = moved(&config, input);
            let config = crate::nets::config::NetworkConfig { freeze, ..config.clone() };
            let net = Network::new(config, input, 3).expect("net");
            net.params().load(&plain.params().to_bytes().expect("saved")).expect("loaded");
            assert_eq!(logits(&plain, &image, &side), logits(&net, &image, &side), "{name}, {freeze} frozen");
            let kept = net.keep(&image).expect("kept");
            assert_eq!(kept.dims(), [5, net.kept_length()], "{name}, {freeze} frozen");
            let kept = kept.reshape((5, 1, 1, net.kept_length())).expect("shape");
            let behind = Kept(&net);
            assert_eq!(logits(&net, &image, &side), logits(&behind, &kept, &side), "{name}, {freeze} frozen");
            let (near, far) = (loss(&behind, &kept, &side), loss(&net, &image, &side));
            let (near, far) = (near.backward().expect("backward"), far.backward().expect("backward"));
            for (parameter, var) in net.params().vars() {
                let numbers = |g: &candle_core::backprop::GradStore| {
                    g.get(var).and_then(|g| g.flatten_all().ok()?.to_vec1::<f32>().ok()).expect("gradient")
                };
                assert_eq!(numbers(&near), numbers(&far), "{name}, {freeze} frozen, {parameter}");
            }
            assert!(
                net.params().frozen().values().all(|var| far.get(var).is_none()),
                "{name}, {freeze} frozen"
            );
        }
    }
}

#[test]
fn frozen_stages_keep_their_statistics_and_the_hash_tells_them_apart() {
    let make = |freeze, seed| {
        let config = crate::nets::config::NetworkConfig { freeze, ..yolov8(Scale::N) };
        Network::new(config, super::coil(3, 0), seed).expect("net")
    };
    let net = make(9, 1);
    let before = net.trunk_hash().expect("hash");
    let image = crate::nn::gradcheck::values((2, 264, 18, 3), 1);
    let none = Tensor::zeros((2, 1), candle_core::DType::F32, image.device()).expect("side");
    let mut rng = generator(9, Purpose::Dropout, 0, 0);
    net.forward(&image, &none, &mut Pass::Train(&mut rng)).expect("forward");
    assert_eq!(net.trunk_hash().expect("hash"), before);
    assert!(net.is_random_and_frozen());
    // The classifier's convolution and its batch norm, and the linear layer.
    assert_eq!(net.params().trainable(), 256 * 1280 + 2 * 1280 + 1280 * 2 + 2);
    for other in [make(8, 1), make(9, 2)] {
        assert_ne!(other.trunk_hash().expect("hash"), before);
    }
    assert_eq!(make(9, 1).trunk_hash().expect("hash"), before);
}

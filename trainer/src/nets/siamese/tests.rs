use super::*;
use crate::nn::gradcheck::{check64, values};
use crate::nn::params::Params;
use crate::nn::seed::{Purpose, generator};
use candle_core::Device;

fn siamese() -> Siamese {
    let mut params = Params::default();
    let mut rng = generator(1, Purpose::Weights, 0, 0);
    let config = SiameseConfig { embedding: 2, references: 2 };
    Siamese::new(&mut Builder::new(&mut params, &mut rng), config).expect("siamese")
}

#[test]
fn gradients_agree_with_differences() {
    let (a, b) = (values((4, 3), 1), values((5, 3), 2));
    let (scale, bias) = (values(1, 3), values(1, 4));
    check64("pair log odds", &[&a, &b, &scale, &bias], |v| pair_log_odds(&v[0], &v[1], &v[2], &v[3]));
    for labels in [[0, 1, 1, 0, 0], [0, 0, 0, 0, 0], [0, 1, 1, 1, 1]] {
        let z = (values((5, 5), 3) * 4.0).expect("spread");
        check64("pair loss", &[&z], |v| pair_loss(&v[0], &labels));
    }
    check64("pairs of a batch", &[&a, &scale, &bias], |v| {
        pair_loss(&pair_log_odds(&v[0], &v[0], &v[1], &v[2])?, &[0, 1, 1, 0])
    });
}

#[test]
fn the_loss_agrees_with_hand_worked_numbers_and_stays_finite() {
    let loss = |z: f32, labels: &[usize]| {
        let z = Tensor::full(z, (labels.len(), labels.len()), &Device::Cpu).expect("pairs");
        pair_loss(&z, labels).and_then(|l| l.to_scalar::<f32>()).expect("loss")
    };
    // Odds 3 to 1: a match costs ln 4/3, a pair of two classes ln 4.
    let (match_, apart) = ((4.0f32 / 3.0).ln(), 4.0f32.ln());
    let z = 3.0f32.ln();
    assert!((loss(z, &[0, 0, 1, 1]) - f32::midpoint(match_, apart)).abs() < 1e-6);
    assert!((loss(z, &[0, 0, 1]) - (match_ + 2.0 * apart) / 3.0).abs() < 1e-6);
    assert!((loss(z, &[1, 1]) - match_).abs() < 1e-6);
    assert_eq!(loss(1e4, &[0, 1]), 1e4);
    assert_eq!(loss(-1e4, &[0, 1]), 0.0);
}

#[test]
fn the_nearer_class_wins_and_is_judged_by_the_mean_similarity() {
    let siamese = siamese();
    let embeddings = [vec![0.0, 0.0], vec![0.0, 1.0], vec![3.0, 0.0], vec![3.0, 1.0]];
    siamese.settle(&embeddings, &[0, 0, 1, 1], 1).expect("references");
    let x = Tensor::new(&[[0.1f32, 0.5], [2.9, 0.5]], &Device::Cpu).expect("x");
    let logits = siamese.logits(&x, &Pass::Eval).and_then(|l| l.to_vec2::<f32>()).expect("logits");
    let similarity = |d: f64| {
        // The scale that it begins with, for an embedding of 2: 4 / (2 * 2).
        1.0 / (1.0 + (-(f64::from(FIRST.0) - d)).exp())
    };
    let near = similarity(0.1f64.powi(2) + 0.25).ln();
    let far = similarity(2.9f64.powi(2) + 0.25).ln();
    for (found, want) in logits.iter().flatten().zip([near, far, far, near]) {
        assert!((f64::from(*found) - want).abs() < 1e-4, "{logits:?} {near} {far}");
    }
    siamese.settle(&embeddings[..2], &[0, 0], 1).expect("a class without items keeps its references");
    assert!(siamese.nok.to_vec2::<f32>().expect("values").iter().all(|r| r[0] == 3.0));
}

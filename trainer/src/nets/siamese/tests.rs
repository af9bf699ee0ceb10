use super::config::{Alike, Method, ReferencesConfig};
use super::*;
use crate::nn::gradcheck::{check64, values};
use crate::nn::params::Params;
use crate::nn::seed::{Purpose, generator};
use candle_core::Device;
use serde::Deserialize;

/// A loss by PyTorch, with its gradient.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Golden {
    kind: String,
    pub temperature: f64,
    pub eta: f64,
    pub margin: f64,
    rows: usize,
    width: usize,
    pub labels: Vec<usize>,
    loss: f64,
    embeddings: Vec<f64>,
    gradient: Vec<f64>,
}

/// The golden numbers of one kind of loss.
pub fn golden(kind: &str) -> Vec<Golden> {
    let text = include_str!("../../../golden/contrastive.json");
    let cases: Vec<Golden> = serde_json::from_str(text).expect("golden numbers");
    cases.into_iter().filter(|case| case.kind == kind).collect()
}

impl Golden {
    /// Compares value and gradient in f64.
    pub fn check(&self, loss: impl Fn(&Tensor) -> Result<Tensor>) {
        let near = |found: f64, wanted: f64| {
            assert!((found - wanted).abs() < 1e-8 * wanted.abs().max(1.0), "{}: {found} {wanted}", self.kind);
        };
        let x = Tensor::from_slice(&self.embeddings, (self.rows, self.width), &Device::Cpu);
        let x = x.and_then(|x| Var::from_tensor(&x)).expect("embeddings");
        let found = loss(&x).expect("a loss");
        near(found.to_scalar::<f64>().expect("a number"), self.loss);
        let grads = found.backward().expect("gradients");
        let grad = grads.get(&x).expect("a gradient").flatten_all().and_then(|g| g.to_vec1::<f64>());
        grad.expect("values")
            .into_iter()
            .zip(&self.gradient)
            .for_each(|(found, wanted)| near(found, *wanted));
    }
}

fn siamese(config: SiameseConfig) -> Siamese {
    let mut params = Params::default();
    let mut rng = generator(1, Purpose::Weights, 0, 0);
    Siamese::new(&mut Builder::new(&mut params, &mut rng), config).expect("siamese")
}

fn two_values() -> SiameseConfig {
    let references = ReferencesConfig { per_class: 2, ..ReferencesConfig::default() };
    SiameseConfig { embedding: 2, references, ..SiameseConfig::default() }
}

#[test]
fn gradients_of_the_similarity_agree_with_differences() {
    let (a, b) = (values((4, 3), 1), values((5, 3), 2));
    let (scale, bias) = (values(1, 3), values(1, 4));
    let odds = |v: &[Tensor]| log_odds(&Distance::Euclidean.of_pairs(&v[0], &v[1])?, &v[2], &v[3]);
    check64("log odds", &[&a, &b, &scale, &bias], odds);
    let labels = [0, 1, 1, 0];
    check64("pairs of a batch", &[&a, &scale, &bias], |v| {
        let distances = Distance::Euclidean.of_pairs(&v[0], &v[0])?;
        let weights = pairs::weights(&labels, &distances, 1.0)?;
        pairs::similarity(&log_odds(&distances, &v[1], &v[2])?, &labels, &weights)
    });
}

#[test]
fn the_nearer_class_wins_and_is_judged_by_the_mean_similarity() {
    let siamese = siamese(two_values());
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

#[test]
fn every_loss_distance_and_average_gives_gradients_and_the_logits_of_plain_numbers() {
    let losses = [
        PairLoss::Similarity { hard: 0.5 },
        PairLoss::Margin { margin: 2.0, alike: Alike::Zero, hard: 0.5 },
        PairLoss::Supervised { temperature: 0.1 },
        PairLoss::Asymmetric { temperature: 0.1, eta: 2.0 },
    ];
    let labels = [0, 1, 0, 1, 1, 0];
    for loss in losses {
        for distance in [Distance::Euclidean, Distance::Cosine, Distance::Manhattan] {
            for (average, method) in [(Average::Mean, Method::Kmeans), (Average::Nearest, Method::Medoids)] {
                let references = ReferencesConfig { per_class: 2, method, average };
                let config =
                    SiameseConfig { embedding: 3, loss, distance, references, ..SiameseConfig::default() };
                let siamese = siamese(config);
                let x = Var::from_tensor(&values((6, 3), 1)).expect("embeddings");
                let mut rng = generator(1, Purpose::Dropout, 0, 0);
                let pass = Pass::Train(&mut rng);
                let value = siamese.loss(&x, &labels, &LossConfig::default(), &pass).expect("a loss");
                let grads = value.backward().expect("gradients");
                let moved = grads.get(&x).and_then(|g| g.sqr().ok()?.sum_all().ok()?.to_scalar::<f32>().ok());
                assert!(moved.is_some_and(|g| g > 0.0 && g.is_finite()), "{config:?}");
                let rows = x.to_vec2::<f32>().expect("rows");
                siamese.settle(&rows, &labels, 1).expect("references");
                let plain = siamese.references().expect("numbers");
                let logits =
                    siamese.logits(&x, &Pass::Eval).and_then(|l| l.to_vec2::<f32>()).expect("logits");
                for (row, logits) in rows.iter().zip(logits) {
                    let wanted = plain.apply(row);
                    assert!(logits.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-4), "{config:?}");
                }
            }
        }
    }
}

#[test]
fn a_classifier_judges_where_it_is_told_to_and_stages_train_their_own_part() {
    let config = SiameseConfig {
        projection: Some(2),
        cross_entropy: 0.5,
        judge: Judge::Head,
        loss: PairLoss::Supervised { temperature: 0.5 },
        ..two_values()
    };
    let siamese = siamese(config);
    let x = values((4, 2), 1);
    let classifier = siamese.classifier.as_ref().expect("a classifier");
    let logits = siamese.logits(&x, &Pass::Eval).and_then(|l| l.to_vec2::<f32>()).expect("logits");
    let wanted = classifier.forward(&x, &Pass::Eval).and_then(|l| l.to_vec2::<f32>()).expect("logits");
    assert_eq!(logits, wanted);
    let loss = |stage| {
        let config = LossConfig { stage, ..LossConfig::default() };
        let loss = siamese.loss(&x, &[0, 1, 0, 1], &config, &Pass::Eval);
        loss.and_then(|l| l.to_scalar::<f32>()).expect("a loss")
    };
    let (pairs, classes) = (loss(Stage::Contrastive), loss(Stage::CrossEntropy { frozen: false }));
    assert!((loss(Stage::Joint) - pairs - 0.5 * classes).abs() < 1e-6);
    assert!(pairs != classes);
}

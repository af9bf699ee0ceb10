//! Settings of a Siamese network.

use crate::export::folded::{Average, Distance};
use crate::nets::NetworkError;
use crate::nets::error::{MAX_WIDTH, range};
use serde::{Deserialize, Serialize};

/// Settings of a Siamese network.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SiameseConfig {
    /// Values of the embedding.
    pub embedding: usize,
    /// Values that a hidden layer of as many units as the embedding and a last one make of the embedding for the loss on
    /// pairs alone; references are compared in the embedding (P. Khosla et al., 2020, section 3.1). Absent, the loss is on
    /// the embedding.
    pub projection: Option<usize>,
    /// The loss on the pairs of a batch.
    pub loss: PairLoss,
    /// Weight of a classifier's cross-entropy beside the loss on pairs. The classifier is one layer over the embedding.
    pub cross_entropy: f64,
    /// What gives the logits.
    pub judge: Judge,
    /// What is small between alike coils.
    pub distance: Distance,
    /// Known coils to compare with.
    pub references: ReferencesConfig,
}

impl Default for SiameseConfig {
    fn default() -> Self {
        Self {
            embedding: 64,
            projection: None,
            loss: PairLoss::Similarity { hard: 1.0 },
            cross_entropy: 0.0,
            judge: Judge::References,
            distance: Distance::Euclidean,
            references: ReferencesConfig::default(),
        }
    }
}

/// What pairs of one batch cost. `hard` is the share of the pairs of each kind that counts, the hardest: of two coils of one
/// class the furthest apart, of two classes the nearest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum PairLoss {
    /// Binary cross-entropy of the similarity (paper, section 3.3).
    Similarity {
        /// Share of the pairs that counts.
        #[serde(default = "all")]
        hard: f64,
    },
    /// Alike pairs come together, others part as far as the margin (R. Hadsell et al., 2006, equation 4).
    Margin {
        /// The distance from which a pair of two classes costs nothing.
        margin: f64,
        /// Which label a pair of one class has.
        alike: Alike,
        /// Share of the pairs that counts.
        #[serde(default = "all")]
        hard: f64,
    },
    /// Supervised contrastive loss (P. Khosla et al., 2020, equation 2).
    Supervised {
        /// What cosines are divided by.
        temperature: f64,
    },
    /// Asymmetric Contrastive Loss (V. Vito, L. Y. Stefanus, 2022; the paper's reference 6).
    Asymmetric {
        /// What cosines are divided by.
        temperature: f64,
        /// Weight of the term that drives pairs of two classes apart; without it the loss is `supervised`.
        eta: f64,
    },
}

fn all() -> f64 {
    1.0
}

/// Which label stands for a pair of one class. Papers differ: 0 in the coil paper (section 3.3) and in Hadsell et al., 1 in
/// the second paper (equation 1). Told rightly, both give the same loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alike {
    /// 0 is alike, 1 is not.
    Zero,
    /// 1 is alike, 0 is not.
    One,
}

/// What gives a Siamese network's logits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judge {
    /// Similarity to the references.
    References,
    /// The classifier over the embedding.
    Head,
}

/// Which known coils an embedding is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReferencesConfig {
    /// How many of each class (paper, section 4.4: three).
    pub per_class: usize,
    /// How they are chosen.
    pub method: Method,
    /// How their similarities make one.
    pub average: Average,
}

impl Default for ReferencesConfig {
    fn default() -> Self {
        Self { per_class: 3, method: Method::Kmeans, average: Average::Mean }
    }
}

/// How references are chosen among the embeddings of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The centres of clusters, by the distance of the network.
    Kmeans,
    /// The coils nearest to those centres.
    Medoids,
    /// Any coils.
    Random,
}

/// References of a class at most.
pub const MAX_REFERENCES: usize = 64;

impl SiameseConfig {
    /// Whether the numbers are in range.
    pub fn check(&self) -> Result<(), NetworkError> {
        range("siamese.embedding", self.embedding, MAX_WIDTH)?;
        range("siamese.projection", self.projection.unwrap_or(1), MAX_WIDTH)?;
        range("siamese.references.per_class", self.references.per_class, MAX_REFERENCES)?;
        let hundred = |what: &'static str, value: f64, least: f64| {
            if value.is_finite() && (least..=100.0).contains(&value) {
                return Ok(());
            }
            Err(NetworkError::Number { what, value, least, most: 100.0 })
        };
        let hard = |value: f64| match value {
            v if v > 0.0 && v <= 1.0 => Ok(()),
            value => Err(NetworkError::Number { what: "siamese.loss.hard", value, least: 0.001, most: 1.0 }),
        };
        hundred("siamese.cross_entropy", self.cross_entropy, 0.0)?;
        if self.projection.is_some() && matches!(self.loss, PairLoss::Similarity { .. }) {
            return Err(NetworkError::Projection);
        }
        match self.loss {
            PairLoss::Similarity { hard: share } => hard(share),
            PairLoss::Margin { margin, hard: share, .. } => {
                hundred("siamese.loss.margin", margin, 0.001).and_then(|()| hard(share))
            }
            PairLoss::Supervised { temperature } => hundred("siamese.loss.temperature", temperature, 0.01),
            PairLoss::Asymmetric { temperature, eta } => {
                hundred("siamese.loss.temperature", temperature, 0.01)?;
                hundred("siamese.loss.eta", eta, 0.0)
            }
        }
    }
}

//! Who judges coils: a verified bundle's models, or a stand-in in tests.

use coilsight_models::bundle::Verified;
use coilsight_models::coil::{CoilMatrix, Order};
use coilsight_models::message::assessment::ModelUsed;
use coilsight_models::session::{GoldenRefused, OpenFault, Scores, Session};
use coilsight_models::verdict::Policy;

/// Whoever gives scores: a bundle's models, or a stand-in in tests.
pub trait Judge: Send {
    /// P(NOK) of a coil.
    fn scores(&mut self, matrix: &CoilMatrix, order: Option<&Order>) -> Result<Scores, Unjudged>;
    /// What the scores mean.
    fn policy(&self) -> &Policy;
    /// What to call it.
    fn model(&self) -> ModelUsed;
}

/// Why a coil got no score.
#[derive(Debug, thiserror::Error)]
#[error("the models failed on this coil")]
pub struct Unjudged(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// A verified bundle as judge.
pub struct BundleJudge {
    session: Session,
    policy: Policy,
    model: ModelUsed,
}

/// Why a verified bundle does not judge here.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// Its models cannot be loaded.
    #[error("the bundle's models cannot be loaded on this machine")]
    Models(#[from] OpenFault),
    /// They do not score as they did at the trainer.
    #[error("the bundle's models do not score here as they did at the trainer, so they are not used")]
    Golden(#[from] GoldenRefused),
}

impl BundleJudge {
    /// Opens the bundle's models and has them score its golden coils: a set that does not score here as
    /// it did at the trainer is not used.
    pub fn open(bundle: &Verified) -> Result<Self, Unfit> {
        let mut session = Session::open(bundle)?;
        session.check_golden()?;
        let manifest = bundle.manifest();
        let model = ModelUsed {
            bundle: manifest.name.to_string(),
            release: manifest.release,
            fingerprint: bundle.fingerprint().to_string(),
            prepare: manifest.prepare.version,
            agent: env!("CARGO_PKG_VERSION").into(),
        };
        Ok(Self { session, policy: manifest.policy.clone(), model })
    }
}

impl Judge for BundleJudge {
    fn scores(&mut self, matrix: &CoilMatrix, order: Option<&Order>) -> Result<Scores, Unjudged> {
        self.session.score(matrix, order).map_err(|error| Unjudged(Box::new(error)))
    }

    fn policy(&self) -> &Policy {
        &self.policy
    }

    fn model(&self) -> ModelUsed {
        self.model.clone()
    }
}

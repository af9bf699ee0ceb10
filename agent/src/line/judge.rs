//! Who judges coils: a verified bundle's models, or a stand-in in tests.

use coilsight_models::bundle::{Sha256, Verified};
use coilsight_models::coil::{CoilMatrix, Order};
use coilsight_models::message::assessment::ModelUsed;
use coilsight_models::session::{GoldenRefused, OpenFault, Scores, Session};
use coilsight_models::verdict::{Policy, Threshold};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Whoever gives scores: a bundle's models, or a stand-in in tests.
pub trait Judge: Send {
    /// P(NOK) of a coil.
    fn scores(&mut self, matrix: &CoilMatrix, order: Option<&Order>) -> Result<Scores, Unjudged>;
    /// What the scores mean.
    fn policy(&self) -> &Policy;
    /// What to call it.
    fn model(&self) -> ModelUsed;
    /// What a coil that it judges is bound to: no two sets have the same.
    fn binding(&self) -> String {
        let ModelUsed { fingerprint, policy, .. } = self.model();
        policy.map_or_else(|| fingerprint.clone(), |policy| format!("{fingerprint}+{policy}"))
    }
    /// Judges a coil that it knows, and sees whether it still judges it so.
    fn prove(&mut self) -> Result<(), Unjudged>;
    /// Why nothing is judged, where that is so from the start.
    fn absent(&self) -> Option<&str> {
        None
    }
}

/// Nobody judges: every coil is a person's, until there is a bundle.
pub struct NoJudge {
    why: String,
    policy: Policy,
}

impl NoJudge {
    /// Says why there is no model.
    pub fn new(why: impl Into<String>) -> Self {
        let t = Threshold { nok_from: 0.5, review_from: 0.0, review_to: 1.0 };
        let policy = Policy { miss_cost: 1.0, a: t, b: t, c: t, unknown: t };
        Self { why: why.into(), policy }
    }
}

impl Judge for NoJudge {
    fn scores(&mut self, _: &CoilMatrix, _: Option<&Order>) -> Result<Scores, Unjudged> {
        Err(Unjudged(self.why.clone().into()))
    }

    fn policy(&self) -> &Policy {
        &self.policy
    }

    fn model(&self) -> ModelUsed {
        let none = String::from("none");
        let agent = env!("CARGO_PKG_VERSION").into();
        ModelUsed { bundle: none.clone(), release: 0, fingerprint: none, policy: None, prepare: 0, agent }
    }

    fn prove(&mut self) -> Result<(), Unjudged> {
        Ok(())
    }

    fn absent(&self) -> Option<&str> {
        Some(&self.why)
    }
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
    /// A policy was looked for where none is.
    #[error("the bundle brings no thresholds")]
    NoPolicy,
}

impl BundleJudge {
    /// Opens the bundle's models and has them score its golden coils: a set that does not score here as
    /// it did at the trainer is not used.
    pub fn open(bundle: &Verified) -> Result<Self, Unfit> {
        let mut session = Session::open(bundle)?;
        session.check_golden()?;
        let manifest = bundle.manifest();
        let policy = manifest.set().ok_or(OpenFault::NotASet)?.policy.clone();
        let model = ModelUsed {
            bundle: manifest.name.to_string(),
            release: manifest.release,
            fingerprint: bundle.fingerprint().to_string(),
            policy: None,
            prepare: coilsight_models::prepare::VERSION,
            agent: env!("CARGO_PKG_VERSION").into(),
        };
        Ok(Self { session, policy, model })
    }
}

impl BundleJudge {
    /// The same networks under other thresholds, which the bundle `fingerprint` brought.
    #[must_use]
    pub fn with_policy(mut self, policy: Policy, name: &str, release: u64, fingerprint: Sha256) -> Self {
        self.policy = policy;
        name.clone_into(&mut self.model.bundle);
        self.model.release = release;
        self.model.policy = Some(fingerprint.to_string());
        self
    }
}

impl Judge for BundleJudge {
    fn scores(&mut self, matrix: &CoilMatrix, order: Option<&Order>) -> Result<Scores, Unjudged> {
        // A coil that makes the runtime fail is a person's: it must not stop the line again and again.
        let score = || self.session.score(matrix, order);
        match catch_unwind(AssertUnwindSafe(score)) {
            Ok(scores) => scores.map_err(|error| Unjudged(Box::new(error))),
            Err(_) => Err(Unjudged("the models' runtime panicked: please report this coil".into())),
        }
    }

    fn policy(&self) -> &Policy {
        &self.policy
    }

    fn model(&self) -> ModelUsed {
        self.model.clone()
    }

    fn prove(&mut self) -> Result<(), Unjudged> {
        let checked = self.session.check_first_golden(1);
        checked.map(drop).map_err(|error| Unjudged(Box::new(error)))
    }
}

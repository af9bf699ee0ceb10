//! A judge that is easy to foresee and quick.

use coilsight_agent::line::{Judge, Unjudged};
use coilsight_models::bundle::Id;
use coilsight_models::coil::{CoilMatrix, Order};
use coilsight_models::message::assessment::ModelUsed;
use coilsight_models::session::{ModelScore, Scores};
use coilsight_models::verdict::{Policy, Threshold};

/// Finds strip of exactly 50 g/m2 at its head NOK; fails where its very first cell reads 66.66 g/m2.
pub struct StandIn(Policy);

impl Default for StandIn {
    fn default() -> Self {
        let t = Threshold { nok_from: 0.5, review_from: 0.4, review_to: 0.6 };
        Self(Policy { miss_cost: 20.0, a: t, b: t, c: t, unknown: t })
    }
}

impl Judge for StandIn {
    fn scores(&mut self, matrix: &CoilMatrix, _: Option<&Order>) -> Result<Scores, Unjudged> {
        if matrix.mean()[0] == 6666 {
            return Err(Unjudged("the stand-in does not like this coil".into()));
        }
        // Every NOK is judged again dozens of times for where the evidence lies: let it be rare.
        let p_nok = if matrix.mean()[..18] == [5000; 18] { 0.9 } else { 0.02 };
        let name = Id::new("stand-in").expect("a name");
        Ok(Scores { p_nok, models: vec![ModelScore { name, p_nok, weight: 1.0 }], novelty: None })
    }

    fn prove(&mut self) -> Result<(), Unjudged> {
        Ok(())
    }

    fn policy(&self) -> &Policy {
        &self.0
    }

    fn model(&self) -> ModelUsed {
        let text = String::from("stand-in");
        ModelUsed {
            bundle: text.clone(),
            release: 1,
            fingerprint: text.clone(),
            policy: None,
            prepare: 1,
            agent: text,
        }
    }
}

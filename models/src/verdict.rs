//! Scores and a policy make a verdict: OK, NOK or REVIEW, with reasons. Pure.

use crate::chunk::Coverage;
use crate::coil::{Gauge, Order, OrderFault, ToleranceClass};
use serde::{Deserialize, Serialize};

/// What the line says of a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verdict {
    /// Good.
    Ok,
    /// Not good.
    Nok,
    /// A person must look.
    Review,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Ok => "OK",
            Self::Nok => "NOK",
            Self::Review => "REVIEW",
        })
    }
}

/// From which P(NOK) on a coil is NOK, and the band around it in which a person decides.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// NOK from here on.
    pub nok_from: f64,
    /// REVIEW from here (not above `nok_from`) ...
    pub review_from: f64,
    /// ... up to and without here (not below `nok_from`).
    pub review_to: f64,
}

/// Thresholds per tolerance class, with the costs they were chosen by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// What a missed NOK coil costs, counted in false alarms.
    pub miss_cost: f64,
    /// Class A, exposed automotive.
    pub a: Threshold,
    /// Class B, unexposed.
    pub b: Threshold,
    /// Class C, building.
    pub c: Threshold,
    /// Where the class is not known; such a coil goes to REVIEW in any case.
    pub unknown: Threshold,
}

/// A policy that cannot be meant.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum BadPolicy {
    /// Not `0 <= review_from <= nok_from <= review_to <= 1`.
    #[error(
        "build the bundle again: a threshold's band is not 0 <= review_from <= nok_from <= review_to <= 1"
    )]
    Threshold(Threshold),
    /// No positive, finite number.
    #[error("build the bundle again: the cost of a miss must be a positive number, not {0}")]
    MissCost(f64),
}

impl Policy {
    /// The threshold for a class, if it is known.
    pub fn threshold(&self, class: Option<ToleranceClass>) -> &Threshold {
        match class {
            Some(ToleranceClass::A) => &self.a,
            Some(ToleranceClass::B) => &self.b,
            Some(ToleranceClass::C) => &self.c,
            None => &self.unknown,
        }
    }

    /// Whether it makes sense.
    pub fn check(&self) -> Result<(), BadPolicy> {
        if !(self.miss_cost.is_finite() && self.miss_cost > 0.0) {
            return Err(BadPolicy::MissCost(self.miss_cost));
        }
        for t in [self.a, self.b, self.c, self.unknown] {
            let ladder = [0.0, t.review_from, t.nok_from, t.review_to, 1.0];
            if !ladder.windows(2).all(|w| w[0] <= w[1]) {
                return Err(BadPolicy::Threshold(t));
            }
        }
        Ok(())
    }
}

/// How much of a coil must have been seen for a verdict without a person.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CoverageRule {
    /// Least share of the 264 chunks seen.
    pub min_chunks: f64,
    /// Least share of the 18 gauges that see.
    pub min_gauges: f64,
    /// Least share of all cells read.
    pub min_cells: f64,
    /// Most gauges that are blind.
    pub max_blind_gauges: usize,
    /// Most metres of strip of which nothing ever came, and of which nothing that came and could not be
    /// read tells: rows that were lost on the way.
    pub max_missing_m: f64,
}

impl Default for CoverageRule {
    fn default() -> Self {
        Self { min_chunks: 0.9, min_gauges: 0.9, min_cells: 0.85, max_blind_gauges: 0, max_missing_m: 5.0 }
    }
}

/// Why a verdict is what it is. A person reads its `Display`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Cause {
    /// P(NOK) is at or over the class's threshold.
    #[error("P(NOK) {p_nok:.2} is at or over the threshold {nok_from:.2}")]
    OverThreshold {
        /// The ensemble's score.
        p_nok: f64,
        /// The threshold.
        nok_from: f64,
    },
    /// P(NOK) lies in the band around the threshold.
    #[error("P(NOK) {p_nok:.2} is too near to the threshold {nok_from:.2} to tell")]
    InReviewBand {
        /// The ensemble's score.
        p_nok: f64,
        /// The threshold.
        nok_from: f64,
    },
    /// No start was heard, so there are no order data.
    #[error("no order data: the coil's start was not heard")]
    NoStart,
    /// The order data make no sense.
    #[error("order data make no sense: {fault}")]
    BadOrder {
        /// Which.
        fault: OrderFault,
    },
    /// The end was not heard; the length is what was seen.
    #[error("the coil's end was not heard: its length is what was seen")]
    NoEnd,
    /// Too few chunks were seen.
    #[error("only {:.0} % of the strip was seen", seen * 100.0)]
    StripUnseen {
        /// Share of the 264 chunks.
        seen: f64,
    },
    /// Rows were lost on the way.
    #[error("{metres:.0} m of the strip never came: rows were lost on their way")]
    RowsLost {
        /// How much, m.
        metres: f64,
    },
    /// Too few cells were read.
    #[error("only {:.0} % of the readings are there", read * 100.0)]
    ReadingsMissing {
        /// Share of all cells.
        read: f64,
    },
    /// Gauges that gave no reading.
    #[error("blind gauges: {}", gauges.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    BlindGauges {
        /// Which.
        gauges: Vec<Gauge>,
    },
    /// It was closed before it was over, because more was open than may be.
    #[error("it was closed early: more coils or rows were open at once than may be")]
    ClosedEarly,
    /// The gateway's matrix has the wrong shape.
    #[error("the gateway's matrix was not 264 x 18")]
    WrongShape,
    /// Nothing of the coil was seen.
    #[error("nothing of the coil was seen")]
    NothingSeen,
    /// It lies further from the coils that the models were trained on than such coils do.
    #[error(
        "it is unlike the coils that the models were trained on: distance {distance:.2}, usual up to {limit:.2}"
    )]
    UnlikeTraining {
        /// How far; about 1 for a coil like the others.
        distance: f64,
        /// Up to where it counts as like them.
        limit: f64,
    },
    /// The models gave no score.
    #[error("no model could judge it: {why}")]
    NoScore {
        /// What the runtime said.
        why: String,
    },
}

impl Cause {
    /// Whether it asks for a person whatever the model says.
    pub fn asks_for_review(&self) -> bool {
        !matches!(self, Self::OverThreshold { .. })
    }
}

/// What the coverage rule has against a coil.
pub fn coverage_causes(coverage: &Coverage, rule: &CoverageRule) -> Vec<Cause> {
    if coverage.cells == 0.0 {
        return vec![Cause::NothingSeen];
    }
    let mut causes = Vec::new();
    if coverage.chunks < rule.min_chunks {
        causes.push(Cause::StripUnseen { seen: coverage.chunks });
    }
    if coverage.gauges < rule.min_gauges || coverage.blind_gauges.len() > rule.max_blind_gauges {
        causes.push(Cause::BlindGauges { gauges: coverage.blind_gauges.clone() });
    }
    if causes.is_empty() && coverage.cells < rule.min_cells {
        causes.push(Cause::ReadingsMissing { read: coverage.cells });
    }
    causes
}

/// A verdict and what it rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// What is said.
    pub verdict: Verdict,
    /// OK or NOK by the threshold alone, whatever else speaks for REVIEW; `None` without a score.
    pub by_score: Option<Verdict>,
    /// Why.
    pub causes: Vec<Cause>,
}

/// Judges a coil: `p_nok` by the policy of its class, unless `causes` ask for a person.
pub fn judge(
    p_nok: Option<f64>,
    order: Option<&Order>,
    mut causes: Vec<Cause>,
    policy: &Policy,
) -> Judgement {
    let Some(p_nok) = p_nok else {
        return Judgement { verdict: Verdict::Review, by_score: None, causes };
    };
    let t = policy.threshold(order.map(Order::tolerance_class));
    let nok = p_nok >= t.nok_from;
    if nok {
        causes.push(Cause::OverThreshold { p_nok, nok_from: t.nok_from });
    }
    if (t.review_from..t.review_to).contains(&p_nok) {
        causes.push(Cause::InReviewBand { p_nok, nok_from: t.nok_from });
    }
    let by_score = if nok { Verdict::Nok } else { Verdict::Ok };
    let review = causes.iter().any(Cause::asks_for_review);
    Judgement { verdict: if review { Verdict::Review } else { by_score }, by_score: Some(by_score), causes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn policy() -> Policy {
        let t =
            |nok_from: f64| Threshold { nok_from, review_from: nok_from - 0.1, review_to: nok_from + 0.1 };
        Policy { miss_cost: 20.0, a: t(0.3), b: t(0.5), c: t(0.7), unknown: t(0.3) }
    }

    fn order(class: ToleranceClass) -> Order {
        Order::new(70.0, class, 1250.0).unwrap()
    }

    #[test]
    fn the_class_decides_what_is_borne() {
        let a = order(ToleranceClass::A);
        let c = order(ToleranceClass::C);
        assert_eq!(judge(Some(0.5), Some(&a), vec![], &policy()).verdict, Verdict::Nok);
        assert_eq!(judge(Some(0.5), Some(&c), vec![], &policy()).verdict, Verdict::Ok);
    }

    #[test]
    fn near_the_threshold_a_person_decides() {
        let a = order(ToleranceClass::A);
        for (p, verdict, by_score) in [
            (0.19, Verdict::Ok, Verdict::Ok),
            (0.21, Verdict::Review, Verdict::Ok),
            (0.31, Verdict::Review, Verdict::Nok),
            (0.41, Verdict::Nok, Verdict::Nok),
        ] {
            let judgement = judge(Some(p), Some(&a), vec![], &policy());
            assert_eq!((judgement.verdict, judgement.by_score), (verdict, Some(by_score)), "{p}");
        }
    }

    #[test]
    fn too_little_seen_is_a_persons_whatever_the_model_says() {
        let coverage = Coverage {
            chunks: 0.6,
            gauges: 17.0 / 18.0,
            cells: 0.55,
            blind_gauges: vec![Gauge::of_column(4)],
        };
        let causes = coverage_causes(&coverage, &CoverageRule::default());
        assert_eq!(causes.len(), 2);
        assert_eq!(causes[1].to_string(), "blind gauges: top 5");
        let a = order(ToleranceClass::A);
        assert_eq!(judge(Some(0.99), Some(&a), causes, &policy()).verdict, Verdict::Review);
    }

    #[test]
    fn a_coil_unlike_training_is_a_persons_and_the_models_word_stands_beside() {
        let a = order(ToleranceClass::A);
        for (p_nok, by_score) in [(0.01, Verdict::Ok), (0.99, Verdict::Nok)] {
            let unlike = Cause::UnlikeTraining { distance: 4.5, limit: 2.25 };
            let json = serde_json::to_value(&unlike).unwrap();
            assert_eq!(json, serde_json::json!({"code": "unlike_training", "distance": 4.5, "limit": 2.25}));
            assert!(unlike.to_string().ends_with("distance 4.50, usual up to 2.25"), "{unlike}");
            let judgement = judge(Some(p_nok), Some(&a), vec![unlike], &policy());
            assert_eq!((judgement.verdict, judgement.by_score), (Verdict::Review, Some(by_score)));
        }
    }

    #[test]
    fn no_score_is_review() {
        let judgement = judge(None, None, vec![Cause::NothingSeen], &policy());
        assert_eq!((judgement.verdict, judgement.by_score), (Verdict::Review, None));
    }

    #[test]
    fn policies_out_of_order_are_refused() {
        assert_eq!(policy().check(), Ok(()));
        let mut bad = policy();
        bad.b.review_to = 0.2;
        assert!(matches!(bad.check(), Err(BadPolicy::Threshold(_))));
        let mut bad = policy();
        bad.a.nok_from = f64::NAN;
        assert!(matches!(bad.check(), Err(BadPolicy::Threshold(_))));
        assert!(matches!(Policy { miss_cost: 0.0, ..policy() }.check(), Err(BadPolicy::MissCost(_))));
    }

    proptest! {
        #[test]
        fn more_p_nok_never_makes_it_more_ok(p in 0.0f64..1.0, q in 0.0f64..1.0) {
            let (low, high) = if p < q { (p, q) } else { (q, p) };
            let a = order(ToleranceClass::B);
            let rank = |p| match judge(Some(p), Some(&a), vec![], &policy()).verdict {
                Verdict::Ok => 0, Verdict::Review => 1, Verdict::Nok => 2,
            };
            prop_assert!(rank(low) <= rank(high));
        }
    }
}

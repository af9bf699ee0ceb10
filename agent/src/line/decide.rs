//! Fourth call: scores and policy make the assessment of a pass.

use super::Line;
use super::infer::Opinion;
use super::normalise::Seen;
use super::pass::decision_id;
use coilsight_models::message::assessment::{Assessment, Drawn, Evidence, Reason, Timing, VERSION, Vote};
use coilsight_models::session::{Novelty, Scores};
use coilsight_models::verdict::{Cause, Threshold, Verdict, judge};
use sha2::{Digest, Sha256};

impl Line {
    pub(super) fn decide(&self, seen: &Seen, opinion: Opinion) -> Assessment {
        let mut causes = seen.causes.clone();
        let scores = match opinion.scores {
            Some(Ok(scores)) => Some(scores),
            Some(Err(error)) => {
                let why =
                    std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
                causes.push(Cause::NoScore { why });
                None
            }
            None => None,
        };
        let novelty = scores.as_ref().and_then(|scores| scores.novelty).filter(Novelty::is_over);
        if let Some(Novelty { distance, limit }) = novelty {
            causes.push(Cause::UnlikeTraining { distance, limit });
        }
        let set = self.judges.of(&seen.bound);
        let policy = set.policy();
        let judgement = judge(scores.as_ref().map(|s| s.p_nok), seen.order.as_ref(), causes, policy);
        let threshold = policy.threshold(seen.order.map(|order| order.tolerance_class()));
        let votes = scores.as_ref().map(|scores| votes(scores, threshold)).unwrap_or_default();
        let evidence: Vec<Evidence> =
            if judgement.verdict == Verdict::Ok { Vec::new() } else { opinion.evidence };
        let decision_id = decision_id(&self.config.id, &seen.key);
        let drawn = self.draw(judgement.verdict, &decision_id);
        Assessment {
            version: VERSION,
            decision_id,
            line: self.config.id.clone(),
            coil_id: seen.key.coil_id().clone(),
            pass: seen.key.started_at(),
            verdict: judgement.verdict,
            by_score: judgement.by_score,
            p_nok: scores.as_ref().map(|s| s.p_nok),
            confidence: confidence(&votes),
            votes,
            reasons: judgement.causes.into_iter().map(Reason::from).collect(),
            evidence,
            order: seen.order,
            length_m: seen.length_m,
            coverage: seen.coverage.clone(),
            rows: seen.rows.clone(),
            model: set.model(),
            drawn,
            timing: Timing {
                closed_at: self.now.wall,
                ended_at: seen.ended_at,
                judged_in_ms: (opinion.took.as_secs_f64() * 1e6).round() / 1e3,
            },
        }
    }
}

impl Line {
    /// Draws OK coils for a person to look at, by lot: a hash of the decision's name, so that the same pass is drawn
    /// or not wherever it is judged.
    fn draw(&self, verdict: Verdict, decision_id: &str) -> Option<Drawn> {
        let share = self.config.review_share;
        let hash = Sha256::digest(format!("coilsight draw 1\0{decision_id}"));
        let (lot, _) = hash.split_first_chunk::<4>()?;
        let lot = f64::from(u32::from_be_bytes(*lot)) / (f64::from(u32::MAX) + 1.0);
        (verdict == Verdict::Ok && lot < share).then_some(Drawn { share })
    }
}

fn votes(scores: &Scores, threshold: &Threshold) -> Vec<Vote> {
    scores
        .models
        .iter()
        .map(|model| {
            let nok = model.p_nok >= threshold.nok_from;
            Vote {
                model: model.name.to_string(),
                verdict: if nok { Verdict::Nok } else { Verdict::Ok },
                p_nok: model.p_nok,
                confidence: if nok { model.p_nok } else { 1.0 - model.p_nok },
                weight: model.weight,
            }
        })
        .collect()
}

/// The weighted mean of the models' confidences (paper, section 4.6).
fn confidence(votes: &[Vote]) -> Option<f64> {
    let weight: f64 = votes.iter().map(|vote| vote.weight).sum();
    (weight > 0.0).then(|| votes.iter().map(|vote| vote.weight * vote.confidence).sum::<f64>() / weight)
}

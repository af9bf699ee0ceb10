//! Fifth call: the decision and its matrix become durable; only then are the coil's rows let go.

use super::normalise::Seen;
use super::{Error, Judged, Line, MAX_JUDGED, Result};
use crate::archive::{Decided, NewDecision, SegmentId};
use coilsight_models::coil::CoilMatrix;
use coilsight_models::message::assessment::Assessment;
use coilsight_models::verdict::Cause;

impl Line {
    /// Keeps a stored decision for a second opinion, if one is wanted. A coil of another set than the one that decides
    /// now says nothing about that one.
    pub(super) fn remember(&mut self, seen: &Seen, assessment: Assessment) {
        let wanted = self.keep_judged && seen.bound == self.judges.active().binding();
        let Some(matrix) = seen.matrix.clone().filter(|_| wanted) else { return };
        if self.judged.len() >= MAX_JUDGED {
            self.judged.pop_front();
        }
        self.judged.push_back(Judged { matrix, order: seen.order, assessment });
    }

    pub(super) fn store(
        &self,
        seen: &Seen,
        assessment: &Assessment,
        segment: Option<SegmentId>,
    ) -> Result<()> {
        let decision_id = &assessment.decision_id;
        let json = serde_json::to_vec(assessment)
            .map_err(|source| Error::Assessment { decision_id: decision_id.clone(), source })?;
        let matrix = seen.matrix.as_ref().map(CoilMatrix::to_bytes);
        let decided = self.archive.decide(NewDecision {
            decision_id,
            coil_id: assessment.coil_id.as_str(),
            pass_key: &seen.key.to_string(),
            segment,
            json: &json,
            matrix: matrix.as_deref(),
        })?;
        match decided {
            Decided::Recorded => {
                let span = tracing::Span::current();
                span.record("bundle", &*assessment.model.bundle);
                span.record("verdict", tracing::field::display(assessment.verdict));
                span.record("elapsed_ms", assessment.timing.judged_in_ms);
                // One line a coil; not for a flood of ids.
                if seen.causes.contains(&Cause::ClosedEarly) {
                    tracing::debug!(coil_id = %assessment.coil_id, "closed early");
                } else {
                    tracing::info!(
                        coil_id = %assessment.coil_id,
                        verdict = %assessment.verdict,
                        p_nok = assessment.p_nok,
                        "decided"
                    );
                }
            }
            Decided::Known { decision_id, .. } => {
                tracing::info!(coil_id = %assessment.coil_id, decision_id, "had its decision, keeps it");
            }
        }
        Ok(())
    }
}

//! Coils with a label that stands and a matrix: what retraining learns from and judges by.

use super::db::Record;
use super::{Error, Result};
use crate::data::coils::LabelledCoil;
use coilsight_models::coil::CoilId;
use coilsight_models::message::assessment::Assessment;
use coilsight_models::message::upload::Matrix;
use coilsight_models::verdict::Verdict;
use sqlx::Row;

/// A coil of a line as people have judged it, with what the line said.
#[derive(Clone, Debug)]
pub struct Known {
    /// The decision.
    pub decision_id: String,
    /// The coil, with people's label.
    pub coil: LabelledCoil,
    /// Whose word stands.
    pub by: String,
    /// Whether people contradict each other on it.
    pub disputed: bool,
    /// Its chance of being drawn for review, if it was drawn.
    pub drawn: Option<f64>,
    /// What went out.
    pub verdict: Verdict,
    /// OK or NOK by the threshold alone.
    pub by_score: Option<Verdict>,
    /// Fingerprint of the set that said so.
    pub set: String,
}

impl Record {
    /// Of a line, in order of time.
    pub async fn labelled(&self, line: &str) -> Result<Vec<Known>> {
        // Of everybody the last word that was not taken back: who corrects himself contradicts nobody.
        let sql = "SELECT decision_id, assessment, matrix, label, label_by, (SELECT COUNT(DISTINCT said.label) FROM word said \
            WHERE said.line = coil.line AND said.about = decision_id AND said.withdraws IS NULL AND said.quarantined = 0 AND NOT EXISTS \
            (SELECT 1 FROM word later WHERE later.line = said.line AND later.about = said.about AND (later.withdraws = said.word OR \
            later.withdraws IS NULL AND later.quarantined = 0 AND later.operator = said.operator AND (later.place > said.place OR \
            later.place = said.place AND later.word > said.word)))) \
            FROM coil WHERE line = $1 AND label IS NOT NULL AND matrix IS NOT NULL ORDER BY closed_us, decision_id";
        let rows = sqlx::query(sql).bind(line).fetch_all(&self.pool).await?;
        let mut known = Vec::with_capacity(rows.len());
        for row in rows {
            let (decision_id, assessment): (String, String) = (row.get(0), row.get(1));
            let (data, label): (String, String) = (row.get(2), row.get(3));
            let damaged = |source| Error::Damaged { what: format!("the decision {decision_id}"), source };
            let assessment: Assessment = serde_json::from_str(&assessment).map_err(damaged)?;
            let Ok(Some(matrix)) = (Matrix::Kept { data }).decode() else { continue };
            let produced_at = assessment.timing.closed_at.or(assessment.pass).map(|at| at.to_string());
            let id = CoilId::new(&decision_id).unwrap_or_else(|_| assessment.coil_id.clone());
            known.push(Known {
                coil: LabelledCoil {
                    // A coil may have several passes: the decision is what has a name of its own.
                    id,
                    produced_at: produced_at.unwrap_or_default(),
                    matrix,
                    order: assessment.order,
                    length_m: assessment.length_m.unwrap_or_default(),
                    nok: label == "NOK",
                },
                by: row.get::<Option<String>, _>(4).unwrap_or_default(),
                disputed: row.get::<i64, _>(5) > 1,
                drawn: assessment.drawn.map(|drawn| drawn.share),
                verdict: assessment.verdict,
                by_score: assessment.by_score,
                set: assessment.model.fingerprint,
                decision_id,
            });
        }
        Ok(known)
    }
}

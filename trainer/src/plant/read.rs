//! What people and programs ask the record.

use super::db::Record;
use super::store::words_on;
use super::{Error, Result};
use coilsight_models::message::word::Word;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use sqlx::Row;
use sqlx::any::AnyRow;

/// No answer has more rows.
pub const MOST: i64 = 1000;

/// A line.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// Its name.
    pub line: String,
    /// What stands before its topics.
    pub prefix: String,
    /// When it was last heard.
    pub heard: Option<Timestamp>,
    /// Decisions stored.
    pub coils: i64,
    /// Of these with a label that stands.
    pub labelled: i64,
    /// The last one's moment.
    pub newest: Option<Timestamp>,
    /// What stands in its slots, as it said.
    pub slots: Option<Value>,
    /// Its newest report.
    pub report: Option<Value>,
}

/// A decision in a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Coil {
    /// The decision.
    pub decision_id: String,
    /// The line.
    pub line: String,
    /// The coil.
    pub coil_id: String,
    /// When its pass was closed.
    pub closed: Option<Timestamp>,
    /// OK, NOK or REVIEW.
    pub verdict: String,
    /// P(NOK).
    pub p_nok: Option<f64>,
    /// What was ordered.
    pub tolerance_class: Option<String>,
    /// Fingerprint of the set that judged.
    pub set: Option<String>,
    /// What stands of what people said.
    pub label: Option<String>,
    /// Who said it.
    pub label_by: Option<String>,
}

/// A decision with all that is known of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Told {
    /// As it was published.
    pub assessment: Value,
    /// What people said, in the order in which it was heard.
    pub words: Vec<Word>,
    /// What stands.
    pub label: Option<String>,
    /// `kept`, `shed` or `none`.
    pub matrix: String,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Happened {
    /// The line.
    pub line: String,
    /// When.
    pub at: Option<Timestamp>,
    /// Of what kind.
    pub kind: String,
    /// What it is about: a set's fingerprint, a retraining's name.
    pub about: String,
    /// In words.
    pub what: String,
}

/// Which decisions.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Of this line alone.
    pub line: Option<String>,
    /// Of this coil alone.
    pub coil_id: Option<String>,
    /// With this label alone.
    pub label: Option<String>,
    /// So many at most.
    pub limit: Option<i64>,
}

pub(super) fn moment(us: Option<i64>) -> Option<Timestamp> {
    us.and_then(|us| Timestamp::from_microsecond(us).ok())
}

impl Record {
    /// All lines.
    pub async fn lines(&self) -> Result<Vec<Line>> {
        let sql = "SELECT line, prefix, heard_us, slots, report, \
            (SELECT COUNT(*) FROM coil WHERE coil.line = line.line), \
            (SELECT COUNT(*) FROM coil WHERE coil.line = line.line AND label IS NOT NULL), \
            (SELECT MAX(closed_us) FROM coil WHERE coil.line = line.line) FROM line ORDER BY line";
        let rows = sqlx::query(sql).fetch_all(&self.pool).await?;
        let value = |text: Option<String>| text.and_then(|text| serde_json::from_str(&text).ok());
        let read = rows.into_iter().map(|row| Line {
            line: row.get(0),
            prefix: row.get(1),
            heard: moment(Some(row.get(2))),
            slots: value(row.get(3)),
            report: value(row.get(4)),
            coils: row.get(5),
            labelled: row.get(6),
            newest: moment(row.get(7)),
        });
        Ok(read.collect())
    }

    /// Decisions, latest first.
    pub async fn coils(&self, query: &Query) -> Result<Vec<Coil>> {
        let sql = "SELECT decision_id, line, coil_id, closed_us, verdict, p_nok, tolerance_class, model_set, label, label_by FROM coil \
            WHERE ($1 = '' OR line = $1) AND ($2 = '' OR coil_id = $2) AND ($3 = '' OR label = $3) \
            ORDER BY closed_us DESC, decision_id LIMIT $4";
        let rows = sqlx::query(sql)
            .bind(query.line.clone().unwrap_or_default())
            .bind(query.coil_id.clone().unwrap_or_default())
            .bind(query.label.clone().unwrap_or_default())
            .bind(query.limit.unwrap_or(100).clamp(1, MOST))
            .fetch_all(&self.pool)
            .await?;
        let read = rows.into_iter().map(|row| Coil {
            decision_id: row.get(0),
            line: row.get(1),
            coil_id: row.get(2),
            closed: moment(row.get(3)),
            verdict: row.get(4),
            p_nok: row.get(5),
            tolerance_class: row.get(6),
            set: row.get(7),
            label: row.get(8),
            label_by: row.get(9),
        });
        Ok(read.collect())
    }

    /// A line's decision; `None` if it is not here.
    pub async fn coil(&self, line: &str, decision_id: &str) -> Result<Option<Told>> {
        let sql = "SELECT assessment, label, matrix_state FROM coil WHERE line = $1 AND decision_id = $2";
        let mut connection = self.pool.acquire().await?;
        let row = sqlx::query(sql).bind(line).bind(decision_id).fetch_optional(&mut *connection).await?;
        let Some(row) = row else { return Ok(None) };
        let assessment: String = row.get(0);
        let damaged = |source| Error::Damaged { what: format!("the decision {decision_id}"), source };
        let assessment = serde_json::from_str(&assessment).map_err(damaged)?;
        let words = words_on(&mut connection, line, decision_id).await?.all().to_vec();
        Ok(Some(Told { assessment, words, label: row.get(1), matrix: row.get(2) }))
    }

    /// What happened, latest first: on a line, about a set or a retraining, or both.
    pub async fn history(&self, line: Option<&str>, about: Option<&str>) -> Result<Vec<Happened>> {
        let sql = "SELECT line, at_us, kind, about, what FROM event WHERE ($1 = '' OR line = $1) AND ($2 = '' OR about = $2) \
            ORDER BY at_us DESC, id LIMIT $3";
        let asked =
            sqlx::query(sql).bind(line.unwrap_or_default()).bind(about.unwrap_or_default()).bind(MOST);
        let read = |row: AnyRow| Happened {
            line: row.get(0),
            at: moment(Some(row.get(1))),
            kind: row.get(2),
            about: row.get(3),
            what: row.get(4),
        };
        Ok(asked.fetch_all(&self.pool).await?.into_iter().map(read).collect())
    }

    /// What asks for new models of a line and still holds: rule, set, and what was seen.
    pub async fn standing_triggers(&self, line: &str) -> Result<Vec<(String, String, String)>> {
        let sql = "SELECT rule, model_set, what FROM model_trigger WHERE line = $1 AND holds = 1 ORDER BY at_us DESC LIMIT $2";
        let rows = sqlx::query(sql).bind(line).bind(MOST).fetch_all(&self.pool).await?;
        Ok(rows.into_iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect())
    }
}

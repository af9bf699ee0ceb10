//! What was done about models that do badly.

use super::db::Record;
use super::{Result, events};
use jiff::Timestamp;
use serde::Serialize;
use sqlx::Row;

/// A retraining.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Retraining {
    /// Its name.
    pub id: String,
    /// For which line.
    pub line: String,
    /// When it began.
    pub begun: Option<Timestamp>,
    /// When it ended, if it has.
    pub ended: Option<Timestamp>,
    /// What asked for it.
    pub reason: String,
    /// `runs`, `promoted`, `waits`, or `failed`.
    pub outcome: String,
    /// Fingerprint of the set that judged.
    pub set: Option<String>,
    /// Fingerprint of the candidate's bundle, if one was built.
    pub candidate: Option<String>,
    /// All that was seen, in JSON.
    pub report: Option<serde_json::Value>,
}

impl Record {
    /// Notes that one begins.
    pub async fn retraining_begins(
        &self,
        id: &str,
        line: &str,
        at: Timestamp,
        reason: &str,
        set: Option<&str>,
    ) -> Result<()> {
        let mut work = self.pool.begin().await?;
        let sql = "INSERT INTO retraining (id, line, begun_us, reason, outcome, model_set) VALUES ($1, $2, $3, $4, 'runs', $5)";
        let begun = sqlx::query(sql).bind(id).bind(line).bind(at.as_microsecond()).bind(reason).bind(set);
        begun.execute(&mut *work).await?;
        events::tell(&mut work, line, at, "retraining", id, &format!("retraining begins: {reason}")).await?;
        work.commit().await?;
        Ok(())
    }

    /// Notes how it ended.
    pub async fn retraining_ends(
        &self,
        (id, line): (&str, &str),
        at: Timestamp,
        (outcome, why): (&str, &str),
        candidate: Option<&str>,
        report: &serde_json::Value,
    ) -> Result<()> {
        let mut work = self.pool.begin().await?;
        let sql =
            "UPDATE retraining SET ended_us = $2, outcome = $3, candidate = $4, report = $5 WHERE id = $1";
        let ended = sqlx::query(sql).bind(id).bind(at.as_microsecond()).bind(outcome).bind(candidate);
        ended.bind(report.to_string()).execute(&mut *work).await?;
        events::tell(&mut work, line, at, "retraining", id, &format!("retraining ends ({outcome}): {why}"))
            .await?;
        work.commit().await?;
        Ok(())
    }

    /// Of a line, latest first.
    pub async fn retrainings(&self, line: &str) -> Result<Vec<Retraining>> {
        let sql = "SELECT id, line, begun_us, ended_us, reason, outcome, model_set, candidate, report FROM retraining \
            WHERE line = $1 ORDER BY begun_us DESC LIMIT 1000";
        let rows = sqlx::query(sql).bind(line).fetch_all(&self.pool).await?;
        let moment = |us: Option<i64>| us.and_then(|us| Timestamp::from_microsecond(us).ok());
        let read = rows.into_iter().map(|row| Retraining {
            id: row.get(0),
            line: row.get(1),
            begun: moment(Some(row.get(2))),
            ended: moment(row.get(3)),
            reason: row.get(4),
            outcome: row.get(5),
            set: row.get(6),
            candidate: row.get(7),
            report: row.get::<Option<String>, _>(8).and_then(|text| serde_json::from_str(&text).ok()),
        });
        Ok(read.collect())
    }
}

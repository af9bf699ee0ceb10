//! What a line says of its models: figures, triggers, slots. The newest is kept as it came, all of it by rows.

use super::db::{NOTHING, Record};
use super::store::known;
use super::{Result, events};
use coilsight_models::message::model;
use coilsight_models::message::upload::{self, Performance, Report, Trigger};
use jiff::Timestamp;
use sqlx::{Any, Row, Transaction};

impl Record {
    /// Stores a line's report.
    pub async fn report(&self, prefix: &str, report: &Report, now: Timestamp) -> Result<()> {
        let mut work = self.pool.begin().await?;
        known(&mut work, prefix, &report.line, now.as_microsecond()).await?;
        let text = String::from_utf8_lossy(&upload::payload(report)).into_owned();
        let sql = "UPDATE line SET report = $2 WHERE line = $1";
        sqlx::query(sql).bind(&report.line).bind(text).execute(&mut *work).await?;
        for performance in &report.performance {
            figures(&mut work, report, performance).await?;
        }
        for trigger in &report.triggers {
            asked(&mut work, &report.line, trigger).await?;
        }
        work.commit().await?;
        Ok(())
    }

    /// Stores what stands in a line's slots.
    pub async fn slots(&self, prefix: &str, state: &model::State, now: Timestamp) -> Result<()> {
        let mut work = self.pool.begin().await?;
        known(&mut work, prefix, &state.line, now.as_microsecond()).await?;
        let before: Option<String> = sqlx::query("SELECT slots FROM line WHERE line = $1")
            .bind(&state.line)
            .fetch_one(&mut *work)
            .await?
            .get(0);
        let before: Option<model::State> = before.and_then(|text| serde_json::from_str(&text).ok());
        let at = state.at.unwrap_or(now);
        for (slot, was, is) in [
            ("active", before.as_ref().and_then(|state| state.active.as_ref()), state.active.as_ref()),
            (
                "candidate",
                before.as_ref().and_then(|state| state.candidate.as_ref()),
                state.candidate.as_ref(),
            ),
        ] {
            if let Some(is) = is.filter(|is| was != Some(is)) {
                let does = if slot == "active" { "decides" } else { "is kept for its turn" };
                let what = format!("{} (release {}) {does}", is.name, is.release);
                events::tell(&mut work, &state.line, at, slot, &is.fingerprint.to_string(), &what).await?;
            }
        }
        let text = String::from_utf8_lossy(&model::payload(state)).into_owned();
        let sql = "UPDATE line SET slots = $2 WHERE line = $1";
        sqlx::query(sql).bind(&state.line).bind(text).execute(&mut *work).await?;
        work.commit().await?;
        Ok(())
    }
}

async fn figures(work: &mut Transaction<'_, Any>, report: &Report, row: &Performance) -> Result<()> {
    let sql = "INSERT INTO mperformance (line, at_us, model_set, judge, tolerance_class, span, coils, labelled, score, low, high, \
        balanced_accuracy, mcc) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, NULLIF($9, -1e300), NULLIF($10, -1e300), NULLIF($11, -1e300), \
        NULLIF($12, -1e300), NULLIF($13, -1e300)) ON CONFLICT DO NOTHING";
    sqlx::query(sql)
        .bind(&report.line)
        .bind(report.at.as_microsecond())
        .bind(row.set.clone().unwrap_or_default())
        .bind(&row.judge)
        .bind(row.tolerance_class.clone().unwrap_or_default())
        .bind(&row.window)
        .bind(row.coils as i64)
        .bind(row.labelled as i64)
        .bind(row.score.unwrap_or(NOTHING))
        .bind(row.interval.map_or(NOTHING, |(low, _)| low))
        .bind(row.interval.map_or(NOTHING, |(_, high)| high))
        .bind(row.balanced_accuracy.unwrap_or(NOTHING))
        .bind(row.mcc.unwrap_or(NOTHING))
        .execute(&mut **work)
        .await?;
    Ok(())
}

async fn asked(work: &mut Transaction<'_, Any>, line: &str, trigger: &Trigger) -> Result<()> {
    let sql = "INSERT INTO model_trigger (line, at_us, rule, judge, model_set, holds, what, to_do) VALUES ($1, $2, $3, $4, $5, $6, \
        $7, $8) ON CONFLICT (line, at_us, rule, judge) DO UPDATE SET holds = $6";
    sqlx::query(sql)
        .bind(line)
        .bind(trigger.at.as_microsecond())
        .bind(&trigger.rule)
        .bind(trigger.model.clone().unwrap_or_default())
        .bind(&trigger.set)
        .bind(i64::from(trigger.holds))
        .bind(&trigger.text)
        .bind(&trigger.to_do)
        .execute(&mut **work)
        .await?;
    events::tell(work, line, trigger.at, "trigger", &trigger.set, &trigger.text).await
}

//! Taking in a batch: all of it or nothing, once.

use super::db::{NOTHING, Record};
use super::{Error, Result, events};
use coilsight_models::message::assessment::Assessment;
use coilsight_models::message::upload::{self, Batch, Matrix, Place, Stored, VERSION};
use coilsight_models::message::word::{FeedbackRecord, Words};
use jiff::Timestamp;
use sqlx::{Any, Row, Transaction};
use std::collections::BTreeSet;

/// A record's place in its log as one number: by the batch's begin (23 bits for the file, 32 for the byte), then in it (8).
fn order(place: Place, index: usize) -> i64 {
    // A record takes a byte at least, so that no batch's records reach those of the next.
    (i64::from(place.file) << 40) + ((place.offset.min((1 << 32) - 1) as i64) << 8) + index as i64
}

impl Record {
    /// Stores what a line sent, if it begins where the record stands, and says where it stands then: what is to be published
    /// once this returns. `prefix`: whose topic it came by.
    pub async fn store(&self, prefix: &str, batch: &Batch, now: Timestamp) -> Result<Stored> {
        let mut work = self.pool.begin().await?;
        let heard = now.as_microsecond();
        known(&mut work, prefix, &batch.line, heard).await?;
        let sql = "INSERT INTO line_log (line, log, file, pos) VALUES ($1, $2, 0, 0) ON CONFLICT DO NOTHING";
        let begun = sqlx::query(sql).bind(&batch.line).bind(&batch.log).execute(&mut *work).await?;
        if begun.rows_affected() > 0 {
            events::tell(
                &mut work,
                &batch.line,
                now,
                "log",
                &batch.log,
                "a log that was not known here begins",
            )
            .await?;
        }
        // Also holds up whoever stores the same line's batch at the same time.
        let sql = "UPDATE line_log SET file = file WHERE line = $1 AND log = $2";
        sqlx::query(sql).bind(&batch.line).bind(&batch.log).execute(&mut *work).await?;
        let sql = "SELECT file, pos FROM line_log WHERE line = $1 AND log = $2";
        let row = sqlx::query(sql).bind(&batch.line).bind(&batch.log).fetch_one(&mut *work).await?;
        let mut stands = Place { file: row.get::<i64, _>(0) as u32, offset: row.get::<i64, _>(1) as u64 };
        if stands == batch.after {
            take(&mut work, batch).await?;
            let sql = "UPDATE line_log SET file = $3, pos = $4 WHERE line = $1 AND log = $2";
            let moved = sqlx::query(sql).bind(&batch.line).bind(&batch.log);
            moved.bind(i64::from(batch.upto.file)).bind(batch.upto.offset as i64).execute(&mut *work).await?;
            stands = batch.upto;
        }
        work.commit().await?;
        let (line, log) = (batch.line.clone(), batch.log.clone());
        Ok(Stored { version: VERSION, line, log, upto: stands, wait_s: None })
    }
}

/// A line is known by its name and the topics that it speaks by.
pub(super) async fn known(
    work: &mut Transaction<'_, Any>,
    prefix: &str,
    line: &str,
    heard_us: i64,
) -> Result<()> {
    let sql = "INSERT INTO line (line, prefix, heard_us) VALUES ($1, $2, $3) ON CONFLICT (line) DO UPDATE SET heard_us = $3";
    sqlx::query(sql).bind(line).bind(prefix).bind(heard_us).execute(&mut **work).await?;
    let known: String = sqlx::query_scalar("SELECT prefix FROM line WHERE line = $1")
        .bind(line)
        .fetch_one(&mut **work)
        .await?;
    if known == prefix {
        Ok(())
    } else {
        Err(Error::Stranger { line: line.into(), known, prefix: prefix.into() })
    }
}

async fn take(work: &mut Transaction<'_, Any>, batch: &Batch) -> Result<()> {
    let mut spoken_of = BTreeSet::new();
    for (index, record) in batch.records.iter().enumerate() {
        match record {
            upload::Record::Decision { assessment, matrix } => {
                decision(work, assessment, matrix).await?;
            }
            upload::Record::Word { key, about, word } => {
                said(work, &batch.line, order(batch.after, index), key, about.as_deref(), word).await?;
                spoken_of.extend(about.as_deref());
            }
        }
    }
    for decision in spoken_of {
        settle(work, &batch.line, decision).await?;
    }
    Ok(())
}

async fn decision(work: &mut Transaction<'_, Any>, assessment: &Assessment, matrix: &Matrix) -> Result<()> {
    let order = assessment.order.as_ref();
    let (data, state) = match matrix {
        Matrix::Kept { data } => (Some(data.as_str()), "kept"),
        Matrix::Shed => (None, "shed"),
        Matrix::None => (None, "none"),
    };
    let sql = "INSERT INTO coil (decision_id, line, coil_id, pass_us, closed_us, verdict, by_score, p_nok, tolerance_class, \
        nominal_g_m2, width_mm, length_m, drawn, bundle, model_set, assessment, matrix, matrix_state) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, NULLIF($8, -1e300), $9, NULLIF($10, -1e300), NULLIF($11, -1e300), \
        NULLIF($12, -1e300), NULLIF($13, -1e300), $14, $15, $16, $17, $18) ON CONFLICT DO NOTHING";
    sqlx::query(sql)
        .bind(&assessment.decision_id)
        .bind(&assessment.line)
        .bind(assessment.coil_id.as_str())
        .bind(assessment.pass.map(Timestamp::as_microsecond))
        .bind(assessment.timing.closed_at.map(Timestamp::as_microsecond))
        .bind(assessment.verdict.to_string())
        .bind(assessment.by_score.map(|verdict| verdict.to_string()))
        .bind(assessment.p_nok.unwrap_or(NOTHING))
        .bind(order.map(|order| order.tolerance_class().letter().to_string()))
        .bind(order.map_or(NOTHING, coilsight_models::coil::Order::nominal_g_m2))
        .bind(order.map_or(NOTHING, coilsight_models::coil::Order::width_mm))
        .bind(assessment.length_m.unwrap_or(NOTHING))
        .bind(assessment.drawn.map_or(NOTHING, |drawn| drawn.share))
        .bind(assessment.model.bundle.clone())
        .bind(assessment.model.fingerprint.clone())
        .bind(json(assessment))
        .bind(data)
        .bind(state)
        .execute(&mut **work)
        .await?;
    Ok(())
}

async fn said(
    work: &mut Transaction<'_, Any>,
    line: &str,
    place: i64,
    key: &str,
    about: Option<&str>,
    word: &FeedbackRecord,
) -> Result<()> {
    let sql = "INSERT INTO word (line, word, place, about, coil_id, label, operator, at_us, heard_us, source, known, quarantined, \
        withdraws, record) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT DO NOTHING";
    sqlx::query(sql)
        .bind(line)
        .bind(key)
        .bind(place)
        .bind(about)
        .bind(word.feedback.coil_id.as_str())
        .bind(text(&word.feedback.label))
        .bind(&word.feedback.operator)
        .bind(word.feedback.at.as_microsecond())
        .bind(word.heard_at.map(Timestamp::as_microsecond))
        .bind(text(&word.source))
        .bind(i64::from(word.known))
        .bind(i64::from(word.quarantined))
        .bind(word.withdraws.as_deref())
        .bind(json(word))
        .execute(&mut **work)
        .await?;
    Ok(())
}

/// Writes beside the line's own decision what stands of what people said of it there, by the line's own rule.
async fn settle(work: &mut Transaction<'_, Any>, line: &str, decision: &str) -> Result<()> {
    let words = words_on(work, line, decision).await?;
    let stands = words.standing();
    let sql = "UPDATE coil SET label = $2, label_by = $3, label_us = $4 WHERE decision_id = $1 AND line = $5";
    sqlx::query(sql)
        .bind(decision)
        .bind(stands.and_then(|word| word.label.as_ref().map(text)))
        .bind(stands.map(|word| word.by.clone()))
        .bind(stands.map(|word| word.at.as_microsecond()))
        .bind(line)
        .execute(&mut **work)
        .await?;
    Ok(())
}

/// Words on a decision, in the order in which the line heard them.
pub(super) async fn words_on(from: &mut sqlx::AnyConnection, line: &str, decision: &str) -> Result<Words> {
    let sql = "SELECT word, record FROM word WHERE line = $1 AND about = $2 ORDER BY place, word";
    let rows = sqlx::query(sql).bind(line).bind(decision).fetch_all(from).await?;
    let mut words = Words::default();
    for row in rows {
        let (key, record): (String, String) = (row.get(0), row.get(1));
        let read = serde_json::from_str(&record);
        words.hear(&key, read.map_err(|source| Error::Damaged { what: format!("the word {key}"), source })?);
    }
    Ok(words)
}

/// Plain data: nothing in them can fail to become JSON.
fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("plain data become JSON")
}

/// A value that is a text in JSON.
fn text(value: &impl serde::Serialize) -> String {
    json(value).trim_matches('"').to_owned()
}

//! What happened, in words: the history that people read.

use super::Result;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use sqlx::{Any, Transaction};
use std::fmt::Write;

/// Tells something about a line, once: the same told again is the same event.
pub(super) async fn tell(
    work: &mut Transaction<'_, Any>,
    line: &str,
    at: Timestamp,
    kind: &str,
    about: &str,
    what: &str,
) -> Result<()> {
    let at_us = at.as_microsecond();
    let mut digest = Sha256::new();
    for part in [line, kind, about, what, &at_us.to_string()] {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    let mut id = String::new();
    for byte in &digest.finalize()[..16] {
        write!(id, "{byte:02x}").expect("a text takes more");
    }
    let sql = "INSERT INTO event (id, line, at_us, kind, about, what) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
    let event = sqlx::query(sql).bind(id).bind(line).bind(at_us).bind(kind).bind(about).bind(what);
    event.execute(&mut **work).await?;
    Ok(())
}

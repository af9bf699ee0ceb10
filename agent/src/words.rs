//! What people said of a decision, from the archive.

use crate::archive;
pub use coilsight_models::message::word::{FeedbackRecord, MAX_WORDS, Source, Word, Words};

/// Reads what the archive keeps of them.
pub fn read(kept: &[archive::Feedback]) -> serde_json::Result<Words> {
    let mut words = Words::default();
    for word in kept {
        words.hear(&word.key, serde_json::from_slice(&word.json)?);
    }
    Ok(words)
}

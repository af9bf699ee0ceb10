//! The next batch, read from the archive's log.

use crate::archive::{self, Archive, Followed, Mark, Matrix as Kept};
use coilsight_models::message::upload::{self, Batch, Matrix, Record, VERSION};

/// So much of the log is read at a time, bytes.
const READ: u64 = 64 << 10;

/// The batch behind `stored`, and its end; `None` if nothing there concerns the record. Nothing between `stored` and
/// `looked` does, and `looked` moves on.
pub(super) fn next(
    archive: &Archive,
    line: &str,
    log: &str,
    stored: Mark,
    looked: &mut Mark,
) -> archive::Result<Option<(Vec<u8>, Mark)>> {
    let (mut records, mut bytes, mut upto) = (Vec::new(), 0, stored);
    'reading: loop {
        let mut mark = *looked;
        let read = archive.follow_marked(&mut mark, READ)?;
        for (one, behind) in read {
            if let Some(record) = record(archive, one)? {
                let length = upload::payload(&record).len();
                if !upload::fits(records.len(), bytes, length) {
                    break 'reading;
                }
                bytes += length;
                records.push(record);
                upto = behind;
            }
            *looked = behind;
        }
        if mark <= *looked {
            break;
        }
        // Receipts and what cannot be read: of no concern.
        *looked = mark;
    }
    if records.is_empty() {
        return Ok(None);
    }
    let (line, log) = (line.to_owned(), log.to_owned());
    let batch = Batch { version: VERSION, line, log, after: stored.into(), upto: upto.into(), records };
    Ok(Some((upload::payload(&batch), upto)))
}

/// As it goes up. What this program cannot read, it cannot send: told, and passed over.
fn record(archive: &Archive, one: Followed) -> archive::Result<Option<Record>> {
    let unreadable = |what: &str, id: &str, error: &serde_json::Error| {
        tracing::warn!(id, %error, "a {what} in the log is not understood, and is not sent to the plant's record");
    };
    Ok(match one {
        Followed::Decision(decision) => match serde_json::from_slice(&decision.json) {
            Ok(assessment) => {
                let matrix = match archive.matrix(&decision.decision_id)? {
                    Kept::Kept(bytes) => Matrix::of(&bytes),
                    Kept::Dropped | Kept::NoRoom => Matrix::Shed,
                    Kept::Absent => Matrix::None,
                };
                Some(Record::Decision { assessment, matrix })
            }
            Err(error) => {
                unreadable("decision", &decision.decision_id, &error);
                None
            }
        },
        Followed::Feedback(word) => match serde_json::from_slice(&word.json) {
            Ok(read) => Some(Record::Word { key: word.key, about: word.about, word: Box::new(read) }),
            Err(error) => {
                unreadable("word", &word.key, &error);
                None
            }
        },
    })
}

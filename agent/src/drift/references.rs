//! New references that people took on purpose, after a gauge was exchanged, say: who, when, for which gauge, and behind
//! which coil. Kept for ever in a log of their own, like answers of blind re-judging: a restart, a power cut or a
//! restored folder comes to the same reference.

use crate::archive::{self, Disk, Ledger};
use coilsight_models::coil::Gauge;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Of what a new reference is taken: `"all"` or `{"gauge": {"side": "top", "number": 3}}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Of {
    /// Everything that is compared.
    All,
    /// One gauge.
    Gauge(Gauge),
}

/// A new reference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewal {
    /// Of what.
    pub of: Of,
    /// When, by this machine's clock.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// Why, as they said it.
    pub remark: Option<String>,
    /// The last decision before it: coils after that are the reference. `None` if nothing had been decided.
    pub after: Option<String>,
    /// That decision's coil, for people.
    pub after_coil: Option<String>,
}

/// All that were taken.
#[derive(Debug, Default)]
pub struct References(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// `None`: there is no place to keep any.
    ledger: Option<Ledger>,
    all: Vec<Renewal>,
}

impl References {
    /// Opens the log on a disk of its own.
    pub fn open(disk: &Arc<dyn Disk>) -> archive::Result<Self> {
        let (ledger, read) = Ledger::open(disk)?;
        let all = read.entries.iter().filter_map(|bytes| serde_json::from_slice(bytes).ok()).collect();
        Ok(Self(Mutex::new(Kept { ledger: Some(ledger), all })))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All, oldest first, from the `from`th on.
    pub fn since(&self, from: usize) -> Vec<Renewal> {
        self.kept().all.get(from..).unwrap_or_default().to_vec()
    }

    /// What the reference is now: the last that was taken of all, and those of single gauges since.
    pub fn standing(&self) -> Vec<Renewal> {
        let all = self.since(0);
        let from = all.iter().rposition(|one| one.of == Of::All).unwrap_or(0);
        let last = |at: &usize| !all[at + 1..].iter().any(|later| later.of == all[*at].of);
        (from..all.len()).filter(last).map(|at| all[at].clone()).collect()
    }

    /// Whether there is a log to keep any in.
    pub fn can_keep(&self) -> bool {
        self.kept().ledger.is_some()
    }

    /// Keeps one before anybody hears of it. `false`: there is one already behind that coil, and nothing was kept.
    ///
    /// # Errors
    ///
    /// The disk's.
    pub fn renew(&self, new: Renewal) -> archive::Result<bool> {
        let mut kept = self.kept();
        if kept.all.iter().rev().any(|one| one.of == new.of && one.after == new.after) {
            return Ok(false);
        }
        if let Some(ledger) = &mut kept.ledger {
            // Plain data: writing them to memory has no way to fail.
            ledger.append(&serde_json::to_vec(&new).expect("a reference becomes JSON"))?;
            kept.all.push(new);
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::RealDisk;

    fn renewal(of: Of, after: &str) -> Renewal {
        let after = Some(after.to_owned());
        Renewal {
            of,
            at: Timestamp::UNIX_EPOCH,
            by: "Ada".into(),
            remark: None,
            after_coil: after.clone(),
            after,
        }
    }

    #[test]
    fn what_was_taken_is_there_after_a_restart_and_what_cannot_be_kept_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let disk: Arc<dyn Disk> = Arc::new(RealDisk::new(folder.path()).unwrap());
        let references = References::open(&disk).unwrap();
        let gauge = |n| Of::Gauge(Gauge::of_column(n));
        for (of, after, kept) in [
            (gauge(2), "d1", true),
            (gauge(2), "d1", false),
            (gauge(3), "d1", true),
            (Of::All, "d2", true),
            (gauge(2), "d3", true),
            (gauge(2), "d4", true),
        ] {
            assert_eq!(references.renew(renewal(of, after)).unwrap(), kept, "{of:?} {after}");
        }
        let standing = [renewal(Of::All, "d2"), renewal(gauge(2), "d4")];
        assert_eq!(references.standing(), standing);
        drop(references);
        let again = References::open(&disk).unwrap();
        assert_eq!((again.standing(), again.since(0).len()), (standing.to_vec(), 5));
        assert!(again.can_keep() && !References::default().can_keep());
    }
}

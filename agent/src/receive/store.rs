//! The folder `incoming/`: at most one file on its way, and a note of what it is to become.

use crate::archive::{Disk, DiskFile};
use coilsight_models::bundle::Sha256;
use coilsight_models::message::model::{MAX_OFFER, Offer, payload};
use serde::{Deserialize, Serialize};
use std::io;
use std::sync::Arc;
use std::time::Duration;

const FOLDER: &str = "incoming";
/// A longer note is none, bytes.
const MAX_NOTE: usize = MAX_OFFER + 256;

/// What is kept of an offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    offer: Offer,
    /// For how long it has been on its way, s; now and then.
    age_s: u64,
}

/// A file that was on its way.
pub(super) struct Kept {
    pub offer: Offer,
    pub age: Duration,
    pub part: Arc<dyn DiskFile>,
}

/// The folder.
#[derive(Debug)]
pub(super) struct Store {
    disk: Arc<dyn Disk>,
}

/// Where the file lies.
pub(super) fn part(offer: &Sha256) -> String {
    format!("{FOLDER}/{offer}.part")
}

fn note(offer: &Sha256) -> String {
    format!("{FOLDER}/{offer}.offer")
}

fn new_note(offer: &Sha256) -> String {
    format!("{FOLDER}/{offer}.new")
}

impl Store {
    /// Opens the folder; what does not belong to a file on its way goes.
    pub fn open(disk: Arc<dyn Disk>) -> io::Result<(Self, Option<Kept>)> {
        disk.make_dir(FOLDER)?;
        disk.sync_dir("")?;
        let store = Self { disk };
        let kept = store.find()?;
        let keep = kept.as_ref().map(|kept| kept.offer.offer);
        store.remove_all_but(keep.as_ref())?;
        Ok((store, kept))
    }

    fn find(&self) -> io::Result<Option<Kept>> {
        for name in self.disk.list(FOLDER)? {
            let Some(stem) = name.strip_suffix(".offer") else { continue };
            let Ok(named) = Sha256::try_from(stem.to_owned()) else { continue };
            let Some(Note { offer, age_s }) = self.read_note(&named)? else { continue };
            match self.disk.open(&part(&named)) {
                Ok(part) if part.size()? <= offer.bytes => {
                    return Ok(Some(Kept { offer, age: Duration::from_secs(age_s), part }));
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// A note that reads as one and is about the file that it is named after.
    fn read_note(&self, named: &Sha256) -> io::Result<Option<Note>> {
        let file = self.disk.open(&note(named))?;
        let mut bytes = vec![0; MAX_NOTE];
        let length = file.read_at(&mut bytes, 0)?;
        let note = serde_json::from_slice::<Note>(&bytes[..length]).ok();
        Ok(note.filter(|note| note.offer.offer == *named && Offer::parse(&payload(&note.offer)).is_ok()))
    }

    /// Makes room for a file, durably, and forgets any other.
    pub fn begin(&self, offer: &Offer) -> io::Result<Arc<dyn DiskFile>> {
        self.remove_all_but(None)?;
        self.note(offer, Duration::ZERO)?;
        let part = self.disk.create(&part(&offer.offer))?;
        self.disk.sync_dir(FOLDER)?;
        Ok(part)
    }

    /// Writes what the file is to become, and its age.
    pub fn note(&self, offer: &Offer, age: Duration) -> io::Result<()> {
        let (new, name) = (new_note(&offer.offer), note(&offer.offer));
        let file = match self.disk.create(&new) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let file = self.disk.open(&new)?;
                file.set_len(0)?;
                file
            }
            other => other?,
        };
        let note = Note { offer: offer.clone(), age_s: age.as_secs() };
        file.write_at(&payload(&note), 0)?;
        file.sync_data()?;
        self.disk.rename(&new, &name)?;
        self.disk.sync_dir(FOLDER)
    }

    /// Whether a complete file was moved or removed.
    pub fn is_taken(&self, offer: &Sha256) -> bool {
        matches!(self.disk.open(&part(offer)), Err(error) if error.kind() == io::ErrorKind::NotFound)
    }

    /// Forgets the file. If the disk does not, the next start or the next file does.
    pub fn clear(&self) {
        if let Err(error) = self.remove_all_but(None) {
            tracing::warn!("what came of a bundle could not be removed from incoming/: {error}");
        }
    }

    fn remove_all_but(&self, keep: Option<&Sha256>) -> io::Result<()> {
        let kept = keep.map(|offer| [format!("{offer}.part"), format!("{offer}.offer")]);
        let mut removed = false;
        for name in self.disk.list(FOLDER)? {
            let ours = [".part", ".offer", ".new"].iter().any(|end| name.ends_with(end));
            if ours && !kept.as_ref().is_some_and(|kept| kept.contains(&name)) {
                self.disk.remove(&format!("{FOLDER}/{name}"))?;
                removed = true;
            }
        }
        if removed { self.disk.sync_dir(FOLDER) } else { Ok(()) }
    }
}

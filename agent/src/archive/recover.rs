//! Start: what is durable is read, what is half-written is cut off, and views are trusted or built.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use super::coils::Coils;
use super::disk::{Disk, MAX_NUMBER};
use super::error::{Error, Result};
use super::log::{Location, Log, Scan};
use super::marker::{self, Counts, Fingerprint, Marker};
use super::record::Record;
use super::reserve::ReserveFile;
use super::segments::{self, SegmentId, Segments};
use super::store::{State, Store, with_sources};
use super::views::{Doubt, Views, ViewsAt, key};
use super::{Limits, Recovery, ViewsFound};

const FORMAT: &str = "FORMAT";
const FORMAT_TEMPORARY: &str = "FORMAT.tmp";
const KNOWN_FORMAT: &str = "coilsight-archive 1\n";
#[cfg(test)]
pub(super) const FORMAT_BYTES: u64 = KNOWN_FORMAT.len() as u64;
const FOLDERS: [&str; 3] = ["log", "coils", "open"];
/// View entries sorted and inserted together while views are built: bounds memory, and sled likes order.
const CHUNK: usize = 32 * 1024;

/// Opens the archive on a disk that is locked.
pub(super) fn open(disk: Arc<dyn Disk>, views_at: ViewsAt, limits: Limits) -> Result<(Store, Recovery)> {
    check_format(disk.as_ref())?;
    let marker = marker::take(disk.as_ref())?;
    // A kill without a power cut leaves names that nobody has synced yet.
    for folder in FOLDERS.into_iter().chain([""]) {
        disk.sync_dir(folder).map_err(Error::unsure("syncing", format!("folder {folder:?}")))?;
    }
    let sealed = marker.as_ref().map_or(&[][..], |m| &m.log);
    let mut log = Log::open(&disk, limits.log_file, sealed)?;
    let coils = Coils::open(&disk, limits.coils_file)?;
    let on_disk = segments::list(disk.as_ref())?;

    let trusted = trust(marker.as_ref(), &log, &on_disk, &views_at);
    let clean = marker.as_ref().is_some_and(|m| m.log == log.lengths());
    let (views, found, mut tally, scan) = match trusted {
        Ok((views, marker)) => {
            let tally =
                Tally { counts: marker.counts, next_segment: marker.next_segment, ..Tally::default() };
            (views, ViewsFound::Trusted, tally, Scan::known(marker.gaps.clone()))
        }
        Err(why) => {
            let built = build(&views_at, &Sources { log: &log, sealed, open: &on_disk })?;
            log.settle(&built.scan)?;
            (built.views, ViewsFound::Rebuilt { why }, built.tally, built.scan)
        }
    };
    if let Some(marker) = &marker {
        tally.next_segment = tally.next_segment.max(marker.next_segment);
    }
    let decided_segments = tally.decided.len();
    let (segments, open) = Segments::open(&disk, &tally.decided, tally.next_segment.max(1), !clean)?;
    let reserve = ReserveFile::open(disk.as_ref(), limits.reserve_file)?;
    let recovery = Recovery {
        open,
        views: found,
        torn_bytes: scan.torn.map_or(0, |(_, bytes)| bytes),
        gaps: scan.gaps.clone(),
        decided_segments,
        counts: tally.counts,
    };
    let mut store = Store {
        views_bytes: views.bytes(),
        views: Some(views),
        counts: tally.counts,
        gaps: scan.gaps,
        witnessed: Vec::new(),
        matrices_refused: 0,
        files_dropped: 0,
        alive: None,
        beats: 0,
        state: State::Accepting,
        disk,
        limits,
        log,
        coils,
        segments,
        reserve,
        views_at,
    };
    store.refill_reserve();
    Ok((store, recovery))
}

fn check_format(disk: &dyn Disk) -> Result<()> {
    let names = disk.list("").map_err(Error::io("listing", "the archive's folder"))?;
    if names.iter().any(|name| name == FORMAT) {
        let file = disk.open(FORMAT).map_err(Error::io("opening", FORMAT))?;
        let mut bytes = [0; 64];
        let have = file.read_at(&mut bytes, 0).map_err(Error::io("reading", FORMAT))?;
        if bytes[..have] != *KNOWN_FORMAT.as_bytes() {
            let found = String::from_utf8_lossy(&bytes[..have]).trim().to_owned();
            return Err(Error::Format { found, known: KNOWN_FORMAT.trim() });
        }
        return Ok(());
    }
    for folder in FOLDERS {
        disk.make_dir(folder).map_err(Error::io("making", folder))?;
    }
    disk.sync_dir("").map_err(Error::io("syncing", "the archive's folder"))?;
    if !disk.list("log").map_err(Error::io("listing", "log"))?.is_empty() {
        return Err(Error::Format { found: String::new(), known: KNOWN_FORMAT.trim() });
    }
    if names.iter().any(|name| name == FORMAT_TEMPORARY) {
        disk.remove(FORMAT_TEMPORARY).map_err(Error::io("removing", FORMAT_TEMPORARY))?;
    }
    let file = disk.create(FORMAT_TEMPORARY).map_err(Error::io("creating", FORMAT_TEMPORARY))?;
    file.write_at(KNOWN_FORMAT.as_bytes(), 0).map_err(Error::io("writing", FORMAT_TEMPORARY))?;
    file.sync_data().map_err(Error::io("syncing", FORMAT_TEMPORARY))?;
    disk.rename(FORMAT_TEMPORARY, FORMAT).map_err(Error::io("naming", FORMAT))?;
    disk.sync_dir("").map_err(Error::io("syncing", "the archive's folder"))
}

/// Opens the views if everything is to the byte what an orderly stop left; otherwise says what is not.
fn trust<'a>(
    marker: Option<&'a Marker>,
    log: &Log,
    on_disk: &[SegmentId],
    views_at: &ViewsAt,
) -> std::result::Result<(Views, &'a Marker), Doubt> {
    let new = log.bytes() == 0 && on_disk.is_empty();
    let marker = marker.ok_or(if new { "the archive is new" } else { "the last stop was not orderly" })?;
    if marker.log != log.lengths() || log.tail_crc().ok() != Some(marker.log_tail_crc) {
        return Err("the log is not as the last stop left it".into());
    }
    if !on_disk.iter().map(|id| id.0).eq(marker.segments.iter().copied()) {
        return Err("the open segments are not those of the last stop".into());
    }
    let (ViewsAt::Folder(dir, cache), Some(left)) = (views_at, &marker.views) else {
        return Err("the views were in memory".into());
    };
    compare(left, &dir.join(left.generation.to_string()))?;
    Ok((Views::reopen(dir, *cache, left.generation)?, marker))
}

fn compare(left: &Fingerprint, folder: &Path) -> std::result::Result<(), Doubt> {
    match Fingerprint::take(left.generation, folder, false) {
        Ok(found) => found.unlike(left).map_or(Ok(()), Err),
        Err(error) => Err(format!("the views' files cannot be read: {error}")),
    }
}

/// What views are built from.
pub(super) struct Sources<'a> {
    pub log: &'a Log,
    /// Lengths at which the log's files were whole.
    pub sealed: &'a [(u32, u64)],
    /// Segments on disk, of which the decided ones are wanted.
    pub open: &'a [SegmentId],
}

/// Views just built, and what was seen on the way.
#[derive(Debug)]
pub(super) struct Built {
    pub views: Views,
    pub scan: Scan,
    pub tally: Tally,
}

#[derive(Debug, Default)]
pub(super) struct Tally {
    pub counts: Counts,
    /// Open segments that have their decision.
    pub decided: BTreeSet<SegmentId>,
    /// Above every segment that a decision names.
    pub next_segment: u32,
}

/// Builds the views from the log: on disk, or in memory if the disk does not take them.
pub(super) fn build(at: &ViewsAt, sources: &Sources<'_>) -> Result<Built> {
    match fill(at, sources) {
        Err(Error::Views { why }) if !matches!(at, ViewsAt::Memory) => {
            tracing::warn!(why, "the views are kept in memory");
            fill(&ViewsAt::Memory, sources)
        }
        done => done,
    }
}

fn fill(at: &ViewsAt, sources: &Sources<'_>) -> Result<Built> {
    let doubt = |why| Error::Views { why };
    let mut views = Views::empty(at).map_err(doubt)?;
    let mut tally = Tally::default();
    let mut chunk = Vec::new();
    // A decision and a word under one name are two things.
    let mut waiting: HashMap<(bool, String), Location> = HashMap::new();
    let scan = sources.log.scan(sources.sealed, |at, kind, payload| {
        match Record::decode(kind, payload) {
            Some(Record::Decision { decision_id, coil_id, pass_key, segment, .. }) => {
                tally.counts.decisions += 1;
                let place = key::place(at);
                chunk.push((key::pass(pass_key), place.clone()));
                chunk.push((key::decision(decision_id), place));
                chunk.push((key::at(&key::coil(coil_id), at), Vec::new()));
                waiting.insert((true, decision_id.to_owned()), at);
                if let Ok(segment) = u32::try_from(segment)
                    && segment <= MAX_NUMBER
                {
                    tally.next_segment = tally.next_segment.max(segment + 1);
                    if sources.open.contains(&SegmentId(segment)) {
                        tally.decided.insert(SegmentId(segment));
                    }
                }
            }
            Some(Record::Feedback { key, about, .. }) => {
                tally.counts.feedback += 1;
                chunk.push((key::feedback(key), key::place(at)));
                // Of two words under one key (the first could not be read for a while) the last is what is meant.
                if about.is_empty() {
                    waiting.remove(&(false, key.to_owned()));
                } else {
                    chunk.push((key::at(&key::words(about), at), Vec::new()));
                    waiting.insert((false, key.to_owned()), at);
                }
            }
            Some(Record::Receipts { ids }) => {
                for id in ids.iter() {
                    tally.counts.receipts += 1;
                    for kind in [true, false] {
                        waiting.remove(&(kind, id.to_owned()));
                    }
                }
            }
            None => tally.counts.unknown += 1,
        }
        if chunk.len() >= CHUNK { insert(&mut views, &mut chunk).map_err(doubt) } else { Ok(()) }
    })?;
    chunk.extend(waiting.into_values().map(|at| (key::at(key::OUTBOX, at), Vec::new())));
    insert(&mut views, &mut chunk).map_err(doubt)?;
    Ok(Built { views, scan, tally })
}

fn insert(views: &mut Views, chunk: &mut Vec<(Vec<u8>, Vec<u8>)>) -> std::result::Result<(), Doubt> {
    chunk.sort_unstable();
    chunk.drain(..).try_for_each(|(key, value)| views.put(key, value))
}

/// The orderly stop.
pub(super) fn close(store: &mut Store) -> Result<()> {
    store.accepting()?;
    let synced = store.segments.sync();
    store.heed(synced)?;
    store.state = State::Closed;
    let views = match store.views.take().map(Views::close) {
        Some(Ok(fingerprint)) => fingerprint,
        Some(Err(why)) => {
            tracing::warn!(why, "the views did not close: the next start builds them again");
            None
        }
        None => None,
    };
    let marker = Marker {
        log: store.log.lengths(),
        log_tail_crc: store.log.tail_crc()?,
        counts: store.counts,
        gaps: store.gaps.clone(),
        segments: store.segments.ids(),
        next_segment: store.segments.next(),
        views,
    };
    if let Err(error) = marker::leave(store.disk.as_ref(), &marker) {
        tracing::warn!(error = %with_sources(&error), "no clean-stop marker: the next start reads the whole log");
    }
    Ok(())
}

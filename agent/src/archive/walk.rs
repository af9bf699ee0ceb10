//! Walks through the log without holding the archive's lock: the log only grows.

use super::error::{Error, Result};
use super::frame::{Frames, Step};
use super::log::{Gap, Location, LogFile, path};
use super::lookup::{decision, feedback};
use super::record::Record;
use super::{Decision, Feedback};

/// How far somebody who follows the log has read: at first, nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// The file's number.
    pub file: u32,
    /// The byte in it.
    pub offset: u64,
}

/// What was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Followed {
    /// A decision.
    Decision(Decision),
    /// Feedback, also such as is about no decision.
    Feedback(Feedback),
}

/// Reads on behind `mark`: what is there, each with the place behind it; see [`super::Archive::follow`].
pub(super) fn follow(files: &[LogFile], mark: &mut Mark, bytes: u64) -> Result<Vec<(Followed, Mark)>> {
    let mut found = Vec::new();
    let mut left = bytes;
    let begun = mark.file;
    for file in files.iter().filter(|file| file.number >= begun) {
        let from = if file.number == mark.file { mark.offset } else { 0 };
        let mut frames = file.frames_from(from);
        *mark = Mark { file: file.number, offset: from };
        while left > 0 {
            match frames.step() {
                Ok(Step::Record { kind, payload, .. }) => {
                    left = left.saturating_sub(payload.len() as u64);
                    let record = Record::decode(kind, payload);
                    let one = record.and_then(|record| match record {
                        Record::Decision { .. } => decision(record).map(|(d, _)| Followed::Decision(d)),
                        record => feedback(record).map(Followed::Feedback),
                    });
                    let behind = Mark { file: file.number, offset: frames.at() };
                    found.extend(one.map(|one| (one, behind)));
                }
                Ok(Step::Damaged { .. } | Step::Tail { .. }) => {}
                Ok(Step::End) => break,
                Err(_) if !found.is_empty() => return Ok(found),
                Err(source) => {
                    // What the disk does not read is not asked for again.
                    mark.offset = file.len;
                    return Err(Error::io("reading", path(file.number))(source));
                }
            }
            mark.offset = frames.at();
        }
        if left == 0 {
            break;
        }
    }
    Ok(found)
}

#[derive(Debug)]
struct Walk {
    files: std::vec::IntoIter<LogFile>,
    current: Option<(u32, Frames)>,
    /// Told at start; only what is damaged since is an error here.
    known: Vec<Gap>,
}

impl Walk {
    fn next<T>(&mut self, is: impl Fn(Record<'_>) -> Option<T>) -> Option<Result<T>> {
        loop {
            let Some((number, frames)) = &mut self.current else {
                let file = self.files.next()?;
                self.current = Some((file.number, file.frames()));
                continue;
            };
            let number = *number;
            match frames.step() {
                Ok(Step::Record { kind, payload, .. }) => {
                    if let Some(found) = Record::decode(kind, payload).and_then(&is) {
                        return Some(Ok(found));
                    }
                }
                Ok(Step::Damaged { offset, .. } | Step::Tail { offset, .. }) => {
                    let at = Location { file: number, offset };
                    if !self.known.iter().any(|gap| gap.covers(at)) {
                        return Some(Err(Error::Damaged { file: path(number), offset }));
                    }
                }
                Ok(Step::End) => self.current = None,
                Err(source) => {
                    self.current = None;
                    return Some(Err(Error::io("reading", path(number))(source)));
                }
            }
        }
    }
}

/// All decisions, oldest first, as they were when the walk began.
///
/// After an error it goes on behind the damage: what follows is not lost with it.
#[derive(Debug)]
pub struct DecisionWalk(Walk);

/// All feedback, oldest first; see [`DecisionWalk`].
#[derive(Debug)]
pub struct FeedbackWalk(Walk);

impl DecisionWalk {
    pub(super) fn new(files: Vec<LogFile>, known: Vec<Gap>) -> Self {
        Self(Walk { files: files.into_iter(), current: None, known })
    }
}

impl FeedbackWalk {
    pub(super) fn new(files: Vec<LogFile>, known: Vec<Gap>) -> Self {
        Self(Walk { files: files.into_iter(), current: None, known })
    }
}

impl Iterator for DecisionWalk {
    type Item = Result<Decision>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next(|record| decision(record).map(|(decision, _)| decision))
    }
}

impl Iterator for FeedbackWalk {
    type Item = Result<Feedback>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next(feedback)
    }
}

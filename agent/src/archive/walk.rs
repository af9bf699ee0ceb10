//! Walks through the log without holding the archive's lock: the log only grows.

use super::error::{Error, Result};
use super::frame::{Frames, Step};
use super::log::{Gap, Location, LogFile, path};
use super::lookup::{decision, feedback};
use super::record::Record;
use super::{Decision, Feedback};

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

//! How the archive answers: views lead to the log, and only what the log says there counts.

use super::error::{Error, Result};
use super::log::Location;
use super::record::{MatrixNote, Record};
use super::recover::{self, Sources};
use super::store::{State, Store, with_sources};
use super::views::{Doubt, Views, key};
use super::{Decision, Feedback, Matrix};

impl Store {
    pub fn pass(&mut self, pass_key: &str) -> Result<Option<Decision>> {
        let found = self.find(&key::pass(pass_key), |record| {
            decision(record).map(|(decision, _)| decision).filter(|d| d.pass_key == pass_key)
        })?;
        Ok(found.map(|(_, decision)| decision))
    }

    pub fn find_decision(&mut self, id: &str) -> Result<Option<(Location, Decision)>> {
        self.find(&key::decision(id), |record| {
            decision(record).map(|(decision, _)| decision).filter(|d| d.decision_id == id)
        })
    }

    pub fn find_feedback(&mut self, feedback_key: &str) -> Result<Option<(Location, Feedback)>> {
        self.find(&key::feedback(feedback_key), |record| feedback(record).filter(|f| f.key == feedback_key))
    }

    pub fn matrix(&mut self, id: &str) -> Result<Matrix> {
        let found = self.find(&key::decision(id), |record| {
            decision(record).filter(|(d, _)| d.decision_id == id).map(|(_, matrix)| matrix)
        })?;
        match found {
            None => Err(Error::UnknownDecision { decision_id: id.to_owned() }),
            Some((_, MatrixNote::Absent)) => Ok(Matrix::Absent),
            Some((_, MatrixNote::NoRoom)) => Ok(Matrix::NoRoom),
            Some((_, MatrixNote::At(at))) => Ok(self.coils.read(at)?.map_or(Matrix::Dropped, Matrix::Kept)),
        }
    }

    /// Records at the locations that follow `prefix` in the views, in the log's order.
    pub fn records_under<T>(
        &mut self,
        prefix: &[u8],
        limit: usize,
        belongs: impl Fn(Record<'_>) -> Option<T>,
    ) -> Result<Vec<T>> {
        let mut why = String::new();
        for _ in 0..3 {
            match self.try_records_under(prefix, limit, &belongs)? {
                Ok(records) => return Ok(records),
                Err(doubt) => why = doubt,
            }
            self.rebuild(&why)?;
        }
        Err(Error::Views { why })
    }

    fn try_records_under<T>(
        &self,
        prefix: &[u8],
        limit: usize,
        belongs: &impl Fn(Record<'_>) -> Option<T>,
    ) -> Result<std::result::Result<Vec<T>, Doubt>> {
        let places = match self.views()?.under(prefix, limit) {
            Ok(places) => places,
            Err(doubt) => return Ok(Err(doubt)),
        };
        let mut records = Vec::new();
        for place in places {
            match self.read_at(&place, belongs)? {
                Ok((_, record)) => records.push(record),
                Err((doubt, _)) => return Ok(Err(doubt)),
            }
        }
        Ok(Ok(records))
    }

    /// The record that a key's location leads to, if `is` says that it is the one. Views that lead elsewhere
    /// are built again.
    pub fn find<T>(
        &mut self,
        key: &[u8],
        is: impl Fn(Record<'_>) -> Option<T>,
    ) -> Result<Option<(Location, T)>> {
        let mut witness = None;
        let mut why = String::new();
        for _ in 0..3 {
            let Some(place) = self.view(|views| views.get(key))? else {
                let Some(at) = witness.filter(|at| self.gaps.iter().any(|gap| gap.covers(*at))) else {
                    return Ok(None);
                };
                // Only the old views knew what lay in the gap: keep their word, so that nobody decides again.
                self.witnessed.push((key.to_vec(), at));
                self.record_view(|views| views.put(key.to_vec(), key::place(at)));
                return Err(damaged(at));
            };
            match self.read_at(&place, &is)? {
                Ok(found) => return Ok(Some(found)),
                Err((doubt, at)) => (why, witness) = (doubt, at),
            }
            self.rebuild(&why)?;
        }
        Err(Error::Views { why })
    }

    /// The record at a location from the views, or the doubt it casts on them and the location.
    #[allow(clippy::type_complexity)]
    fn read_at<T>(
        &self,
        place: &[u8],
        is: impl Fn(Record<'_>) -> Option<T>,
    ) -> Result<std::result::Result<(Location, T), (Doubt, Option<Location>)>> {
        let Some(at) = key::location(place) else { return Ok(Err(("no location".into(), None))) };
        if self.gaps.iter().any(|gap| gap.covers(at)) {
            return Err(damaged(at));
        }
        let Some((kind, payload)) = self.log.read(at)? else {
            return Ok(Err((format!("no record at byte {} of log file {}", at.offset, at.file), Some(at))));
        };
        Ok(match Record::decode(kind, &payload).and_then(is) {
            Some(found) => Ok((at, found)),
            None => Err((format!("another record at byte {} of log file {}", at.offset, at.file), Some(at))),
        })
    }

    /// Asks the views; if they fail, builds them again and asks once more.
    pub fn view<T>(&mut self, ask: impl Fn(&Views) -> std::result::Result<T, Doubt>) -> Result<T> {
        let why = match ask(self.views()?) {
            Ok(answer) => return Ok(answer),
            Err(why) => why,
        };
        self.rebuild(&why)?;
        ask(self.views()?).map_err(|why| Error::Views { why })
    }

    fn views(&self) -> Result<&Views> {
        self.views.as_ref().ok_or_else(|| self.accepting().err().unwrap_or(Error::Closed))
    }

    /// Brings the views up to a record just logged. If they fail they are built again.
    pub fn record_view(&mut self, change: impl FnOnce(&mut Views) -> std::result::Result<(), Doubt>) {
        let Some(views) = &mut self.views else { return };
        let Err(why) = change(views) else {
            self.views_bytes = views.bytes();
            return;
        };
        if let Err(error) = self.rebuild(&why) {
            tracing::error!(error = %with_sources(&error), "the views cannot be built");
        }
    }

    /// Builds the views from the log, in memory if sled does not take them. If even that fails the archive
    /// stops: what is in the log stands, but answers could be wrong.
    fn rebuild(&mut self, why: &str) -> Result<()> {
        tracing::warn!(why, "the views are in doubt and built again from the log");
        // The old ones must be gone before their folder is.
        self.views = None;
        let sealed = self.log.lengths();
        let sources = Sources { log: &self.log, sealed: &sealed, open: &[] };
        let built = recover::build(&self.views_at, &sources).and_then(|mut built| {
            for (key, at) in &self.witnessed {
                built.views.put(key.clone(), key::place(*at)).map_err(|why| Error::Views { why })?;
            }
            Ok(built)
        });
        let built = match built {
            Ok(built) => built,
            Err(error) => {
                self.state = State::Stopped(with_sources(&error));
                return Err(error);
            }
        };
        for gap in built.scan.gaps {
            if !self.gaps.contains(&gap) {
                self.gaps.push(gap);
            }
        }
        self.counts = built.tally.counts;
        self.views_bytes = built.views.bytes();
        self.views = Some(built.views);
        Ok(())
    }
}

fn damaged(at: Location) -> Error {
    Error::Damaged { file: super::log::path(at.file), offset: at.offset }
}

pub(super) fn decision(record: Record<'_>) -> Option<(Decision, MatrixNote)> {
    let Record::Decision { decision_id, coil_id, pass_key, matrix, json, .. } = record else { return None };
    let decision = Decision {
        decision_id: decision_id.to_owned(),
        coil_id: coil_id.to_owned(),
        pass_key: pass_key.to_owned(),
        json: json.to_owned(),
    };
    Some((decision, matrix))
}

pub(super) fn feedback(record: Record<'_>) -> Option<Feedback> {
    let Record::Feedback { key, about, json } = record else { return None };
    let about = (!about.is_empty()).then(|| about.to_owned());
    Some(Feedback { key: key.to_owned(), about, json: json.to_owned() })
}

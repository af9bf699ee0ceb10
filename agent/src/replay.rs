//! A recording through the very line that runs live: its decisions come out, and its sums.

use crate::archive::{Archive, Limits, RealDisk};
use crate::line::{Config, Judge, Line, Now, Publish};
use crate::recording::Recording;
use anyhow::Context;
use coilsight_models::tally::{Fate, Reason, Tally};
use jiff::Timestamp;
use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Messages between two syncs: nobody waits for an acknowledgement of a recording.
const COMMIT_EVERY: usize = 64;
/// A recorder's clock that jumps ahead by more than this was set, not passed.
const LONGEST_PAUSE: Duration = Duration::from_hours(7 * 24);

/// What a replay leaves.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Where every message and row ended.
    pub tally: Tally,
    /// Decisions published.
    pub decisions: usize,
}

/// Opens a line whose archive lies in `state`.
pub fn open(state: &Path, config: Config, judge: Box<dyn Judge>) -> anyhow::Result<Line> {
    let disk = RealDisk::new(state.join("archive"))
        .with_context(|| format!("cannot use {} for the archive", state.display()))?;
    let (archive, recovery) = Archive::open(Arc::new(disk), state.join("views"), Limits::default())?;
    Ok(Line::new(config, archive, &recovery.open, judge)?)
}

/// Plays a recording: `publish` gets the decisions.
///
/// The line's time is the recorder's, so pauses in the recording are pauses on the line. When it is over,
/// coils that are still open are closed as silence would.
pub fn play<R: BufRead>(mut line: Line, recording: R, publish: &mut dyn Publish) -> anyhow::Result<Summary> {
    let mut recording = Recording::new(recording);
    let mut clock = Clock::default();
    let (mut decisions, mut unreadable) = (line.publish(publish)?, 0);
    for i in 1.. {
        match recording.next_line().context("the recording cannot be read on")? {
            None => break,
            Some(None) => unreadable += 1,
            Some(Some(message)) => {
                clock.heard(message.at);
                let now = Now { elapsed: clock.elapsed, wall: clock.last };
                line.take(&message.topic, &message.payload, now)?;
                decisions += line.publish(publish)?;
            }
        }
        if i % COMMIT_EVERY == 0 {
            line.commit()?;
        }
    }
    line.finish()?;
    decisions += line.publish(publish)?;
    let mut tally = line.tally();
    tally.messages.add_many(Fate::SetAside(Reason::NotARecordingLine), unreadable);
    line.stop()?;
    Ok(Summary { tally, decisions })
}

/// The line's time, from the recorder's.
#[derive(Default)]
struct Clock {
    elapsed: Duration,
    last: Option<Timestamp>,
}

impl Clock {
    /// Lets time pass up to `at`, and says how much has passed; it never runs back.
    fn heard(&mut self, at: Option<Timestamp>) -> Duration {
        let Some(at) = at else { return Duration::ZERO };
        let passed = self.last.map_or(Duration::ZERO, |last| {
            at.duration_since(last).try_into().unwrap_or(Duration::ZERO).min(LONGEST_PAUSE)
        });
        self.elapsed += passed;
        self.last = Some(self.last.map_or(at, |last| last.max(at)));
        passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_never_runs_back_and_jumps_are_bounded() {
        let mut clock = Clock::default();
        let at = |text: &str| text.parse().ok();
        assert_eq!(clock.heard(at("1970-01-01T00:00:00Z")), Duration::ZERO);
        assert_eq!(clock.heard(at("2026-01-05T06:00:00Z")), LONGEST_PAUSE);
        assert_eq!(clock.heard(at("2026-01-05T06:00:10Z")), Duration::from_secs(10));
        assert_eq!(clock.heard(at("2026-01-05T05:00:00Z")), Duration::ZERO);
        assert_eq!(clock.heard(None), Duration::ZERO);
        assert_eq!(clock.heard(at("2026-01-05T06:00:11Z")), Duration::from_secs(1));
    }
}

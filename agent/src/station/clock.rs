//! The line's time: it runs while the agent is connected and waits for the line, and stands still while the
//! broker is away or a backlog is being worked off. A coil that is silent in this time is silent indeed.

use std::time::Duration;

/// A wait shorter than this may be the broker's own pause between two messages of a backlog.
const QUIET: Duration = Duration::from_millis(20);
/// No single step lets more time pass: a machine that was asleep has not listened.
const LONGEST: Duration = Duration::from_secs(5);

/// The line's time.
#[derive(Clone, Copy, Debug, Default)]
pub struct LineClock {
    elapsed: Duration,
}

impl LineClock {
    /// Lets the time pass that was spent waiting, if the broker could have spoken.
    pub fn pass(&mut self, waited: Duration, connected: bool) {
        if connected && waited >= QUIET {
            self.elapsed += waited.min(LONGEST);
        }
    }

    /// The line's time so far.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_still_offline_in_a_backlog_and_asleep() {
        let mut clock = LineClock::default();
        clock.pass(Duration::from_secs(3), false);
        (0..1000).for_each(|_| clock.pass(Duration::from_millis(2), true));
        assert_eq!(clock.elapsed(), Duration::ZERO);
        clock.pass(Duration::from_secs(1), true);
        clock.pass(Duration::from_hours(8), true);
        assert_eq!(clock.elapsed(), Duration::from_secs(6));
    }
}

//! When pieces are asked for again, and how slowly they may come.

use std::time::Duration;

/// The first wait for an answer to a want.
const FIRST: Duration = Duration::from_secs(5);
/// A want is repeated at least so often.
const LONGEST: Duration = Duration::from_mins(2);
/// The floor is looked at over so long.
const SPELL: Duration = Duration::from_mins(10);

/// How pieces come.
#[derive(Debug)]
pub(super) struct Pace {
    /// The last want, or anything new after it.
    heard: Duration,
    /// Wants in vain since something came.
    tries: u32,
    /// The usual time from one piece to the next.
    between: Duration,
    at_once: bool,
    /// When something new came last, or the transfer began.
    pub moved: Duration,
    /// Since the first piece of the present ten minutes, and bytes that are new in them.
    spell: Option<(Duration, u64)>,
}

impl Pace {
    pub fn new(now: Duration) -> Self {
        let (heard, moved) = (now, now);
        Self { heard, tries: 0, between: Duration::ZERO, at_once: true, moved, spell: None }
    }

    /// The next want does not wait.
    pub fn ask_at_once(&mut self) {
        (self.at_once, self.tries) = (true, 0);
    }

    /// Whether a want is to be said although nothing new came.
    pub fn is_due(&self, now: Duration) -> bool {
        self.at_once || now >= self.heard + self.patience()
    }

    /// A want was said; `again` if the same was said before.
    pub fn asked(&mut self, now: Duration, again: bool) {
        if again && !self.at_once {
            self.tries += 1;
        }
        (self.at_once, self.heard) = (false, now);
    }

    /// So many bytes came that carry the file on. Nothing else is a sign of life: or whoever repeats old pieces could keep
    /// wants from being said and a dead transfer from giving way.
    pub fn came(&mut self, now: Duration, new: usize) {
        let since = now.saturating_sub(self.heard);
        self.between = (self.between * 3 + since) / 4;
        (self.heard, self.tries, self.moved) = (now, 0, now);
        let (_, bytes) = self.spell.get_or_insert((now, 0));
        *bytes += new as u64;
    }

    /// Nothing is asked for, so nothing need come.
    pub fn rest(&mut self) {
        self.spell = None;
    }

    /// Whether ten minutes in which something came have brought less than `floor` bytes.
    pub fn is_too_slow(&mut self, now: Duration, floor: u64) -> bool {
        let over = self.spell.take_if(|(since, _)| now >= *since + SPELL);
        over.is_some_and(|(_, bytes)| bytes < floor)
    }

    /// On a slow link a window of pieces takes its time.
    fn patience(&self) -> Duration {
        let usual = (self.between * 8).clamp(FIRST, LONGEST);
        usual.saturating_mul(1 << self.tries.min(5)).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn wants_are_repeated_less_and_less_often_until_something_comes() {
        let mut pace = Pace::new(s(0));
        assert!(pace.is_due(s(0)));
        pace.asked(s(0), false);
        let (mut said, mut again) = (0, Vec::new());
        for now in 1..=400 {
            if pace.is_due(s(now)) {
                again.push(now - said);
                said = now;
                pace.asked(s(now), true);
            }
        }
        assert_eq!(again, [5, 10, 20, 40, 80, 120, 120]);
        pace.came(s(400), 1);
        assert!(pace.patience() < LONGEST);
        pace.ask_at_once();
        assert!(pace.is_due(s(400)));
    }

    #[test]
    fn a_slow_link_is_waited_for() {
        let mut pace = Pace::new(s(0));
        pace.asked(s(0), false);
        for piece in 1..=10 {
            pace.came(s(piece * 6), 1);
        }
        assert!(pace.patience() > s(30), "{:?}", pace.patience());
    }

    #[test]
    fn the_floor_counts_only_while_something_comes() {
        let mut pace = Pace::new(s(0));
        assert!(!pace.is_too_slow(s(100_000), 1000));
        pace.came(s(100_000), 1000);
        assert!(!pace.is_too_slow(s(100_599), 2000), "not yet over");
        assert!(pace.is_too_slow(s(100_600), 2000));
        pace.came(s(200_000), 1000);
        pace.came(s(200_500), 1000);
        assert!(!pace.is_too_slow(s(200_600), 2000));
        assert!(!pace.is_too_slow(s(300_000), 2000), "silence is not slow");
    }
}

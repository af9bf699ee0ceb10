//! How long to wait before the next try: twice as long each time, with jitter, up to a limit.
//!
//! The jitter keeps the boxes of a plant from coming back all at once after its broker has been away.

use std::time::Duration;

/// Waits between tries.
#[derive(Debug)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    tries: u32,
    jitter: fastrand::Rng,
}

impl Backoff {
    /// Starts at `first` and never waits longer than `most`.
    pub fn new(first: Duration, most: Duration, seed: u64) -> Self {
        Self { first, most, tries: 0, jitter: fastrand::Rng::with_seed(seed) }
    }

    /// The next wait: between half of the step and the whole of it.
    pub fn next_wait(&mut self) -> Duration {
        let step = self.first.saturating_mul(1 << self.tries.min(16)).min(self.most);
        self.tries = self.tries.saturating_add(1);
        step.mul_f64(0.5 + 0.5 * self.jitter.f64())
    }

    /// It worked: the next trouble begins with a short wait again.
    pub fn worked(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_limit_and_begin_anew() {
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(30), 1);
        let waits: Vec<_> = (0..20).map(|_| backoff.next_wait()).collect();
        assert!(waits[0] >= Duration::from_millis(100) && waits[0] <= Duration::from_millis(200));
        assert!(waits[19] >= Duration::from_secs(15) && waits[19] <= Duration::from_secs(30));
        assert!(waits[10..].windows(2).any(|w| w[0] != w[1]), "jitter");
        backoff.worked();
        assert!(backoff.next_wait() <= Duration::from_millis(200));
    }
}

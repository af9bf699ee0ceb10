//! How often a code may be tried: a few times, then the more slowly the more wrong ones come.
//!
//! Each address has tries of its own, and all together have some, for one who has many addresses. This machine itself
//! and addresses where somebody logged in lately do not share the latter: else a few strangers lock everybody out. Behind
//! a server with TLS every address is this machine's.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Addresses that are remembered.
const MAX_PEERS: usize = 1_000;
/// Somebody logged in there lately.
const LATELY: Duration = Duration::from_hours(24);

/// The rule for one address, and for all that share.
const ONE: Rule = Rule { tries: 5.0, back: mins(1), slowest: mins(30), forgets: mins(60) };
const ALL: Rule = Rule { tries: 30.0, back: Duration::from_secs(10), slowest: mins(5), forgets: mins(5) };
/// So many wrong codes that are not forgotten yet are no mistakes any more.
const SUSPICIOUS: f64 = 30.0;

const fn mins(n: u64) -> Duration {
    Duration::from_mins(n)
}

/// How tries run out and come back.
struct Rule {
    /// Wrong codes in a row.
    tries: f64,
    /// A try comes back after so long; twice as long after each such row of wrong ones, up to the slowest.
    back: Duration,
    slowest: Duration,
    /// A wrong code is forgotten after so long, one after the other.
    forgets: Duration,
}

/// Tries that are left and wrong codes that are not forgotten, and when that was known.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    wrong: f64,
    at: Instant,
}

impl Bucket {
    fn new(rule: &Rule, at: Instant) -> Self {
        Self { left: rule.tries, wrong: 0.0, at }
    }

    /// Whether there is a try left; how long until there is one.
    fn look(&mut self, now: Instant, rule: &Rule) -> Result<(), Duration> {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        let rows = (self.wrong / rule.tries - 1.0).floor().clamp(0.0, 16.0);
        let back = rule.back.mul_f64(rows.exp2()).min(rule.slowest);
        self.left = (self.left + passed / back.as_secs_f64()).min(rule.tries);
        self.wrong = (self.wrong - passed / rule.forgets.as_secs_f64()).max(0.0);
        self.at = now;
        if self.left >= 1.0 { Ok(()) } else { Err(back.mul_f64(1.0 - self.left)) }
    }

    fn take(&mut self) {
        self.left -= 1.0;
        self.wrong += 1.0;
    }
}

/// Tries, by address.
#[derive(Debug)]
pub(super) struct Tries {
    peers: HashMap<IpAddr, Bucket>,
    all: Bucket,
    /// Where somebody logged in, and when.
    right: HashMap<IpAddr, Instant>,
}

impl Tries {
    pub fn new(now: Instant) -> Self {
        Self { peers: HashMap::new(), all: Bucket::new(&ALL, now), right: HashMap::new() }
    }

    /// Whether a code from this address is looked at; else how long until one is.
    pub fn may_try(&mut self, peer: IpAddr, now: Instant) -> Result<(), Duration> {
        self.peers.get_mut(&peer).map_or(Ok(()), |bucket| bucket.look(now, &ONE))?;
        if self.is_known(peer, now) { Ok(()) } else { self.all.look(now, &ALL) }
    }

    /// A code from this address is nobody's, or not yet known to be somebody's.
    pub fn wrong(&mut self, peer: IpAddr, now: Instant) {
        let known = self.is_known(peer, now);
        if !known {
            self.all.take();
        }
        if self.peers.len() >= MAX_PEERS {
            // Those who have all their tries again need not be remembered.
            self.peers.retain(|_, bucket| bucket.look(now, &ONE).is_err() || bucket.wrong > 1.0);
        }
        // Those who do not share have nothing else that bounds them.
        if known || self.peers.len() < MAX_PEERS {
            self.peers.entry(peer).or_insert_with(|| Bucket::new(&ONE, now)).take();
        }
    }

    /// A code from this address was somebody's: what [`Self::wrong`] took is given back.
    pub fn right(&mut self, peer: IpAddr, now: Instant) {
        if !self.is_known(peer, now) {
            self.all.left += 1.0;
            self.all.wrong = (self.all.wrong - 1.0).max(0.0);
        }
        if let Some(bucket) = self.peers.get_mut(&peer) {
            bucket.left += 1.0;
            bucket.wrong = 0.0;
        }
        self.right.retain(|_, at| now.saturating_duration_since(*at) < LATELY);
        if self.right.len() < MAX_PEERS {
            self.right.insert(peer, now);
        }
    }

    /// Whether somebody seems to be guessing codes.
    pub fn are_suspicious(&self) -> bool {
        let mut all = self.peers.values().chain([&self.all]);
        all.any(|bucket| bucket.wrong >= SUSPICIOUS)
    }

    fn is_known(&self, peer: IpAddr, now: Instant) -> bool {
        let lately = |at: &Instant| now.saturating_duration_since(*at) < LATELY;
        peer.is_loopback() || self.right.get(&peer).is_some_and(lately)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: u16) -> IpAddr {
        let [a, b] = n.to_be_bytes();
        [10, 0, a, b].into()
    }

    #[test]
    fn codes_cannot_be_tried_fast_and_others_are_not_locked_out() {
        let start = Instant::now();
        let mut tries = Tries::new(start);
        for _ in 0..5 {
            tries.may_try(peer(1), start).unwrap();
            tries.wrong(peer(1), start);
        }
        let wait = tries.may_try(peer(1), start).unwrap_err();
        assert!(wait > Duration::from_secs(50) && wait <= mins(1), "{wait:?}");
        tries.may_try(peer(2), start).unwrap();
        tries.may_try(peer(1), start + Duration::from_secs(61)).unwrap();
    }

    #[test]
    fn who_goes_on_guessing_waits_longer_and_is_told_of() {
        let start = Instant::now();
        let mut tries = Tries::new(start);
        let mut guesses = 0;
        for minute in 0..24 * 60 {
            let now = start + mins(minute);
            while tries.may_try(peer(1), now).is_ok() {
                tries.wrong(peer(1), now);
                guesses += 1;
            }
        }
        assert!((50..110).contains(&guesses), "{guesses} in a day");
        assert!(tries.are_suspicious());
        tries.right(peer(1), start + mins(24 * 60));
        assert_eq!(
            tries.peers[&peer(1)].wrong.to_bits(),
            0.0_f64.to_bits(),
            "whose code it was made mistakes"
        );
    }

    #[test]
    fn many_addresses_have_a_bound_and_lock_nobody_out_who_was_here() {
        let start = Instant::now();
        let mut tries = Tries::new(start);
        tries.wrong(peer(9_999), start);
        tries.right(peer(9_999), start);
        assert!((0..100).any(|n| {
            let refused = tries.may_try(peer(n), start).is_err();
            tries.wrong(peer(n), start);
            refused
        }));
        assert!(tries.may_try(peer(200), start).is_err());
        assert!(tries.are_suspicious());
        tries.may_try(peer(9_999), start).unwrap();
        let here = IpAddr::from([127, 0, 0, 1]);
        for _ in 0..5 {
            tries.may_try(here, start).unwrap();
            tries.wrong(here, start);
        }
        assert!(tries.may_try(here, start).is_err(), "tries of its own it has, and no more");
        assert!(tries.may_try(peer(9_999), start + LATELY).is_ok(), "by then they have come back");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let start = Instant::now();
        let mut tries = Tries::new(start);
        for n in 0..2_000 {
            tries.wrong(peer(n), start);
        }
        assert!(tries.peers.len() <= MAX_PEERS);
    }
}

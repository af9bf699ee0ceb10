//! Who is logged in at which browser, and how often a code may be tried.

use crate::operators::{hex, random};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Logins at once: more than a plant has panels.
const MAX_SESSIONS: usize = 200;
/// Addresses whose wrong codes are remembered.
const MAX_PEERS: usize = 1_000;
/// Wrong codes in a row, per address and for all of them.
const TRIES: (f64, f64) = (5.0, 30.0);
/// A try comes back after so long, per address and for all.
const TRY_BACK: (Duration, Duration) = (Duration::from_mins(1), Duration::from_secs(10));

/// Logins, in memory: after a restart one logs in again.
#[derive(Debug)]
pub(super) struct Sessions {
    lasts: Duration,
    /// By SHA-256 of the cookie, so that looking one up takes no time that tells anything.
    open: HashMap<[u8; 32], Session>,
    tries: HashMap<IpAddr, Bucket>,
    all: Bucket,
}

#[derive(Clone, Debug)]
struct Session {
    operator: String,
    began: Instant,
    until: Timestamp,
}

/// Somebody who is logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LoggedIn {
    pub operator: String,
    /// By this machine's clock.
    pub until: Timestamp,
}

/// Tries that are left, and when that was known.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Bucket {
    /// Whether there is a try left; how long until there is one.
    fn look(&mut self, now: Instant, most: f64, back: Duration) -> Result<(), Duration> {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + passed / back.as_secs_f64()).min(most);
        self.at = now;
        if self.left >= 1.0 { Ok(()) } else { Err(back.mul_f64(1.0 - self.left)) }
    }
}

impl Sessions {
    pub fn new(hours: u32) -> Self {
        Self {
            lasts: Duration::from_secs(u64::from(hours) * 3600),
            open: HashMap::new(),
            tries: HashMap::new(),
            all: Bucket { left: TRIES.1, at: Instant::now() },
        }
    }

    /// Whether a code from this address is looked at; else how long until one is.
    pub fn may_try(&mut self, peer: IpAddr, now: Instant) -> Result<(), Duration> {
        self.all.look(now, TRIES.1, TRY_BACK.1)?;
        self.tries.get_mut(&peer).map_or(Ok(()), |bucket| bucket.look(now, TRIES.0, TRY_BACK.0))
    }

    /// A code from this address was somebody's: what [`Self::wrong`] took is given back.
    pub fn right(&mut self, peer: IpAddr) {
        self.all.left += 1.0;
        if let Some(bucket) = self.tries.get_mut(&peer) {
            bucket.left += 1.0;
        }
    }

    /// A code from this address is nobody's, or not yet known to be somebody's.
    pub fn wrong(&mut self, peer: IpAddr, now: Instant) {
        if self.tries.len() >= MAX_PEERS {
            // Those who have all their tries again need not be remembered.
            self.tries.retain(|_, bucket| bucket.look(now, TRIES.0, TRY_BACK.0).is_err());
        }
        self.all.left -= 1.0;
        if self.tries.len() < MAX_PEERS {
            self.tries.entry(peer).or_insert(Bucket { left: TRIES.0, at: now }).left -= 1.0;
        }
    }

    /// Logs somebody in; returns what the browser shows from now on.
    pub fn begin(&mut self, operator: &str, now: Instant, clock: Timestamp) -> String {
        self.open.retain(|_, session| now.saturating_duration_since(session.began) < self.lasts);
        if self.open.len() >= MAX_SESSIONS
            && let Some(oldest) = self.open.iter().min_by_key(|(_, s)| s.began).map(|(key, _)| *key)
        {
            self.open.remove(&oldest);
        }
        let cookie = hex(&random::<24>());
        let until = clock + self.lasts;
        self.open.insert(key(&cookie), Session { operator: operator.to_owned(), began: now, until });
        cookie
    }

    /// Whose browser shows this.
    pub fn who(&self, cookie: &str, now: Instant) -> Option<LoggedIn> {
        let session = self.open.get(&key(cookie))?;
        (now.saturating_duration_since(session.began) < self.lasts)
            .then(|| LoggedIn { operator: session.operator.clone(), until: session.until })
    }

    pub fn end(&mut self, cookie: &str) {
        self.open.remove(&key(cookie));
    }
}

fn key(cookie: &str) -> [u8; 32] {
    Sha256::digest(cookie).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> Timestamp {
        Timestamp::from_second(1_790_000_000).unwrap()
    }

    #[test]
    fn a_login_lasts_a_shift_and_no_longer() {
        let mut sessions = Sessions::new(8);
        let start = Instant::now();
        let cookie = sessions.begin("Ada", start, clock());
        let hours = |n| start + Duration::from_hours(n);
        assert_eq!(sessions.who(&cookie, hours(7)).unwrap().operator, "Ada");
        assert_eq!(sessions.who(&cookie, hours(8)), None);
        assert_eq!(sessions.who("", hours(1)), None);
        sessions.end(&cookie);
        assert_eq!(sessions.who(&cookie, hours(1)), None);
    }

    #[test]
    fn codes_cannot_be_tried_fast_and_others_are_not_locked_out() {
        let mut sessions = Sessions::new(8);
        let (here, there): (IpAddr, IpAddr) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let start = Instant::now();
        for _ in 0..5 {
            sessions.may_try(here, start).unwrap();
            sessions.wrong(here, start);
        }
        let wait = sessions.may_try(here, start).unwrap_err();
        assert!(wait > Duration::from_secs(50) && wait <= Duration::from_mins(1), "{wait:?}");
        sessions.may_try(there, start).unwrap();
        sessions.may_try(here, start + Duration::from_secs(61)).unwrap();
        // From many addresses: all together have a bound, too.
        for n in 0..25 {
            sessions.wrong([10, 0, 1, n].into(), start + Duration::from_secs(61));
        }
        for n in 0..10 {
            sessions.wrong([10, 0, 2, n].into(), start + Duration::from_secs(61));
        }
        assert!(sessions.may_try([10, 0, 3, 1].into(), start + Duration::from_secs(62)).is_err());
    }

    #[test]
    fn logins_are_bounded() {
        let mut sessions = Sessions::new(8);
        let start = Instant::now();
        let first = sessions.begin("Ada", start, clock());
        for n in 0..MAX_SESSIONS {
            sessions.begin("Ben", start + Duration::from_secs(n as u64 + 1), clock());
        }
        assert_eq!(sessions.open.len(), MAX_SESSIONS);
        assert_eq!(sessions.who(&first, start), None, "the oldest goes first");
    }
}

//! Who is logged in at which browser.

use crate::operators::{Known, hex, random};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Logins at once: more than a plant has panels.
const MAX_SESSIONS: usize = 200;
/// Logins, in memory: after a restart one logs in again.
#[derive(Debug)]
pub(super) struct Sessions {
    lasts: Duration,
    /// By SHA-256 of the cookie, so that looking one up takes no time that tells anything.
    open: HashMap<[u8; 32], Session>,
}

#[derive(Clone, Debug)]
struct Session {
    operator: Known,
    began: Instant,
    until: Timestamp,
}

/// Somebody who is logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LoggedIn {
    /// With the code that was shown: whoever has another one since is logged in no more.
    pub operator: Known,
    /// By this machine's clock.
    pub until: Timestamp,
}

impl Sessions {
    pub fn new(hours: u32) -> Self {
        Self { lasts: Duration::from_secs(u64::from(hours) * 3600), open: HashMap::new() }
    }

    /// Logs somebody in; returns what the browser shows from now on.
    pub fn begin(&mut self, operator: Known, now: Instant, clock: Timestamp) -> String {
        self.open.retain(|_, session| now.saturating_duration_since(session.began) < self.lasts);
        if self.open.len() >= MAX_SESSIONS
            && let Some(oldest) = self.open.iter().min_by_key(|(_, s)| s.began).map(|(key, _)| *key)
        {
            self.open.remove(&oldest);
        }
        let cookie = hex(&random::<24>());
        let until = clock + self.lasts;
        self.open.insert(key(&cookie), Session { operator, began: now, until });
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

    fn known(name: &str) -> Known {
        Known { name: name.into(), hash: String::new() }
    }

    #[test]
    fn a_login_lasts_a_shift_and_no_longer() {
        let mut sessions = Sessions::new(8);
        let start = Instant::now();
        let cookie = sessions.begin(known("Ada"), start, clock());
        let hours = |n| start + Duration::from_hours(n);
        assert_eq!(sessions.who(&cookie, hours(7)).unwrap().operator.name, "Ada");
        assert_eq!(sessions.who(&cookie, hours(8)), None);
        assert_eq!(sessions.who("", hours(1)), None);
        sessions.end(&cookie);
        assert_eq!(sessions.who(&cookie, hours(1)), None);
    }

    #[test]
    fn logins_are_bounded() {
        let mut sessions = Sessions::new(8);
        let start = Instant::now();
        let first = sessions.begin(known("Ada"), start, clock());
        for n in 0..MAX_SESSIONS {
            sessions.begin(known("Ben"), start + Duration::from_secs(n as u64 + 1), clock());
        }
        assert_eq!(sessions.open.len(), MAX_SESSIONS);
        assert_eq!(sessions.who(&first, start), None, "the oldest goes first");
    }
}

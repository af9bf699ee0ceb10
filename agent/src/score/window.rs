//! Which coils a score is of.

use super::judged::Judged;
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// More coils than are kept at hand.
const MAX_COILS: u32 = 1_000_000;
/// Ten years.
const MAX_DAYS: u32 = 3660;
const DAY: i64 = 86_400;

/// The coils that count: written `200c`, `30d` or `all`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// The newest so many.
    Coils(u32),
    /// Those closed within so many days.
    Days(u32),
    /// All that are at hand.
    All,
}

impl Window {
    /// The coils inside, out of all in the order in which they were judged, oldest first.
    pub fn of(self, judged: &[Judged], now: Timestamp) -> impl Iterator<Item = &Judged> + Clone {
        let from = match self {
            Self::Coils(coils) => judged.len().saturating_sub(coils as usize),
            Self::Days(_) | Self::All => 0,
        };
        let since = match self {
            Self::Days(days) => Some(now.as_second().saturating_sub(i64::from(days) * DAY)),
            Self::Coils(_) | Self::All => None,
        };
        judged[from..].iter().filter(move |coil| since.is_none_or(|since| coil.since(since)))
    }
}

/// A window that cannot be meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no window: give the newest coils (200c, at most {MAX_COILS}), days (30d, at most {MAX_DAYS}), or all"
)]
pub struct BadWindow;

impl FromStr for Window {
    type Err = BadWindow;

    fn from_str(text: &str) -> Result<Self, BadWindow> {
        if text == "all" {
            return Ok(Self::All);
        }
        let number = |digits: &str, most: u32| {
            let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            plain.then(|| digits.parse().ok()).flatten().filter(|n| (1..=most).contains(n)).ok_or(BadWindow)
        };
        if let Some(coils) = text.strip_suffix('c') {
            return Ok(Self::Coils(number(coils, MAX_COILS)?));
        }
        Ok(Self::Days(number(text.strip_suffix('d').ok_or(BadWindow)?, MAX_DAYS)?))
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Coils(coils) => write!(f, "{coils}c"),
            Self::Days(days) => write!(f, "{days}d"),
            Self::All => f.write_str("all"),
        }
    }
}

impl Serialize for Window {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_and_read() {
        for text in ["200c", "1c", "1000000c", "30d", "3660d", "all"] {
            assert_eq!(text.parse::<Window>().unwrap().to_string(), text);
        }
        let long = "9".repeat(10_000) + "c";
        for text in [
            "", "c", "d", "0c", "0d", "-1c", "+1c", "1000001c", "3661d", "1.5d", "ALL", "30", "30 d", "٣d",
            &long,
        ] {
            assert_eq!(text.parse::<Window>(), Err(BadWindow), "{text}");
        }
    }
}

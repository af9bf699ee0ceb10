//! For where and for which program a bundle is meant, and whether that is here.

use super::attack::Attack;
use super::manifest::{Content, Manifest};
use super::name::Sha256;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A plant or a line by name, or `"*"` for any.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Place {
    /// Any.
    Any,
    /// One: 1 to 64 of `A-Z a-z 0-9 . _ -`.
    Named(String),
}

/// A text that is no [`Place`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a plant or line is * or 1 to 64 of A-Z a-z 0-9 . _ -, not {0:?}")]
pub struct BadPlace(String);

impl Place {
    /// Whether this means `name`.
    pub fn covers(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Named(own) => own == name,
        }
    }
}

impl TryFrom<String> for Place {
    type Error = BadPlace;
    fn try_from(text: String) -> Result<Self, BadPlace> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let fine = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        if (1..=64).contains(&text.len()) && text.bytes().all(fine) {
            Ok(Self::Named(text))
        } else {
            Err(BadPlace(text.chars().take(65).collect()))
        }
    }
}

impl From<Place> for String {
    fn from(place: Place) -> Self {
        place.to_string()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Named(name) => f.write_str(name),
        }
    }
}

/// A program's version, `MAJOR.MINOR.PATCH`, ordered as semantic versions without pre-releases are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version {
    /// Raised when things break.
    pub major: u32,
    /// Raised when things are added.
    pub minor: u32,
    /// Raised when things are repaired.
    pub patch: u32,
}

/// The oldest agent that reads this manifest format: what thresholds and keys need, which must not wait for an update.
pub const OLDEST_AGENT: Version = Version { major: 0, minor: 1, patch: 0 };

/// A text that is no [`Version`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a version is three numbers such as 0.1.0, not {0:?}")]
pub struct BadVersion(String);

impl TryFrom<String> for Version {
    type Error = BadVersion;
    fn try_from(text: String) -> Result<Self, BadVersion> {
        let number = |piece: &str| match piece.as_bytes() {
            [b'0', _, ..] => None,
            digits if digits.iter().all(u8::is_ascii_digit) => piece.parse().ok(),
            _ => None,
        };
        let numbers: Option<Vec<u32>> = text.split('.').take(4).map(number).collect();
        match numbers.as_deref() {
            Some(&[major, minor, patch]) => Ok(Self { major, minor, patch }),
            _ => Err(BadVersion(text.chars().take(64).collect())),
        }
    }
}

impl std::str::FromStr for Version {
    type Err = BadVersion;
    fn from_str(text: &str) -> Result<Self, BadVersion> {
        Self::try_from(text.to_string())
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// What a device knows of itself when a bundle comes in.
#[derive(Clone, Debug)]
pub struct Here<'a> {
    /// The plant it stands in.
    pub plant: &'a str,
    /// The line it watches.
    pub line: &'a str,
    /// The agent's version.
    pub agent: Version,
    /// The newest release of a set or policy that was ever taken in; kept apart from the slots, for they change.
    pub newest_release: Option<u64>,
    /// The latest time that a trusted signer ever stated as now: it is at least so late, whatever a clock says.
    pub signed_time: Option<Timestamp>,
    /// What this machine's clock says, if it is set. Never a reason to refuse what is old.
    pub clock: Option<Timestamp>,
    /// The set that judges, by its fingerprint: what a policy can be for.
    pub active_set: Option<Sha256>,
}

/// A release may be so much further than the newest one. A thief of keys could otherwise sign the last release there
/// is; at one a day these last for decades.
pub const MOST_AHEAD: u64 = 10_000;

/// No bundle may say that it was made so much later than anything known, h: ten years.
const MOST_YEARS_AHEAD: SignedDuration = SignedDuration::from_hours(10 * 365 * 24);
/// This program was made after that: 2026-11-01.
const BUILT: Timestamp = Timestamp::constant(1_793_491_200, 0);

/// Why a genuine bundle is not for this device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotForHere {
    /// Another plant's.
    #[error(
        "Send the bundle that was built for this plant: this one is for {meant}, here is {here} ({})",
        Attack::WrongLine
    )]
    Plant {
        /// What the manifest says.
        meant: String,
        /// What the device says.
        here: String,
    },
    /// Another line's.
    #[error(
        "Send the bundle that was built for this line: this one is for {meant}, here is {here} ({})",
        Attack::WrongLine
    )]
    Line {
        /// What the manifest says.
        meant: String,
        /// What the device says.
        here: String,
    },
    /// Needs a newer agent.
    #[error("Update the agent to {needs} or later before the models: here is {here}")]
    Agent {
        /// What the manifest says.
        needs: Version,
        /// What the device says.
        here: Version,
    },
    /// An older release than one that was taken in here.
    #[error(
        "Build it anew with a release above {newest} if its content is really wanted: it is release {release} ({})",
        Attack::Rollback
    )]
    Rollback {
        /// What the manifest says.
        release: u64,
        /// What the device had already.
        newest: u64,
    },
    /// A release too far ahead.
    #[error(
        "Build it anew with the next release: it is release {release}, the newest here is {newest}, and more than \
         {MOST_AHEAD} in one step are refused ({})",
        Attack::FastForward
    )]
    FastForward {
        /// What the manifest says.
        release: u64,
        /// What the device had already.
        newest: u64,
    },
    /// Past its time, by what a trusted signer said later.
    #[error(
        "Send a newer bundle: this one is meant to be used until {not_after}, and one signed at {signed_time} was here \
         already ({})",
        Attack::Freeze
    )]
    Freeze {
        /// Until when it is meant to be used.
        not_after: Timestamp,
        /// It is at least so late.
        signed_time: Timestamp,
    },
    /// Signed as made so far in the future that nothing after it could be believed.
    #[error(
        "Set the clock of the machine that built it and build it anew: it says that it was made at {created_at}, years \
         after anything known here ({})",
        Attack::FastForward
    )]
    Future {
        /// When it says it was made.
        created_at: Timestamp,
    },
    /// A library of surfaces, where coils are judged by their thickness.
    #[error(
        "Send a set for coils: this bundle brings a library of surface pictures, which this agent does not use"
    )]
    Surfaces,
    /// A policy for a set that does not judge here.
    #[error(
        "Build the policy anew for the set that judges here: it is for the set {meant}, here is {} ({})",
        here.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string),
        Attack::MixAndMatch
    )]
    OtherSet {
        /// The set that the policy is for.
        meant: Sha256,
        /// The set that judges.
        here: Option<Sha256>,
    },
}

impl NotForHere {
    /// The attack that this stops; `None` where it is a plain fault.
    pub fn attack(&self) -> Option<Attack> {
        Some(match self {
            Self::Plant { .. } | Self::Line { .. } => Attack::WrongLine,
            Self::Rollback { .. } => Attack::Rollback,
            Self::FastForward { .. } | Self::Future { .. } => Attack::FastForward,
            Self::Freeze { .. } => Attack::Freeze,
            Self::OtherSet { .. } => Attack::MixAndMatch,
            Self::Agent { .. } | Self::Surfaces => return None,
        })
    }
}

impl Manifest {
    /// Whether the set is meant for `here`. The same release again is: a repeated delivery is no rollback.
    pub fn is_for(&self, here: &Here<'_>) -> Result<(), NotForHere> {
        if !self.plant.covers(here.plant) {
            return Err(NotForHere::Plant { meant: self.plant.to_string(), here: here.plant.to_string() });
        }
        if !self.lines.iter().any(|line| line.covers(here.line)) {
            let meant: Vec<String> = self.lines.iter().map(Place::to_string).collect();
            return Err(NotForHere::Line { meant: meant.join(", "), here: here.line.to_string() });
        }
        if here.agent < self.requires_agent {
            return Err(NotForHere::Agent { needs: self.requires_agent, here: here.agent });
        }
        // What the latest trusted signer or this machine's clock says, or the time of this program's making: whichever is
        // latest. A clock that stands in the past keeps nothing out that is not years ahead of everything.
        let known = here.signed_time.max(here.clock).unwrap_or(BUILT).max(BUILT);
        if self.created_at > known.saturating_add(MOST_YEARS_AHEAD).unwrap_or(Timestamp::MAX) {
            return Err(NotForHere::Future { created_at: self.created_at });
        }
        if let Content::Trust(_) = self.content {
            // Its counter is its own: whoever verifies it has compared it with the document in force.
            return Ok(());
        }
        let newest = here.newest_release.unwrap_or(0);
        if self.release < newest {
            return Err(NotForHere::Rollback { release: self.release, newest });
        }
        if self.release - newest > MOST_AHEAD {
            return Err(NotForHere::FastForward { release: self.release, newest });
        }
        // What this machine's clock says is not believed: a wrong one would keep good bundles out.
        if let Some(signed_time) = here.signed_time.filter(|time| *time > self.not_after) {
            return Err(NotForHere::Freeze { not_after: self.not_after, signed_time });
        }
        match &self.content {
            Content::Policy(change) if here.active_set != Some(change.set) => {
                Err(NotForHere::OtherSet { meant: change.set, here: here.active_set })
            }
            Content::Surfaces(_) => Err(NotForHere::Surfaces),
            Content::Policy(_) | Content::Set(_) | Content::Trust(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::testing;

    #[test]
    fn versions_order_by_number() {
        let v = |text: &str| text.parse::<Version>().unwrap();
        assert!(v("0.2.0") < v("0.10.0"));
        assert_eq!(v("1.2.3").to_string(), "1.2.3");
        for bad in
            ["", "1", "1.2", "1.2.3.4", "1.2.x", "01.2.3", "1.2.3-rc1", "+1.2.3", "1..3", "9999999999.0.0"]
        {
            assert!(bad.parse::<Version>().is_err(), "{bad}");
        }
    }

    #[test]
    fn places_are_words_or_a_star() {
        let place = |text: &str| Place::try_from(text.to_string());
        assert!(place("*").unwrap().covers("anything"));
        assert!(place("GL2").unwrap().covers("GL2"));
        assert!(!place("GL2").unwrap().covers("gl2"));
        for bad in ["", "**", "a/b", "a b", "#", "+"] {
            assert!(place(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_bundle_for_elsewhere_of_yesterday_or_from_the_far_future_is_turned_away() {
        let mut manifest = testing::manifest();
        manifest.plant = Place::Named("hagen".into());
        manifest.lines = vec![Place::Named("gl2".into()), Place::Named("gl3".into())];
        manifest.release = 7;
        let here = Here {
            plant: "hagen",
            line: "gl2",
            agent: manifest.requires_agent,
            newest_release: Some(7),
            signed_time: Some(manifest.not_after),
            clock: None,
            active_set: None,
        };
        assert_eq!(manifest.is_for(&here), Ok(()));
        assert_eq!(
            manifest.is_for(&Here { newest_release: None, signed_time: None, ..here.clone() }),
            Ok(())
        );
        let refused = |change: &dyn Fn(&mut Here<'_>)| {
            let mut other = here.clone();
            change(&mut other);
            let refused = manifest.is_for(&other).unwrap_err();
            if let Some(attack) = refused.attack() {
                assert!(refused.to_string().ends_with(&format!("({attack})")), "{refused}");
            }
            refused
        };
        assert!(matches!(refused(&|h| h.plant = "linz"), NotForHere::Plant { .. }));
        assert!(matches!(refused(&|h| h.line = "gl1"), NotForHere::Line { .. }));
        let old = Version { major: 0, minor: 0, patch: 9 };
        assert!(matches!(refused(&|h| h.agent = old), NotForHere::Agent { .. }));
        let rollback = refused(&|h| h.newest_release = Some(8));
        assert_eq!(rollback, NotForHere::Rollback { release: 7, newest: 8 });
        let later = manifest.not_after + jiff::SignedDuration::from_secs(1);
        assert!(matches!(refused(&|h| h.signed_time = Some(later)), NotForHere::Freeze { .. }));

        let mut of_the_future = manifest.clone();
        of_the_future.not_after = "9999-01-01T00:00:00Z".parse().unwrap();
        of_the_future.created_at = "2050-01-01T00:00:00Z".parse().unwrap();
        let refused = of_the_future.is_for(&here).unwrap_err();
        assert!(matches!(refused, NotForHere::Future { .. }), "{refused}");
        let later = Here { clock: Some("2045-01-01T00:00:00Z".parse().unwrap()), ..here.clone() };
        assert_eq!(of_the_future.is_for(&later), Ok(()));

        manifest.release = 7 + MOST_AHEAD;
        assert_eq!(manifest.is_for(&here), Ok(()));
        manifest.release += 1;
        assert!(matches!(manifest.is_for(&here), Err(NotForHere::FastForward { newest: 7, .. })));
    }

    #[test]
    fn a_policy_is_for_one_set() {
        let set = Sha256::of(b"set");
        let manifest = testing::policy_change(set);
        let here = Here {
            plant: "any",
            line: "gl2",
            agent: manifest.requires_agent,
            newest_release: None,
            signed_time: None,
            clock: None,
            active_set: Some(set),
        };
        assert_eq!(manifest.is_for(&here), Ok(()));
        for active_set in [None, Some(Sha256::of(b"another"))] {
            let refused = manifest.is_for(&Here { active_set, ..here.clone() }).unwrap_err();
            assert_eq!(refused.attack(), Some(Attack::MixAndMatch));
        }
    }
}

//! What a key may release without a person, and whether a set is that: new weights in the place of old ones, on lines and days that
//! people have named, under the policy and the way to prepare coils that judge already.
//!
//! Off unless the trust document has the role. A thief of this key and of a trainer's can put worse networks in: under the
//! thresholds that people chose, after the same time in shadow and on probation as any set, with the way back open, and until the last
//! day of the role.

use super::attack::Attack;
use super::manifest::{Manifest, ModelSet};
use super::trust::Quorum;
use crate::verdict::Policy;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most lines of the role.
const MAX_LINES: usize = 64;
/// The role lasts no longer: a year and a day.
const LONGEST: SignedDuration = SignedDuration::from_hours(366 * 24);

/// Who may release sets without a person, where and until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Automatic {
    /// Whose signatures.
    pub signers: Quorum,
    /// The lines, by name: 1 to 64.
    pub lines: Vec<String>,
    /// Not before.
    pub from: Timestamp,
    /// Not after; at most 366 days later.
    pub until: Timestamp,
}

impl Automatic {
    /// Whether lines and days make sense.
    pub(super) fn is_sound(&self) -> bool {
        let name = |line: &String| super::place::Place::try_from(line.clone()).is_ok_and(|p| p.covers(line));
        let named = self.lines.iter().all(|line| line != "*" && name(line));
        let once = (1..self.lines.len()).all(|at| !self.lines[..at].contains(&self.lines[at]));
        let lasts = self.until.duration_since(self.from);
        named
            && once
            && (1..=MAX_LINES).contains(&self.lines.len())
            && SignedDuration::ZERO < lasts
            && lasts <= LONGEST
    }
}

/// A line as a set comes to it that no person has released.
#[derive(Clone, Copy, Debug)]
pub struct Judging<'a> {
    /// The line.
    pub line: &'a str,
    /// The latest time that a trusted signer ever stated, and what this machine's clock says: whichever is later. A clock that
    /// runs ahead makes a set wait for a person, and does no other harm.
    pub known_time: Option<Timestamp>,
    /// The set that judges; `None` before the first.
    pub set: Option<&'a ModelSet>,
    /// The policy that judges: the set's own, or one that came after it.
    pub policy: Option<&'a Policy>,
    /// The release that judges.
    pub release: u64,
}

/// Why a set needs a person. Each text says first what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NeedsAPerson {
    /// The role is not for this line.
    #[error(
        "Have an engineer sign it: sets are released without a person on {lines}, not on {here} ({})",
        Attack::WrongLine
    )]
    Line {
        /// Where it holds.
        lines: String,
        /// What the device says.
        here: String,
    },
    /// Outside its days.
    #[error(
        "Have an engineer sign it: sets were released without a person from {from} to {until}; it was made at {created_at}, \
         and it is at least {known_time} ({})",
        Attack::Freeze
    )]
    Days {
        /// First.
        from: Timestamp,
        /// Last.
        until: Timestamp,
        /// When the set was made.
        created_at: Timestamp,
        /// What is known of the time here.
        known_time: Timestamp,
    },
    /// Nothing judges yet.
    #[error("Have an engineer sign it: the first set of a line is released by a person")]
    First,
    /// Other thresholds or costs.
    #[error(
        "Have an engineer sign it, or build it with the thresholds that judge now: it brings others ({})",
        Attack::KeyCompromise
    )]
    Policy,
    /// Coils are prepared otherwise.
    #[error(
        "Have an engineer sign it: it prepares coils by version {versions} of the contract, the set that judges by {here}"
    )]
    Prepare {
        /// Its versions.
        versions: String,
        /// The versions here.
        here: String,
    },
    /// The way back would be closed.
    #[error(
        "Have an engineer sign it: with a floor of {floor} nothing could go back to release {release}, which judges ({})",
        Attack::KeyCompromise
    )]
    Floor {
        /// Its floor.
        floor: u64,
        /// What judges.
        release: u64,
    },
}

impl NeedsAPerson {
    /// The attack that this stops; `None` where it is a plain fault.
    pub fn attack(&self) -> Option<Attack> {
        match self {
            Self::Line { .. } => Some(Attack::WrongLine),
            Self::Days { .. } => Some(Attack::Freeze),
            Self::Policy | Self::Floor { .. } => Some(Attack::KeyCompromise),
            Self::First | Self::Prepare { .. } => None,
        }
    }
}

impl Automatic {
    /// Whether `set` of `manifest`, which this role alone has released, may be taken in where `here` judges.
    pub fn allows(&self, manifest: &Manifest, set: &ModelSet, here: &Judging) -> Result<(), NeedsAPerson> {
        if !self.lines.iter().any(|line| line == here.line) {
            return Err(NeedsAPerson::Line { lines: self.lines.join(", "), here: here.line.to_owned() });
        }
        let created_at = manifest.created_at;
        let known_time = here.known_time.unwrap_or(created_at).max(created_at);
        if created_at < self.from || known_time > self.until {
            let (from, until) = (self.from, self.until);
            return Err(NeedsAPerson::Days { from, until, created_at, known_time });
        }
        let (Some(judging), Some(policy)) = (here.set, here.policy) else { return Err(NeedsAPerson::First) };
        if set.policy != *policy {
            return Err(NeedsAPerson::Policy);
        }
        let versions =
            |set: &ModelSet| set.prepare.iter().map(|(id, spec)| (id.clone(), spec.version)).collect();
        let (new, old): (BTreeMap<_, u32>, BTreeMap<_, u32>) = (versions(set), versions(judging));
        if !new.values().all(|version| old.values().any(|other| other == version)) {
            let words =
                |of: &BTreeMap<_, u32>| of.values().map(u32::to_string).collect::<Vec<_>>().join(", ");
            return Err(NeedsAPerson::Prepare { versions: words(&new), here: words(&old) });
        }
        if manifest.floor > here.release {
            return Err(NeedsAPerson::Floor { floor: manifest.floor, release: here.release });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::testing;

    fn role() -> Automatic {
        Automatic {
            signers: Quorum { keys: vec!["robot".into()], required: 1 },
            lines: vec!["gl2".into(), "gl3".into()],
            from: "2026-11-01T00:00:00Z".parse().unwrap(),
            until: "2027-02-01T00:00:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn lines_and_days_must_be_named() {
        assert!(role().is_sound());
        let bad = |change: &dyn Fn(&mut Automatic)| {
            let mut role = role();
            change(&mut role);
            !role.is_sound()
        };
        assert!(bad(&|r| r.lines.clear()));
        assert!(bad(&|r| r.lines = vec!["*".into()]));
        assert!(bad(&|r| r.lines = vec!["a/b".into()]));
        assert!(bad(&|r| r.lines = vec!["gl2".into(), "gl2".into()]));
        assert!(bad(&|r| r.lines = (0..65).map(|n| format!("l{n}")).collect()));
        assert!(bad(&|r| r.until = r.from));
        assert!(bad(&|r| r.until = "2027-11-03T00:00:00Z".parse().unwrap()));
    }

    #[test]
    fn only_new_weights_on_named_lines_and_days_pass() {
        let mut manifest = testing::manifest();
        manifest.created_at = "2026-12-01T00:00:00Z".parse().unwrap();
        manifest.floor = 0;
        let set = manifest.set().unwrap().clone();
        let here =
            Judging { line: "gl2", known_time: None, set: Some(&set), policy: Some(&set.policy), release: 6 };
        assert_eq!(role().allows(&manifest, &set, &here), Ok(()));
        let refused = |manifest: &Manifest, set: &ModelSet, here: &Judging| {
            let refused = role().allows(manifest, set, here).unwrap_err();
            if let Some(attack) = refused.attack() {
                assert!(refused.to_string().ends_with(&format!("({attack})")), "{refused}");
            }
            assert!(refused.to_string().starts_with("Have an engineer sign it"), "{refused}");
            refused
        };
        assert!(matches!(
            refused(&manifest, &set, &Judging { line: "gl1", ..here }),
            NeedsAPerson::Line { .. }
        ));
        let after = Some(role().until.saturating_add(SignedDuration::from_secs(1)).unwrap());
        let late = refused(&manifest, &set, &Judging { known_time: after, ..here });
        assert!(matches!(late, NeedsAPerson::Days { .. }));
        for created_at in ["2026-10-31T23:59:59Z", "2027-02-01T00:00:01Z"] {
            let other = Manifest { created_at: created_at.parse().unwrap(), ..manifest.clone() };
            assert!(matches!(refused(&other, &set, &here), NeedsAPerson::Days { .. }));
        }
        assert_eq!(
            refused(&manifest, &set, &Judging { set: None, policy: None, ..here }),
            NeedsAPerson::First
        );
        let mut policy = set.policy.clone();
        policy.b.nok_from += 0.01;
        assert_eq!(
            refused(&manifest, &set, &Judging { policy: Some(&policy), ..here }),
            NeedsAPerson::Policy
        );
        let mut other = set.clone();
        other.policy.miss_cost += 1.0;
        assert_eq!(refused(&manifest, &other, &here), NeedsAPerson::Policy);
        let mut other = set.clone();
        other.prepare.values_mut().for_each(|spec| spec.version += 1);
        assert!(matches!(refused(&manifest, &other, &here), NeedsAPerson::Prepare { .. }));
        let floor = Manifest { floor: 7, ..manifest.clone() };
        assert_eq!(refused(&floor, &set, &here), NeedsAPerson::Floor { floor: 7, release: 6 });
    }
}

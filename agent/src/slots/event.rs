//! The trail's entries: who built, released, activated what, when and why. Never changed, never removed.

use coilsight_models::bundle::{Attack, Sha256, Signer, TrustDocument};
use coilsight_models::verdict::Verdict;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// An entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// By this machine's clock, if it was set.
    pub at: Option<Timestamp>,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What can judge: a set, and perhaps other thresholds for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Its name.
    pub name: String,
    /// Its release: the policy's, if there is one.
    pub release: u64,
    /// Nothing below may be gone back to once this was active.
    pub floor: u64,
    /// Until when it is meant to be in use.
    pub not_after: Timestamp,
    /// Fingerprint of the set.
    pub set: Sha256,
    /// Fingerprint of the bundle with other thresholds for it.
    pub policy: Option<Sha256>,
}

impl Release {
    /// What a coil is bound to.
    pub fn binding(&self) -> String {
        self.policy.map_or_else(|| self.set.to_string(), |policy| format!("{}+{policy}", self.set))
    }

    /// The bundle that brought it.
    pub fn fingerprint(&self) -> Sha256 {
        self.policy.unwrap_or(self.set)
    }

    /// The bundles that it needs.
    pub fn files(&self) -> impl Iterator<Item = Sha256> {
        [Some(self.set), self.policy].into_iter().flatten()
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} release {}", self.name, self.release)
    }
}

/// How a bundle came in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "way", rename_all = "snake_case")]
pub enum Way {
    /// Over the broker, as the file of this SHA-256.
    Broker {
        /// What the offer was called by.
        offer: Sha256,
    },
    /// By a person at the machine.
    Person {
        /// Who, as far as the system knows.
        by: String,
    },
    /// The set that the machine was delivered with.
    Factory,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broker { .. } => f.write_str("over the broker"),
            Self::Person { by } => write!(f, "by {by} at the machine"),
            Self::Factory => f.write_str("with the machine"),
        }
    }
}

/// What of a bundle goes into the trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gist {
    /// Who signed, as what.
    pub signers: Vec<String>,
    /// What it is, in a line.
    pub why: String,
    /// When it was built, as signed.
    pub created_at: Timestamp,
}

/// As it stands in the trail: name, roles, and what the signer wrote.
pub(super) fn signed_by(signers: &[Signer]) -> Vec<String> {
    let told = |signer: &Signer| {
        let roles: Vec<String> = signer.roles.iter().map(ToString::to_string).collect();
        format!("{} ({}; {})", signer.name, roles.join(", "), signer.comment)
    };
    signers.iter().map(told).collect()
}

/// What a set said of a coil.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Say {
    /// OK or NOK by the threshold alone; `None` without a score.
    pub by_score: Option<Verdict>,
    /// P(NOK).
    pub p_nok: Option<f64>,
    /// Time that it took, ms.
    pub took_ms: f64,
}

/// What happened to the slots.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A person at the machine said whom to believe.
    Provisioned {
        /// Whom.
        document: Box<TrustDocument>,
    },
    /// A bundle said whom to believe from now on.
    Trusted {
        /// Whom.
        document: Box<TrustDocument>,
        /// When it was built, as signed.
        created_at: Timestamp,
        /// Who signed.
        signers: Vec<String>,
        /// How it came.
        way: Way,
    },
    /// A bundle was refused.
    Refused {
        /// What it called itself, as far as it was read.
        what: String,
        /// Why.
        why: String,
        /// The attack that was stopped, if it looks like one.
        attack: Option<String>,
        /// How it came.
        way: Way,
    },
    /// A bundle passed every check and waits in the candidate's slot.
    Staged {
        /// What it brings.
        release: Release,
        /// When it was built, as signed.
        created_at: Timestamp,
        /// Who signed.
        signers: Vec<String>,
        /// What it is.
        why: String,
        /// How it came.
        way: Way,
    },
    /// The candidate judged a coil beside the active set; not acted on.
    Shadowed {
        /// The decision on that coil.
        decision_id: String,
        /// What the active set said.
        active: Say,
        /// What the candidate said.
        candidate: Say,
    },
    /// The candidate decides from the next coil's start on.
    Activated {
        /// What decides now.
        release: Release,
        /// Why.
        why: String,
        /// By whom, if not by rule.
        by: Option<String>,
    },
    /// The candidate was given up.
    Discarded {
        /// What was given up.
        release: Release,
        /// Why.
        why: String,
        /// By whom, if not by rule.
        by: Option<String>,
    },
    /// A key that signed it was revoked, and the others' signatures do not suffice: nothing goes back to it any more.
    Distrusted {
        /// To what.
        release: Release,
        /// Which key, and why it was revoked.
        why: String,
    },
    /// The line went back.
    RolledBack {
        /// From this.
        from: Release,
        /// To this.
        to: Release,
        /// Why.
        why: String,
        /// By whom, if not by rule.
        by: Option<String>,
    },
    /// The agent began to work while a set was on probation.
    Started,
    /// Since its start the agent judged coils with it: it does not fall over at once.
    Lived,
    /// The active set has proved itself: its probation is over.
    Confirmed {
        /// Which.
        release: Release,
        /// Coils that it judged.
        coils: u64,
    },
}

impl Event {
    /// A refusal.
    pub(crate) fn refused(what: String, why: String, attack: Option<Attack>, way: Way) -> Self {
        Self::Refused { what, why, attack: attack.map(|attack| attack.to_string()), way }
    }
}

/// In a line, for people.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = |by: &Option<String>| by.as_ref().map_or_else(String::new, |by| format!(" (by {by})"));
        match self {
            Self::Provisioned { document } => {
                write!(f, "trust document {} put in force at the machine", document.version)
            }
            Self::Trusted { document, signers, way, .. } => write!(
                f,
                "trust document {} put in force, {way}, signed by {}",
                document.version,
                signers.join(" and ")
            ),
            Self::Refused { what, why, way, .. } => write!(f, "{what}, {way}, refused: {why}"),
            Self::Staged { release, signers, why, way, .. } => {
                write!(f, "{release} staged, {way}, signed by {}: {why}", signers.join(" and "))
            }
            Self::Shadowed { decision_id, active, candidate } => {
                let p = |say: &Say| say.p_nok.map_or_else(|| "none".into(), |p| format!("{p:.3}"));
                write!(f, "{decision_id} in shadow: P(NOK) {} against {}", p(candidate), p(active))
            }
            Self::Activated { release, why, by: who } => write!(f, "{release} active{}: {why}", by(who)),
            Self::Discarded { release, why, by: who } => write!(f, "{release} given up{}: {why}", by(who)),
            Self::Distrusted { release, why } => write!(f, "{release} is no way back any more: {why}"),
            Self::RolledBack { from, to, why, by: who } => {
                write!(f, "rolled back from {from} to {to}{}: {why}", by(who))
            }
            Self::Started => f.write_str("agent started during a probation"),
            Self::Lived => f.write_str("agent judged coils during a probation"),
            Self::Confirmed { release, coils } => write!(f, "{release} has proved itself on {coils} coils"),
        }
    }
}

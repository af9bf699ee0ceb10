//! What a person may do to the slots while no agent runs: the same entries as a running one would write.

use crate::slots::{Error, Event, Release, Slots, State};
use coilsight_models::bundle::Sha256;
use jiff::Timestamp;

/// Why a verb cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub enum VerbFault {
    /// Nothing waits.
    #[error("push or install a bundle first: no candidate waits")]
    NoCandidate,
    /// Nothing is active.
    #[error("push or install a bundle first: no set is active")]
    NoActive,
    /// There is nothing to go back to.
    #[error("push or install another bundle: there is no last good set to go back to")]
    NoWayBack,
    /// The last good set is below the signed floor.
    #[error(
        "push or install another bundle: the last good set is release {release}, and a signed bundle said that nothing \
         below {floor} may be gone back to (rollback)"
    )]
    BelowFloor {
        /// Of the last good set.
        release: u64,
        /// The floor.
        floor: u64,
    },
    /// A key that let the last good set in is revoked.
    #[error(
        "push or install another bundle: {good} is the last good set, and a key that signed it is revoked, see \
         `coilsight-agent bundle why` (key compromise)"
    )]
    Distrusted {
        /// Which.
        good: String,
    },
    /// Another one has come since.
    #[error(
        "look at `coilsight-agent bundle list` and ask again: {meant} was meant, and {here} is there now"
    )]
    Another {
        /// What was asked for.
        meant: String,
        /// What is in the slot.
        here: String,
    },
    /// The slots.
    #[error("the slots cannot be changed")]
    Slots(#[from] Error),
}

/// From what to what a rollback would go.
fn target(state: &State) -> Result<(&Release, &Release), VerbFault> {
    let from = state.active.as_ref().ok_or(VerbFault::NoActive)?;
    let good = state.last_good.as_ref().ok_or(VerbFault::NoWayBack)?;
    if state.is_distrusted(good) {
        return Err(VerbFault::Distrusted { good: good.to_string() });
    }
    let to = state.way_back().ok_or(VerbFault::BelowFloor { release: good.release, floor: state.floor })?;
    Ok((from, to))
}

/// What stands in the slot that a wish is about: the bundle that it names.
pub fn chosen(verb: Verb, state: &State, release: Option<u64>) -> Result<Sha256, VerbFault> {
    let here = match verb {
        Verb::Activate => &state.candidate.as_ref().ok_or(VerbFault::NoCandidate)?.release,
        Verb::RollBack => target(state)?.1,
    };
    if let Some(release) = release.filter(|release| *release != here.release) {
        return Err(VerbFault::Another { meant: format!("release {release}"), here: here.to_string() });
    }
    Ok(here.fingerprint())
}

/// What a person asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Have the candidate decide.
    Activate,
    /// Go back to the last good set.
    RollBack,
}

fn meant(here: &Release, fingerprint: Sha256) -> Result<(), VerbFault> {
    if here.fingerprint() == fingerprint {
        return Ok(());
    }
    Err(VerbFault::Another {
        meant: format!("the bundle {:.12}", fingerprint.to_string()),
        here: format!("{here} ({:.12})", here.fingerprint().to_string()),
    })
}

/// The candidate, if it is the one that was meant.
pub(super) fn candidate(state: &State, fingerprint: Sha256) -> Result<&Release, VerbFault> {
    let here = &state.candidate.as_ref().ok_or(VerbFault::NoCandidate)?.release;
    meant(here, fingerprint).map(|()| here)
}

/// From what to what a rollback would go, if that is what was meant.
pub(super) fn way_back(state: &State, fingerprint: Sha256) -> Result<(&Release, &Release), VerbFault> {
    let (from, to) = target(state)?;
    meant(to, fingerprint).map(|()| (from, to))
}

/// Has the candidate decide from the next start on.
pub fn activate(
    slots: &mut Slots,
    fingerprint: Sha256,
    at: Option<Timestamp>,
    by: String,
    why: String,
) -> Result<Release, VerbFault> {
    let release = candidate(slots.state(), fingerprint)?.clone();
    slots.note(at, Event::Activated { release: release.clone(), why, by: Some(by) })?;
    Ok(release)
}

/// Goes back to the last good set from the next start on.
pub fn roll_back(
    slots: &mut Slots,
    fingerprint: Sha256,
    at: Option<Timestamp>,
    by: String,
    why: String,
) -> Result<Release, VerbFault> {
    let (from, to) = way_back(slots.state(), fingerprint)?;
    let (from, to) = (from.clone(), to.clone());
    slots.note(at, Event::RolledBack { from, to: to.clone(), why, by: Some(by) })?;
    Ok(to)
}

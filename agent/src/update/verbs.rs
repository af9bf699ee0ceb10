//! What a person may do to the slots while no agent runs: the same entries as a running one would write.

use crate::slots::{Error, Event, Release, Slots, State};
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
    /// The slots.
    #[error("the slots cannot be changed")]
    Slots(#[from] Error),
}

/// From what to what a rollback would go.
pub(super) fn target(state: &State) -> Result<(&Release, &Release), VerbFault> {
    let from = state.active.as_ref().ok_or(VerbFault::NoActive)?;
    let good = state.last_good.as_ref().ok_or(VerbFault::NoWayBack)?;
    let to = state.way_back().ok_or(VerbFault::BelowFloor { release: good.release, floor: state.floor })?;
    Ok((from, to))
}

/// Has the candidate decide from the next start on.
pub fn activate(
    slots: &mut Slots,
    at: Option<Timestamp>,
    by: String,
    why: String,
) -> Result<Release, VerbFault> {
    let release = slots.state().candidate.as_ref().ok_or(VerbFault::NoCandidate)?.release.clone();
    slots.note(at, Event::Activated { release: release.clone(), why, by: Some(by) })?;
    Ok(release)
}

/// Goes back to the last good set from the next start on.
pub fn roll_back(
    slots: &mut Slots,
    at: Option<Timestamp>,
    by: String,
    why: String,
) -> Result<Release, VerbFault> {
    let (from, to) = target(slots.state())?;
    let (from, to) = (from.clone(), to.clone());
    slots.note(at, Event::RolledBack { from, to: to.clone(), why, by: Some(by) })?;
    Ok(to)
}

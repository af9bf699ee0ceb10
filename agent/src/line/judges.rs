//! Who judges which coil: each is bound to the set that decides when it is first heard of, and keeps it to its end,
//! through a change of sets and through a restart.

use super::judge::{Judge, NoJudge};
use std::collections::BTreeMap;

/// A coil of nobody's: no set decided when it began. Whoever decides at its end judges it.
pub(super) const NOBODY: &str = "none";

/// The set that decides, and earlier ones while coils are bound to them.
pub struct Judges {
    active: Box<dyn Judge>,
    earlier: BTreeMap<String, Box<dyn Judge>>,
    /// For a coil whose set is gone.
    gone: NoJudge,
}

impl From<Box<dyn Judge>> for Judges {
    fn from(active: Box<dyn Judge>) -> Self {
        let gone = "the set that this coil was bound to is not on this machine any more";
        Self { active, earlier: BTreeMap::new(), gone: NoJudge::new(gone) }
    }
}

impl<J: Judge + 'static> From<Box<J>> for Judges {
    fn from(active: Box<J>) -> Self {
        (active as Box<dyn Judge>).into()
    }
}

impl Judges {
    /// With an earlier set, that open coils are bound to.
    #[must_use]
    pub fn with(mut self, earlier: Box<dyn Judge>) -> Self {
        self.earlier.insert(earlier.binding(), earlier);
        self
    }

    /// Who decides for coils that begin now.
    pub(super) fn active(&self) -> &dyn Judge {
        self.active.as_ref()
    }

    pub(super) fn active_mut(&mut self) -> &mut dyn Judge {
        self.active.as_mut()
    }

    /// Whoever a coil is bound to.
    pub(super) fn of(&self, binding: &str) -> &dyn Judge {
        if binding == NOBODY || binding == self.active.binding() {
            self.active.as_ref()
        } else {
            self.earlier.get(binding).map_or(&self.gone as &dyn Judge, Box::as_ref)
        }
    }

    pub(super) fn of_mut(&mut self, binding: &str) -> &mut dyn Judge {
        if binding == NOBODY || binding == self.active.binding() {
            self.active.as_mut()
        } else {
            match self.earlier.get_mut(binding) {
                Some(judge) => judge.as_mut(),
                None => &mut self.gone,
            }
        }
    }

    /// From the next coil on `judge` decides.
    pub(super) fn take_over(&mut self, judge: Box<dyn Judge>) {
        let before = std::mem::replace(&mut self.active, judge);
        self.earlier.remove(&self.active.binding());
        self.earlier.insert(before.binding(), before);
    }

    /// Lets go of sets that no open coil is bound to.
    pub(super) fn keep(&mut self, bound: impl Fn(&str) -> bool) {
        self.earlier.retain(|binding, _| bound(binding));
    }
}

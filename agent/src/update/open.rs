//! At the start: who decides, and who else is needed for coils that are open.

use super::{Gate, Inbox, Probation, Rules, Update};
use crate::line::{Judge, Judges, NoJudge};
use crate::slots::{self, Event, Found, Provisioned, Refusal, Release, Site, Slots, Way, open_judge};
use coilsight_models::bundle::{Sha256, TrustedKeys};
use jiff::Timestamp;
use std::collections::{BTreeSet, VecDeque};

impl Update {
    /// Opens the slots and whatever they hold: who decides, and earlier sets that open coils are bound to.
    ///
    /// `whom` says whom to believe, or why nobody can be; `factory` is the set that the machine was delivered with, taken
    /// in by the same checks if no set was ever active.
    pub fn open(
        slots: Slots,
        whom: Result<Provisioned, String>,
        site: Site,
        rules: Rules,
        factory: Option<&std::path::Path>,
        bound: &BTreeSet<String>,
        now: Option<Timestamp>,
    ) -> (Self, Judges) {
        let inbox = Inbox::over(slots.store().disk());
        let mut update = Self {
            slots,
            rules,
            gate: Gate::new(site),
            inbox,
            work: None,
            requests: VecDeque::new(),
            broker: None,
            candidate: None,
            probation: Probation::default(),
            words: Vec::new(),
            notices: Vec::new(),
            broken: None,
            going_back: None,
            no_way_back: None,
            paused_until: None,
            nobody: false,
            distrusted: None,
            deaf: None,
            refusals: VecDeque::new(),
            untidy: true,
        };
        update.inbox.sweep();
        let believed =
            whom.and_then(|whom| update.slots.believe(now, whom).map_err(|error| crate::say::chain(&error)));
        let mut nobody = "no set was ever taken in: push one, or install one".to_owned();
        let keys = match believed {
            Ok(keys) => Some(keys),
            Err(why) => {
                tracing::error!(why, "what is at the line to be believed is not");
                nobody.clone_from(&why);
                update.distrusted = Some(why);
                // What was believed before is believed on.
                let kept = update.slots.state().trust.clone();
                kept.and_then(|document| TrustedKeys::of_document(*document).ok())
            }
        };
        update.gate.inside().keys = keys;
        let active = match update.open_active(now) {
            Some(judge) => Some(judge),
            None if update.slots.state().active.is_none() => {
                match factory.map(|file| update.first(file, now)) {
                    Some(Ok(judge)) => Some(judge),
                    Some(Err(why)) => {
                        nobody = format!("{nobody}; {why}");
                        None
                    }
                    None => None,
                }
            }
            None => {
                nobody = "the active set and the one before cannot be loaded: push or install one".into();
                None
            }
        };
        let active = active.unwrap_or_else(|| Box::new(NoJudge::new(nobody)));
        let binding = active.binding();
        let mut judges = Judges::from(active);
        for release in update.earlier(bound, &binding) {
            match open_judge(update.slots.store(), &release) {
                Ok(judge) => judges = judges.with(Box::new(judge)),
                Err(error) => {
                    tracing::error!(error = %crate::say::chain(&error), "a set that open coils are bound to cannot be loaded");
                }
            }
        }
        update.told();
        (update, judges)
    }

    /// Loads the active set; one that cannot be loaded, or that keeps the agent from working, goes back.
    pub(super) fn open_active(&mut self, now: Option<Timestamp>) -> Option<Box<dyn Judge>> {
        let active = self.slots.state().active.clone()?;
        // A disk that takes nothing now must not keep what is there from judging.
        if self.slots.state().probation.is_some()
            && let Err(error) = self.slots.note(now, Event::Started)
        {
            tracing::warn!(error = %crate::say::chain(&error), "a start is not in the trail");
        }
        let starts = self.slots.state().probation.unwrap_or(0);
        let loaded = if starts > self.rules.max_starts && self.slots.state().way_back().is_some() {
            Err(format!("the agent started {starts} times in a row without getting to judge with it"))
        } else {
            match open_judge(self.slots.store(), &active) {
                // It may be readable again tomorrow: nothing is written, and nothing is given up.
                Err(error @ Refusal::Unreadable(_)) => {
                    let why = crate::say::chain(&error);
                    let stand_in = self.slots.state().way_back().cloned();
                    let judge = stand_in.and_then(|to| open_judge(self.slots.store(), &to).ok());
                    self.notice(
                        format!("{active} cannot be read: {why}"),
                        "see to the disk, then restart the agent; until then the last good set judges, if there is one",
                    );
                    return judge.map(|judge| Box::new(judge) as Box<dyn Judge>);
                }
                other => other.map_err(|error| crate::say::chain(&error)),
            }
        };
        let why = match loaded {
            Ok(judge) => return Some(Box::new(judge)),
            Err(why) => why,
        };
        tracing::error!(why, "the active set is not used");
        let to = self.slots.state().way_back().cloned()?;
        let judge = match open_judge(self.slots.store(), &to) {
            Ok(judge) => judge,
            Err(error) => {
                tracing::error!(error = %crate::say::chain(&error), "the last good set cannot be loaded either");
                return None;
            }
        };
        self.notice(
            format!("went back from {active} to {to}: {why}"),
            "find out why before it is pushed again",
        );
        if let Err(error) = self.slots.note(now, Event::RolledBack { from: active, to, why, by: None }) {
            tracing::warn!(error = %crate::say::chain(&error), "a way back is not in the trail: the next start takes it again");
        }
        Some(Box::new(judge))
    }

    /// Takes in the set that the machine was delivered with.
    pub(super) fn first(
        &mut self,
        file: &std::path::Path,
        now: Option<Timestamp>,
    ) -> Result<Box<dyn Judge>, String> {
        let keys = self.gate.keys().ok_or("nobody is believed")?;
        let path = self.inbox.bring(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let prepared =
            slots::prepare(self.slots.store(), &path, &keys, &self.gate.site(), self.slots.state());
        let found = prepared.map_err(|refusal| {
            self.slots.store().drop_file(&path);
            format!("{} is refused: {}", file.display(), crate::say::chain(&refusal))
        })?;
        let prepared = match (found, self.slots.state().candidate.clone()) {
            (Found::Judge(prepared), _) => prepared,
            // Staged before the power went.
            (Found::Known { .. }, Some(waiting)) => {
                self.slots.store().drop_file(&path);
                let release = waiting.release;
                let judge = open_judge(self.slots.store(), &release).map_err(|e| crate::say::chain(&e))?;
                let why = "the first set of this line".into();
                let activated = self.slots.note(now, Event::Activated { release, why, by: None });
                activated.map_err(|error| crate::say::chain(&error))?;
                return Ok(Box::new(judge));
            }
            _ => {
                self.slots.store().drop_file(&path);
                return Err(format!("{} brings no set", file.display()));
            }
        };
        let release = prepared.release.clone();
        let activated = Event::Activated { release, why: "the first set of this line".into(), by: None };
        self.slots
            .stage(now, &prepared, Way::Factory)
            .and_then(|()| self.slots.note(now, activated))
            .map_err(|error| crate::say::chain(&error))?;
        self.slots.store().drop_file(&path);
        Ok(Box::new(prepared.judge))
    }

    /// Sets that open coils are bound to, beside the active one.
    pub(super) fn earlier(&self, bound: &BTreeSet<String>, active: &str) -> Vec<Release> {
        let known = |binding: &String| {
            let (set, policy) =
                binding.split_once('+').map_or((binding.as_str(), None), |(s, p)| (s, Some(p)));
            let digest = |text: &str| Sha256::try_from(text.to_owned()).ok();
            // Only what it needs to be loaded matters here.
            Some(Release {
                name: "earlier".into(),
                release: 0,
                floor: 0,
                not_after: Timestamp::MAX,
                set: digest(set)?,
                policy: match policy {
                    Some(policy) => Some(digest(policy)?),
                    None => None,
                },
            })
        };
        let slots = [&self.slots.state().active, &self.slots.state().last_good];
        let named = |binding: &String| {
            slots.iter().filter_map(|slot| slot.as_ref()).find(|r| r.binding() == *binding).cloned()
        };
        bound.iter().filter(|b| *b != active).filter_map(|b| named(b).or_else(|| known(b))).collect()
    }
}

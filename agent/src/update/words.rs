//! What is said of bundles: to whoever offered one, to whoever waits at the command line, and to people.

use super::{Reply, Request, Said, Update, Word};
use crate::slots::{Release, Way, is_past};
use coilsight_models::bundle::Sha256;
use coilsight_models::message::model::Stage;
use coilsight_models::message::notification::Subject;
use coilsight_models::message::status::{Trouble, Why};
use jiff::Timestamp;

impl Update {
    pub(super) fn answer(
        &mut self,
        request: &Request,
        stage: Stage,
        release: Option<&Release>,
        text: String,
        to_do: &str,
    ) {
        self.say(request, stage, release.map(|r| (r.fingerprint(), r.release)), text, to_do);
    }

    pub(super) fn say(
        &mut self,
        request: &Request,
        stage: Stage,
        known: Option<(Sha256, u64)>,
        text: String,
        to_do: &str,
    ) {
        self.reply(request, stage, text.clone());
        let offer = if let Way::Broker { offer } = &request.way { Some(*offer) } else { None };
        let (fingerprint, release) = known.unzip();
        self.words.push(Word { offer, stage, fingerprint, release, text, to_do: to_do.into() });
    }

    /// Answers whoever waits at the command line.
    pub(super) fn reply(&self, request: &Request, stage: Stage, text: String) {
        self.reply_to(request.asked.as_deref(), stage.is_staged(), stage, text);
    }

    pub(super) fn reply_to(&self, asked: Option<&str>, done: bool, stage: Stage, text: String) {
        if let Some(asked) = asked {
            self.inbox.reply(asked, &Reply { done, stage, text });
        }
    }

    pub(super) fn word_on(&mut self, way: &Way, stage: Stage, release: &Release, text: String) {
        let offer = if let Way::Broker { offer } = way { Some(*offer) } else { None };
        let (fingerprint, number) = (Some(release.fingerprint()), Some(release.release));
        self.words.push(Word { offer, stage, fingerprint, release: number, text, to_do: String::new() });
    }

    pub(super) fn notice(&mut self, text: String, to_do: &str) {
        self.notices.push(Trouble { topic: Subject::Model, text, to_do: to_do.into(), why: None });
    }

    /// Lets whoever receives know what has changed and what is to be said.
    pub(super) fn told(&mut self) {
        let state = self.slots.state();
        let changed = self.gate.inside().state != *state;
        if changed {
            self.gate.inside().state = state.clone();
        }
        let Some((told, _)) = &self.broker else { return };
        let slots = changed.then(|| Said::Slots(Box::new(state.clone())));
        for said in self.words.drain(..).map(Said::Word).chain(slots) {
            // Whoever receives has ended: the whole is about to.
            let _ = told.send(said);
        }
    }

    /// What is to be said of bundles, since the last call.
    pub fn words(&mut self) -> Vec<Word> {
        std::mem::take(&mut self.words)
    }

    /// What a person should know, since the last call.
    pub fn notices(&mut self) -> Vec<Trouble> {
        std::mem::take(&mut self.notices)
    }

    /// What is not as it should be, for as long as it lasts.
    pub fn troubles(&self, now: Option<Timestamp>) -> Vec<Trouble> {
        let mut troubles = Vec::new();
        let state = self.slots.state();
        if let Some(active) = state.active.as_ref().filter(|active| is_past(active, now, state.signed_time)) {
            troubles.push(Trouble {
                topic: Subject::Model,
                text: format!(
                    "{active} was meant to be used until {}: newer ones may be kept from this line (freeze)",
                    active.not_after
                ),
                to_do: "it judges on; ask the trainer's people for a newer release, or why none comes".into(),
                why: Some(
                    Why::of("past_its_time").with("set", active.to_string()).with("until", active.not_after),
                ),
            });
        }
        if let Some(why) = &self.broken {
            troubles.push(Trouble {
                topic: Subject::Storage,
                text: format!("no bundle can be taken in or given up: {why}"),
                to_do: "see to the disk, then restart the agent; the active set judges on".into(),
                why: Some(Why::of("no_update").with("why", why)),
            });
        }
        if let Some(why) = &self.distrusted {
            troubles.push(Trouble {
                topic: Subject::Model,
                text: format!("what is at the line to be believed is not: {why}"),
                to_do: "correct what bundle.trust names, then restart the agent; what was believed before is"
                    .into(),
                why: Some(Why::of("distrusted").with("why", why)),
            });
        }
        if let Some(why) = &self.deaf {
            troubles.push(Trouble {
                topic: Subject::Storage,
                text: format!("no bundle can be received over the broker: {why}"),
                to_do: "see to the disk, then restart the agent; a bundle can be installed at the machine"
                    .into(),
                why: Some(Why::of("no_receiving").with("why", why)),
            });
        }
        if !self.slots.gaps().is_empty() || state.unknown > 0 {
            troubles.push(Trouble {
                topic: Subject::Storage,
                text:
                    "part of the models' trail cannot be read: counters and keys may be older than they were"
                        .into(),
                to_do:
                    "keep the folder for the maker; put the newest trust document at the line (bundle.trust)"
                        .into(),
                why: Some(Why::of("trail_gaps")),
            });
        }
        troubles
    }
}

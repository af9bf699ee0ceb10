//! Inspectors' words as a line keeps them and as they travel to the plant's record: in the order in which they were heard, and
//! which of them stands.
//!
//! A word's moment is when it was said or when it was heard, whichever was first: nothing is heard before it is said, so
//! that a clock that is ahead makes no word that nobody can overrule.

use super::inbound::{Feedback, Label};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Feedback as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeedbackRecord {
    /// What was said.
    #[serde(flatten)]
    pub feedback: Feedback,
    /// Whether the coil was known on the line when it was said; words on unknown coils are kept apart.
    pub known: bool,
    /// When it was heard, by the line's clock, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard_at: Option<Timestamp>,
    /// How it came.
    #[serde(default)]
    pub source: Source,
    /// Said by somebody who is not among the operators: kept apart, and about nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub quarantined: bool,
    /// The word that this one takes back; its label is then that word's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdraws: Option<String>,
}

/// How a word came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Over the plant's broker.
    #[default]
    Mqtt,
    /// By the operators' page, or its REST interface.
    Page,
}

/// Words that one decision takes, those that take others back left out: nobody means so many.
pub const MAX_WORDS: usize = 100;

/// A word on a decision, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Word {
    /// Its name.
    pub disposition_id: String,
    /// What was said; `null` takes an earlier word back.
    pub label: Option<Label>,
    /// By whom.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// When it was heard.
    #[serde(skip)]
    pub heard_at: Option<Timestamp>,
    /// Anything else.
    pub remark: Option<String>,
    /// How it came.
    pub source: Source,
    /// The word that it corrects or takes back.
    pub supersedes: Option<String>,
    /// Whether it was taken back.
    pub withdrawn: bool,
}

/// Words on one decision, in the order in which they were heard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words(Vec<Word>);

impl Words {
    /// Takes in the next word.
    pub fn hear(&mut self, key: &str, record: FeedbackRecord) {
        let FeedbackRecord { feedback, source, withdraws, quarantined, heard_at, .. } = record;
        if quarantined || self.0.iter().any(|word| word.disposition_id == key) {
            return;
        }
        let Feedback { label, operator, at, remark, .. } = feedback;
        let mut word = Word {
            disposition_id: key.to_owned(),
            label: withdraws.is_none().then_some(label),
            by: operator,
            at,
            heard_at,
            remark,
            source,
            supersedes: withdraws.clone(),
            withdrawn: false,
        };
        if let Some(taken_back) = withdraws {
            for earlier in self.0.iter_mut().filter(|earlier| earlier.disposition_id == taken_back) {
                earlier.withdrawn = true;
            }
        } else {
            let moment = heard_at.map_or(at, |heard| heard.min(at));
            let before = stands(&self.0, heard_at, Some(moment));
            word.supersedes =
                before.filter(|before| before.label != word.label).map(|w| w.disposition_id.clone());
        }
        self.0.push(word);
    }

    /// All of them.
    pub fn all(&self) -> &[Word] {
        &self.0
    }

    /// The word that stands: the latest that was not taken back. Of two of the same moment, the one heard later.
    pub fn standing(&self) -> Option<&Word> {
        stands(&self.0, None, None)
    }

    /// The label that stands.
    pub fn label(&self) -> Option<Label> {
        self.standing().and_then(|word| word.label)
    }

    /// Whether no more words are taken; those heard can still be taken back, each once.
    pub fn are_full(&self) -> bool {
        self.0.iter().filter(|word| word.label.is_some()).count() >= MAX_WORDS
    }

    /// The words as they were when this one had been heard, itself the last.
    pub fn up_to(&self, id: &str) -> Option<Self> {
        let at = self.0.iter().position(|word| word.disposition_id == id)?;
        let mut then = self.0[..=at].to_vec();
        for i in 0..then.len() {
            let taken_back =
                |w: &Word| w.label.is_none() && w.supersedes.as_ref() == Some(&then[i].disposition_id);
            then[i].withdrawn = then.iter().any(taken_back);
        }
        Some(Self(then))
    }
}

/// The latest of `words` that was not taken back, if they were all heard by `heard_by`; only such as were said by `until`.
fn stands(words: &[Word], mut heard_by: Option<Timestamp>, until: Option<Timestamp>) -> Option<&Word> {
    let mut latest: Option<(Timestamp, &Word)> = None;
    for word in words.iter().rev() {
        // What was heard before another word was heard no later than that one.
        heard_by = [heard_by, word.heard_at].into_iter().flatten().min();
        let moment = heard_by.map_or(word.at, |heard| heard.min(word.at));
        let counts = word.label.is_some() && !word.withdrawn && until.is_none_or(|until| moment <= until);
        if counts && latest.is_none_or(|(latest, _)| moment > latest) {
            latest = Some((moment, word));
        }
    }
    latest.map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coil::CoilId;

    fn said(label: Label, by: &str, at: i64) -> FeedbackRecord {
        let feedback = Feedback {
            coil_id: CoilId::new("C1").unwrap(),
            label,
            operator: by.into(),
            at: Timestamp::from_second(at).unwrap(),
            remark: None,
        };
        FeedbackRecord {
            feedback,
            known: true,
            heard_at: None,
            source: Source::Page,
            quarantined: false,
            withdraws: None,
        }
    }

    #[test]
    fn a_word_that_is_taken_back_leaves_what_stood_before() {
        let mut words = Words::default();
        words.hear("a", said(Label::Ok, "Ada", 10));
        words.hear("b", said(Label::Nok, "Ben", 20));
        assert_eq!(words.standing().unwrap().disposition_id, "b");
        assert_eq!(words.all()[1].supersedes.as_deref(), Some("a"));
        words.hear("c", FeedbackRecord { withdraws: Some("b".into()), ..said(Label::Nok, "Ben", 25) });
        assert_eq!(words.label(), Some(Label::Ok));
        assert!(words.all()[1].withdrawn);
        assert_eq!(words.up_to("b").unwrap().label(), Some(Label::Nok), "as it was then");
        words.hear("d", FeedbackRecord { withdraws: Some("a".into()), ..said(Label::Ok, "Ada", 30) });
        assert_eq!(words.label(), None);
        // A word after all were taken back corrects nothing.
        words.hear("e", said(Label::Nok, "Ben", 40));
        assert_eq!(words.all()[4].supersedes, None);
    }

    #[test]
    fn a_word_said_earlier_and_heard_later_does_not_stand() {
        let mut words = Words::default();
        words.hear("a", said(Label::Ok, "Ada", 20));
        words.hear("b", said(Label::Nok, "Ben", 10));
        assert_eq!(words.label(), Some(Label::Ok));
        assert_eq!(words.all()[1].supersedes, None);
        words.hear("c", said(Label::Nok, "Ben", 20));
        assert_eq!(words.standing().unwrap().disposition_id, "c", "of the same moment, the one heard later");
    }

    #[test]
    fn a_word_from_the_future_can_be_overruled() {
        let heard = |at: i64, record| FeedbackRecord { heard_at: Timestamp::from_second(at).ok(), ..record };
        for first in [said(Label::Ok, "Ada", 9_000), heard(10, said(Label::Ok, "Ada", 9_000))] {
            let mut words = Words::default();
            words.hear("a", first);
            words.hear("b", heard(20, said(Label::Nok, "Ben", 20)));
            assert_eq!(words.label(), Some(Label::Nok));
            assert_eq!(words.all()[1].supersedes.as_deref(), Some("a"));
            // This machine's own clock was set back.
            words.hear("c", heard(15, said(Label::Ok, "Ada", 15)));
            assert_eq!(words.standing().unwrap().disposition_id, "c");
            // Said before, heard now.
            words.hear("d", heard(30, said(Label::Nok, "Ben", 12)));
            assert_eq!(words.standing().unwrap().disposition_id, "c");
            assert_eq!(words.up_to("a").unwrap().label(), Some(Label::Ok), "as it was then");
        }
    }

    #[test]
    fn a_decision_takes_so_many_words() {
        let mut words = Words::default();
        for n in 0..MAX_WORDS {
            assert!(!words.are_full());
            words.hear(&n.to_string(), said(Label::Ok, "Ada", 10));
        }
        assert!(words.are_full());
    }

    #[test]
    fn strangers_and_repetitions_say_nothing() {
        let mut words = Words::default();
        words.hear("a", said(Label::Ok, "Ada", 20));
        words.hear("a", said(Label::Nok, "Ada", 30));
        words.hear("b", FeedbackRecord { quarantined: true, ..said(Label::Nok, "nobody", 40) });
        assert_eq!(words.all().len(), 1);
        assert_eq!(words.label(), Some(Label::Ok));
    }

    #[test]
    fn what_older_versions_kept_is_read() {
        let old =
            br#"{"coil_id":"C1","label":"OK","operator":"Ada","at":"2026-01-05T07:00:00Z","known":true}"#;
        let record: FeedbackRecord = serde_json::from_slice(old).unwrap();
        assert_eq!(record.source, Source::Mqtt);
        assert!(!record.quarantined);
    }
}

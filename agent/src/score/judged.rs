//! What a score needs of a decision: 40 bytes each, so that the newest 200,000 take 8 MB.

use coilsight_models::coil::ToleranceClass;
use coilsight_models::message::inbound::Label;
use coilsight_models::verdict::Verdict;
use jiff::Timestamp;
use std::collections::HashSet;
use std::sync::Arc;

/// Models whose votes are kept of one decision; a bundle holds no more.
pub const MAX_MODELS: usize = 16;

/// The models of one set, by name: kept once for all decisions that they made.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Panel {
    /// The set's fingerprint.
    pub set: Box<str>,
    /// Names of its models, in the order of the votes; the first [`MAX_MODELS`].
    pub models: Box<[Box<str>]>,
}

/// Panels that were met.
#[derive(Debug, Default)]
pub struct Panels(HashSet<Arc<Panel>>);

impl Panels {
    /// The panel of a set's fingerprint and its models' names, in the order of the votes.
    pub fn of<'a>(&mut self, set: &str, models: impl Iterator<Item = &'a str>) -> Arc<Panel> {
        let panel = Panel { set: set.into(), models: models.take(MAX_MODELS).map(Box::from).collect() };
        if let Some(known) = self.0.get(&panel) {
            return Arc::clone(known);
        }
        let panel = Arc::new(panel);
        self.0.insert(Arc::clone(&panel));
        panel
    }
}

/// A decision as it is told to [`Judged::new`].
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// Its place among all decisions: grows with every decision, and names it in a [`super::Trigger`].
    pub place: u64,
    /// When the coil was closed, by the plant's time. Without one, it is in no window of days.
    pub at: Option<Timestamp>,
    /// The tolerance class, if it is known.
    pub class: Option<ToleranceClass>,
    /// What else was ordered: weight, g/m2 a side, and width, mm; if they are known.
    pub order: Option<(f64, f64)>,
    /// What went out.
    pub verdict: Verdict,
    /// OK or NOK by the ensemble's threshold alone; `None` without a score.
    pub by_score: Option<Verdict>,
    /// The share of OK coils (above 0, at most 1) that was drawn for review at the time, if this one was drawn.
    pub drawn: Option<f64>,
    /// What the inspectors' word that stands says.
    pub label: Option<Label>,
    /// The set and its models.
    pub panel: &'a Arc<Panel>,
    /// What each model said, in the panel's order. REVIEW, or none, is no vote.
    pub votes: &'a [Option<Verdict>],
}

/// What a score needs of a decision.
#[derive(Clone, Debug)]
pub struct Judged {
    place: u64,
    /// Seconds since 1970; `i64::MIN` where no time is known.
    at: i64,
    panel: Arc<Panel>,
    /// 0: not drawn.
    share: f32,
    /// Weight and width, to a tenth of a g/m2 and to 1 mm; 0 where they are not known.
    order: [u16; 2],
    voted: u16,
    nok: u16,
    verdict: Verdict,
    by_score: Option<bool>,
    label: Option<Label>,
    class: Option<ToleranceClass>,
}

impl Judged {
    /// Keeps what is needed. A share outside (0, 1] is that of a coil that was not drawn.
    pub fn new(facts: &Facts) -> Self {
        let (mut voted, mut nok) = (0, 0);
        for (i, vote) in facts.votes.iter().take(facts.panel.models.len()).enumerate() {
            voted |= u16::from(matches!(vote, Some(Verdict::Ok | Verdict::Nok))) << i;
            nok |= u16::from(*vote == Some(Verdict::Nok)) << i;
        }
        let share = facts.drawn.filter(|share| *share > 0.0 && *share <= 1.0).unwrap_or(0.0) as f32;
        Self {
            place: facts.place,
            at: facts.at.map_or(i64::MIN, Timestamp::as_second),
            panel: Arc::clone(facts.panel),
            share,
            order: facts
                .order
                .map_or([0; 2], |(weight, width)| [(10.0 * weight).round() as u16, width.round() as u16]),
            voted,
            nok,
            verdict: facts.verdict,
            by_score: match facts.by_score {
                Some(Verdict::Nok) => Some(true),
                Some(Verdict::Ok) => Some(false),
                Some(Verdict::Review) | None => None,
            },
            label: facts.label,
            class: facts.class,
        }
    }

    /// The same coil, ordered otherwise.
    #[cfg(test)]
    pub(super) fn with_order(self, nominal_g_m2: f64, width_mm: f64) -> Self {
        Self { order: [(10.0 * nominal_g_m2) as u16, width_mm as u16], ..self }
    }

    /// Its place among all decisions.
    pub fn place(&self) -> u64 {
        self.place
    }

    /// When it was closed, to the second.
    pub fn at(&self) -> Option<Timestamp> {
        Timestamp::from_second(self.at).ok()
    }

    /// What went out.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// The tolerance class.
    pub fn class(&self) -> Option<ToleranceClass> {
        self.class
    }

    /// Whether this coil and another are of one order, as far as is known: of one class, weight and width.
    pub fn is_ordered_like(&self, other: &Self) -> bool {
        self.class == other.class && self.order == other.order
    }

    /// Whether the inspectors' word that stands is NOK; `None` if no word stands.
    pub fn label_nok(&self) -> Option<bool> {
        self.label.map(|label| label == Label::Nok)
    }

    /// With which share this OK coil was drawn for review; `None` for all others.
    pub fn drawn(&self) -> Option<f64> {
        (self.verdict == Verdict::Ok && self.share > 0.0).then_some(f64::from(self.share))
    }

    /// Whether people chose to label it though nobody asked: an OK coil that was not drawn. Such coils stand for
    /// themselves alone.
    pub fn volunteered(&self) -> bool {
        self.label.is_some() && self.verdict == Verdict::Ok && self.drawn().is_none()
    }

    /// The set and its models.
    pub fn panel(&self) -> &Arc<Panel> {
        &self.panel
    }

    /// Whether the ensemble's score says NOK.
    pub fn ensemble_nok(&self) -> Option<bool> {
        self.by_score
    }

    /// Whether a model says NOK, by its place in the panel.
    pub fn vote_nok(&self, model: usize) -> Option<bool> {
        (model < MAX_MODELS && self.voted >> model & 1 == 1).then(|| self.nok >> model & 1 == 1)
    }

    /// Whether it was closed at or after this second.
    pub(super) fn since(&self, second: i64) -> bool {
        self.at != i64::MIN && self.at >= second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_small_and_says_what_it_was_told() {
        assert!(size_of::<Judged>() <= 40, "{}", size_of::<Judged>());
        let mut panels = Panels::default();
        let panel = panels.of("f00", ["a", "b", "c"].into_iter());
        assert!(Arc::ptr_eq(&panel, &panels.of("f00", ["a", "b", "c"].into_iter())));
        assert!(!Arc::ptr_eq(&panel, &panels.of("f01", ["a", "b", "c"].into_iter())));
        let facts = Facts {
            place: 7,
            at: Some("2026-11-22T10:00:00.7Z".parse().unwrap()),
            class: Some(ToleranceClass::B),
            order: Some((60.0, 1250.0)),
            verdict: Verdict::Ok,
            by_score: Some(Verdict::Ok),
            drawn: Some(0.5),
            label: Some(Label::Nok),
            panel: &panel,
            votes: &[Some(Verdict::Ok), None, Some(Verdict::Nok), Some(Verdict::Nok)],
        };
        let judged = Judged::new(&facts);
        let votes: Vec<_> = (0..40).map(|i| judged.vote_nok(i)).collect();
        assert_eq!(votes[..4], [Some(false), None, Some(true), None]);
        assert!(votes[4..].iter().all(Option::is_none));
        assert_eq!(
            (judged.drawn(), judged.label_nok(), judged.volunteered()),
            (Some(0.5), Some(true), false)
        );
        assert_eq!(judged.at(), Some("2026-11-22T10:00:00Z".parse().unwrap()));
        let like = |order| judged.is_ordered_like(&Judged::new(&Facts { order, ..facts.clone() }));
        assert!(like(Some((60.04, 1250.0))) && !like(Some((60.1, 1250.0))) && !like(Some((60.0, 1200.0))));
        assert!(!like(None) && !like(Some((f64::NAN, 1e300))));
        for nonsense in [0.0, -1.0, 1.5, f64::NAN, f64::INFINITY] {
            let judged = Judged::new(&Facts { drawn: Some(nonsense), ..facts.clone() });
            assert_eq!((judged.drawn(), judged.volunteered()), (None, true));
        }
        let many: Vec<String> = (0..40).map(|i| i.to_string()).collect();
        let panel = panels.of("f02", many.iter().map(String::as_str));
        let judged = Judged::new(&Facts { panel: &panel, votes: &[Some(Verdict::Nok); 40], ..facts });
        assert_eq!((judged.vote_nok(MAX_MODELS - 1), judged.vote_nok(MAX_MODELS)), (Some(true), None));
    }
}

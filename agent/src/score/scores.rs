//! How the models do, by what inspectors say: the body of `GET /api/v1/scores`.

use super::confusion::Confusion;
use super::estimated::Estimated;
use super::interval::{Estimate, clopper_pearson, wilson};
use super::judged::{Judged, Panel};
use super::strata::{Missing, Said, Strata};
use super::window::Window;
use coilsight_models::coil::ToleranceClass;
use coilsight_models::verdict::Verdict;
use jiff::Timestamp;
use serde::Serialize;
use std::sync::Arc;

/// Sets whose models are told of apart: the newest in the window.
const MAX_SETS: usize = 4;
/// Where the intervals' randomness comes from.
const SEED: u64 = 7;

/// How all judges did on the coils of a window.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scores {
    /// The window: `200c`, `30d` or `all`.
    pub window: Window,
    /// Coils in it.
    pub coils: u64,
    /// When the first of them was closed.
    pub from: Option<Timestamp>,
    /// When the last of them was closed.
    pub to: Option<Timestamp>,
    /// The fingerprint of the set that judged last: the ensemble's and the line's figures, REVIEW and draws are of the
    /// coils that it judged. Other sets are other ensembles.
    pub set: Option<String>,
    /// Coils in the window that it judged.
    pub of_set: u64,
    /// The ensemble, the line, and each model of the newest four sets in the window, the set that judged last first.
    pub judges: Vec<Judge>,
    /// How REVIEW ended.
    pub reviews: Reviews,
    /// What became of OK coils drawn at random.
    pub drawn: Drawn,
}

/// Whose score it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Who {
    /// The ensemble by its threshold alone: of a REVIEW coil, what the score would have said.
    Ensemble,
    /// What went out; REVIEW counts as what it turned out to be.
    Line,
    /// One model.
    Model {
        /// Its name in its set.
        model: String,
        /// The set's fingerprint.
        set: String,
    },
}

/// One judge's figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judge {
    /// Whose they are.
    #[serde(flatten)]
    pub who: Who,
    /// On all coils.
    pub overall: Figures,
    /// By tolerance class; classes without coils are left out.
    pub classes: Vec<ClassFigures>,
}

/// Figures on the coils of one tolerance class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassFigures {
    /// The class; `null` for coils whose class is not known.
    pub class: Option<ToleranceClass>,
    /// The figures.
    #[serde(flatten)]
    pub figures: Figures,
}

/// What is known of a judge. A figure that labels say nothing about is `null`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// Coils that it judged.
    pub n: u64,
    /// Of these, labelled by inspectors.
    pub labelled: u64,
    /// Labelled coils, each counting once.
    pub counted: Confusion,
    /// Of these, OK coils that somebody labelled unasked: part of `score` alone.
    pub volunteered: Confusion,
    /// All coils, as the labelled ones stand for them.
    pub weighted: Option<Confusion>,
    /// Coils that `weighted` leaves out: NOK or REVIEW coils of which nobody has labelled one yet.
    pub left_out: u64,
    /// The paper's `mperformance`: of the coils with feedback, the share that it judged right; each counts once
    /// (Wilson's interval).
    pub score: Option<Estimate>,
    /// The share of all coils that it judges right.
    pub accuracy: Option<Estimate>,
    /// The mean of the shares of NOK coils found and of OK coils passed.
    pub balanced_accuracy: Option<Estimate>,
    /// Matthews' correlation coefficient.
    pub mcc: Option<Estimate>,
    /// The share of NOK coils that it finds.
    pub recall: Option<Estimate>,
    /// The share of OK coils that it passes.
    pub specificity: Option<Estimate>,
    /// Why figures are missing, for people.
    pub note: Option<String>,
}

/// How REVIEW ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reviews {
    /// Coils that went to REVIEW.
    pub n: u64,
    /// They turned out to be OK.
    pub ok: u64,
    /// They turned out to be NOK.
    pub nok: u64,
    /// Nobody has said yet.
    pub open: u64,
}

/// What became of OK coils that were drawn at random for review.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Drawn {
    /// OK coils.
    pub of: u64,
    /// Drawn ones.
    pub n: u64,
    /// Drawn and labelled.
    pub labelled: u64,
    /// They turned out to be NOK.
    pub nok: u64,
    /// The share of NOK coils among those passed as OK, with Clopper and Pearson's interval: people read it as a
    /// promise.
    pub share_nok: Option<Estimate>,
}

/// Scores over a window of coils, which are given in the order in which they were judged; `now` ends windows of days.
/// Takes some 60 ms for 200,000 coils.
pub fn scores(judged: &[Judged], window: Window, now: Timestamp) -> Scores {
    let inside = window.of(judged, now);
    let mut whole = [(Who::Ensemble, Strata::default()), (Who::Line, Strata::default())];
    let mut models: Vec<Models> = Vec::new();
    let (mut reviews, mut drawn) = (Reviews::default(), Drawn::default());
    let (mut coils, mut of_set, mut from, mut to) = (0, 0, None, None);
    let set = newest_set(inside.clone());
    for coil in inside {
        coils += 1;
        from = from.or(coil.at());
        to = coil.at().or(to);
        if set == Some(&*coil.panel().set) {
            of_set += 1;
            reviews.take(coil);
            drawn.take(coil);
            if let Some(nok) = coil.ensemble_nok() {
                whole[0].1.take(coil, said(nok));
            }
            whole[1].1.take(coil, by_line(coil));
        }
        let at = models.iter().rposition(|of| of.panel == *coil.panel()).unwrap_or_else(|| {
            models.push(Models::of(coil.panel()));
            models.len() - 1
        });
        models[at].newest = coils;
        for (model, strata) in models[at].strata.iter_mut().enumerate() {
            if let Some(nok) = coil.vote_nok(model) {
                strata.take(coil, said(nok));
            }
        }
    }
    drawn.share_nok = clopper_pearson(drawn.nok, drawn.labelled);
    let mut judges: Vec<Judge> = whole.into_iter().map(|(who, strata)| Judge::of(who, &strata)).collect();
    models.sort_by_key(|of| std::cmp::Reverse(of.newest));
    for Models { panel, strata, .. } in models.iter().take(MAX_SETS) {
        judges.extend(panel.models.iter().zip(strata).map(|(model, strata)| {
            Judge::of(Who::Model { model: model.to_string(), set: panel.set.to_string() }, strata)
        }));
    }
    let set = set.map(ToString::to_string);
    Scores { window, coils, from, to, set, of_set, judges, reviews, drawn }
}

/// The set that judged last.
fn newest_set<'a>(coils: impl Iterator<Item = &'a Judged>) -> Option<&'a str> {
    coils.last().map(|coil| &*coil.panel().set)
}

/// The ensemble's figures alone, without classes: what [`scores`] has as the first judge's `overall`.
pub fn ensemble(judged: &[Judged], window: Window, now: Timestamp) -> Figures {
    let mut strata = Strata::default();
    let inside = window.of(judged, now);
    let set = newest_set(inside.clone());
    for coil in inside.filter(|coil| set == Some(&*coil.panel().set)) {
        if let Some(nok) = coil.ensemble_nok() {
            strata.take(coil, said(nok));
        }
    }
    Figures::of(&strata)
}

/// The models of a set.
struct Models {
    panel: Arc<Panel>,
    strata: Vec<Strata>,
    /// The newest coil that they judged, counted in the window.
    newest: u64,
}

impl Models {
    fn of(panel: &Arc<Panel>) -> Self {
        Self { panel: Arc::clone(panel), strata: vec![Strata::default(); panel.models.len()], newest: 0 }
    }
}

fn said(nok: bool) -> Said {
    if nok { Said::Nok } else { Said::Ok }
}

fn by_line(coil: &Judged) -> Said {
    match coil.verdict() {
        Verdict::Ok => Said::Ok,
        Verdict::Nok => Said::Nok,
        Verdict::Review => Said::WhatItIs,
    }
}

impl Reviews {
    fn take(&mut self, coil: &Judged) {
        if coil.verdict() == Verdict::Review {
            self.n += 1;
            *match coil.label_nok() {
                Some(true) => &mut self.nok,
                Some(false) => &mut self.ok,
                None => &mut self.open,
            } += 1;
        }
    }
}

impl Drawn {
    fn take(&mut self, coil: &Judged) {
        self.of += u64::from(coil.verdict() == Verdict::Ok);
        if coil.drawn().is_some() {
            self.n += 1;
            self.labelled += u64::from(coil.label_nok().is_some());
            self.nok += u64::from(coil.label_nok() == Some(true));
        }
    }
}

impl Judge {
    fn of(who: Who, strata: &Strata) -> Self {
        let classes = ToleranceClass::ALL.map(Some).into_iter().chain([None]);
        let classes = classes
            .map(|class| (class, strata.of_class(class)))
            .filter(|(_, strata)| strata.coils() > 0)
            .map(|(class, strata)| ClassFigures { class, figures: Figures::of(&strata) })
            .collect();
        Self { who, overall: Figures::of(strata), classes }
    }
}

impl Figures {
    /// The figures of a judge's coils.
    pub fn of(strata: &Strata) -> Self {
        let counted = strata.counted();
        let labelled = strata.labelled();
        let right = (counted.true_nok + counted.true_ok) as u64;
        let estimated = strata.estimate();
        let [accuracy, balanced_accuracy, mcc, recall, specificity] = match &estimated {
            Ok(estimated) => estimated.metrics(
                [
                    Confusion::accuracy,
                    Confusion::balanced_accuracy,
                    Confusion::mcc,
                    Confusion::recall,
                    Confusion::specificity,
                ],
                SEED,
            ),
            Err(_) => [None; 5],
        };
        let note = match &estimated {
            Err(missing) => Some(missing.to_string()),
            Ok(_) if recall.is_none() => {
                Some("No labelled coil is NOK: how many are missed cannot be told.".into())
            }
            Ok(_) if specificity.is_none() => {
                Some("No labelled coil is OK: how many false alarms there are cannot be told.".into())
            }
            Ok(_) => None,
        };
        Self {
            n: strata.coils(),
            labelled,
            counted,
            volunteered: strata.volunteered(),
            weighted: estimated.as_ref().ok().map(Estimated::confusion),
            left_out: estimated.as_ref().map_or(0, |estimated| estimated.left_out),
            score: wilson(right, labelled),
            accuracy,
            balanced_accuracy,
            mcc,
            recall,
            specificity,
            note,
        }
    }
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Coils => "No coil was judged.",
            Self::Labels => "Nobody has labelled a coil: nothing can be said.",
            Self::LabelsOf(Verdict::Ok) => {
                "None of the OK coils drawn for review is labelled: nothing can be said of most coils. Label the drawn ones."
            }
            Self::LabelsOf(Verdict::Nok) => "No NOK coil is labelled: false alarms cannot be told. Label NOK coils.",
            Self::LabelsOf(Verdict::Review) => "No REVIEW coil is labelled. Label them: they come first in the list.",
        })
    }
}

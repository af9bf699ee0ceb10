//! From the book to the watch over drift: the coils of the set that judges, in their order.

use crate::archive::{Archive, Matrix};
use crate::book::{Book, Coil, Seq, Signature};
use crate::drift::report::Code;
use crate::drift::{self, Columns, Config, Of, Report, Seen};
use coilsight_models::coil::{CoilId, CoilMatrix, Order};
use coilsight_models::message::notification::Subject;
use coilsight_models::message::status::Trouble;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

#[cfg(test)]
mod tests;

/// A coil of the book with its matrix.
pub(super) struct Looked {
    pub signature: Signature,
    pub coil: drift::Coil,
    pub set: Arc<str>,
    pub models: Vec<String>,
}

/// Looks at a coil; `None` if its matrix is not at hand.
pub(super) fn look(coil: &Coil, archive: &Archive) -> Option<Looked> {
    let Ok(Matrix::Kept(bytes)) = archive.matrix(&coil.decision_id) else { return None };
    let matrix = CoilMatrix::from_bytes(&bytes).ok()?;
    let order = match (coil.nominal_g_m2, coil.class, coil.width_mm) {
        (Some(nominal), Some(class), Some(width)) => Order::new(nominal.into(), class, width.into()).ok(),
        _ => None,
    };
    let votes: Vec<f64> = coil.votes.iter().map(|vote| f64::from(vote.p_nok)).collect();
    let columns = Columns::of(&Seen {
        matrix: &matrix,
        order: order.as_ref(),
        length_m: coil.length_m.map(f64::from),
        p_nok: coil.p_nok.map(f64::from),
        votes: &votes,
        unlike: coil.unlike_training,
    });
    Some(Looked {
        signature: Signature::of(&matrix, order.as_ref()),
        coil: drift::Coil {
            id: CoilId::new(&*coil.coil_id).ok()?,
            at: coil.closed_at.or(coil.pass),
            columns,
        },
        set: Arc::clone(&coil.set),
        models: coil.votes.iter().map(|vote| vote.model.to_string()).collect(),
    })
}

/// So many coils in a row that another set judged are no stragglers: from then on it is the set that judges.
const SETTLED: usize = 5;

/// The watch over the line, and over the scores of the set that judges.
#[derive(Debug, Default)]
pub(super) struct Gauges {
    config: Config,
    of: Option<(Arc<str>, drift::Watch)>,
    /// Coils in a row that other sets judged.
    others: usize,
    /// What was told and is not over, by its name: told again in the same words, or it would be news.
    told: BTreeMap<String, Told>,
}

/// A share that has grown by so many per cent of the whole is told again.
const SHARE_STEP: f64 = 25.0;

#[derive(Debug)]
struct Told {
    trouble: Trouble,
    percent: Option<f64>,
}

impl Gauges {
    pub fn new(config: Config) -> Self {
        Self { config, ..Self::default() }
    }

    /// The places whose coils bring the watch up to where it was; new references were taken before these places.
    pub fn places(&self, book: &Book, renewed: &VecDeque<(Seq, Of)>) -> Vec<Seq> {
        let run_up = drift::Watch::new(self.config.clone(), &[]).run_up();
        let (span, reference) = (book.span(), self.config.reference);
        let all = renewed.iter().rev().find(|(_, of)| *of == Of::All);
        let start = all.map_or(span.start, |(at, _)| (*at).clamp(span.start, span.end));
        let sets = book.coils().skip((start - span.start) as usize).map(|coil| &coil.set);
        let mut places = places(sets, start, reference, run_up);
        for (at, _) in renewed.iter().filter(|(at, of)| *of != Of::All && *at >= start) {
            places.extend(*at..span.end.min(at + reference as Seq));
        }
        places
    }

    /// A new reference was taken: the next coils are it.
    pub fn renew(&mut self, of: Of) {
        let Some((_, watch)) = &mut self.of else { return };
        match of {
            Of::All => watch.renew(),
            Of::Gauge(gauge) => {
                if let Some(column) = gauge.column() {
                    watch.renew_gauge(column);
                }
            }
        }
    }

    /// Takes the next coil. Gauges are gauges whichever set judged it; scores are looked at of one set alone, which is
    /// another once some coils in a row say so: a coil that was open when the sets changed keeps the one that it had.
    pub fn take(&mut self, looked: Looked) {
        let Looked { set, models, mut coil, .. } = looked;
        // The models' columns are named by the first coil: it must be one that they judged.
        let named = !models.is_empty();
        match &mut self.of {
            None if !named => return,
            None => self.of = Some((set, drift::Watch::new(self.config.clone(), &models))),
            Some((of, _)) if *of == set => self.others = 0,
            Some((of, watch)) => {
                self.others += 1;
                if self.others >= SETTLED && named {
                    self.others = 0;
                    *of = set;
                    watch.judged_by(&models);
                } else {
                    coil.columns = coil.columns.without_scores();
                }
            }
        }
        if let Some((_, watch)) = &mut self.of {
            watch.push(coil);
        }
    }

    pub fn report(&self) -> Option<Report> {
        self.of.as_ref().map(|(_, watch)| watch.report())
    }

    /// What a person must act on, by name. What has become much worse is told in new words.
    pub fn troubles(&mut self, report: &Report) -> BTreeMap<String, Trouble> {
        let name = |finding: &drift::Finding| format!("drift {}", finding.key);
        self.told.retain(|key, _| report.findings.iter().any(|finding| name(finding) == *key));
        for finding in &report.findings {
            let known = self.told.get(&name(finding));
            let step = match finding.code {
                Code::GaugeGaps | Code::Unlike => SHARE_STEP,
                _ => self.config.gauge_percent,
            };
            if known.is_some_and(|told| !is_worse(told.percent, finding.percent, step)) {
                continue;
            }
            let (text, to_do) = (finding.text.clone(), finding.to_do.clone());
            let trouble = Trouble { topic: Subject::Drift, text, to_do, why: finding.why.clone() };
            self.told.insert(name(finding), Told { trouble, percent: finding.percent });
        }
        self.told.iter().map(|(key, told)| (key.clone(), told.trouble.clone())).collect()
    }
}

/// Of coils by their sets: the first of all, the first that the newest set judged since it came last, and the newest.
/// What lies between them left no trace.
fn places<'a>(
    sets: impl DoubleEndedIterator<Item = &'a Arc<str>> + ExactSizeIterator,
    start: Seq,
    reference: usize,
    run_up: usize,
) -> Vec<Seq> {
    let end = start + sets.len() as Seq;
    let first = start..end.min(start + reference as Seq);
    let newest = end.saturating_sub(run_up as Seq).max(start)..end;
    let (mut of_set, mut others, mut judges) = (Vec::new(), 0, None);
    for (at, set) in (start..end).rev().zip(sets.rev()) {
        others = if set == *judges.get_or_insert(set) { 0 } else { others + 1 };
        match others {
            0 => of_set.push(at),
            SETTLED => break,
            _ => (),
        }
    }
    let since = of_set.into_iter().rev().take(reference);
    let mut places: Vec<Seq> = first.chain(since).chain(newest).collect();
    places.sort_unstable();
    places.dedup();
    places
}

/// Whether what was told is no longer about right: it is twice as much, or more by another of what is told at all.
fn is_worse(told: Option<f64>, now: Option<f64>, step: f64) -> bool {
    told.zip(now).is_some_and(|(told, now)| now.abs() >= (2.0 * told.abs()).min(told.abs() + step))
}

//! From the book to the watch over drift: the coils of the set that judges, in their order.

use crate::archive::{Archive, Matrix};
use crate::book::{Book, Coil, Seq, Signature};
use crate::drift::{self, Columns, Config, Report, Seen};
use coilsight_models::coil::{CoilId, CoilMatrix, Order};
use coilsight_models::message::notification::Subject;
use coilsight_models::message::status::Trouble;
use std::collections::BTreeMap;
use std::sync::Arc;

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

/// The watch over the set that judges.
#[derive(Debug, Default)]
pub(super) struct Gauges {
    config: Config,
    of: Option<(Arc<str>, drift::Watch)>,
    /// What was told and is not over, by its name: told again in the same words, or it would be news.
    told: BTreeMap<String, Trouble>,
}

impl Gauges {
    pub fn new(config: Config) -> Self {
        Self { config, ..Self::default() }
    }

    /// The places whose coils bring the watch up to where it was: the first that the newest set judged, and the
    /// newest. What lies between them left no trace.
    pub fn places(&self, book: &Book) -> Vec<Seq> {
        let Some(newest) = book.coils().next_back() else { return Vec::new() };
        let of_set: Vec<Seq> = book
            .coils()
            .zip(book.span())
            .filter_map(|(coil, at)| (coil.set == newest.set).then_some(at))
            .collect();
        let run_up = drift::Watch::new(self.config.clone(), &[]).run_up();
        let (first, last) = (self.config.reference.min(of_set.len()), of_set.len().saturating_sub(run_up));
        [&of_set[..first], &of_set[last.max(first)..]].concat()
    }

    /// Takes the next coil; another set's begins anew.
    pub fn take(&mut self, looked: Looked) {
        let same = self.of.as_ref().is_some_and(|(set, _)| *set == looked.set);
        // The models' columns are named by the first coil: it must be one that they judged.
        if !same && looked.models.is_empty() {
            return;
        }
        if !same {
            self.of = Some((looked.set, drift::Watch::new(self.config.clone(), &looked.models)));
        }
        if let Some((_, watch)) = &mut self.of {
            watch.push(looked.coil);
        }
    }

    pub fn report(&self) -> Option<Report> {
        self.of.as_ref().map(|(_, watch)| watch.report())
    }

    /// What a person must act on, by name.
    pub fn troubles(&mut self, report: &Report) -> BTreeMap<String, Trouble> {
        let name = |finding: &drift::Finding| format!("drift {}", finding.key);
        self.told.retain(|key, _| report.findings.iter().any(|finding| name(finding) == *key));
        for finding in &report.findings {
            let trouble = || Trouble {
                topic: Subject::Drift,
                text: finding.text.clone(),
                to_do: finding.to_do.clone(),
            };
            self.told.entry(name(finding)).or_insert_with(trouble);
        }
        self.told.clone()
    }
}

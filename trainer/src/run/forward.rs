//! Forward in time: networks trained on what was made before a cut judge what was made after it.
//!
//! Stratified folds mix periods, the line does not: it judges coils that are later than all that it has learned from. AP
//! and AUC are over all judged stretches, each ranked by its own network ([`Blocks`]). Calibration and thresholds are
//! chosen on all stretches but the last; what they come to is told of the last, which had no part in them.

use super::scores::{Scored, calibrate, judged, p_nok, plain, table};
use super::{PolicyConfig, policy};
use crate::data::coils::{CoilSet, LabelledCoil};
use crate::score::report::Estimate;
use crate::score::{Blocks, Bootstrap, Judged, Platt, Report};
use anyhow::{Context, ensure};
use coilsight_models::verdict::Policy;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A stretch of time, and what is earlier than it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Coils learned from: all that were made before.
    pub seen: Vec<usize>,
    /// Coils judged.
    pub judged: Vec<usize>,
}

/// The stretches that begin at these shares of the coils in order of production; each needs both labels, as does what it
/// is judged by.
pub fn stretches(set: &CoilSet, cuts: &[f64]) -> anyhow::Result<Vec<Stretch>> {
    let mut order: Vec<usize> = (0..set.coils.len()).collect();
    // Coils of the same second stay as they stand.
    order.sort_by_key(|i| set.coils[*i].produced_at.as_str());
    let at = |cut: f64| (cut * order.len() as f64).round() as usize;
    let ends = cuts.iter().skip(1).chain(&[1.0]);
    let stretch = |(from, to): (&f64, &f64)| {
        let stretch =
            Stretch { seen: order[..at(*from)].to_vec(), judged: order[at(*from)..at(*to)].to_vec() };
        for coils in [&stretch.seen, &stretch.judged] {
            let nok = coils.iter().filter(|i| set.coils[**i].nok).count();
            ensure!(
                nok > 0 && nok < coils.len(),
                "forward in time, the stretch from {from} to {to} of set {} and what is before it need NOK and OK coils, \
                 but one has {nok} NOK of {}: give other cuts, or forward: []",
                set.name,
                coils.len()
            );
        }
        Ok(stretch)
    };
    cuts.iter().zip(ends).map(stretch).collect()
}

/// What judging forward in time comes to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forward {
    /// The stretches that were judged, in order.
    pub stretches: Vec<StretchRecord>,
    /// Over all of them, each coil among those of its stretch.
    pub average_precision: Estimate,
    /// Over all of them, each coil among those of its stretch.
    pub roc_auc: Estimate,
    /// From logit difference to probability, fitted on all stretches but the last; the runs of an ensemble have their own.
    pub calibration: Option<Platt>,
    /// Thresholds, chosen on all stretches but the last.
    pub policy: Policy,
    /// The last stretch under that policy.
    pub last: Report,
}

/// One stretch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StretchRecord {
    /// When its first coil was made.
    pub from: String,
    /// When its last coil was made.
    pub to: String,
    /// Earlier coils, which its networks have learned from.
    pub learned_from: usize,
    /// Its coils.
    pub coils: usize,
    /// NOK coils among them.
    pub nok: usize,
    /// Of its networks.
    pub average_precision: Option<f64>,
    /// Of its networks.
    pub roc_auc: Option<f64>,
}

impl fmt::Display for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |v: Option<f64>| v.map_or_else(|| "-".into(), |v| format!("{v:.3}"));
        writeln!(f, "Forward in time: AP {}, AUC {}.", self.average_precision, self.roc_auc)?;
        for s in &self.stretches {
            writeln!(
                f,
                "  {} to {}: {} coils ({} NOK) by networks that learned from {} earlier ones, AP {}, AUC {}",
                s.from,
                s.to,
                s.coils,
                s.nok,
                s.learned_from,
                number(s.average_precision),
                number(s.roc_auc)
            )?;
        }
        write!(f, "The last of them, under the policy chosen on those before it:\n{}", self.last)
    }
}

/// Coils judged forward in time, in the order of the stretches.
pub struct Found<'a> {
    coils: Vec<&'a LabelledCoil>,
    stretch: Vec<usize>,
    margins: Vec<Vec<f64>>,
    learned_from: Vec<usize>,
}

impl<'a> Found<'a> {
    /// The margins of all stretches' coils, a member each.
    pub fn new(set: &'a CoilSet, stretches: &[Stretch], margins: Vec<Vec<f64>>) -> Self {
        let all = || stretches.iter().enumerate().flat_map(|(k, s)| s.judged.iter().map(move |i| (k, i)));
        Self {
            coils: all().map(|(_, i)| &set.coils[*i]).collect(),
            stretch: all().map(|(k, _)| k).collect(),
            margins,
            learned_from: stretches.iter().map(|s| s.seen.len()).collect(),
        }
    }

    /// One calibration for all members, fitted on all stretches but the last, and P(NOK) of every coil by it. It cannot
    /// change the order that a network puts coils in.
    pub fn calibrated(&self) -> anyhow::Result<(Platt, Vec<f64>)> {
        let earlier = self.earlier();
        let nok: Vec<bool> = earlier.iter().map(|i| self.coils[*i].nok).collect();
        let margins: Vec<Vec<f64>> = earlier.iter().map(|i| self.margins[*i].clone()).collect();
        let calibration = calibrate(&nok, &margins).context("forward in time, before the last stretch")?;
        let p = self.margins.iter().map(|margins| p_nok(&calibration, margins)).collect();
        Ok((calibration, p))
    }

    /// The report, and `forward.csv`. Coils are ranked by `ranked`; thresholds are chosen on, and decisions made by, `p`.
    pub fn report(
        &self,
        config: &PolicyConfig,
        bootstrap: Bootstrap,
        ranked: &[f64],
        p: &[f64],
        calibration: Option<Platt>,
    ) -> anyhow::Result<(Forward, String)> {
        let last = self.last();
        let nok: Vec<bool> = self.coils.iter().map(|coil| coil.nok).collect();
        let unjudged: Vec<Judged> = self.earlier().iter().map(|i| plain(self.coils[*i], p[*i])).collect();
        let policy = policy(&unjudged, config).context("forward in time, before the last stretch")?;
        let judged: Vec<Judged> = (0..self.coils.len())
            .filter(|i| self.stretch[*i] == last)
            .map(|i| judged(self.coils[i], p[i], &policy))
            .collect();
        let blocks = Blocks { block: &self.stretch, nok: &nok, scores: ranked };
        let stretches = (0..=last).map(|k| self.stretch(k, &blocks)).collect();
        let forward = Forward {
            stretches,
            average_precision: blocks.estimate(&bootstrap, Blocks::average_precision),
            roc_auc: blocks.estimate(&bootstrap, Blocks::roc_auc),
            calibration,
            policy,
            last: Report::new(&judged, config.costs.prevalence, bootstrap),
        };
        let rows = self.coils.iter().enumerate().map(|(i, coil)| Scored {
            coil,
            fold: self.stretch[i],
            margins: &self.margins[i],
            p_nok: ranked[i],
        });
        Ok((forward, table(rows)?))
    }

    fn last(&self) -> usize {
        self.learned_from.len().saturating_sub(1)
    }

    fn earlier(&self) -> Vec<usize> {
        (0..self.coils.len()).filter(|i| self.stretch[*i] < self.last()).collect()
    }

    fn stretch(&self, k: usize, blocks: &Blocks) -> StretchRecord {
        let rows: Vec<usize> = (0..self.coils.len()).filter(|i| self.stretch[*i] == k).collect();
        let made = |row: Option<&usize>| row.map_or_else(String::new, |i| self.coils[*i].produced_at.clone());
        StretchRecord {
            from: made(rows.first()),
            to: made(rows.last()),
            learned_from: self.learned_from[k],
            coils: rows.len(),
            nok: rows.iter().filter(|i| blocks.nok[**i]).count(),
            average_precision: blocks.average_precision(&rows),
            roc_auc: blocks.roc_auc(&rows),
        }
    }
}

#[cfg(test)]
#[path = "forward/tests.rs"]
mod tests;

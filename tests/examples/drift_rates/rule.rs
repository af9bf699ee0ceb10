//! Evidently's default rule on the same columns: reference of up to 1000 rows, p under 0.05 by Kolmogorov and Smirnov's
//! test, or by chi-square or z where there are few values; the data set has drifted if half its columns have.

use super::month::MODELS;
use coilsight_agent::drift::Config;
use coilsight_agent::drift::columns::Columns;
use coilsight_agent::drift::distance::{chi_square_p, clean, distinct, ks_p, z_p};
use std::collections::VecDeque;

/// Reference and window.
#[derive(Clone, Default)]
pub struct Evidently {
    reference: Vec<Columns>,
    window: VecDeque<Columns>,
}

impl Evidently {
    /// The next coil.
    pub fn push(&mut self, coil: &Columns) {
        let Config { reference, window, .. } = Config::default();
        if self.reference.len() < reference {
            self.reference.push(coil.clone());
            return;
        }
        if self.window.len() == window {
            self.window.pop_front();
        }
        self.window.push_back(coil.clone());
    }

    /// The columns that have drifted.
    pub fn drifted(&self) -> Vec<String> {
        let drifted = |column: &coilsight_agent::drift::columns::Column| {
            let a = clean(self.reference.iter().map(|c| c.get(column)));
            let b = clean(self.window.iter().map(|c| c.get(column)));
            let values = distinct(&clean(a.iter().chain(&b).copied()));
            let (p, inclusive) = match values {
                0..=2 => (z_p(&a, &b), false),
                3..=5 => (chi_square_p(&a, &b), false),
                _ => (ks_p(&a, &b), true),
            };
            p.is_some_and(|p| p < 0.05 || (inclusive && p == 0.05))
        };
        let columns = Columns::names(&MODELS.map(str::to_owned));
        columns.into_iter().filter(drifted).map(|column| column.name).collect()
    }

    /// Whether the whole data set has.
    pub fn dataset(drifted: &[String]) -> bool {
        2 * drifted.len() >= Columns::names(&MODELS.map(str::to_owned)).len()
    }
}

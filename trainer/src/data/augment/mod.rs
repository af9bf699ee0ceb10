//! Coils that could have been: what the line and its gauges may do to a coil without changing what an inspector says.
//!
//! The paper turns, mirrors and adds noise, little enough that a flaw keeps its shape, and never cuts and pastes (section
//! 3.1). A file for each kind of change:
//!
//! | module | what | settings |
//! |---|---|---|
//! | [`turn`] | the strip turned, its sides exchanged | `flip_length`, `flip_width`, `swap_sides` |
//! | [`warp`] | flaws a little elsewhere, or at an angle | `rotate`, `shift_length` |
//! | [`gain`] | calibration of coil and gauges, and its drift | `coil_gain`, `gauge_gain`, `gauge_drift` |
//! | [`noise`] | reading noise | `noise` |
//! | [`dropout`] | gauges and stretches that give no reading | `gauge_dropout`, `gap_dropout`, `lost_chunks` |
//! | [`class`] | another customer | `other_class` |
//! | [`made`] | NOK coils made of OK ones | `drawn_defects`, `borrowed_defects`, `made_severity` |
//!
//! The last kind changes the label, so it does not belong to a draw: such coils are made beforehand, of the training coils
//! alone, and stand beside them as coils of their own ([`made`] says why). The square transform is no change of a coil
//! but a layout of its image ([`Layout::Square`](coilsight_models::prepare::Layout::Square)).
//!
//! Every kind draws from a generator of its own: one kind switched on leaves what the others do as it was, so that an
//! ablation compares like with like.

pub mod class;
pub mod dropout;
pub mod gain;
pub mod made;
pub mod noise;
mod sheet;
#[cfg(test)]
mod tests;
pub mod turn;
pub mod warp;

use coilsight_models::coil::{CoilMatrix, Order};
use rand::RngCore;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};
pub use sheet::Sheet;

/// How much of what; the default changes nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AugmentConfig {
    /// Probability that the strip is turned end for end.
    pub flip_length: f64,
    /// Probability that operator and drive side are exchanged, on both sides at once.
    pub flip_width: f64,
    /// Probability that top and bottom are exchanged.
    pub swap_sides: f64,
    /// Standard deviation of the angle, degrees in the grid of chunks and gauges; twice that at most.
    pub rotate: f64,
    /// Standard deviation of how far the strip's middle moves along it, share of its length; twice that at most.
    pub shift_length: f64,
    /// Standard deviation of a gauge's gain.
    pub gauge_gain: f64,
    /// Standard deviation of the whole coil's gain.
    pub coil_gain: f64,
    /// Standard deviation of the change of a gauge's gain along the coil.
    pub gauge_drift: f64,
    /// Standard deviation of a cell's reading, relative.
    pub noise: f64,
    /// Probability that a gauge gives no reading for the whole coil.
    pub gauge_dropout: f64,
    /// Probability that a gauge gives no reading for a stretch of the coil.
    pub gap_dropout: f64,
    /// Probability that no gauge gives a reading for a stretch of the coil.
    pub lost_chunks: f64,
    /// Probability that the tolerance class is drawn anew, and kept if the label still holds.
    pub other_class: f64,
    /// Share of the OK coils of which there is a NOK one with a simulated flaw, too.
    pub drawn_defects: f64,
    /// Share of the OK coils of which there is a NOK one with a NOK coil's flaw, too.
    pub borrowed_defects: f64,
    /// How bad made coils are at least: the quantile of the NOK coils' severity.
    pub made_severity: f64,
}

impl Default for AugmentConfig {
    fn default() -> Self {
        Self {
            flip_length: 0.0,
            flip_width: 0.0,
            swap_sides: 0.0,
            rotate: 0.0,
            shift_length: 0.0,
            gauge_gain: 0.0,
            coil_gain: 0.0,
            gauge_drift: 0.0,
            noise: 0.0,
            gauge_dropout: 0.0,
            gap_dropout: 0.0,
            lost_chunks: 0.0,
            other_class: 0.0,
            drawn_defects: 0.0,
            borrowed_defects: 0.0,
            made_severity: 0.5,
        }
    }
}

/// A coil as it could have been.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawn {
    /// Its coating.
    pub matrix: CoilMatrix,
    /// What was ordered.
    pub order: Option<Order>,
    /// What was changed, by the settings' names.
    pub changes: Vec<String>,
}

/// What a generator is for: nothing that one kind draws moves what another draws.
#[derive(Clone, Copy)]
enum Kind {
    Turn = 1,
    Warp = 2,
    Gain = 3,
    Drift = 4,
    Noise = 5,
    Dropout = 6,
    Class = 7,
}

impl AugmentConfig {
    /// Its settings by name, each with the most that it may be.
    fn settings(&mut self) -> [(&'static str, &mut f64, f64); 16] {
        [
            ("flip_length", &mut self.flip_length, 1.0),
            ("flip_width", &mut self.flip_width, 1.0),
            ("swap_sides", &mut self.swap_sides, 1.0),
            ("rotate", &mut self.rotate, 1.0),
            ("shift_length", &mut self.shift_length, 0.1),
            ("gauge_gain", &mut self.gauge_gain, 0.2),
            ("coil_gain", &mut self.coil_gain, 0.2),
            ("gauge_drift", &mut self.gauge_drift, 0.1),
            ("noise", &mut self.noise, 0.1),
            ("gauge_dropout", &mut self.gauge_dropout, 1.0),
            ("gap_dropout", &mut self.gap_dropout, 1.0),
            ("lost_chunks", &mut self.lost_chunks, 1.0),
            ("other_class", &mut self.other_class, 1.0),
            ("drawn_defects", &mut self.drawn_defects, 1.0),
            ("borrowed_defects", &mut self.borrowed_defects, 1.0),
            ("made_severity", &mut self.made_severity, 1.0),
        ]
    }

    /// Whether its numbers make sense.
    pub fn check(&self) -> anyhow::Result<()> {
        for (name, value, most) in self.clone().settings() {
            anyhow::ensure!((0.0..=most).contains(value), "augment.{name} is {value}: give 0 to {most}");
        }
        Ok(())
    }

    /// Each kind of change that it makes to a coil, by itself.
    pub fn alone(&self) -> Vec<(&'static str, Self)> {
        let mut found = Vec::new();
        for (i, (name, value, _)) in self.clone().settings().into_iter().enumerate() {
            if *value > 0.0 && !name.starts_with("made") && !name.ends_with("defects") {
                let mut alone = Self::default();
                *alone.settings()[i].1 = *value;
                found.push((name, alone));
            }
        }
        found
    }

    /// A coil as it could have been, with the label it has. All randomness follows from the next 32 bytes of `rng`.
    pub fn draw(
        &self,
        matrix: &CoilMatrix,
        order: Option<Order>,
        nok: bool,
        rng: &mut impl RngCore,
    ) -> Drawn {
        let mut key = [0; 32];
        rng.fill_bytes(&mut key);
        let of = |kind: Kind| {
            let mut rng = ChaCha8Rng::from_seed(key);
            rng.set_stream(kind as u64);
            rng
        };
        let mut changes = Vec::new();
        let mut sheet = Sheet::of(matrix);
        turn::apply(self, &mut sheet, &mut of(Kind::Turn), &mut changes);
        warp::apply(self, &mut sheet, &mut of(Kind::Warp), &mut changes);
        gain::calibration(self, &mut sheet, &mut of(Kind::Gain), &mut changes);
        gain::drift(self, &mut sheet, &mut of(Kind::Drift), &mut changes);
        noise::apply(self, &mut sheet, &mut of(Kind::Noise), &mut changes);
        dropout::apply(self, &mut sheet, &mut of(Kind::Dropout), &mut changes);
        let order = order.map(|order| class::apply(self, order, nok, &mut of(Kind::Class), &mut changes));
        Drawn { matrix: sheet.into_matrix(), order, changes }
    }
}

/// A draw from the normal distribution that is never further out than two standard deviations: rare extremes would be
/// what no line does.
fn normal(deviation: f64, rng: &mut ChaCha8Rng) -> f64 {
    use rand::Rng;
    use rand_distr::StandardNormal;
    deviation * rng.sample::<f64, _>(StandardNormal).clamp(-2.0, 2.0)
}

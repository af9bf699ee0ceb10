//! Coils that could have been: what the line may do to a coil without changing what an inspector says.
//!
//! Flips and side swaps keep the strip's meaning; gauges drift by a per cent or two between calibrations
//! (paper, section 3.1: small changes that stand for calibration, never cut and paste). A coil that is NOK
//! for one class is NOK for every stricter one, and one that is OK is OK for every more lenient one.

use coilsight_models::coil::{CHUNKS, CoilMatrix, GAUGES, Order, SIDE_GAUGES, ToleranceClass};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

/// How much of what; the default changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AugmentConfig {
    /// Probability that the strip is turned end for end.
    pub flip_length: f64,
    /// Probability that operator and drive side are exchanged, on both sides at once.
    pub flip_width: f64,
    /// Probability that top and bottom are exchanged.
    pub swap_sides: f64,
    /// Standard deviation of a gauge's gain.
    pub gauge_gain: f64,
    /// Standard deviation of the whole coil's gain.
    pub coil_gain: f64,
    /// Probability that a gauge gives no reading for the whole coil.
    pub gauge_dropout: f64,
    /// Probability that the tolerance class is drawn anew, and kept if the label still holds.
    pub other_class: f64,
}

impl AugmentConfig {
    /// Whether its numbers make sense.
    pub fn check(&self) -> anyhow::Result<()> {
        let shares = [
            ("flip_length", self.flip_length),
            ("flip_width", self.flip_width),
            ("swap_sides", self.swap_sides),
            ("gauge_dropout", self.gauge_dropout),
            ("other_class", self.other_class),
        ];
        for (name, share) in shares {
            anyhow::ensure!((0.0..=1.0).contains(&share), "augment.{name} is {share}: give a share, 0 to 1");
        }
        for (name, spread) in [("gauge_gain", self.gauge_gain), ("coil_gain", self.coil_gain)] {
            anyhow::ensure!((0.0..=0.2).contains(&spread), "augment.{name} is {spread}: give 0 to 0.2");
        }
        Ok(())
    }

    /// A coil as it could have been, with the label it has.
    pub fn draw(
        &self,
        matrix: &CoilMatrix,
        order: Option<Order>,
        nok: bool,
        rng: &mut impl Rng,
    ) -> (CoilMatrix, Option<Order>) {
        let flip_length = rng.random_bool(self.flip_length);
        let flip_width = rng.random_bool(self.flip_width);
        let swap_sides = rng.random_bool(self.swap_sides);
        let mut normal = |spread: f64| -> f64 {
            let z: f64 = StandardNormal.sample(rng);
            spread * z
        };
        let coil_gain = normal(self.coil_gain);
        let gains: Vec<f64> = (0..GAUGES).map(|_| 1.0 + coil_gain + normal(self.gauge_gain)).collect();
        let blind: Vec<bool> = (0..GAUGES).map(|_| rng.random_bool(self.gauge_dropout)).collect();
        let (mut mean, mut std) = (vec![0; CHUNKS * GAUGES], vec![0; CHUNKS * GAUGES]);
        for chunk in 0..CHUNKS {
            for column in 0..GAUGES {
                let from_chunk = if flip_length { CHUNKS - 1 - chunk } else { chunk };
                let (mut side, mut gauge) = (column / SIDE_GAUGES, column % SIDE_GAUGES);
                if flip_width {
                    gauge = SIDE_GAUGES - 1 - gauge;
                }
                if swap_sides {
                    side = 1 - side;
                }
                let from = from_chunk * GAUGES + side * SIDE_GAUGES + gauge;
                let to = chunk * GAUGES + column;
                let m = matrix.mean()[from];
                if m > 0 && !blind[column] {
                    let gained = (f64::from(m) * gains[column]).round();
                    mean[to] = gained.clamp(1.0, f64::from(u16::MAX)) as u16;
                    std[to] = matrix.std()[from];
                }
            }
        }
        let drawn = CoilMatrix::from_hundredths(mean, std).unwrap_or_else(|_| matrix.clone());
        (drawn, order.map(|order| self.other_class(order, nok, rng)))
    }

    fn other_class(&self, order: Order, nok: bool, rng: &mut impl Rng) -> Order {
        if !rng.random_bool(self.other_class) {
            return order;
        }
        let class = ToleranceClass::ALL[rng.random_range(0..ToleranceClass::ALL.len())];
        // Strictest first: A < B < C.
        let holds = if nok { class <= order.tolerance_class() } else { class >= order.tolerance_class() };
        match Order::new(order.nominal_g_m2(), class, order.width_mm()) {
            Ok(other) if holds => other,
            _ => order,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coilsight_models::coil::CELLS;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    fn coil() -> CoilMatrix {
        let mean = (0..CELLS).map(|i| if i % 7 == 0 { 0 } else { 6000 + i as u16 % 1000 }).collect();
        CoilMatrix::from_hundredths(mean, (0..CELLS).map(|i| i as u16 % 300).collect()).unwrap()
    }

    fn rng() -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(7)
    }

    #[test]
    fn the_default_changes_nothing() {
        let order = Order::new(70.0, ToleranceClass::B, 1250.0).ok();
        assert_eq!(AugmentConfig::default().draw(&coil(), order, true, &mut rng()), (coil(), order));
    }

    #[test]
    fn turning_twice_is_not_turning() {
        for config in [
            AugmentConfig { flip_length: 1.0, ..AugmentConfig::default() },
            AugmentConfig { flip_width: 1.0, ..AugmentConfig::default() },
            AugmentConfig { swap_sides: 1.0, ..AugmentConfig::default() },
        ] {
            let once = config.draw(&coil(), None, false, &mut rng()).0;
            assert_ne!(once, coil());
            assert_eq!(config.draw(&once, None, false, &mut rng()).0, coil());
        }
    }

    #[test]
    fn a_gauge_keeps_its_shape_when_its_gain_changes() {
        let config = AugmentConfig { gauge_gain: 0.02, ..AugmentConfig::default() };
        let (drawn, _) = config.draw(&coil(), None, false, &mut rng());
        for column in 0..GAUGES {
            let ratio = |k: usize| Some(drawn.at(k, column)? / coil().at(k, column)?);
            let ratios: Vec<f64> = (0..CHUNKS).filter_map(ratio).collect();
            assert!(ratios.iter().all(|r| (r - ratios[0]).abs() < 3e-4 && (0.9..1.1).contains(r)));
        }
    }

    #[test]
    fn a_class_is_only_changed_where_the_label_holds() {
        let config = AugmentConfig { other_class: 1.0, ..AugmentConfig::default() };
        let order = Order::new(70.0, ToleranceClass::B, 1250.0).unwrap();
        let mut rng = rng();
        let mut seen = |nok: bool| -> Vec<ToleranceClass> {
            let draw = |_| config.other_class(order, nok, &mut rng).tolerance_class();
            let mut classes: Vec<_> = (0..200).map(draw).collect();
            classes.sort_unstable();
            classes.dedup();
            classes
        };
        assert_eq!(seen(true), [ToleranceClass::A, ToleranceClass::B]);
        assert_eq!(seen(false), [ToleranceClass::B, ToleranceClass::C]);
    }
}

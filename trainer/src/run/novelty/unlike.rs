//! Coils that no line should take for ordinary ones, made of ordinary ones; and one change that means nothing.

use coilsight_models::coil::{CELLS, CHUNKS, CoilMatrix, GAUGES};
use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// What happened to a coil.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A gauge gave nothing.
    DeadGauge,
    /// Three gauges gave nothing.
    DeadGauges,
    /// A gauge reads a tenth too much.
    GaugeOff,
    /// The gauges were taken for one another.
    GaugesMixedUp,
    /// Every reading is a random number between 20 and 160 g/m2.
    Noise,
    /// Half of the coating is there.
    HalfCoating,
    /// The coil was measured from its end: as ordinary as before.
    Reversed,
}

impl Change {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::DeadGauge,
        Self::DeadGauges,
        Self::GaugeOff,
        Self::GaugesMixedUp,
        Self::Noise,
        Self::HalfCoating,
        Self::Reversed,
    ];

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::DeadGauge => "a gauge dead",
            Self::DeadGauges => "three gauges dead",
            Self::GaugeOff => "a gauge 10 % too high",
            Self::GaugesMixedUp => "gauges mixed up",
            Self::Noise => "noise for readings",
            Self::HalfCoating => "half the coating",
            Self::Reversed => "measured from its end (ordinary)",
        }
    }

    /// A coil after it happened.
    pub fn of(self, coil: &CoilMatrix, rng: &mut ChaCha8Rng) -> CoilMatrix {
        let mut gauges: Vec<usize> = (0..GAUGES).collect();
        gauges.shuffle(rng);
        let dead = match self {
            Self::DeadGauge => &gauges[..1],
            Self::DeadGauges => &gauges[..3],
            _ => &[],
        };
        let (mut mean, mut std) = (Vec::with_capacity(CELLS), Vec::with_capacity(CELLS));
        for (chunk, column) in (0..CHUNKS).flat_map(|chunk| (0..GAUGES).map(move |column| (chunk, column))) {
            let from = match self {
                Self::Reversed => (CHUNKS - 1 - chunk) * GAUGES + column,
                Self::GaugesMixedUp => chunk * GAUGES + gauges[column],
                _ => chunk * GAUGES + column,
            };
            let (m, s) = (coil.mean()[from], coil.std()[from]);
            let times = |factor: f64| ((f64::from(m) * factor).round() as u16, s);
            let (m, s) = match self {
                Self::DeadGauge | Self::DeadGauges if dead.contains(&column) => (0, 0),
                Self::GaugeOff if column == gauges[0] => times(1.1),
                Self::HalfCoating => times(0.5),
                Self::Noise => (rng.random_range(2_000..16_000), s),
                _ => (m, s),
            };
            mean.push(m);
            std.push(s);
        }
        CoilMatrix::from_hundredths(mean, std).unwrap_or_else(|_| coil.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn each_change_is_what_it_says() {
        let mean: Vec<u16> =
            (0..CELLS).map(|i| 5000 + (i % GAUGES) as u16 * 100 + (i / GAUGES) as u16).collect();
        let coil = CoilMatrix::from_hundredths(mean, vec![100; CELLS]).unwrap();
        let of = |change: Change| change.of(&coil, &mut ChaCha8Rng::seed_from_u64(1));
        let columns = |changed: &CoilMatrix| {
            (0..GAUGES).filter(|g| (0..CHUNKS).any(|k| changed.at(k, *g) != coil.at(k, *g))).count()
        };
        let gaps = |changed: &CoilMatrix| changed.mean().iter().filter(|m| **m == 0).count();
        assert_eq!((columns(&of(Change::DeadGauge)), gaps(&of(Change::DeadGauge))), (1, CHUNKS));
        assert_eq!((columns(&of(Change::DeadGauges)), gaps(&of(Change::DeadGauges))), (3, 3 * CHUNKS));
        assert_eq!((columns(&of(Change::GaugeOff)), gaps(&of(Change::GaugeOff))), (1, 0));
        assert!(columns(&of(Change::GaugesMixedUp)) > 12 && gaps(&of(Change::Noise)) == 0);
        assert_eq!(of(Change::HalfCoating).mean()[0], 2500);
        let back = Change::Reversed.of(&of(Change::Reversed), &mut ChaCha8Rng::seed_from_u64(2));
        assert_eq!(back, coil);
    }
}

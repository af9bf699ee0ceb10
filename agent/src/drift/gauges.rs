//! Which gauges are off, blind or have gaps, from the newest coils.

use super::Config;
use super::columns::Columns;
use super::neighbours::{Gauges, Neighbours, Offsets, middle};
use coilsight_models::coil::{GAUGES, SIDE_GAUGES};
use serde::{Deserialize, Serialize};

/// A coil without a reading of a gauge on more than this share of it counts as not seen by that gauge.
const BLIND: f64 = 0.9;
/// What was off is fine again below this share of the bound.
const FINE_AGAIN: f64 = 0.7;
/// No median counts as off that chance brings about: so many of its standard deviations at least.
const DEVIATIONS: f64 = 4.5;
/// Standard deviation of a median over that of a mean, of normal values.
const OF_MEDIAN: f64 = 1.2533;
/// What gauges wander slowly is taken from so many coils before the newest.
const SLOW: usize = 100;
/// Fewer residuals have no median.
const FEWEST: usize = 4;
/// More gauges of one side off than this are no gauges' fault.
pub const MOST_OFF: usize = 3;

/// How a gauge is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Too few coils yet, or none that it read.
    Unknown,
    /// Reads as it did in the reference.
    Fine,
    /// Reads otherwise than its neighbours make one expect.
    Off,
    /// Misses part of the strip.
    Gaps,
    /// Reads nothing.
    Blind,
}

impl State {
    /// How much is amiss.
    pub(super) fn amiss(self) -> u8 {
        match self {
            Self::Unknown | Self::Fine => 0,
            Self::Off => 1,
            Self::Gaps => 2,
            Self::Blind => 3,
        }
    }
}

/// How a gauge is, and by how much.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Its state.
    pub state: State,
    /// What it reads above what the reference and its neighbours make one expect, per cent.
    pub offset: Option<f64>,
    /// Median share of the strip that it misses on the newest coils.
    pub gap: Option<f64>,
    /// For how many of the coils looked at it has been so.
    pub coils: Option<usize>,
}

/// Of coils, oldest first, of which the newest [`Config::gauge_coils`] count; `off` says for how many coils which
/// gauges were off before.
pub fn read<'a>(
    config: &Config,
    neighbours: Option<&Neighbours>,
    coils: impl DoubleEndedIterator<Item = &'a Columns> + ExactSizeIterator,
    off: &[Option<usize>; GAUGES],
) -> [Reading; GAUGES] {
    let keep = coils.len().saturating_sub(SLOW + config.gauge_coils);
    let coils: Vec<&Columns> = coils.skip(keep).collect();
    let newest = &coils[coils.len().saturating_sub(config.gauge_coils)..];
    let offsets: Vec<Offsets> = coils.iter().map(|c| c.offsets()).collect();
    let judged = neighbours.map(|n| Judged::of(config, n, &offsets, off));
    std::array::from_fn(|g| {
        let gaps: Vec<f64> = newest.iter().map(|c| c.gap(g)).filter(|gap| gap.is_finite()).collect();
        let gap = (!gaps.is_empty()).then(|| middle(gaps));
        let reading = |state, offset, coils| Reading { state, offset, gap, coils };
        let unseen = coils.iter().rev().take_while(|c| c.gap(g) >= BLIND).count();
        if unseen >= config.blind_coils {
            return reading(State::Blind, None, Some(unseen));
        }
        let missing = coils.iter().rev().take_while(|c| c.gap(g) > config.gap_share).count();
        if newest.len() == config.gauge_coils && gap.is_some_and(|gap| gap > config.gap_share) {
            return reading(State::Gaps, None, Some(missing));
        }
        let offset = judged.as_ref().and_then(|j| j.offset(g, config.gauge_coils));
        match (&judged, offset) {
            (Some(judged), Some(offset)) if judged.found & 1 << g != 0 => {
                // What came before the change says nothing of how the gauge reads now.
                let since = off[g].map_or_else(|| judged.since(g, offset), |n| n + 1);
                reading(
                    State::Off,
                    judged.offset(g, since.min(config.gauge_coils)).or(Some(offset)),
                    Some(since),
                )
            }
            (_, Some(offset)) => reading(State::Fine, Some(offset), None),
            _ => reading(State::Unknown, None, None),
        }
    })
}

/// Sides (top, bottom) of which so many gauges are off that it is the strip or the knife.
pub fn whole_sides(readings: &[Reading; GAUGES]) -> [bool; 2] {
    [0, 1].map(|side| {
        let side = &readings[side * SIDE_GAUGES..][..SIDE_GAUGES];
        side.iter().filter(|r| r.state == State::Off).count() > MOST_OFF
    })
}

/// Gauges found off, and what each coil says of every gauge.
struct Judged {
    found: Gauges,
    /// By coil, oldest first: offset and standard deviation.
    residuals: Vec<[Option<(f64, f64)>; GAUGES]>,
}

impl Judged {
    /// Finds the gauges that are off, the most unlikely first: what one does to what is expected of the others is
    /// taken away before these are judged. What all gauges wander slowly is allowed for.
    fn of(
        config: &Config,
        neighbours: &Neighbours,
        offsets: &[Offsets],
        off: &[Option<usize>; GAUGES],
    ) -> Self {
        let newest = offsets.len().saturating_sub(config.gauge_coils);
        let mut found = (0..GAUGES).filter(|g| off[*g].is_some()).fold(0, |mask, g| mask | 1 << g);
        loop {
            let wander = neighbours.wander(&offsets[..newest], found);
            let residuals = |coil: &Offsets| {
                let rest: Offsets = std::array::from_fn(|g| coil[g] - wander[g]);
                let mut residuals = neighbours.residuals(&rest, found);
                for (residual, wandered) in residuals.iter_mut().zip(wander) {
                    if let Some((offset, _)) = residual {
                        *offset += wandered;
                    }
                }
                residuals
            };
            let mut judged = Self { found, residuals: offsets[newest..].iter().map(residuals).collect() };
            // Offset, and how many times its bound that is.
            let beyond = |g: usize| {
                let offset = judged.offset(g, config.gauge_coils)?.abs();
                let deviation = judged.residuals.iter().rev().find_map(|r| r[g])?.1;
                let chance = DEVIATIONS * OF_MEDIAN * deviation / (config.gauge_coils as f64).sqrt();
                Some((offset / config.gauge_percent.max(chance), offset / deviation))
            };
            let new = (0..GAUGES).filter(|g| found & 1 << g == 0);
            let worst = new
                .filter_map(|g| beyond(g).filter(|(share, _)| *share >= 1.0).map(|(_, odd)| (g, odd)))
                .max_by(|a, b| a.1.total_cmp(&b.1));
            if let Some((g, _)) = worst {
                found |= 1 << g;
                continue;
            }
            let well =
                |g: &usize| off[*g].is_some() && beyond(*g).is_some_and(|(share, _)| share < FINE_AGAIN);
            let fine = (0..GAUGES).filter(well).fold(0, |mask: Gauges, g| mask | 1 << g);
            judged.found &= !fine;
            // Who wants to know since when looks further back.
            judged.residuals = offsets.iter().map(residuals).collect();
            return judged;
        }
    }

    /// A gauge's median residual on the newest `coils`, per cent.
    fn offset(&self, gauge: usize, coils: usize) -> Option<f64> {
        let newest = &self.residuals[self.residuals.len().saturating_sub(coils)..];
        let of: Vec<f64> = newest.iter().filter_map(|r| r[gauge]).map(|(offset, _)| offset).collect();
        (of.len() >= FEWEST).then(|| middle(of))
    }

    /// For how many coils a shift by `offset` has explained the residuals best: the largest sum over a tail of what
    /// each coil says for it (log-likelihood of a shift against none).
    fn since(&self, gauge: usize, offset: f64) -> usize {
        let (mut best, mut since, mut sum) = (f64::NEG_INFINITY, 0, 0.0);
        for (n, residuals) in self.residuals.iter().rev().enumerate() {
            // One coil's flaw counts no more than a shift or none.
            sum += residuals[gauge].map_or(0.0, |(e, _)| (e / offset).clamp(-1.0, 2.0) - 0.5);
            if sum > best {
                (best, since) = (sum, n + 1);
            }
        }
        since
    }
}

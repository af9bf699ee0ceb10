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

/// How a gauge is, and by how much.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Its state.
    pub state: State,
    /// What it reads above what the reference and its neighbours make one expect, per cent.
    pub offset: Option<f64>,
    /// Median share of the strip that it misses on the newest coils.
    pub gap: Option<f64>,
    /// The coil since which it has been so, 0 being the oldest of those looked at; not looked for where the gauge was
    /// off before.
    pub since: Option<usize>,
}

/// Of coils, oldest first, of which the newest [`Config::gauge_coils`] count; `before` are the gauges that were off.
pub fn read<'a>(
    config: &Config,
    neighbours: Option<&Neighbours>,
    coils: impl DoubleEndedIterator<Item = &'a Columns> + ExactSizeIterator,
    before: Gauges,
) -> [Reading; GAUGES] {
    let coils: Vec<&Columns> = coils.collect();
    let newest = &coils[coils.len().saturating_sub(config.gauge_coils)..];
    let offsets: Vec<Offsets> = newest.iter().map(|c| c.offsets()).collect();
    let (suspects, median) =
        neighbours.map_or((0, [None; GAUGES]), |n| suspects(config, n, &offsets, before));
    std::array::from_fn(|g| {
        let gaps: Vec<f64> = newest.iter().map(|c| c.gap(g)).filter(|gap| gap.is_finite()).collect();
        let gap = (!gaps.is_empty()).then(|| middle(gaps));
        let unseen = coils.iter().rev().take_while(|c| c.gap(g) >= BLIND).count();
        let reading = |state, since| Reading { state, offset: median[g], gap, since };
        if unseen >= config.blind_coils {
            return Reading { offset: None, ..reading(State::Blind, Some(coils.len() - unseen)) };
        }
        if newest.len() == config.gauge_coils && gap.is_some_and(|gap| gap > config.gap_share) {
            let missing = coils.iter().rev().take_while(|c| c.gap(g) > config.gap_share).count();
            return reading(State::Gaps, Some(coils.len() - missing));
        }
        match (neighbours, median[g]) {
            (Some(neighbours), Some(offset)) if suspects & 1 << g != 0 => {
                let known = before & 1 << g != 0;
                let since = (!known).then(|| change(neighbours, &coils, g, offset, suspects));
                reading(State::Off, since)
            }
            (_, Some(_)) => reading(State::Fine, None),
            _ => reading(State::Unknown, None),
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

/// The gauges that are off, the most unlikely first: what one of them does to what is expected of the others is taken
/// away before the others are judged. With the median residual of every gauge.
fn suspects(
    config: &Config,
    neighbours: &Neighbours,
    offsets: &[Offsets],
    before: Gauges,
) -> (Gauges, [Option<f64>; GAUGES]) {
    let mut found = 0;
    loop {
        let medians = medians(config, neighbours, offsets, found);
        let bound = |g: usize| match before & 1 << g {
            0 => config.gauge_percent,
            _ => FINE_AGAIN * config.gauge_percent,
        };
        let odd = |g: usize| medians[g].map_or(0.0, |(e, s)| (e / s).abs());
        let worst = (0..GAUGES)
            .filter(|g| found & 1 << g == 0 && medians[*g].is_some_and(|(e, _)| e.abs() >= bound(*g)))
            .max_by(|a, b| odd(*a).total_cmp(&odd(*b)));
        match worst {
            Some(g) => found |= 1 << g,
            None => return (found, medians.map(|m| m.map(|(e, _)| e))),
        }
    }
}

/// Median residual of each gauge and its standard deviation on one coil, where it read three coils of four.
fn medians(
    config: &Config,
    neighbours: &Neighbours,
    offsets: &[Offsets],
    suspects: Gauges,
) -> [Option<(f64, f64)>; GAUGES] {
    let residuals: Vec<_> = offsets.iter().map(|coil| neighbours.residuals(coil, suspects)).collect();
    std::array::from_fn(|g| {
        let of: Vec<(f64, f64)> = residuals.iter().filter_map(|r| r[g]).collect();
        let deviation = of.first()?.1;
        (4 * of.len() >= 3 * config.gauge_coils)
            .then(|| (middle(of.into_iter().map(|(e, _)| e).collect()), deviation))
    })
}

/// The coil from which on a shift by `offset` explains the residuals best: the largest sum over a tail of what each
/// coil says for it (log-likelihood of a shift against none).
fn change(neighbours: &Neighbours, coils: &[&Columns], gauge: usize, offset: f64, suspects: Gauges) -> usize {
    let (mut best, mut since, mut sum) = (f64::NEG_INFINITY, 0, 0.0);
    for (n, coil) in coils.iter().enumerate().rev() {
        let residual = neighbours.residuals(&coil.offsets(), suspects)[gauge];
        // One coil's flaw counts no more than a shift or none.
        let share = residual.map_or(0.0, |(e, _)| (e / offset).clamp(-1.0, 2.0) - 0.5);
        sum += share;
        if sum > best {
            (best, since) = (sum, n);
        }
    }
    since
}

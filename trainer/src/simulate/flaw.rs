//! A defect on a coil: where it lies, how bad it is, and what it does there.
//!
//! Flaws act where their causes do: on the slot, on the distance, on the pressure, or on the film itself. Most are
//! slight: severity is drawn with a long tail, and whether a flaw makes a coil NOK is the inspector's business.

use std::collections::BTreeMap;
use std::f64::consts::TAU;

use coilsight_models::coil::{GAUGES, SIDE_GAUGES};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

pub use super::kind::Kind;

/// A flaw on a coil.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flaw {
    /// What it is.
    pub kind: Kind,
    /// 0: its cause is at the top knife or side, 1: at the bottom one.
    pub side: usize,
    /// Where it begins, m.
    pub from_m: f64,
    /// Where it ends, m.
    pub to_m: f64,
    /// Its middle across the strip, mm from the centre line, operator side negative.
    pub middle_mm: f64,
    /// Its half-width across, mm; 0 where it goes all across.
    pub half_width_mm: f64,
    /// How bad, from the mildest of its kind (0) to the worst (1).
    pub severity: f64,
    /// Distance between repetitions, m.
    pub period_m: f64,
}

/// What flaws do to one row, gauge by gauge (columns as in the matrix) and knife by knife.
#[derive(Debug, Clone, PartialEq)]
pub struct Effect {
    /// Factor on the slot's width.
    pub slot: [f64; GAUGES],
    /// Shift of the distance, mm.
    pub shift_mm: [f64; GAUGES],
    /// Factor on the film once wiped.
    pub film: [f64; GAUGES],
    /// Factor on each knife's pressure.
    pub pressure: [f64; 2],
}

impl Effect {
    /// No flaw at all.
    pub const NONE: Self =
        Self { slot: [1.0; GAUGES], shift_mm: [0.0; GAUGES], film: [1.0; GAUGES], pressure: [1.0; 2] };
}

impl Flaw {
    /// Draws a flaw for a coil of this length and width. `rates` multiply the usual frequencies; a kind that usually
    /// does not occur comes with its rate in percent. `None` where no kind has a rate.
    pub fn draw(
        length_m: f64,
        width_mm: f64,
        rates: &BTreeMap<Kind, f64>,
        rng: &mut ChaCha8Rng,
    ) -> Option<Self> {
        let rate = |kind: Kind| {
            let usual = kind.profile().frequency;
            rates.get(&kind).map_or(usual, |factor| factor * if usual > 0.0 { usual } else { 1.0 })
        };
        let mut ticket = rng.random::<f64>() * Kind::ALL.into_iter().map(rate).sum::<f64>();
        let kind = Kind::ALL.into_iter().filter(|&kind| rate(kind) > 0.0).find(|&kind| {
            ticket -= rate(kind);
            ticket < 0.0
        })?;
        Some(Self::of(kind, length_m, width_mm, rng))
    }

    /// Draws a flaw of one kind.
    pub fn of(kind: Kind, length_m: f64, width_mm: f64, rng: &mut ChaCha8Rng) -> Self {
        let profile = kind.profile();
        let extent = log_uniform(profile.length_m, rng).min(0.9 * length_m);
        let side = rng.random_range(0..2);
        let (at_drive_side, at_head): (bool, bool) = (rng.random(), rng.random());
        let anywhere_m = rng.random_range(0.0..length_m - extent);
        let from_m = match kind {
            Kind::WeldTransient if at_head => 0.0,
            Kind::WeldTransient => length_m - extent,
            _ => anywhere_m,
        };
        let across = rng.random_range(-0.48..0.48);
        let middle_mm = match kind {
            Kind::EdgeOvercoat => width_mm * if at_drive_side { 0.5 } else { -0.5 },
            _ if profile.half_width_mm.1 == 0.0 => 0.0,
            _ => width_mm * across,
        };
        let (narrowest, widest) = profile.half_width_mm;
        Self {
            kind,
            side,
            from_m,
            to_m: from_m + extent,
            middle_mm,
            half_width_mm: narrowest + (widest - narrowest) * rng.random::<f64>(),
            severity: rng.random::<f64>().powf(2.2),
            period_m: log_uniform(profile.period_m, rng),
        }
    }

    /// Relative change of slot, film or pressure, or mm of distance.
    pub fn strength(&self) -> f64 {
        let (mildest, worst) = self.kind.profile().strength;
        mildest + (worst - mildest) * self.severity
    }

    /// The same flaw, so many times as severe, at most the worst of its kind.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        Self { severity: (factor * self.severity).clamp(0.0, 1.0), ..self }
    }

    /// Adds what the flaw does to the row at `at_m`; `places_mm` are the gauges' places from the centre line.
    pub fn act(&self, at_m: f64, places_mm: &[f64; SIDE_GAUGES], row: &mut Effect, rng: &mut ChaCha8Rng) {
        if !(self.from_m..self.to_m).contains(&at_m) {
            return;
        }
        let own = self.side * SIDE_GAUGES;
        let other = SIDE_GAUGES - own;
        let strength = self.strength() * self.along(at_m);
        let turns = (at_m - self.from_m) / self.period_m;
        match self.kind {
            Kind::KnifeNick => self.across(places_mm, 0.0, |g, w| row.slot[own + g] *= 1.0 + strength * w),
            Kind::CloggedNozzle => {
                self.across(places_mm, 0.0, |g, w| row.slot[own + g] *= 1.0 - strength * w);
            }
            Kind::Flutter => self.across(places_mm, 0.0, |g, w| {
                row.shift_mm[own + g] -= strength * w;
                row.shift_mm[other + g] += strength * w;
            }),
            Kind::EdgeOvercoat => self.across(places_mm, 0.0, |g, w| {
                row.film[g] *= 1.0 + strength * w;
                row.film[SIDE_GAUGES + g] *= 1.0 + strength * w;
            }),
            Kind::BareSpot => self.across(places_mm, 0.0, |g, w| row.film[own + g] *= 1.0 - strength * w),
            // As long as a row: that is as fine as rows can tell.
            Kind::RollMark if turns.fract() * self.period_m < 0.5 => {
                self.across(places_mm, 0.0, |g, w| row.film[own + g] *= 1.0 - strength * w);
            }
            Kind::RollMark => (),
            Kind::Dross => self.across(places_mm, 0.0, |g, w| {
                // Both are drawn at any severity: nothing else on the strip may change with it.
                let (ticket, change) = (rng.random::<f64>(), rng.random_range(-0.45..0.75));
                if ticket < strength * w {
                    row.film[own + g] *= 1.0 + change;
                }
            }),
            Kind::Chatter => {
                let swing = strength * (TAU * turns).sin();
                row.shift_mm[own..own + SIDE_GAUGES].iter_mut().for_each(|shift| *shift += swing);
            }
            Kind::SagLines => {
                for (g, place) in places_mm.iter().enumerate() {
                    // Waves slant by one length in 800 mm.
                    row.film[own + g] *= 1.0 + strength * (TAU * (turns + place / 800.0)).sin();
                }
            }
            Kind::CheckMark => {
                // A zigzag of 250 mm to either side, thin, with a heavy rim.
                let shift = 250.0 * (4.0 * (turns.fract() - 0.5).abs() - 1.0);
                self.across(places_mm, shift, |g, w| row.film[own + g] *= 1.0 - strength * w);
                let rim = shift + 1.5 * self.half_width_mm;
                self.across(places_mm, rim, |g, w| row.film[own + g] *= 1.0 + 0.7 * strength * w);
            }
            Kind::OneSided => {
                for g in 0..SIDE_GAUGES {
                    row.shift_mm[own + g] -= strength;
                    row.shift_mm[other + g] += strength;
                }
            }
            Kind::WeldTransient => row.pressure.iter_mut().for_each(|p| *p *= 1.0 + strength),
            Kind::PressureStep => row.pressure[self.side] *= 1.0 + strength,
        }
    }

    /// Whether a place (m along, mm across) of a side (0 top, 1 bottom) belongs to it.
    pub fn covers(&self, at_m: f64, place_mm: f64, side: usize) -> bool {
        let sides = match self.kind {
            Kind::EdgeOvercoat | Kind::Flutter | Kind::OneSided | Kind::WeldTransient => true,
            _ => side == self.side,
        };
        let reach_mm = 2.0 * self.half_width_mm + if self.kind == Kind::CheckMark { 250.0 } else { 0.0 };
        let across = self.half_width_mm == 0.0 || (place_mm - self.middle_mm).abs() < reach_mm;
        sides && across && (self.from_m..self.to_m).contains(&at_m)
    }

    /// Its profile along the strip, 0 to 1.
    fn along(&self, at_m: f64) -> f64 {
        let into = (at_m - self.from_m) / (self.to_m - self.from_m);
        match self.kind {
            Kind::Flutter | Kind::Dross => (TAU / 2.0 * into).sin(),
            // Worst at the weld, which is at the coil's beginning or end.
            Kind::WeldTransient if self.from_m > 0.0 => into * into,
            Kind::WeldTransient => (1.0 - into).powi(2),
            Kind::BareSpot | Kind::PressureStep | Kind::RollMark => 1.0,
            // Comes and goes over ten metres.
            _ => ((at_m - self.from_m).min(self.to_m - at_m) / 10.0).clamp(0.0, 1.0),
        }
    }

    /// Calls `act` with each gauge of a side that the flaw, shifted across by so many mm, reaches and how much of it
    /// is there, 0 to 1.
    fn across(&self, places_mm: &[f64; SIDE_GAUGES], shift_mm: f64, mut act: impl FnMut(usize, f64)) {
        for (g, place) in places_mm.iter().enumerate() {
            let weight = (-0.5 * ((place - self.middle_mm - shift_mm) / self.half_width_mm).powi(2)).exp();
            if weight > 0.01 {
                act(g, weight);
            }
        }
    }
}

/// Evenly spread over the orders of magnitude between two positive ends.
fn log_uniform((low, high): (f64, f64), rng: &mut ChaCha8Rng) -> f64 {
    low * (high / low).powf(rng.random())
}

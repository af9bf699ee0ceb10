//! What goes wrong on a galvanizing line, where on the strip and how badly.
//!
//! Flaws act where their causes do: on the slot, on the distance, on the pressure, or on the film itself. Most are
//! slight: severity is drawn with a long tail, and whether a flaw makes a coil NOK is the inspector's business.

use std::f64::consts::TAU;

use coilsight_models::coil::{GAUGES, SIDE_GAUGES};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// What kind of flaw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A nick in a knife's lip lets out more gas: a thin streak along the strip.
    ThinStreak,
    /// Dross in a knife's slot lets out less: a heavy streak.
    HeavyStreak,
    /// A buckle comes nearer to one knife and farther from the other: a thin patch, and a heavy one behind it.
    Buckle,
    /// Zinc builds up at an edge.
    HeavyEdge,
    /// Steel that did not take zinc.
    BareSpot,
    /// Dross particles in the film: rough, here heavy and there thin.
    Dross,
    /// A knife swings: bands across the strip.
    Chatter,
    /// Pressure does not follow the speed around a weld: a thin beginning or end.
    ThinEnd,
    /// Pressure jumps; the regulation of weight takes it back slowly.
    PressureStep,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::ThinStreak,
        Self::HeavyStreak,
        Self::Buckle,
        Self::HeavyEdge,
        Self::BareSpot,
        Self::Dross,
        Self::Chatter,
        Self::ThinEnd,
        Self::PressureStep,
    ];

    /// How often it occurs among flaws, in percent.
    fn frequency(self) -> u32 {
        match self {
            Self::ThinStreak => 16,
            Self::HeavyStreak | Self::HeavyEdge => 9,
            Self::Buckle => 15,
            Self::BareSpot | Self::Dross | Self::ThinEnd => 11,
            Self::Chatter => 8,
            Self::PressureStep => 10,
        }
    }

    /// Mildest and worst severity: relative change of slot, film or pressure, or mm of distance.
    fn strengths(self) -> (f64, f64) {
        match self {
            Self::ThinStreak => (0.05, 1.1),
            Self::HeavyStreak => (0.05, 0.6),
            Self::Buckle => (0.4, 6.0),
            Self::HeavyEdge => (0.05, 0.8),
            Self::BareSpot => (0.4, 1.0),
            Self::Dross => (0.005, 0.25),
            Self::Chatter => (0.2, 3.5),
            Self::ThinEnd => (0.1, 1.2),
            Self::PressureStep => (0.05, 0.9),
        }
    }

    /// Shortest and longest extent along the strip, m.
    fn lengths(self) -> (f64, f64) {
        match self {
            Self::ThinStreak | Self::HeavyStreak => (30.0, 900.0),
            Self::Buckle => (8.0, 120.0),
            Self::HeavyEdge => (60.0, 1200.0),
            Self::BareSpot => (0.5, 5.0),
            Self::Dross => (5.0, 120.0),
            Self::Chatter => (40.0, 500.0),
            Self::ThinEnd => (15.0, 110.0),
            Self::PressureStep => (40.0, 400.0),
        }
    }

    /// Narrowest and widest half-width across, mm.
    fn half_widths(self) -> (f64, f64) {
        match self {
            Self::ThinStreak | Self::HeavyStreak => (40.0, 130.0),
            Self::Buckle => (100.0, 350.0),
            Self::HeavyEdge => (40.0, 110.0),
            Self::BareSpot => (40.0, 120.0),
            Self::Dross => (80.0, 500.0),
            Self::Chatter | Self::ThinEnd | Self::PressureStep => (0.0, 0.0),
        }
    }
}

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
    /// How bad: relative change of slot, film or pressure, or mm of distance.
    pub strength: f64,
    /// Wavelength of what repeats, m.
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
    /// Draws a flaw for a coil of this length and width.
    pub fn draw(length_m: f64, width_mm: f64, rng: &mut ChaCha8Rng) -> Self {
        let mut ticket = rng.random_range(0..Kind::ALL.iter().map(|k| k.frequency()).sum::<u32>());
        let mut kind = Kind::ALL[0];
        for candidate in Kind::ALL {
            kind = candidate;
            if ticket < candidate.frequency() {
                break;
            }
            ticket -= candidate.frequency();
        }
        let side = rng.random_range(0..2);
        let extent = log_uniform(kind.lengths(), rng).min(0.9 * length_m);
        let (at_drive_side, at_start): (bool, bool) = (rng.random(), rng.random());
        let edge = if at_drive_side { 0.5 } else { -0.5 };
        let (from_m, middle_mm) = match kind {
            Kind::ThinEnd if at_start => (0.0, 0.0),
            Kind::ThinEnd => (length_m - extent, 0.0),
            Kind::HeavyEdge => (rng.random_range(0.0..length_m - extent), edge * width_mm),
            _ => (rng.random_range(0.0..length_m - extent), width_mm * (rng.random_range(0.0..0.96) - 0.48)),
        };
        let (mildest, worst) = kind.strengths();
        let strength = mildest + (worst - mildest) * rng.random::<f64>().powf(2.2);
        let (narrowest, widest) = kind.half_widths();
        let half_width_mm = narrowest + (widest - narrowest) * rng.random::<f64>();
        let period_m = rng.random_range(6.0..45.0);
        Self { kind, side, from_m, to_m: from_m + extent, middle_mm, half_width_mm, strength, period_m }
    }

    /// Adds what the flaw does to the row at `at_m`; `places_mm` are the gauges' places from the centre line.
    pub fn act(&self, at_m: f64, places_mm: &[f64; SIDE_GAUGES], row: &mut Effect, rng: &mut ChaCha8Rng) {
        if !(self.from_m..self.to_m).contains(&at_m) {
            return;
        }
        let along = self.along(at_m);
        let own = self.side * SIDE_GAUGES;
        let strength = self.strength * along;
        match self.kind {
            Kind::ThinStreak => self.across(places_mm, |g, w| row.slot[own + g] *= 1.0 + strength * w),
            Kind::HeavyStreak => self.across(places_mm, |g, w| row.slot[own + g] *= 1.0 - strength * w),
            Kind::Buckle => self.across(places_mm, |g, w| {
                row.shift_mm[own + g] -= strength * w;
                row.shift_mm[SIDE_GAUGES - own + g] += strength * w;
            }),
            Kind::HeavyEdge => self.across(places_mm, |g, w| {
                row.film[g] *= 1.0 + strength * w;
                row.film[SIDE_GAUGES + g] *= 1.0 + strength * w;
            }),
            Kind::BareSpot => self.across(places_mm, |g, w| row.film[own + g] *= 1.0 - strength * w),
            Kind::Dross => self.across(places_mm, |g, w| {
                if rng.random::<f64>() < strength * w {
                    row.film[own + g] *= 1.0 + rng.random_range(-0.45..0.75);
                }
            }),
            Kind::Chatter => {
                let swing = strength * (TAU * (at_m - self.from_m) / self.period_m).sin();
                row.shift_mm[own..own + SIDE_GAUGES].iter_mut().for_each(|shift| *shift += swing);
            }
            Kind::ThinEnd => row.pressure.iter_mut().for_each(|p| *p *= 1.0 + strength),
            Kind::PressureStep => row.pressure[self.side] *= 1.0 + strength,
        }
    }

    /// Its profile along the strip, 0 to 1.
    fn along(&self, at_m: f64) -> f64 {
        let into = (at_m - self.from_m) / (self.to_m - self.from_m);
        match self.kind {
            Kind::Buckle | Kind::Dross => (TAU / 2.0 * into).sin(),
            // Worst at the weld, which is at the coil's beginning or end.
            Kind::ThinEnd if self.from_m > 0.0 => into * into,
            Kind::ThinEnd => (1.0 - into).powi(2),
            Kind::BareSpot | Kind::PressureStep => 1.0,
            // Comes and goes over ten metres.
            _ => ((at_m - self.from_m).min(self.to_m - at_m) / 10.0).clamp(0.0, 1.0),
        }
    }

    /// Calls `act` with each gauge of a side that the flaw reaches and how much of it is there, 0 to 1.
    fn across(&self, places_mm: &[f64; SIDE_GAUGES], mut act: impl FnMut(usize, f64)) {
        for (g, place) in places_mm.iter().enumerate() {
            let weight = (-0.5 * ((place - self.middle_mm) / self.half_width_mm).powi(2)).exp();
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

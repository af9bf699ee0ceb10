//! Periods of a line's life: another calibration, another product mix, other defects, gauges that age.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use coilsight_models::coil::GAUGES;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Plan;
use super::customer::Customer;
use super::kind::Kind;

/// A period. What is not said is as always.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Period {
    /// What it is called.
    pub name: String,
    /// How many coils.
    pub coils: u64,
    /// When its first coil starts; without it, as the period before it ends.
    pub start: Option<Timestamp>,
    /// The chance that a coil is NOK, where it is not the plan's.
    pub nok_share: Option<f64>,
    /// Flaws per coil, where they are not the plan's.
    pub flaws_per_coil: Option<f64>,
    /// Customers' shares, where they are not the usual ones; 0 orders nothing.
    pub customers: BTreeMap<String, f64>,
    /// Factors on the kinds' usual frequencies; a kind that usually does not occur comes with its rate in percent.
    pub flaws: BTreeMap<Kind, f64>,
    /// How the gauges are.
    pub gauges: GaugePlan,
}

impl Default for Period {
    fn default() -> Self {
        Self {
            name: "always".to_owned(),
            coils: 100,
            start: None,
            nok_share: None,
            flaws_per_coil: None,
            customers: BTreeMap::new(),
            flaws: BTreeMap::new(),
            gauges: GaugePlan::default(),
        }
    }
}

impl Period {
    /// A customer's share of the orders.
    pub(super) fn share(&self, customer: &Customer) -> f64 {
        self.customers.get(&customer.name).copied().unwrap_or(customer.share)
    }
}

/// How the gauges are in a period, and how they age.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GaugePlan {
    /// Coils between two calibrations.
    pub calibrate_every: u64,
    /// Standard deviation of the gains just after one.
    pub calibration: f64,
    /// Standard deviation of what the gains wander until the next one.
    pub ageing: f64,
    /// Factor on all gains: another standard was calibrated with.
    pub gain: f64,
    /// Gauges that read otherwise throughout the period.
    pub gains: Vec<GaugeValue>,
    /// Gauges whose gain goes away evenly, by so much (0.03: three per cent) until the end of the period.
    pub drifts: Vec<GaugeValue>,
    /// Factor on the noise at the beginning of the period.
    pub noise: f64,
    /// Factor on the noise at its end.
    pub noise_end: f64,
    /// Gauges that read nothing throughout the period.
    pub dead: Vec<usize>,
    /// The chance that a gauge reads nothing on a coil.
    pub dead_share: f64,
}

/// A value of one gauge.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GaugeValue {
    /// Its column in the matrix, 0 to 17.
    pub gauge: usize,
    /// The value.
    pub value: f64,
}

impl Default for GaugePlan {
    fn default() -> Self {
        Self {
            calibrate_every: 400,
            calibration: 0.005,
            ageing: 0.01,
            gain: 1.0,
            gains: Vec::new(),
            drifts: Vec::new(),
            noise: 1.0,
            noise_end: 1.0,
            dead: Vec::new(),
            dead_share: 0.006,
        }
    }
}

impl GaugePlan {
    /// The factors that the plan puts on the gains at this progress (0 to 1) through the period.
    pub(super) fn gains(&self, progress: f64) -> [f64; GAUGES] {
        let mut gains = [self.gain; GAUGES];
        for of in &self.gains {
            gains[of.gauge] *= of.value;
        }
        for of in &self.drifts {
            gains[of.gauge] *= 1.0 + of.value * progress;
        }
        gains
    }

    /// Factor on the noise.
    pub(super) fn noise(&self, progress: f64) -> f64 {
        self.noise + (self.noise_end - self.noise) * progress
    }
}

/// Where a coil is in the plan.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// Its period.
    pub period: &'a Period,
    /// Whether it is the period's first coil.
    pub first: bool,
    /// How far the period has come, 0 to 1.
    pub progress: f64,
}

/// What a plan without periods is.
static ALWAYS: LazyLock<Period> = LazyLock::new(Period::default);

impl Plan {
    /// Where the `index`th coil is; beyond the last period's end, at that end.
    pub(super) fn place(&self, index: u64) -> Place<'_> {
        let mut within = index;
        for (n, period) in self.periods.iter().enumerate() {
            if within < period.coils || n + 1 == self.periods.len() {
                let progress = within as f64 / (period.coils - 1).max(1) as f64;
                return Place { period, first: within == 0, progress: progress.min(1.0) };
            }
            within -= period.coils;
        }
        Place { period: &ALWAYS, first: index == 0, progress: 0.0 }
    }
}

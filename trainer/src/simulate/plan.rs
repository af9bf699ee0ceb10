//! What to simulate, and what came of it. A plan is a YAML or JSON file; ready ones are in `trainer/scenarios`.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::SimulateError;
use super::customer::{self, Customer};
use super::inspector::{self, Inspector};
use super::period::{Period, Place};

mod check;

/// The most coils of one run.
pub const MAX_COILS: u64 = 100_000;
/// The longest plan.
pub const MAX_PLAN_BYTES: u64 = 1 << 20;

/// What to simulate. Equal plans give equal bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plan {
    /// How many coils; where there are periods, theirs together.
    pub count: u64,
    /// Where the randomness comes from.
    pub seed: u64,
    /// The chance that a coil is NOK.
    pub nok_share: f64,
    /// Flaws of any severity per coil, on average; most of them are borne by any customer.
    pub flaws_per_coil: f64,
    /// Coils of 500 to 900 m instead of 900 to 2,800 m, for recordings that ship.
    pub short: bool,
    /// In recordings: a coil's last messages come after the first of its successor, as around a weld.
    pub interleave: bool,
    /// In recordings: the line stands still for 25 minutes in the middle of the third coil.
    pub line_stop: bool,
    /// When the first coil starts.
    pub start: Timestamp,
    /// At least so many minutes from one coil's start to the next; 0 makes them one after the other.
    pub minutes_per_coil: f64,
    /// What coil ids begin with.
    pub id_prefix: String,
    /// Coils of one order in a row.
    pub campaign: u64,
    /// Who orders.
    pub customers: Vec<Customer>,
    /// Who judges, one shift after the other.
    pub inspectors: Vec<Inspector>,
    /// What is told to the appliance of it.
    pub feedback: FeedbackPlan,
    /// What changes over time; without periods, nothing does.
    pub periods: Vec<Period>,
}

/// What inspectors and operators tell the appliance, in recordings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FeedbackPlan {
    /// The share of coils labelled NOK of which the inspector tells.
    pub of_nok: f64,
    /// The share of coils labelled OK of which the inspector tells.
    pub of_ok: f64,
    /// Operators who say NOK to whatever they are asked about.
    pub nok_to_everything: Vec<Operator>,
}

/// An operator who tells of coils without having looked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    /// What the operator is called.
    pub name: String,
    /// The share of all coils that the operator tells of.
    pub share: f64,
}

impl Default for FeedbackPlan {
    fn default() -> Self {
        Self { of_nok: 1.0, of_ok: 0.4, nok_to_everything: Vec::new() }
    }
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            count: 100,
            seed: 1,
            nok_share: 0.03,
            flaws_per_coil: 0.8,
            short: false,
            interleave: true,
            line_stop: true,
            // A Monday, at the start of the early shift: 2026-03-02T06:00:00Z.
            start: Timestamp::constant(1_772_431_200, 0),
            minutes_per_coil: 0.0,
            id_prefix: "SIM".to_owned(),
            campaign: 8,
            customers: customer::usual(),
            inspectors: inspector::usual(),
            feedback: FeedbackPlan::default(),
            periods: Vec::new(),
        }
    }
}

/// What a run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Coils written.
    pub coils: u64,
    /// NOK coils among them.
    pub nok: u64,
}

impl Plan {
    /// Reads a plan file.
    pub fn read(path: &Path) -> Result<Self, SimulateError> {
        let fail = |source| SimulateError::Read { path: path.to_owned(), source };
        let mut text = String::new();
        let file = File::open(path).map_err(fail)?;
        file.take(MAX_PLAN_BYTES + 1).read_to_string(&mut text).map_err(fail)?;
        if text.len() as u64 > MAX_PLAN_BYTES {
            return Err(SimulateError::PlanSize { path: path.to_owned() });
        }
        Self::parse(&text)
    }

    /// Reads YAML or JSON text (which is YAML).
    pub fn parse(text: &str) -> Result<Self, SimulateError> {
        let source = config::File::from_str(text, config::FileFormat::Yaml);
        let settings = config::Config::builder().add_source(source).build().map_err(SimulateError::Plan)?;
        let counted = settings.get::<config::Value>("count").is_ok();
        let mut plan: Self = settings.try_deserialize().map_err(SimulateError::Plan)?;
        if !plan.periods.is_empty() {
            let coils = plan.periods.iter().fold(0_u64, |sum, period| sum.saturating_add(period.coils));
            if counted && plan.count != coils {
                return Err(SimulateError::CountOfPeriods { count: plan.count, periods: coils });
            }
            plan.count = coils;
        }
        plan.check("plan")?;
        Ok(plan)
    }

    /// Makes it a plan of so many coils; periods keep their proportions, a coil each at least.
    pub fn resize(&mut self, count: u64) {
        let share = count as f64 / self.count.max(1) as f64;
        self.count = count;
        if count == 0 {
            return;
        }
        let (mut left, last) = (count, self.periods.len().saturating_sub(1));
        for (n, period) in self.periods.iter_mut().enumerate() {
            let coils = if n == last { left } else { (period.coils as f64 * share).round() as u64 };
            period.coils = coils.clamp(1, left.max(1));
            left -= left.min(period.coils);
        }
        self.count = self.periods.iter().map(|period| period.coils).sum::<u64>().max(count);
    }

    /// When a coil starts, from when the one before it started and ended.
    pub(super) fn starts(
        &self,
        place: &Place<'_>,
        before: Option<(Timestamp, Timestamp)>,
    ) -> Result<Timestamp, SimulateError> {
        let Some((started, ended)) = before else { return Ok(place.period.start.unwrap_or(self.start)) };
        match place.period.start.filter(|_| place.first) {
            Some(start) if start < ended => {
                Err(SimulateError::PeriodStart { period: place.period.name.clone(), start, until: ended })
            }
            Some(start) => Ok(start),
            None => Ok(ended.max(started + SignedDuration::from_secs_f64(60.0 * self.minutes_per_coil))),
        }
    }
}

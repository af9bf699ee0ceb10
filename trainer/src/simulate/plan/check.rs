//! The limits of a plan: whatever passes can be carried out.

use std::collections::BTreeSet;

use coilsight_models::coil::{GAUGES, Order};

use super::super::customer::Customer;
use super::super::kind::Kind;
use super::super::period::{GaugePlan, Period};
use super::{MAX_COILS, Plan};
use crate::simulate::SimulateError;

impl Plan {
    /// Whether it can be carried out, under files called `name`.
    pub(crate) fn check(&self, name: &str) -> Result<(), SimulateError> {
        if !(1..=MAX_COILS).contains(&self.count) {
            return Err(SimulateError::Count(self.count));
        }
        nok_share(self.nok_share)?;
        flaws(self.flaws_per_coil)?;
        range("minutes_per_coil", self.minutes_per_coil, 0.0, 10_000.0)?;
        range("campaign", self.campaign as f64, 1.0, 1000.0)?;
        let plain = |text: &str, also: &str| {
            let fine = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c) || also.contains(c);
            !text.is_empty() && text.chars().all(fine)
        };
        if !plain(&self.id_prefix, "") || self.id_prefix.len() > 32 {
            return Err(SimulateError::IdPrefix { prefix: self.id_prefix.clone() });
        }
        if !plain(name, ".") || name.starts_with('.') {
            return Err(SimulateError::Name { name: name.to_owned() });
        }
        entries("customers", self.customers.len(), 1, 50)?;
        names("customer", self.customers.iter().map(|c| &c.name))?;
        self.customers.iter().try_for_each(customer)?;
        self.people()?;
        entries("periods", self.periods.len(), 0, 100)?;
        names("period", self.periods.iter().map(|p| &p.name))?;
        self.periods.iter().try_for_each(|period| self.period(period))?;
        if self.periods.is_empty() {
            return self.period(&Period::default());
        }
        let coils = self.periods.iter().fold(0_u64, |sum, period| sum.saturating_add(period.coils));
        if coils == self.count {
            Ok(())
        } else {
            Err(SimulateError::CountOfPeriods { count: self.count, periods: coils })
        }
    }

    fn people(&self) -> Result<(), SimulateError> {
        entries("inspectors", self.inspectors.len(), 1, 20)?;
        names("inspector", self.inspectors.iter().map(|i| &i.name))?;
        for inspector in &self.inspectors {
            let key = |what: &str| format!("{what} of {}", inspector.name);
            range(key("strictness"), inspector.strictness, 0.2, 5.0)?;
            range(key("noise"), inspector.noise, 0.0, 2.0)?;
            range(key("slips"), inspector.slips, 0.0, 0.5)?;
        }
        let feedback = &self.feedback;
        range("feedback.of_nok", feedback.of_nok, 0.0, 1.0)?;
        range("feedback.of_ok", feedback.of_ok, 0.0, 1.0)?;
        entries("feedback.nok_to_everything", feedback.nok_to_everything.len(), 0, 20)?;
        names("operator", feedback.nok_to_everything.iter().map(|o| &o.name))?;
        feedback
            .nok_to_everything
            .iter()
            .try_for_each(|o| range(format!("share of {}", o.name), o.share, 0.0, 1.0))
    }

    fn period(&self, period: &Period) -> Result<(), SimulateError> {
        if !(1..=MAX_COILS).contains(&period.coils) {
            return Err(SimulateError::Count(period.coils));
        }
        period.nok_share.map_or(Ok(()), nok_share)?;
        period.flaws_per_coil.map_or(Ok(()), flaws)?;
        for (name, &share) in &period.customers {
            if !self.customers.iter().any(|customer| customer.name == *name) {
                let (period, customer) = (period.name.clone(), name.clone());
                return Err(SimulateError::NoCustomer { period, customer });
            }
            range(format!("share of {name} in {}", period.name), share, 0.0, 1000.0)?;
        }
        for (kind, &rate) in &period.flaws {
            range(format!("rate of {} in {}", kind.name(), period.name), rate, 0.0, 1000.0)?;
        }
        let all_zero = |what| SimulateError::AllZero { what, period: period.name.clone() };
        if self.customers.iter().all(|customer| period.share(customer) == 0.0) {
            return Err(all_zero("customers' shares"));
        }
        let occurs =
            |kind: Kind| period.flaws.get(&kind).map_or(kind.profile().frequency > 0.0, |&f| f > 0.0);
        if !Kind::ALL.into_iter().any(occurs) {
            return Err(all_zero("rates of flaws"));
        }
        gauges(&period.gauges, &period.name)
    }
}

fn customer(customer: &Customer) -> Result<(), SimulateError> {
    let key = |what: &str| format!("{what} of {}", customer.name);
    range(key("share"), customer.share, 0.0, 1000.0)?;
    entries(key("weights"), customer.weights.len(), 1, 20)?;
    let (narrowest, widest) = customer.widths_mm;
    range(key("narrowest width"), f64::from(narrowest), 600.0, 2100.0)?;
    range(key("widest width (in steps of 50)"), f64::from(widest / 50 * 50), f64::from(narrowest), 2100.0)?;
    for &weight in &customer.weights {
        range(key("weight"), weight, 20.0, 250.0)?;
        debug_assert!(Order::new(weight, customer.class, f64::from(widest)).is_ok());
    }
    customer.bears.values().try_for_each(|&times| range(key("bears"), times, 0.05, 20.0))
}

fn gauges(plan: &GaugePlan, period: &str) -> Result<(), SimulateError> {
    let key = |what: &str| format!("gauges.{what} of {period}");
    range(key("calibrate_every"), plan.calibrate_every as f64, 1.0, MAX_COILS as f64)?;
    range(key("calibration"), plan.calibration, 0.0, 0.2)?;
    range(key("ageing"), plan.ageing, 0.0, 0.2)?;
    range(key("gain"), plan.gain, 0.5, 1.5)?;
    range(key("noise"), plan.noise, 0.1, 20.0)?;
    range(key("noise_end"), plan.noise_end, 0.1, 20.0)?;
    range(key("dead_share"), plan.dead_share, 0.0, 1.0)?;
    let last = (GAUGES - 1) as f64;
    let values = [("gains", &plan.gains, 0.5, 1.5), ("drifts", &plan.drifts, -0.5, 0.5)];
    for (what, values, low, high) in values {
        entries(key(what), values.len(), 0, GAUGES)?;
        for of in values {
            range(key(&format!("{what}.gauge")), of.gauge as f64, 0.0, last)?;
            range(key(&format!("{what}.value")), of.value, low, high)?;
        }
    }
    // Something must be left to read.
    entries(key("dead"), plan.dead.len(), 0, GAUGES - 1)?;
    plan.dead.iter().try_for_each(|&gauge| range(key("dead"), gauge as f64, 0.0, last))
}

fn nok_share(share: f64) -> Result<(), SimulateError> {
    if (0.0..=1.0).contains(&share) { Ok(()) } else { Err(SimulateError::NokShare(share)) }
}

fn flaws(per_coil: f64) -> Result<(), SimulateError> {
    if (0.05..=10.0).contains(&per_coil) { Ok(()) } else { Err(SimulateError::Flaws(per_coil)) }
}

fn range(key: impl Into<String>, value: f64, low: f64, high: f64) -> Result<(), SimulateError> {
    // Not a number is in no range.
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(SimulateError::Range { key: key.into(), value, low, high })
}

fn entries(key: impl Into<String>, found: usize, low: usize, high: usize) -> Result<(), SimulateError> {
    if (low..=high).contains(&found) {
        return Ok(());
    }
    Err(SimulateError::Entries { key: key.into(), found, low, high })
}

fn names<'a>(key: &str, names: impl Iterator<Item = &'a String>) -> Result<(), SimulateError> {
    let mut seen = BTreeSet::new();
    for name in names {
        let printable = !name.is_empty() && name.len() <= 40 && !name.chars().any(char::is_control);
        if !printable || !seen.insert(name) {
            return Err(SimulateError::PlanName { key: format!("a {key}'s name"), name: name.clone() });
        }
    }
    Ok(())
}

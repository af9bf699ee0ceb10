//! What was really there, beside the coils: `truth-NAME.csv` and `gauges-NAME.csv`.
//!
//! Whatever begins with `gold` and ends in `.csv` is a gold set for the trainer, which must be able to read it: hence the
//! name comes last.
//!
//! The first has a row for every flaw, and one without a kind for a coil that has none. The second has a row for every
//! coil: the gauges that read nothing (columns joined by spaces), the factor on the noise, and all gains.

use std::path::Path;

use coilsight_models::coil::{GAUGES, SIDE_GAUGES};
use serde::Serialize;

use super::table::Table;
use super::{Coil, SimulateError};

/// A row of the truth.
#[derive(Debug, Clone, Serialize)]
struct Row {
    coil_id: String,
    period: String,
    customer: String,
    inspector: String,
    label: &'static str,
    /// Whether the label is the opposite of what the inspector meant.
    slip: bool,
    /// How many inspectors would have refused the coil.
    refusing: usize,
    /// NOK above about 1.
    complaint: f64,
    kind: Option<&'static str>,
    /// Where its cause is; what has two sides shows on both.
    side: Option<&'static str>,
    from_m: Option<f64>,
    to_m: Option<f64>,
    middle_mm: Option<f64>,
    half_width_mm: Option<f64>,
    /// 0, the mildest of its kind, to 1, the worst.
    severity: Option<f64>,
}

/// The truth of one coil.
#[derive(Debug, Clone)]
pub(super) struct Told {
    rows: Vec<Row>,
    gauges: Vec<String>,
}

impl Told {
    pub(super) fn of(coil: &Coil) -> Self {
        let sound = Row {
            coil_id: coil.id.to_string(),
            period: coil.period.clone(),
            customer: coil.customer.clone(),
            inspector: coil.inspector.clone(),
            label: if coil.nok { "NOK" } else { "OK" },
            slip: coil.slip,
            refusing: coil.refusing,
            complaint: to(4, coil.complaint),
            kind: None,
            side: None,
            from_m: None,
            to_m: None,
            middle_mm: None,
            half_width_mm: None,
            severity: None,
        };
        let mut rows: Vec<Row> = coil
            .flaws
            .iter()
            .map(|flaw| Row {
                kind: Some(flaw.kind.name()),
                side: Some(["top", "bottom"][flaw.side]),
                from_m: Some(to(1, flaw.from_m)),
                to_m: Some(to(1, flaw.to_m)),
                middle_mm: Some(to(0, flaw.middle_mm)),
                half_width_mm: Some(to(0, flaw.half_width_mm)),
                severity: Some(to(4, flaw.severity)),
                ..sound.clone()
            })
            .collect();
        if rows.is_empty() {
            rows.push(sound);
        }
        let dead: Vec<String> = coil.gauges.dead.iter().map(usize::to_string).collect();
        let head = [coil.id.to_string(), dead.join(" "), to(3, coil.gauges.noise).to_string()];
        let gains = coil.gauges.gain.iter().map(|gain| to(5, *gain).to_string());
        Self { rows, gauges: head.into_iter().chain(gains).collect() }
    }
}

/// Both tables.
pub(super) struct Truth {
    flaws: Table,
    gauges: Table,
}

impl Truth {
    pub(super) fn create(folder: &Path, name: &str) -> Result<Self, SimulateError> {
        let flaws = Table::create(folder, &format!("truth-{name}"))?;
        let mut gauges = Table::create(folder, &format!("gauges-{name}"))?;
        let side = |g: usize| if g < SIDE_GAUGES { "top" } else { "bottom" };
        let gains = (0..GAUGES).map(|g| format!("gain_{}_{}", side(g), g % SIDE_GAUGES));
        let head: Vec<String> =
            ["coil_id", "dead", "noise"].map(str::to_owned).into_iter().chain(gains).collect();
        gauges.push(&head)?;
        Ok(Self { flaws, gauges })
    }

    pub(super) fn push(&mut self, told: &Told) -> Result<(), SimulateError> {
        told.rows.iter().try_for_each(|row| self.flaws.push(row))?;
        self.gauges.push(&told.gauges)
    }

    pub(super) fn finish(self) -> Result<(), SimulateError> {
        self.flaws.finish()?;
        self.gauges.finish()
    }
}

/// Rounded to so many decimals.
fn to(decimals: i32, value: f64) -> f64 {
    let scale = 10_f64.powi(decimals);
    // Minus nothing is nothing.
    (scale * value).round() / scale + 0.0
}

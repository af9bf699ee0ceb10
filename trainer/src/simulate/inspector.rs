//! Whether a coil is sold as ordered, as inspectors rule who know the true coating, and do not always agree.
//!
//! The rule is ours. Standards such as EN 10346 guarantee a minimum at any single spot, about 85 % of the ordered
//! weight; customers agree on more or less. Beyond limits on weight a customer bears a certain area of strip:
//!
//! `complaint = thin / allowed thin + heavy / allowed heavy + marks / allowed marks`, NOK above 1.
//!
//! Thin and heavy are areas (m2), each square metre counted as often as its depth below the minimum holds 5 %, or
//! its height above the maximum 10 %, of the ordered weight. Marks are square metres that differ from what surrounds
//! them by more than the eye passes: bare spots, dross, waves, prints. Ends count a third: customers crop them. Where a
//! flaw lies that this customer bears more or less of than others, its area counts less or more.
//!
//! Each inspector multiplies the complaint by a strictness and by a log-normal factor of the day before it is held
//! against 1, and now and then notes the opposite of what was meant.

use coilsight_models::coil::{GAUGES, Order, SIDE_GAUGES, ToleranceClass};
use rand::Rng;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use super::customer::Customer;
use super::flaw::Flaw;
use super::line::{Film, gauge_places_mm};
use super::{Plan, ROW_M, Stream, rng};

/// Rows that are judged together: 5 m of strip.
const BLOCK_ROWS: usize = 10;
/// What lies nearer to an end may be cropped, m.
const CROP_M: f64 = 15.0;
/// Coils of one inspector's shift.
const SHIFT_COILS: u64 = 32;

/// An inspector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inspector {
    /// What the inspector is called.
    pub name: String,
    /// Factor on every complaint: above 1 refuses what others let pass.
    pub strictness: f64,
    /// Standard deviation of the logarithm of what is made of the same complaint.
    pub noise: f64,
    /// How often the opposite of what was meant is noted.
    #[serde(default)]
    pub slips: f64,
}

/// Three who mostly agree.
pub(super) fn usual() -> Vec<Inspector> {
    [("inspector-1", 1.0, 0.12), ("inspector-2", 1.12, 0.15), ("inspector-3", 0.9, 0.18)]
        .map(|(name, strictness, noise)| Inspector { name: name.to_owned(), strictness, noise, slips: 0.0 })
        .to_vec()
}

/// What a class of customers bears.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Least weight as a share of the ordered one.
    pub min: f64,
    /// Greatest weight as a share of the ordered one.
    pub max: f64,
    /// Relative difference from what surrounds it that makes a mark.
    pub mark: f64,
    /// Area 5 % too thin that is borne, m2.
    pub thin_m2: f64,
    /// Area 10 % too heavy that is borne, m2.
    pub heavy_m2: f64,
    /// Area with marks that is borne, m2.
    pub marks_m2: f64,
}

impl Limits {
    /// Of a tolerance class: A sees every mark under the paint, C hardly any.
    pub fn of(class: ToleranceClass) -> Self {
        let row = |min, max, mark, thin_m2, heavy_m2, marks_m2| Self {
            min,
            max,
            mark,
            thin_m2,
            heavy_m2,
            marks_m2,
        };
        match class {
            ToleranceClass::A => row(0.92, 1.30, 0.15, 3.0, 20.0, 0.8),
            ToleranceClass::B => row(0.87, 1.45, 0.20, 8.0, 50.0, 2.5),
            ToleranceClass::C => row(0.80, 1.65, 0.28, 18.0, 120.0, 8.0),
        }
    }
}

/// How much there is to complain about for a customer: NOK above 1.
pub fn complaint(film: &Film, order: &Order, customer: Option<&Customer>, flaws: &[Flaw]) -> f64 {
    let limits = Limits::of(order.tolerance_class());
    let nominal = order.nominal_g_m2();
    let length_m = film.rows.len() as f64 * ROW_M;
    let places_mm = gauge_places_mm(order.width_mm());
    // A gauge stands for a ninth of its side.
    let cell_m2 = ROW_M * order.width_mm() / 1000.0 / SIDE_GAUGES as f64;
    // Only flaws that this customer bears otherwise than the class.
    let own: Vec<(&Flaw, f64)> = customer.map_or_else(Vec::new, |customer| {
        let borne = |flaw: &Flaw| customer.bears.get(&flaw.kind).copied();
        flaws.iter().filter_map(|flaw| Some((flaw, borne(flaw)?))).collect()
    });
    let (mut thin, mut heavy, mut marks) = (0.0, 0.0, 0.0);
    for (block, rows) in film.rows.chunks(BLOCK_ROWS).enumerate() {
        let middle_m = (block * BLOCK_ROWS + rows.len() / 2) as f64 * ROW_M;
        let cropped = if middle_m.min(length_m - middle_m) < CROP_M { 1.0 / 3.0 } else { 1.0 };
        for column in 0..GAUGES {
            let mean = rows.iter().map(|r| r[column]).sum::<f32>() / rows.len() as f32;
            let least = limits.mark as f32 * mean;
            let marked = rows.iter().filter(|r| (r[column] - mean).abs() > least).count() as f64;
            let share = f64::from(mean) / nominal;
            let (below, above) = ((limits.min - share).max(0.0), (share - limits.max).max(0.0));
            if marked + below + above == 0.0 {
                continue;
            }
            let (side, place_mm) = (column / SIDE_GAUGES, places_mm[column % SIDE_GAUGES]);
            let here = |flaw: &Flaw| flaw.covers(middle_m, place_mm, side);
            let borne: f64 = own.iter().filter(|(flaw, _)| here(flaw)).map(|(_, times)| times).product();
            let m2 = cropped * cell_m2 / borne;
            thin += rows.len() as f64 * m2 * below / 0.05;
            heavy += rows.len() as f64 * m2 * above / 0.10;
            marks += marked * m2;
        }
    }
    thin / limits.thin_m2 + heavy / limits.heavy_m2 + marks / limits.marks_m2
}

/// What each inspector makes of one coil.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Panel {
    /// Whose shift it is.
    pub on_shift: usize,
    /// What each multiplies the complaint by today.
    pub factors: Vec<f64>,
    /// Whether the one on shift notes the opposite.
    pub slip: bool,
}

impl Panel {
    pub(super) fn draw(plan: &Plan, index: u64) -> Self {
        let mut rng = rng(plan.seed, Stream::Inspectors, index);
        let on_shift = (index / SHIFT_COILS % plan.inspectors.len() as u64) as usize;
        let today = |i: &Inspector| i.strictness * (i.noise * rng.sample::<f64, _>(StandardNormal)).exp();
        let factors = plan.inspectors.iter().map(today).collect();
        let slip = rng.random::<f64>() < plan.inspectors[on_shift].slips;
        Self { on_shift, factors, slip }
    }

    /// What the one on shift multiplies by.
    pub(super) fn factor(&self) -> f64 {
        self.factors[self.on_shift]
    }

    /// How many of them would refuse the coil.
    pub(super) fn refusing(&self, complaint: f64) -> usize {
        self.factors.iter().filter(|&&factor| factor * complaint > 1.0).count()
    }
}

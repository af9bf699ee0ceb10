//! Whether a coil is sold as ordered, as an inspector rules who knows the true coating.
//!
//! The rule is ours. Standards such as EN 10346 guarantee a minimum at any single spot, about 85 % of the ordered
//! weight; customers agree on more or less. Beyond limits on weight a customer bears a certain area of strip:
//!
//! `complaint = thin / allowed thin + heavy / allowed heavy + marks / allowed marks`, NOK above 1.
//!
//! Thin and heavy are areas (m2), each square metre counted as often as its depth below the minimum holds 5 %, or
//! its height above the maximum 10 %, of the ordered weight. Marks are square metres that differ by a quarter from
//! what surrounds them: bare spots and dross. Ends count a third: customers crop them. Inspectors differ: the complaint is
//! multiplied by a log-normal factor before it is held against 1.

use coilsight_models::coil::{GAUGES, Order, SIDE_GAUGES, ToleranceClass};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::ROW_M;
use super::line::Film;

/// Rows that are judged together: 5 m of strip.
const BLOCK_ROWS: usize = 10;
/// What lies nearer to an end may be cropped, m.
const CROP_M: f64 = 15.0;
/// Standard deviation of the logarithm of what inspectors make of the same complaint.
const DISAGREEMENT: f64 = 0.15;

/// What a customer bears.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Least weight as a share of the ordered one.
    pub min: f64,
    /// Greatest weight as a share of the ordered one.
    pub max: f64,
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
        match class {
            ToleranceClass::A => Self { min: 0.90, max: 1.30, thin_m2: 4.0, heavy_m2: 25.0, marks_m2: 0.8 },
            ToleranceClass::B => Self { min: 0.85, max: 1.45, thin_m2: 10.0, heavy_m2: 60.0, marks_m2: 3.0 },
            ToleranceClass::C => {
                Self { min: 0.78, max: 1.70, thin_m2: 25.0, heavy_m2: 150.0, marks_m2: 10.0 }
            }
        }
    }
}

/// How much there is to complain about: NOK above 1.
pub fn complaint(film: &Film, order: &Order) -> f64 {
    let limits = Limits::of(order.tolerance_class());
    let nominal = order.nominal_g_m2();
    let length_m = film.rows.len() as f64 * ROW_M;
    // A gauge stands for a ninth of its side.
    let row_m2 = ROW_M * order.width_mm() / 1000.0 / SIDE_GAUGES as f64;
    let (mut thin, mut heavy, mut marks) = (0.0, 0.0, 0.0);
    for (block, rows) in film.rows.chunks(BLOCK_ROWS).enumerate() {
        let middle_m = (block * BLOCK_ROWS + rows.len() / 2) as f64 * ROW_M;
        let weight = if middle_m.min(length_m - middle_m) < CROP_M { 1.0 / 3.0 } else { 1.0 };
        let (row_m2, n) = (weight * row_m2, rows.len() as f64);
        for column in 0..GAUGES {
            let mean = rows.iter().map(|r| f64::from(r[column])).sum::<f64>() / n;
            let share = mean / nominal;
            thin += n * row_m2 * (limits.min - share).max(0.0) / 0.05;
            heavy += n * row_m2 * (share - limits.max).max(0.0) / 0.10;
            let marked = rows.iter().filter(|r| (f64::from(r[column]) - mean).abs() > 0.25 * mean).count();
            marks += marked as f64 * row_m2;
        }
    }
    thin / limits.thin_m2 + heavy / limits.heavy_m2 + marks / limits.marks_m2
}

/// One inspector's word on a complaint.
pub fn is_nok(complaint: f64, rng: &mut ChaCha8Rng) -> bool {
    complaint * (DISAGREEMENT * rng.sample::<f64, _>(StandardNormal)).exp() > 1.0
}

//! Simulated months, and what happens in them.

use coilsight_agent::drift::Coil;
use coilsight_agent::drift::columns::{Columns, Seen};
use coilsight_agent::drift::report::{Code, Finding};
use coilsight_models::coil::{CoilId, CoilMatrix, GAUGES, Gauge, Order, SIDE_GAUGES};
use coilsight_trainer::simulate::{Plan, coil as simulate};
use std::fmt;

/// The stand-in for an ensemble of one model.
pub const MODELS: [&str; 1] = ["stand-in"];

/// What a month is like.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Month {
    /// Nothing changes.
    Plain,
    /// Gauges wander by 1 % until they are calibrated, every 400 coils.
    Ageing,
    /// After 1200 coils car bodies go elsewhere and cladding comes.
    Mix,
}

impl Month {
    /// A plan of so many coils.
    pub fn plan(self, seed: u64, coils: u64) -> Plan {
        let still = "gauges: { calibrate_every: 100000, ageing: 0 }";
        let periods = match self {
            Self::Plain => format!("[{{ name: plain, coils: {coils}, {still} }}]"),
            Self::Ageing => format!("[{{ name: ageing, coils: {coils} }}]"),
            Self::Mix => format!(
                "[{{ name: bodies, coils: {}, {still}, customers: {{ Arden Bodies: 6, Bexley Motors: 4, Elgin Cladding: 1 }} }}, \
                 {{ name: cladding, coils: {}, {still}, customers: {{ Arden Bodies: 0.5, Bexley Motors: 0.5, Elgin Cladding: 6, \
                 Farrow Profiles: 4 }} }}]",
                super::AT,
                coils - super::AT
            ),
        };
        Plan::parse(&format!("{{ seed: {seed}, minutes_per_coil: 15, periods: {periods} }}"))
            .expect("a good plan")
    }
}

/// A simulated coil.
pub struct Simulated {
    id: CoilId,
    order: Order,
    length_m: f64,
    matrix: CoilMatrix,
    /// Reading over weight of its gauges.
    pub gains: [f64; GAUGES],
}

impl Simulated {
    /// The coil with these columns.
    pub fn coil(&self, columns: Columns) -> Coil {
        Coil { id: self.id.clone(), at: None, columns }
    }
}

/// The plan's coil.
pub fn coil(plan: &Plan, index: u64) -> Simulated {
    let coil = simulate(plan, index);
    let matrix = coil.chunked().matrix;
    Simulated { id: coil.id, order: coil.order, length_m: coil.length_m, matrix, gains: coil.gauges.gain }
}

/// What is changed of a month.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// Nothing.
    None,
    /// A gauge reads so many per cent too much.
    Gauge(f64),
    /// The same, one of eighteen.
    GaugeAt(f64, usize),
    /// A gauge reads nothing.
    Blind,
    /// The same, one of eighteen.
    BlindAt(usize),
    /// All gauges read so many per cent too much.
    Level(f64),
    /// Orders are others.
    Mix,
}

impl Change {
    /// At a gauge and in a direction that depend on the seed.
    pub fn of_seed(self, seed: u64) -> Self {
        let gauge = (7 * seed as usize) % GAUGES;
        let sign = if seed.is_multiple_of(2) { 1.0 } else { -1.0 };
        match self {
            Self::Gauge(percent) => Self::GaugeAt(sign * percent, gauge),
            Self::Blind => Self::BlindAt(gauge),
            Self::Level(percent) => Self::Level(sign * percent),
            other => other,
        }
    }

    /// Factor on a gauge's readings.
    fn factor(self, gauge: usize) -> f64 {
        match self {
            Self::GaugeAt(percent, g) if g == gauge => 1.0 + percent / 100.0,
            Self::BlindAt(g) if g == gauge => 0.0,
            Self::Level(percent) => 1.0 + percent / 100.0,
            _ => 1.0,
        }
    }

    /// Whether a finding is about it.
    pub fn is_told_by(self, finding: &Finding) -> bool {
        let gauge = |g| finding.gauge == Some(Gauge::of_column(g));
        match self {
            Self::GaugeAt(_, g) => finding.code == Code::GaugeOff && gauge(g),
            Self::BlindAt(g) => finding.code == Code::GaugeBlind && gauge(g),
            Self::Level(_) => finding.code == Code::Level,
            _ => false,
        }
    }

    /// The columns that it is about.
    pub fn columns(self) -> Vec<String> {
        match self {
            Self::GaugeAt(_, g) => vec![format!("offset {}", Gauge::of_column(g))],
            Self::BlindAt(g) => vec![format!("gaps {}", Gauge::of_column(g))],
            Self::Level(_) => vec!["level top".to_owned(), "level bottom".to_owned()],
            _ => vec!["tolerance_class".to_owned(), "nominal_g_m2".to_owned()],
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => write!(f, "nothing"),
            Self::Gauge(percent) | Self::GaugeAt(percent, _) => write!(f, "a gauge off by {percent} %"),
            Self::Blind | Self::BlindAt(_) => write!(f, "a gauge blind"),
            Self::Level(percent) => write!(f, "all gauges off by {percent} %"),
            Self::Mix => write!(f, "another order mix"),
        }
    }
}

/// The columns of a coil, changed.
pub fn columns(coil: &Simulated, change: Change) -> Columns {
    let changed = |(cell, mean): (usize, &u16)| {
        let mean = f64::from(*mean) * change.factor(cell % GAUGES);
        mean.round() as u16
    };
    let mean: Vec<u16> = coil.matrix.mean().iter().enumerate().map(changed).collect();
    let matrix = CoilMatrix::from_hundredths(mean, coil.matrix.std().to_vec()).expect("its own shape");
    let p_nok = stand_in(&matrix, &coil.order);
    Columns::of(&Seen {
        matrix: &matrix,
        order: Some(&coil.order),
        length_m: Some(coil.length_m),
        p_nok: Some(p_nok),
        votes: &[p_nok],
        unlike: false,
    })
}

fn stand_in(matrix: &CoilMatrix, order: &Order) -> f64 {
    let mut cells: Vec<u16> = matrix.mean().iter().copied().filter(|m| *m > 0).collect();
    let hundredth = cells.len() / 100;
    let (_, thin, _) = cells.select_nth_unstable(hundredth);
    let under = 1.0 - f64::from(*thin) / 100.0 / order.nominal_g_m2();
    let strict = [1.6, 1.0, 0.5][order.tolerance_class() as usize];
    1.0 / (1.0 + (5.0 - 30.0 * strict * under).exp())
}

/// Whether the gauge that is found off reads otherwise by 1 % or more than in the first 500 coils, against its side.
pub fn truly_off(gains: &[[f64; GAUGES]], finding: &Finding) -> bool {
    let Some(gauge) = finding.gauge else { return false };
    let column =
        usize::from(gauge.number) - 1 + if finding.side == Some(Gauge::of_column(0).side) { 0 } else { 9 };
    let reference = &gains[..gains.len().min(500)];
    let newest = &gains[gains.len().saturating_sub(6)];
    let change = |g: usize| {
        let before = reference.iter().map(|gain| gain[g]).sum::<f64>() / reference.len() as f64;
        100.0 * (newest[g] / before - 1.0)
    };
    let mut side: Vec<f64> = (column / SIDE_GAUGES * SIDE_GAUGES..).take(SIDE_GAUGES).map(change).collect();
    side.sort_by(f64::total_cmp);
    (change(column) - side[SIDE_GAUGES / 2]).abs() >= 1.0
}

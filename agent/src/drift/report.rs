//! What is told of drift: the form of `GET /api/v1/drift`.

use super::columns::Kind;
use super::{distance, gauges};
use coilsight_models::coil::{CoilId, Gauge, Side};
use coilsight_models::message::status::Why;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Everything there is to tell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Whether the reference stands.
    pub state: State,
    /// The first coils that were judged here; for the models' scores, the first that the active set judged.
    pub reference: Sample,
    /// The newest coils after those.
    pub window: Sample,
    /// Coils unlike those that the models were trained on.
    pub unlike: Unlike,
    /// What was ordered: a change of it is no fault.
    pub order_mix: OrderMix,
    /// All eighteen, top 1 to 9, then bottom 1 to 9.
    pub gauges: Vec<GaugeReport>,
    /// Every column that is compared.
    pub columns: Vec<ColumnReport>,
    /// What a person must act on, the most urgent first.
    pub findings: Vec<Finding>,
}

/// How far the watch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The reference is being gathered.
    Learning,
    /// The reference stands, the window has too few coils yet.
    Filling,
    /// Both are compared.
    Watching,
}

/// A coil in time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The coil.
    pub coil_id: CoilId,
    /// When it was closed, by the plant's time, if that is known.
    pub at: Option<Timestamp>,
}

/// Coils that are compared with others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// How many there are.
    pub n: usize,
    /// How many there are to be.
    pub wanted: usize,
    /// The oldest.
    pub from: Option<Mark>,
    /// The newest.
    pub to: Option<Mark>,
}

/// Shares of coils unlike those trained on, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unlike {
    /// In the reference.
    pub reference: Option<f64>,
    /// In the window.
    pub window: Option<f64>,
}

/// Whether orders come as they did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderMix {
    /// They do not.
    pub changed: bool,
    /// Share of the window's coils of a class and weight that the reference hardly has, 0 to 1. They are left out
    /// where columns are compared.
    pub unseen: Option<f64>,
    /// In words.
    pub text: String,
}

/// A gauge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GaugeReport {
    /// Which.
    pub gauge: Gauge,
    /// How it is.
    pub state: gauges::State,
    /// What it reads above what its neighbours and the reference make one expect, per cent; over the newest coils.
    pub offset_percent: Option<f64>,
    /// Share of the strip that it misses on the newest coils, 0 to 1.
    pub gap_share: Option<f64>,
    /// Since when it has been off, blind or with gaps.
    pub since: Option<Mark>,
    /// In words.
    pub text: String,
}

/// A column, reference against window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnReport {
    /// Its name.
    pub name: String,
    /// What it is about.
    pub kind: Kind,
    /// The gauge, if it is about one.
    pub gauge: Option<Gauge>,
    /// Values in the reference.
    pub reference_n: usize,
    /// Values in the window.
    pub window_n: usize,
    /// Their medians.
    pub reference_median: Option<f64>,
    /// Their medians.
    pub window_median: Option<f64>,
    /// The figures people know.
    pub figures: Figures,
    /// What decides.
    pub adjusted: Option<Adjusted>,
    /// Whether it has drifted.
    pub drifted: bool,
    /// In words.
    pub text: String,
}

/// As Evidently computes them, of both samples as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// p of Kolmogorov and Smirnov's test; of numbers.
    pub ks_p: Option<f64>,
    /// p of the chi-square test; of categories.
    pub chi_square_p: Option<f64>,
    /// Wasserstein distance, in standard deviations of the reference; of numbers.
    pub wasserstein: Option<f64>,
    /// Jensen-Shannon distance.
    pub jensen_shannon: Option<f64>,
    /// Population stability index.
    pub psi: Option<f64>,
}

impl Figures {
    /// Of a reference and a recent sample, both sorted; `classes` are categories.
    pub fn of(reference: &[f64], recent: &[f64], classes: bool) -> Self {
        let number =
            |of: fn(&[f64], &[f64]) -> Option<f64>| if classes { None } else { of(reference, recent) };
        Self {
            ks_p: number(distance::ks_p),
            chi_square_p: if classes { distance::chi_square_p(reference, recent) } else { None },
            wasserstein: number(distance::wasserstein),
            jensen_shannon: distance::jensen_shannon(reference, recent),
            psi: distance::psi(reference, recent),
        }
    }
}

/// At like order mix, and counted as so many coils as are worth independent ones.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adjusted {
    /// p after Holm's correction over all columns.
    pub p: f64,
    /// Wasserstein distance, in standard deviations of the reference; of categories, the sum of differences of shares.
    pub effect: f64,
    /// How many coils count as one.
    pub coils_for_one: f64,
    /// Coils of the window that could be compared.
    pub n: usize,
}

/// What is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// A gauge reads nothing.
    GaugeBlind,
    /// A gauge reads otherwise than it did.
    GaugeOff,
    /// A gauge misses part of the strip.
    GaugeGaps,
    /// A gauge varies more, or less, along the strip than it did.
    GaugeNoise,
    /// A side's profile across is another.
    Profile,
    /// A side is lighter or heavier against the order.
    Level,
    /// A whole side varies more, or less, along the strip.
    Variation,
    /// The models' scores are others.
    Prediction,
    /// Coils are unlike those trained on.
    Unlike,
}

impl Code {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::GaugeBlind => "gauge_blind",
            Self::GaugeOff => "gauge_off",
            Self::GaugeGaps => "gauge_gaps",
            Self::GaugeNoise => "gauge_noise",
            Self::Profile => "profile",
            Self::Level => "level",
            Self::Variation => "variation",
            Self::Prediction => "prediction",
            Self::Unlike => "unlike",
        }
    }
}

/// Something a person must act on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What, for programs.
    pub code: Code,
    /// One name for one thing: what is told of it was told already.
    pub key: String,
    /// The gauge, if it is about one.
    pub gauge: Option<Gauge>,
    /// The side, if it is about one.
    pub side: Option<Side>,
    /// By how much, if that is a matter of per cent.
    pub percent: Option<f64>,
    /// Since when.
    pub since: Option<Mark>,
    /// What was found.
    pub text: String,
    /// What to do.
    pub to_do: String,
    /// The same for programs that say it in another language.
    pub why: Option<Why>,
}

impl Finding {
    /// Its code and what belongs to it: gauge, side, per cent, the coil since which it is so, as far as each is told.
    pub(super) fn to_why(&self) -> Why {
        let whole_side = self.gauge.is_none() && matches!(self.code, Code::GaugeBlind | Code::GaugeGaps);
        let mut why = Why::of(if whole_side { "gauges_unread" } else { self.code.name() });
        if let Some(gauge) = self.gauge {
            why = why.with("gauge", gauge);
        }
        if let Some(side) = self.side {
            why = why.with("side", side);
        }
        if let Some(percent) = self.percent {
            why = why.with("percent", percent);
        }
        match &self.since {
            Some(mark) => why.with("since", &mark.coil_id),
            None => why,
        }
    }
}

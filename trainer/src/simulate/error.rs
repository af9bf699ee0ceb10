//! Why nothing could be simulated.

use std::io;
use std::path::PathBuf;

use jiff::Timestamp;
use thiserror::Error;

use super::plan::{MAX_COILS, MAX_PLAN_BYTES};
use crate::data::npy::NpyError;

/// Why nothing could be simulated.
#[derive(Debug, Error)]
pub enum SimulateError {
    /// Too few or too many coils.
    #[error("between 1 and {MAX_COILS} coils can be simulated at once, not {0}")]
    Count(u64),
    /// The share of NOK coils is no share.
    #[error("the share of NOK coils must lie between 0 and 1, not {0}")]
    NokShare(f64),
    /// More or fewer flaws than the model is meant for.
    #[error("flaws per coil must lie between 0.05 and 10, not {0}: NOK coils need some, OK coils bear few")]
    Flaws(f64),
    /// A number of the plan is out of its limits.
    #[error("{key} is {value}: give {low} to {high}")]
    Range {
        /// Which.
        key: String,
        /// What was given.
        value: f64,
        /// The least.
        low: f64,
        /// The most.
        high: f64,
    },
    /// A list of the plan is too short or too long.
    #[error("{key} has {found} entries: give {low} to {high}")]
    Entries {
        /// Which.
        key: String,
        /// How many were given.
        found: usize,
        /// The fewest.
        low: usize,
        /// The most.
        high: usize,
    },
    /// A name that cannot be told apart or read.
    #[error("{key} is {name:?}: give 1 to 40 printable characters, each name once")]
    PlanName {
        /// Which.
        key: String,
        /// What was given.
        name: String,
    },
    /// A period names a customer that is not there.
    #[error(
        "period {period:?} gives a share to {customer:?}, who is not among the customers: add it or correct it"
    )]
    NoCustomer {
        /// The period.
        period: String,
        /// The name.
        customer: String,
    },
    /// Nobody orders anything, or nothing can go wrong.
    #[error("all {what} of period {period:?} are 0: leave one above it")]
    AllZero {
        /// Shares or rates.
        what: &'static str,
        /// The period.
        period: String,
    },
    /// Periods give the coils, the plan another count.
    #[error(
        "the plan counts {count} coils and its periods {periods}: leave count out where there are periods"
    )]
    CountOfPeriods {
        /// The plan's.
        count: u64,
        /// The periods' sum.
        periods: u64,
    },
    /// A period would begin before the one before it has ended.
    #[error(
        "period {period:?} starts at {start}, but the coils before it last until {until}: let it start later"
    )]
    PeriodStart {
        /// The period.
        period: String,
        /// What the plan says.
        start: Timestamp,
        /// When the line is free.
        until: Timestamp,
    },
    /// The plan's text makes no sense.
    #[error("the plan cannot be understood; see trainer/scenarios for plans that can")]
    Plan(#[source] config::ConfigError),
    /// A plan of more bytes than any plan.
    #[error("the plan {} is longer than {MAX_PLAN_BYTES} bytes: is it the right file?", path.display())]
    PlanSize {
        /// The file.
        path: PathBuf,
    },
    /// A plan cannot be read.
    #[error("cannot read the plan {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Coil ids would break the plant interface's rule.
    #[error("coil ids cannot begin with {prefix:?}; use up to 32 letters, digits, '-' or '_'")]
    IdPrefix {
        /// What was given.
        prefix: String,
    },
    /// The name of the files would lead elsewhere.
    #[error("{name:?} is no plain file name; use letters, digits, '-', '_' and '.'")]
    Name {
        /// What was given.
        name: String,
    },
    /// A file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A table cannot be written.
    #[error("cannot write {}", path.display())]
    Table {
        /// Which file.
        path: PathBuf,
        /// What the writer said.
        source: csv::Error,
    },
    /// A matrix file cannot be written.
    #[error("cannot write the matrices")]
    Matrix(#[from] NpyError),
}

//! A study: many configurations on the same splits, measured alike, from one file (paper, sections 3.1, 4 and 5).

pub mod plan;
pub mod results;

pub use plan::{Cell, Configuration, Experiment, Plan, School};
pub use results::{Metric, Results};

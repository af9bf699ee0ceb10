//! A study: many configurations on the same splits, measured alike, from one file (paper, sections 3.1, 4 and 5).
//!
//! [`plan`] reads the file and spreads out its grids; [`cell`] trains one network and asks it for the coils that it has not seen;
//! [`work`] does the cells of a shard and leaves them in a [`store`]; [`gather`] sees to it that all are there; [`judge`] makes
//! decisions of their scores, [`assess`] measures these and [`compare`] tests them; [`finish`] chooses; [`last`] trains the chosen
//! ones on all coils and looks at gold once, and [`judging`] takes the time that they need for a coil. [`results`] is what a report tells.

pub mod assess;
pub mod cell;
pub mod compare;
pub mod evidence;
pub mod finish;
pub mod gather;
pub mod judge;
pub mod judging;
pub mod last;
pub mod plan;
pub mod results;
pub mod store;
pub mod tell;
pub mod work;

pub use plan::{Cell, Configuration, Experiment, Plan, School};
pub use results::{Metric, Results};

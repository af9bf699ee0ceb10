//! A coil: its id, its order data and the 264 x 18 matrix of its coating. Valid once built.

mod gauge;
mod id;
mod matrix;
mod order;

pub use gauge::{Gauge, Side};
pub use id::{BadCoilId, CoilId};
pub use matrix::{BadShape, CoilMatrix};
pub use order::{Order, OrderFault, ToleranceClass};

/// Chunks along a coil, whatever its length (paper, section 3.1).
pub const CHUNKS: usize = 264;
/// Gauges across both sides of the strip.
pub const GAUGES: usize = 18;
/// Gauges on one side: columns 0..9 are the top, 9..18 the bottom, operator to drive side.
pub const SIDE_GAUGES: usize = 9;
/// Cells of a matrix.
pub const CELLS: usize = CHUNKS * GAUGES;
/// The most a single reading may be, in g/m2 a side, where no order says anything closer.
pub const MAX_READING: f64 = 600.0;

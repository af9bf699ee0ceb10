//! What a coil, a model and a verdict are: shared by the agent at the line and by the trainer.
//!
//! Nothing here knows a network, a clock, a task or an environment variable: whatever changes from
//! call to call is passed in. The modules follow a coil's way: [`message`] reads what the plant says,
//! [`chunk`] lays rows out along the strip, [`coil`] holds the matrix, [`prepare`] turns it into a
//! tensor, [`verdict`] makes a decision of the scores. A [`bundle`] carries the networks and how to
//! judge with them; a [`session`] runs them. [`surface`] is what recognising surface pictures counts with.

pub mod bundle;
pub mod chunk;
pub mod coil;
pub mod message;
pub mod prepare;
pub mod session;
pub mod surface;
pub mod tally;
pub mod verdict;

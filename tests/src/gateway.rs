//! A gateway on the bench: plays a line into any broker at any speed, with faults on request, and hears what the
//! agent makes of it. For tests, and for hardware on a desk.

pub mod check;
pub mod listener;
pub mod plan;
pub mod player;

//! The loop closes: from what people said of a line's coils to the next set of models.

pub mod rule;

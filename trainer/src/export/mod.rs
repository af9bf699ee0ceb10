//! From a trained network to a model file: the folded form, and what is written from it.

pub mod folded;

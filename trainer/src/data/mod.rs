//! Coils to train on: sets, folds, augmentation, and what must never be trained on.

pub mod augment;
pub mod coils;
pub mod folds;
pub mod gold;
pub mod npy;

//! Where coils come from when models are trained.

pub mod npy;

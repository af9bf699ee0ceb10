//! The plant's record: what lines decided, what people made of it, how models did and what was done about it, in a database
//! of the plant's choice.
//!
//! [`Record`] is a database: `SQLite` in a file, or `PostgreSQL`. [`store`](Record::store) takes in what a line sends, once and in order;
//! [`serve`] stands between it and the broker and answers over REST; [`labelled`] is what retraining learns from.

mod db;
mod error;
mod events;
pub mod labelled;
mod models;
mod read;
mod report;
pub mod retrainings;
pub mod serve;
mod store;
#[cfg(test)]
mod tests;

pub use db::Record;
pub use error::Error;
pub use models::{Asked, Figures, History, Model, Which};
pub use read::{Coil, Happened, Line, Query, Told};

/// What a call gives.
pub type Result<T> = std::result::Result<T, Error>;

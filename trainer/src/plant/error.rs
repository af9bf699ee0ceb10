//! What can go wrong with the plant's record.

/// Why the record did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No database.
    #[error(
        "the plant's record at {url} cannot be opened: check the address, the user's rights, and that the database runs"
    )]
    Open {
        /// Where, without a password.
        url: String,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// A schema that this program cannot bring up to date.
    #[error(
        "the plant's record is of another version of this program: update the older of the two, or restore a backup"
    )]
    Schema(#[from] sqlx::migrate::MigrateError),
    /// The database refused.
    #[error(
        "the plant's record does not do what it should: see to the database; lines keep what is not stored"
    )]
    Database(#[from] sqlx::Error),
    /// Something in it is not what this program wrote.
    #[error("{what} in the plant's record cannot be read: was it changed by hand?")]
    Damaged {
        /// What.
        what: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A line whose name another topic's line has.
    #[error("the line {line} speaks by {known}, not by {prefix}: give each line a name of its own (line.id)")]
    Stranger {
        /// The line.
        line: String,
        /// Whose it is.
        known: String,
        /// Who says it now.
        prefix: String,
    },
}

//! The database.

use super::{Error, Result};
use sqlx::any::AnyPoolOptions;
use sqlx::{AnyConnection, AnyPool, Executor};
use std::path::Path;
use std::time::Duration;

/// Connections at once: `SQLite` has one writer, and lines are taken one after the other.
const CONNECTIONS: u32 = 8;
/// So long a call waits for a connection.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a number that is not known goes to the database as, where `NULLIF($n, -1e300)` makes it NULL. sqlx's `Any` gives `PostgreSQL` a
/// missing double as a float4 and keeps the statement prepared so: every number after it would be refused.
pub(super) const NOTHING: f64 = -1e300;

/// The plant's record.
#[derive(Clone, Debug)]
pub struct Record {
    pub(super) pool: AnyPool,
}

impl Record {
    /// Opens it, making what is missing and bringing an older schema up to date. `url`: `postgres://...`, or
    /// `sqlite://FILE?mode=rwc`.
    pub async fn open(url: &str) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let sqlite = url.starts_with("sqlite:");
        let options = AnyPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(PATIENCE);
        let options = options.after_connect(move |connection: &mut AnyConnection, _| {
            Box::pin(async move {
                if sqlite {
                    // FULL: what is answered is on the disk (sqlite.org/pragma.html#pragma_synchronous).
                    connection.execute("PRAGMA busy_timeout = 15000").await?;
                    connection.execute("PRAGMA journal_mode = WAL").await?;
                    connection.execute("PRAGMA synchronous = FULL").await?;
                    connection.execute("PRAGMA foreign_keys = ON").await?;
                }
                Ok(())
            })
        });
        let named = || without_password(url);
        let pool = options.connect(url).await.map_err(|source| Error::Open { url: named(), source })?;
        sqlx::migrate!("src/plant/migrations").run(&pool).await?;
        Ok(Self { pool })
    }

    /// The same in a file.
    pub async fn in_file(file: &Path) -> Result<Self> {
        Self::open(&format!("sqlite://{}?mode=rwc", file.display())).await
    }

    /// Whether the database answers.
    pub async fn answers(&self) -> Result<()> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }

    /// Closes it.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// For messages.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    match rest.split_once('@') {
        Some((login, place)) => {
            let user = login.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}@{place}")
        }
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_told() {
        let told = without_password("postgres://ada:secret@db.plant:5432/record");
        assert_eq!(told, "postgres://ada@db.plant:5432/record");
        assert_eq!(without_password("sqlite:///srv/record.sqlite"), "sqlite:///srv/record.sqlite");
    }
}

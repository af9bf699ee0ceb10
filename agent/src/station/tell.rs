//! How the line is: the status, and the last word.

use super::{Act, Station};
use crate::line;
use coilsight_models::message::status::{self, Queues, Running, State, Status};

/// The outbox is counted up to here.
const MOST_COUNTED: usize = 10_000;

/// The status that the broker publishes when it loses the agent.
pub fn last_will(line: &str) -> Status {
    Status {
        version: status::VERSION,
        line: line.into(),
        state: State::Offline,
        agent: env!("CARGO_PKG_VERSION").into(),
        running: None,
    }
}

impl Station {
    /// The last word: the status that stays at the broker after an orderly stop.
    pub fn farewell(&mut self) -> line::Result<Vec<Act>> {
        let Some(generation) = self.rows.up else { return Ok(Vec::new()) };
        let status = self.status(State::Offline)?;
        self.outbox.status(&self.line.config().topics, &status);
        let publications = self.outbox.fill(&self.line)?;
        Ok(publications.into_iter().map(|publication| Act::Publish { generation, publication }).collect())
    }

    pub(super) fn status(&self, state: State) -> line::Result<Status> {
        let config = self.line.config();
        let stats = self.line.archive().stats();
        let model = self.line.judge().absent().is_none().then(|| self.line.judge().model());
        let running = Running {
            at: self.wall,
            up_s: self.now.as_secs(),
            bundle: model,
            health: self.health.troubles(),
            queues: Queues {
                open_coils: self.line.open_coils().count(),
                open_rows: self.line.open_rows(),
                unacknowledged: self.rows.waiting.len() + self.words.waiting.len(),
                unconfirmed: self.outbox.in_flight(),
                outbox: self.line.archive().outbox_len(MOST_COUNTED)? as u64,
            },
            sums: self.line.tally(),
            decisions: stats.counts.decisions,
            archive_bytes: [stats.used, stats.cap],
        };
        Ok(Status {
            version: status::VERSION,
            line: config.id.clone(),
            state,
            agent: env!("CARGO_PKG_VERSION").into(),
            running: Some(running),
        })
    }
}

//! The page and the watch beside the line: without them the line judges on.

use crate::archive::{Archive, RealDisk};
use crate::book::Book;
use crate::config::Settings;
use crate::operators::Operators;
use crate::watch::{Findings, Parts, Watch};
use crate::web::{self, Board, Desk, Rejudge, Server};
use coilsight_models::message::notification::Subject;
use coilsight_models::message::status::Trouble;
use std::net::SocketAddr;
use std::sync::{Arc, RwLock};
use tokio::sync::watch;

/// What runs beside the line.
#[derive(Debug)]
pub(super) struct Page {
    server: Option<Server>,
    watch: Watch,
}

impl Page {
    /// Starts both; a page that cannot be served is told on the board, and the watch goes on without it.
    pub fn start(
        settings: &Settings,
        archive: &Arc<Archive>,
        operators: &Arc<Operators>,
        board: &Arc<Board>,
    ) -> anyhow::Result<Self> {
        let book = Arc::new(RwLock::new(Book::default()));
        let findings = Arc::new(Findings::default());
        let (changed, changes) = watch::channel(0);
        let watch = Watch::start(Parts {
            archive: Arc::clone(archive),
            book: Arc::clone(&book),
            findings: Arc::clone(&findings),
            board: Arc::clone(board),
            changed,
            disk: Arc::new(RealDisk::new(settings.state.join("watch"))?),
            score: settings.score,
            drift: settings.drift.clone(),
        })?;
        let serve = || -> anyhow::Result<Server> {
            let listener = web::bind(&settings.web)?;
            let disk: Arc<dyn crate::archive::Disk> =
                Arc::new(RealDisk::new(settings.state.join("rejudge"))?);
            let desk = Desk::new(
                settings.clone(),
                Arc::clone(archive),
                book,
                Arc::clone(operators),
                Arc::clone(board),
                findings,
                Rejudge::open(&disk)?,
                changes,
            );
            Ok(Server::start(listener, desk)?)
        };
        let server = settings.web.enabled.then(serve).transpose();
        let server = server.unwrap_or_else(|error| {
            let at = settings.web.listen;
            board.tell(
                "page",
                vec![Trouble {
                    topic: Subject::Page,
                    text: format!("there is no page at {at}: {error:#}"),
                    to_do:
                        "give it another address (web.listen), or end what has this one; the line judges on"
                            .into(),
                }],
            );
            None
        });
        if let Some(server) = &server {
            tracing::info!(at = %server.at, "the page");
        }
        Ok(Self { server, watch })
    }

    /// Where the page is.
    pub fn at(&self) -> Option<SocketAddr> {
        self.server.as_ref().map(|server| server.at)
    }

    /// Ends both.
    pub fn stop(&mut self) {
        if let Some(server) = &mut self.server {
            server.stop();
        }
        self.watch.stop();
    }
}

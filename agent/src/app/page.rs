//! The page and the watch beside the line: without them the line judges on.

use crate::archive::{Archive, RealDisk};
use crate::book::Book;
use crate::config::Settings;
use crate::drift::References;
use crate::operators::Operators;
use crate::watch::{Findings, Parts, Watch};
use crate::web::{self, Board, Desk, Rejudge, Server};
use coilsight_models::message::notification::Subject;
use coilsight_models::message::status::{Trouble, Why};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, RwLock};
use tokio::sync::watch;

/// What is known of the coils, and what was found in it: the watch's, for the page and the plant's record.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub book: Arc<RwLock<Book>>,
    pub findings: Arc<Findings>,
}

impl Seen {
    /// Nothing yet, but for the references of drift that people have taken.
    pub fn open(settings: &Settings, board: &Board) -> Self {
        let references = || -> anyhow::Result<References> {
            let disk: Arc<dyn crate::archive::Disk> =
                Arc::new(RealDisk::new(settings.state.join("references"))?);
            Ok(References::open(&disk)?)
        };
        let references = references().unwrap_or_else(|error| {
            let why = format!("{error:#}");
            let trouble = Trouble {
                topic: Subject::Storage,
                text: format!(
                    "nobody can take a new reference of drift, and those that were taken do not count: {why}"
                ),
                to_do: "see to the disk, then restart the agent; the line judges on".into(),
                why: Some(Why::of("no_references").with("why", why)),
            };
            board.tell("references", vec![trouble]);
            References::default()
        });
        Self { book: Arc::default(), findings: Arc::new(Findings::over(references)) }
    }
}

/// What runs beside the line.
#[derive(Debug)]
pub(super) struct Page {
    server: Option<Server>,
    watch: Option<Watch>,
}

impl Page {
    /// Starts both; what cannot be started is told on the board, and the rest goes on without it.
    pub fn start(
        settings: &Settings,
        archive: &Arc<Archive>,
        Seen { book, findings }: Seen,
        operators: &Arc<Operators>,
        board: &Arc<Board>,
    ) -> Self {
        let (changed, changes) = watch::channel(0);
        let watch = || -> io::Result<Watch> {
            Watch::start(Parts {
                archive: Arc::clone(archive),
                book: Arc::clone(&book),
                findings: Arc::clone(&findings),
                board: Arc::clone(board),
                changed,
                disk: Arc::new(RealDisk::new(settings.state.join("watch"))?),
                score: settings.score,
                drift: settings.drift.clone(),
                review_share: settings.line.review_share,
            })
        };
        let watch = watch();
        if let Err(error) = &watch {
            let trouble = Trouble {
                topic: Subject::Page,
                text: format!(
                    "nobody watches scores and drift, and lists stay empty: {}",
                    crate::say::chain(error)
                ),
                to_do: "see to the disk, then restart the agent; the line judges on".into(),
                why: Some(Why::of("no_watch").with("why", crate::say::chain(error))),
            };
            board.tell("watch", vec![trouble]);
        }
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
                    // Only who has no page hears of it.
                    why: None,
                }],
            );
            None
        });
        if let Some(server) = &server {
            tracing::info!(at = %server.at, "the page");
        }
        Self { server, watch: watch.ok() }
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
        if let Some(watch) = &mut self.watch {
            watch.stop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::Limits;

    #[test]
    fn without_a_folder_for_it_the_watch_is_missed_and_told_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Arc::new(RealDisk::new(folder.path().join("archive")).unwrap());
        let (archive, _) = Archive::open_without_views_folder(disk, Limits::default()).unwrap();
        // A file where a folder should be, as a damaged file system may leave it.
        std::fs::write(folder.path().join("watch"), "").unwrap();
        let mut settings = Settings { state: folder.path().to_owned(), ..Settings::default() };
        settings.web.listen.set_port(0);
        let board = Arc::<Board>::default();
        let mut page = Page::start(&settings, &Arc::new(archive), Seen::default(), &Arc::default(), &board);
        assert!(page.at().is_some(), "the page is there");
        assert_eq!(board.told().into_keys().collect::<Vec<_>>(), ["watch"]);
        page.stop();
    }
}

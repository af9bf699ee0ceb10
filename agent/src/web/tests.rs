//! The server over real sockets: what it gives, what it takes, and what it refuses.

mod attacks;
mod client;
mod flow;

use super::*;
use crate::archive::{Limits, NewDecision, RealDisk};
use crate::book::Book;
use crate::line::tests::assessment;
use crate::operators::Roster;
use client::{Answer, Client};
use coilsight_models::coil::{CELLS, CoilId, CoilMatrix};
use coilsight_models::message::assessment::Drawn;
use coilsight_models::verdict::Verdict;
use serde_json::{Value, json};

/// A page over an archive of a few coils, in a folder of its own.
struct Bench {
    server: Server,
    desk: Arc<Desk>,
    token: String,
    _folder: tempfile::TempDir,
}

impl Bench {
    /// With coils GL2-0 to GL2-9: the third is for REVIEW, the fifth NOK, the seventh drawn.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk = Arc::new(RealDisk::new(folder.path().join("archive")).unwrap());
        let limits = Limits { reserve_file: 4096, ..Limits::default() };
        let (archive, _) = Archive::open(disk, folder.path().join("views"), limits).unwrap();
        for n in 0..10 {
            decide(&archive, n);
        }
        let file = folder.path().join("operators.json");
        let mut roster = Roster::default();
        roster.add("Ada", "1001").unwrap();
        roster.add("Ben", "1002").unwrap();
        let token = roster.add_program("historian").unwrap();
        roster.save(&file).unwrap();
        let mut settings = Settings { state: folder.path().join("state"), ..Settings::default() };
        settings.web.listen.set_port(0);
        settings.web.operators = file.clone();
        settings.web.hosts = vec!["panel.plant".into()];
        let (_, changes) = watch::channel(0);
        let rejudge: Arc<dyn crate::archive::Disk> =
            Arc::new(RealDisk::new(folder.path().join("rejudge")).unwrap());
        let references: Arc<dyn crate::archive::Disk> =
            Arc::new(RealDisk::new(folder.path().join("references")).unwrap());
        let findings = Findings::over(crate::drift::References::open(&references).unwrap());
        let desk = Desk::new(
            settings.clone(),
            Arc::new(archive),
            Arc::new(RwLock::new(Book::default())),
            Arc::new(Operators::of(file)),
            Arc::default(),
            Arc::new(findings),
            Rejudge::open(&rejudge).unwrap(),
            changes,
        );
        desk.catch_up();
        let server = Server::start(bind(&settings.web).unwrap(), Arc::clone(&desk)).unwrap();
        Self { server, desk, token, _folder: folder }
    }

    fn client(&self) -> Client {
        Client::new(self.server.at)
    }

    fn login(&self, code: &str) -> Client {
        let mut client = self.client();
        let answer = client.post("/api/v1/login", &json!({ "code": code }));
        assert_eq!(answer.status, 200, "{answer:?}");
        client.keep_cookie(&answer);
        client
    }
}

fn id(n: u64) -> String {
    format!("{n:032x}")
}

fn decide(archive: &Archive, n: u64) {
    let mut a = assessment();
    a.coil_id = CoilId::new(format!("GL2-{n}")).unwrap();
    a.decision_id = id(n);
    a.verdict = match n {
        3 => Verdict::Review,
        5 => Verdict::Nok,
        _ => Verdict::Ok,
    };
    a.drawn = (n == 7).then_some(Drawn { share: 0.02 });
    let cells: Vec<_> = (0..CELLS).map(|i| (i % 7 != 0).then_some((70.0 + n as f64, 1.0))).collect();
    let new = NewDecision {
        decision_id: &a.decision_id,
        coil_id: a.coil_id.as_str(),
        pass_key: &format!("pass {n}"),
        segment: None,
        json: &serde_json::to_vec(&a).unwrap(),
        matrix: Some(&CoilMatrix::from_cells(&cells).unwrap().to_bytes()),
    };
    archive.decide(new).unwrap();
}

fn error_of(answer: &Answer) -> String {
    let error = answer.json()["error"].clone();
    for key in ["code", "message", "to_do"] {
        assert!(error[key].as_str().is_some_and(|text| !text.is_empty()), "{answer:?}");
    }
    error["code"].as_str().unwrap_or_default().to_owned()
}

/// The document and the routes name each other: read from the source, for the router does not tell.
#[test]
fn the_document_has_every_route_and_no_other() {
    let document: Value = serde_json::from_str(include_str!("openapi.json")).unwrap();
    let mut documented: Vec<String> = document["paths"].as_object().unwrap().keys().cloned().collect();
    let source = include_str!("../web.rs");
    let (api, rest) = source.split_once(".nest(").unwrap();
    let routes = |text: &str, prefix: &str| -> Vec<String> {
        let named = text.split(".route(\"").skip(1).filter_map(|rest| rest.split_once('"'));
        named.map(|(path, _)| format!("{prefix}{path}")).collect()
    };
    let mut routed = [routes(api, "/api/v1"), routes(rest, "")].concat();
    routed.retain(|path| path != "/" && !path.starts_with("/static"));
    documented.sort();
    routed.sort();
    assert_eq!(documented, routed);
}

/// Codes of troubles are read from the source, for nothing else knows them all.
#[test]
fn every_code_has_german_words() {
    let words: Value = serde_json::from_str(include_str!("page/de.json")).unwrap();
    let sources = [
        include_str!("../station.rs"),
        include_str!("../station/health.rs"),
        include_str!("../station/notices.rs"),
        include_str!("../app/page.rs"),
        include_str!("../app/upload.rs"),
        include_str!("../broker/ended.rs"),
        include_str!("../update/words.rs"),
        include_str!("../watch/drawn.rs"),
        include_str!("login.rs"),
    ];
    let named = sources.iter().flat_map(|source| source.split("Why::of(\"").skip(1));
    let mut codes: Vec<&str> = named.filter_map(|rest| Some(rest.split_once('"')?.0)).collect();
    assert!(codes.len() > 18, "{codes:?}");
    codes.extend(["none_drawn", "draws_off", "score", "misses", "false_alarms", "gauges_unread"]);
    codes.extend(["gauge_blind", "gauge_off", "gauge_gaps", "gauge_noise", "profile", "level", "variation"]);
    codes.extend(["prediction", "unlike"]);
    for code in codes {
        let has = |key: String| words[key].as_str().is_some_and(|text| !text.is_empty());
        assert!(has(format!("trouble.{code}")), "{code}");
        // What to do about a broker is in the words of whoever knows which error it was.
        assert!(code == "broker" || has(format!("trouble.{code}.do")), "{code}");
    }
}

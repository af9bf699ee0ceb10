//! `coilsight-trainer serve` as a process, over a record in `SQLite` or in `PostgreSQL`; gone with its value.

use crate::{programs, skip};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What a record must do within this, it does not do.
const PATIENCE: Duration = Duration::from_mins(2);
/// Names a database server's database that tests may make others beside.
const SERVER: &str = "COILSIGHT_TEST_DATABASE";

/// Where a record lies.
#[derive(Clone, Debug)]
pub enum Place {
    /// In a folder, in `SQLite`.
    Folder(PathBuf),
    /// In `PostgreSQL`, by this URL.
    Server(String),
}

impl Place {
    /// A new database on the server that `COILSIGHT_TEST_DATABASE` names; or, after saying that `test` goes without, in a
    /// folder.
    pub fn new(test: &str, folder: &Path) -> Self {
        let server = std::env::var(SERVER).ok().filter(|url| !url.is_empty());
        let Some(server) = server else {
            skip::say(
                &format!("{test} on PostgreSQL"),
                &format!("{SERVER} names no database; ./test starts one"),
            );
            return Self::Folder(folder.to_owned());
        };
        let name = format!("record_{}_{:08x}", std::process::id(), rand::random::<u32>());
        Self::psql(&server, &format!("CREATE DATABASE {name}"));
        let (before, _) = server.rsplit_once('/').expect("a database's URL");
        Self::Server(format!("{before}/{name}"))
    }

    /// As arguments of `serve` (`--data`) or of other commands (`--record`).
    pub fn arguments(&self, folder: &str) -> [String; 2] {
        match self {
            Self::Folder(path) => [folder.to_owned(), path.display().to_string()],
            Self::Server(url) => ["--database".to_owned(), url.clone()],
        }
    }

    /// What a query finds, a row a line, by the database's own client; `None` without a server.
    pub fn query(&self, sql: &str) -> Option<String> {
        match self {
            Self::Folder(_) => None,
            Self::Server(url) => Some(Self::psql(url, sql)),
        }
    }

    fn psql(url: &str, sql: &str) -> String {
        let mut psql = Command::new("psql");
        let done =
            psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "-c", sql, url]).output();
        let done = done.expect("psql comes with Debian's postgresql");
        assert!(done.status.success(), "{sql}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    }
}

/// A `coilsight-trainer serve`.
pub struct Serve {
    child: Child,
    /// Its address.
    pub at: String,
}

impl Serve {
    /// Starts one, listening to `plant/+` at a broker on the loopback interface.
    pub fn start(place: &Place, port: u16) -> Self {
        Self::start_with(place, port, &[])
    }

    /// The same with more options.
    pub fn start_with(place: &Place, port: u16, more: &[&str]) -> Self {
        let mut command = programs::trainer();
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--broker"])
            .arg(format!("127.0.0.1:{port}"))
            .args(place.arguments("--data"))
            .args(more);
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the program starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("where it is");
        let at = line.split("http://").nth(1).expect("an address").trim().trim_end_matches('/').to_owned();
        Self { child, at }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Decisions that the record at an address has, of all lines.
    pub fn stored(at: &str) -> u64 {
        let (_, body) = fetch(at, "/api/v1/lines");
        let lines: Value = serde_json::from_str(&body).unwrap_or_default();
        lines["lines"]
            .as_array()
            .map_or(0, |lines| lines.iter().filter_map(|line| line["coils"].as_u64()).sum())
    }

    /// What it answers: status and body.
    pub fn get(&self, path: &str) -> (u16, String) {
        fetch(&self.at, path)
    }

    /// What it answers, which must be JSON.
    pub fn ask(&self, path: &str) -> Value {
        let (status, body) = self.get(path);
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).expect("JSON")
    }

    /// Verdict and standing label by decision, of the newest thousand.
    pub fn coils(&self) -> BTreeMap<String, (String, Value)> {
        let coils = self.ask("/api/v1/coils?limit=1000")["coils"].as_array().expect("a list").clone();
        let of = |coil: &Value| {
            let text = |name: &str| coil[name].as_str().unwrap_or_default().to_owned();
            (text("decision_id"), (text("verdict"), coil["label"].clone()))
        };
        let found: BTreeMap<_, _> = coils.iter().map(of).collect();
        assert_eq!(found.len(), coils.len(), "a decision is there twice");
        found
    }

    /// Waits until something holds; `what`: in words.
    pub fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(Instant::now() < until, "not {what}: {}", self.get("/api/v1/lines").1);
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn fetch(at: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(at).expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    (status, answer.split_once("\r\n\r\n").map_or(String::new(), |(_, body)| body.to_owned()))
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

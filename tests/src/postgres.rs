//! A real `PostgreSQL` of a test's own, which may be killed and started again; gone with its value.

use crate::broker::free_port;
use crate::skip;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What a server must do within this, it does not do.
const PATIENCE: Duration = Duration::from_mins(1);

/// A server with one database, `record`.
pub struct Postgres {
    /// Where it listens, on the loopback interface.
    pub port: u16,
    folder: PathBuf,
    programs: PathBuf,
}

impl Postgres {
    /// Starts one in `folder`, which everybody must be able to enter. `None` after saying that `test` is skipped.
    pub fn start(test: &str, folder: &Path) -> Option<Self> {
        let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let programs = versions
            .map(|version| version.path().join("bin"))
            .filter(|bin| bin.join("initdb").exists())
            .max();
        let Some(programs) = programs else {
            skip::say(test, "PostgreSQL is not installed; apt-get install postgresql");
            return None;
        };
        let folder = folder.join("postgres");
        std::fs::create_dir(&folder).expect("a folder to write to");
        let server = Self { port: free_port(), folder, programs };
        if is_root() {
            // It refuses to run as root.
            server.done(Command::new("chown").arg("-R").arg("postgres").arg(&server.folder));
        }
        let data = server.folder.join("data");
        server.done(server.program("initdb").args(["-A", "trust", "-U", "coilsight", "-D"]).arg(&data));
        server.again();
        server.done(
            server
                .program("createdb")
                .args(["-h", "127.0.0.1", "-U", "coilsight", "-p"])
                .arg(server.port.to_string())
                .arg("record"),
        );
        Some(server)
    }

    /// Its database's address.
    pub fn url(&self) -> String {
        format!("postgres://coilsight@127.0.0.1:{}/record", self.port)
    }

    /// Starts it again after [`Self::kill`]; it takes connections when this returns.
    pub fn again(&self) {
        let options = format!("-p {} -k {} -c listen_addresses=127.0.0.1", self.port, self.folder.display());
        let mut start = self.program("pg_ctl");
        start
            .arg("-D")
            .arg(self.folder.join("data"))
            .arg("-l")
            .arg(self.folder.join("log"))
            .args(["-w", "-o", &options, "start"]);
        let until = Instant::now() + PATIENCE;
        // A child that was born while its siblings were killed holds the memory of all until it notices that it is an orphan.
        while !self.ends_well(&mut start) {
            assert!(Instant::now() < until, "PostgreSQL does not start: {}", self.said());
        }
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < until, "PostgreSQL does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// As a power cut ends it, but that the system's memory survives: every process of it, at once.
    pub fn kill(&self) {
        let file = std::fs::read_to_string(self.folder.join("data/postmaster.pid")).expect("it runs");
        let id = file.lines().next().expect("its process").to_owned();
        // Its own children first would be noticed; the group is theirs and its.
        let children = Command::new("pgrep").args(["-P", &id]).output().expect("pgrep comes with procps");
        let mut kill = Command::new("kill");
        kill.args(["-KILL", &id]).args(String::from_utf8_lossy(&children.stdout).split_whitespace());
        // A child may have ended by itself.
        let _ = kill.stderr(Stdio::null()).status();
        let until = Instant::now() + PATIENCE;
        while Path::new("/proc").join(&id).join("exe").exists() {
            assert!(Instant::now() < until, "PostgreSQL does not die");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// One of the server's programs, as a user that it runs as, in a folder that this user may be in.
    pub fn program(&self, name: &str) -> Command {
        let path = self.programs.join(name);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        command.current_dir("/");
        command
    }

    fn done(&self, command: &mut Command) {
        assert!(self.ends_well(command), "{command:?}\n{}", self.said());
    }

    fn ends_well(&self, command: &mut Command) -> bool {
        // pg_ctl's server keeps what it was given for its output: not a pipe, which would never end.
        let log = std::fs::File::options().create(true).append(true).open(self.folder.with_extension("log"));
        let log = log.expect("a folder to write to");
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a file")).stderr(log);
        command.status().is_ok_and(|status| status.success())
    }

    /// What its programs and the server itself have said.
    fn said(&self) -> String {
        let files = [self.folder.with_extension("log"), self.folder.join("log")];
        files.map(|file| std::fs::read_to_string(file).unwrap_or_default()).concat()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let mut stop = self.program("pg_ctl");
        stop.arg("-D").arg(self.folder.join("data")).args(["-m", "immediate", "stop"]);
        let _ = stop.stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}

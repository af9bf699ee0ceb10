//! A real mosquitto in a folder of its own; gone with its value.

use crate::skip;
use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A mosquitto that can be stopped, killed and started again.
pub struct Mosquitto {
    /// Where it listens, on the loopback interface.
    pub port: u16,
    folder: PathBuf,
    child: Option<Child>,
}

/// What a broker must do within this, it does not do.
const PATIENCE: Duration = Duration::from_secs(20);

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("the loopback interface");
    listener.local_addr().expect("an address").port()
}

/// mosquitto's path, or `None` after saying that `test` is skipped for want of it.
pub fn program(test: &str) -> Option<PathBuf> {
    let usual = ["/usr/sbin/mosquitto", "/usr/bin/mosquitto", "/usr/local/sbin/mosquitto"];
    let found = usual.into_iter().map(PathBuf::from).find(|path| path.exists());
    if found.is_none() {
        skip::say(test, "mosquitto is not installed; apt-get install mosquitto");
    }
    found
}

impl Mosquitto {
    /// Starts one that keeps sessions and messages in `folder` over an orderly stop, as a plant's does, and lets
    /// anyone in. `None` after saying that `test` is skipped.
    pub fn start(test: &str, folder: &Path) -> Option<Self> {
        let persistence = format!("persistence true\npersistence_location {}/\n", folder.display());
        Self::with(test, folder, &format!("allow_anonymous true\n{persistence}"))
    }

    /// The same with lines of configuration; `listener PORT 127.0.0.1` goes before them.
    pub fn with(test: &str, folder: &Path, lines: &str) -> Option<Self> {
        program(test)?;
        let port = free_port();
        // As root it would become another user, which could not write here.
        let config = format!(
            "user root\nlistener {port} 127.0.0.1\nmax_queued_messages 0\nmax_queued_bytes 0\nlog_dest stderr\n{lines}"
        );
        std::fs::write(folder.join("mosquitto.conf"), config).expect("a folder to write to");
        let mut broker = Self { port, folder: folder.to_owned(), child: None };
        broker.again();
        Some(broker)
    }

    /// Starts it again, on the same port; it takes connections when this returns.
    pub fn again(&mut self) {
        assert!(self.child.is_none(), "it runs");
        let log =
            File::options().create(true).append(true).open(self.folder.join("mosquitto.log")).expect("a log");
        let program = program("").expect("it was there a moment ago");
        let mut command = Command::new(program);
        command.arg("-c").arg(self.folder.join("mosquitto.conf")).stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn().expect("mosquitto starts"));
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < until, "mosquitto does not listen:\n{}", self.log());
            std::thread::yield_now();
        }
    }

    /// The orderly stop: what it keeps is on disk.
    pub fn stop(&mut self) {
        self.signal("TERM");
    }

    /// A power cut: what it had in memory is gone.
    pub fn kill(&mut self) {
        self.signal("KILL");
    }

    fn signal(&mut self, signal: &str) {
        let Some(mut child) = self.child.take() else { return };
        let id = child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{signal}"), &id]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill -{signal} {id}");
        child.wait().expect("mosquitto ends");
    }

    /// What it has written so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("mosquitto.log")).unwrap_or_default()
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

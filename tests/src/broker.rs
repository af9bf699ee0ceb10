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

/// Writes a password file into `folder`, for `password_file`.
pub fn passwords(folder: &Path, users: &[(&str, &str)]) -> PathBuf {
    let file = folder.join("passwords");
    let lines: Vec<String> = users.iter().map(|(user, password)| format!("{user}:{password}")).collect();
    std::fs::write(&file, lines.join("\n") + "\n").expect("a folder to write to");
    // -U: hash what stands there.
    let hashed = Command::new("mosquitto_passwd").arg("-U").arg(&file).status();
    assert!(hashed.is_ok_and(|status| status.success()), "mosquitto_passwd comes with mosquitto");
    file
}

/// mosquitto's plugin that refuses a subscription where a file with rules only passes nothing on.
pub struct DynamicSecurity {
    library: PathBuf,
}

/// The plugin, or `None` after saying that `test` is skipped for want of it.
pub fn dynamic_security(test: &str) -> Option<DynamicSecurity> {
    program(test)?;
    let folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib", "/usr/local/lib"];
    let files = folders.map(|folder| Path::new(folder).join("mosquitto_dynamic_security.so"));
    let found = files.into_iter().find(|file| file.exists());
    if found.is_none() {
        skip::say(test, "mosquitto's dynamic security plugin is not installed; apt-get install mosquitto");
    }
    found.map(|library| DynamicSecurity { library })
}

impl DynamicSecurity {
    /// The plugin, for `plugin`.
    pub fn library(&self) -> &Path {
        &self.library
    }

    /// Writes rules into `folder`, for `plugin_opt_config_file`: this user may do everything but listen to these
    /// topics.
    pub fn rules(&self, folder: &Path, user: &str, password: &str, deaf_to: &[&str]) -> PathBuf {
        let file = folder.join("rules.json");
        let init = Command::new("mosquitto_ctrl")
            .args(["dynsec", "init"])
            .arg(&file)
            .args([user, password])
            .output();
        assert!(init.is_ok_and(|output| output.status.success()), "mosquitto_ctrl comes with mosquitto");
        let text = std::fs::read_to_string(&file).expect("rules");
        let mut rules: serde_json::Value = serde_json::from_str(&text).expect("rules in JSON");
        let acl = |kind: &str, topic: &str, allow: bool, priority: i32| serde_json::json!({"acltype": kind, "topic": topic, "allow": allow, "priority": priority});
        let mut acls: Vec<_> =
            ["publishClientSend", "publishClientReceive", "subscribePattern", "unsubscribePattern"]
                .map(|kind| acl(kind, "#", true, 0))
                .to_vec();
        acls.extend(deaf_to.iter().map(|topic| acl("subscribeLiteral", topic, false, 1)));
        rules["roles"][0]["acls"] = acls.into();
        std::fs::write(&file, rules.to_string()).expect("a folder to write to");
        file
    }
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

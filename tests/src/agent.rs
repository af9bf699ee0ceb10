//! The live agent as a process, with a configuration and a state of its own; gone with its value.

use crate::{golden_bundle, programs};
use coilsight_agent::operators::Roster;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// A `coilsight-agent run` that can be stopped, killed and started again.
pub struct Agent {
    /// Its configuration, log and state.
    pub folder: PathBuf,
    child: Option<Child>,
    environment: Vec<(String, String)>,
}

/// What an agent must do within this, it does not do.
const PATIENCE: Duration = Duration::from_mins(1);

/// Operators `op-1` to `op-7`, as recordings have them, with the codes 1001 to 1007.
fn roster() -> &'static Roster {
    static ROSTER: LazyLock<Roster> = LazyLock::new(|| {
        let mut roster = Roster::default();
        for n in 1..=7 {
            roster.add(&format!("op-{n}"), &format!("100{n}")).expect("a name and a code");
        }
        roster
    });
    &ROSTER
}

impl Agent {
    /// Configures one for a broker on the loopback interface, with the golden bundle, and does not start it. `more`
    /// is TOML that stands after `[broker]`.
    pub fn configure(folder: &Path, port: u16, more: &str) -> Self {
        let (bundle, trust) = golden_bundle();
        let operators = Self::operators(folder);
        let text = format!(
            "state = \"{}\"\n[bundle]\nfile = \"{}\"\ntrust = \"{}\"\n[web]\nlisten = \"127.0.0.1:0\"\noperators = \
             \"{}\"\n[broker]\nhost = \"127.0.0.1\"\nport = {port}\nlongest_wait_s = 1\n{more}\n",
            folder.join("state").display(),
            bundle.display(),
            trust.display(),
            operators.display(),
        );
        Self::of(folder, &text)
    }

    /// One with this configuration, TOML, and no more: `state` must be this folder's `state`.
    pub fn of(folder: &Path, configuration: &str) -> Self {
        std::fs::write(folder.join("agent.toml"), configuration).expect("a folder to write to");
        Self { folder: folder.to_owned(), child: None, environment: Vec::new() }
    }

    /// Operators `op-1` to `op-7`, as recordings have them, for `web.operators`.
    pub fn operators(folder: &Path) -> PathBuf {
        let file = folder.join("operators.json");
        roster().save(&file).expect("a folder to write to");
        file
    }

    /// Sets a variable for starts to come.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Its configuration file.
    pub fn config(&self) -> PathBuf {
        self.folder.join("agent.toml")
    }

    /// Its state folder.
    pub fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// Starts it.
    pub fn start(&mut self) {
        assert!(self.child.is_none(), "it runs");
        let log =
            File::options().create(true).append(true).open(self.folder.join("agent.log")).expect("a log");
        let mut command = programs::agent();
        command
            .arg("run")
            .arg("--config")
            .arg(self.config())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        command.envs(self.environment.iter().cloned());
        self.child = Some(command.spawn().expect("the agent starts"));
    }

    /// Where its page is, by its latest start's log.
    pub fn page(&self) -> String {
        self.until_logged("the page at=");
        let log = self.log();
        let at = log.rsplit("the page at=").next().unwrap_or_default();
        format!("http://{}", at.split_whitespace().next().unwrap_or_default())
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// Whether it has ended by itself.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.as_mut()?.try_wait().expect("its state")
    }

    /// The orderly stop; how it ended.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal("TERM")
    }

    /// As a power cut ends it, but that the system's memory survives.
    pub fn kill(&mut self) {
        self.signal("KILL");
    }

    fn signal(&mut self, signal: &str) -> ExitStatus {
        let mut child = self.child.take().expect("it runs");
        let id = child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{signal}"), &id]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill -{signal} {id}");
        child.wait().expect("the agent ends")
    }

    /// What it has logged so far, all starts together.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("agent.log")).unwrap_or_default()
    }

    /// Waits until its log holds a text.
    pub fn until_logged(&self, text: &str) {
        self.until_logged_times(text, 1);
    }

    /// Waits until its log holds a text so many times.
    pub fn until_logged_times(&self, text: &str, times: usize) {
        let until = Instant::now() + PATIENCE;
        while self.log().matches(text).count() < times {
            assert!(Instant::now() < until, "not {times} times in the log: {text}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Memory that it holds now, and its most so far, bytes.
    pub fn memory(&self) -> (u64, u64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap_or_default();
        let kib = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0)
        };
        (kib("VmRSS:") << 10, kib("VmHWM:") << 10)
    }

    /// Files and sockets that it holds open.
    pub fn handles(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.id())).map_or(0, Iterator::count)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

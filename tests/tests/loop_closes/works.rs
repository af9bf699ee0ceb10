//! A works with one line: broker, agent, the plant's record, keys and trust, a trainer's desk, an inspector and an engineer.

use crate::coils::{self, Coils};
use coilsight_models::message::Topics;
use coilsight_tests::agent::Agent;
use coilsight_tests::broker::Mosquitto;
use coilsight_tests::gateway::listener::{self, Ear, Heard};
use coilsight_tests::gateway::plan::{Message, Plan};
use coilsight_tests::gateway::player::Player;
use coilsight_tests::programs;
use coilsight_tests::record::{Place, Serve};
use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

/// What must happen, happens within this.
const PATIENCE: Duration = Duration::from_mins(5);
const LINE: &str = "gl2";

/// The works at work.
pub struct Works {
    folder: PathBuf,
    port: u16,
    ear: Ear,
    agent: Agent,
    pub serve: Serve,
    pub place: Place,
    /// Decisions that were heard of, and looked at.
    seen: BTreeSet<String>,
    words: usize,
    _broker: Mosquitto,
}

/// How an inspector looks.
#[derive(Clone, Copy)]
pub struct Inspector {
    /// The chance of saying the opposite of what is right.
    pub wrong: f64,
    /// Where the randomness comes from.
    pub seed: u64,
}

/// Runs a program to its end; what it printed.
pub fn run(command: &mut Command) -> String {
    let done = command.output().expect("the program starts");
    let told = String::from_utf8_lossy(&done.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command:?}\n{told}\n{complaint}");
    told
}

/// The trainer with these arguments.
pub fn trainer<'a>(arguments: impl IntoIterator<Item = &'a str>) -> String {
    run(programs::trainer().args(arguments))
}

/// A path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

/// The trainer's and the engineers' desk: keys, the trust document, coils to train on, and a first set, signed by both sides.
pub struct Desk {
    pub folder: PathBuf,
    /// With the set `before`.
    pub data: PathBuf,
    /// The first set.
    pub bundle: PathBuf,
}

/// One desk for all tests: the first set takes a while.
pub fn desk() -> &'static Desk {
    static DESK: LazyLock<Desk> = LazyLock::new(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("loop_closes");
        let _ = std::fs::remove_dir_all(&folder);
        let (data, keys) = (folder.join("data"), folder.join("keys"));
        for made in [&data, &keys] {
            std::fs::create_dir_all(made).expect("a folder to write to");
        }
        for name in ["trainer", "anna", "ben", "robot"] {
            trainer(["keygen", name, "--no-password", "--out", text(&keys)]);
        }
        let public = |name: &str| keys.join(format!("{name}.pub")).display().to_string();
        let [built, anna, ben] = ["trainer", "anna", "ben"].map(public);
        let trust =
            ["trust", "new", "--build", &built, "--release", &anna, "--release", &ben, "--trust", &anna];
        let out = folder.join("trust.json");
        let robot = public("robot");
        let now = Timestamp::now();
        let [from, until] = [-24, 24].map(|hours| (now + SignedDuration::from_hours(hours)).to_string());
        let days = ["--automatic-from", &from, "--automatic-until", &until];
        let automatic = ["--automatic", &robot, "--automatic-line", LINE].into_iter().chain(days);
        let more = ["--trust", &ben, "--require", "trust=2", "--out", text(&out)];
        trainer(trust.into_iter().chain(automatic).chain(more));
        coils::BEFORE.data_set(&data);
        let (run, bundle) = (folder.join("first"), folder.join("gl2-1.coilbundle"));
        trainer(["train", text(&coils::settings(&folder)), "--data", text(&data), "--out", text(&run)]);
        let key = keys.join("trainer.key");
        let build =
            ["bundle", "build", text(&run), "--key", text(&key), "--release", "1", "--plant", "works"];
        trainer(build.into_iter().chain(["--line", LINE, "--out", text(&bundle)]));
        sign(&folder, &bundle);
        Desk { folder, data, bundle }
    });
    &DESK
}

/// An engineer releases a bundle.
pub fn sign(folder: &Path, bundle: &Path) {
    let key = folder.join("keys/anna.key");
    trainer(["bundle", "sign", text(bundle), "--key", text(&key), "--comment", "looked at"]);
}

impl Works {
    /// Everything running, the first set deciding. `None` after saying that `test` is skipped.
    pub async fn start(test: &str, folder: &Path, bundle: &Path, desk: &Path) -> Option<Self> {
        let broker = Mosquitto::start(test, folder)?;
        let port = broker.port;
        let trusted = folder.join("trusted.d");
        std::fs::create_dir(&trusted).expect("a folder to write to");
        std::fs::copy(desk.join("trust.json"), trusted.join("trust.json")).expect("a trust document");
        // On this line every third coil is NOK, and half of the OK ones are drawn: a year of a line in some minutes.
        let quoted = |path: &Path| json!(path.display().to_string()).to_string();
        let (none, trusted) = (quoted(&folder.join("none.coilbundle")), quoted(&trusted));
        let (state, operators) = (quoted(&folder.join("state")), quoted(&Agent::operators(folder)));
        let configuration = format!(
            "state = {state}\n[bundle]\nfile = {none}\ntrust = {trusted}\nplant = \"works\"\n[line]\nid = \"{LINE}\"\n\
             review_share = 0.5\n[web]\nlisten = \"127.0.0.1:0\"\noperators = {operators}\n[broker]\nhost = \
             \"127.0.0.1\"\nport = {port}\nlongest_wait_s = 1\n[upload]\nenabled = true\nreport_s = 1\n[update]\n\
             shadow_coils = 10\nprobation_coils = 10\nmin_agreement = 0.3\nmax_not_ok = 0.9\n"
        );
        let mut agent = Agent::of(folder, &configuration);
        run(programs::agent()
            .args(["bundle", "install", text(bundle), "--by", "Anna", "--why", "first set"])
            .args(["--config", text(&agent.config())]));
        let place = Place::new(test, &folder.join("record"));
        let serve = Serve::start(&place, port);
        agent.start();
        let mut ear =
            listener::listen(&player(port, "listener"), &Topics::default()).await.expect("a listener");
        let online =
            |heard: &[Heard]| on(heard, "status").last().is_some_and(|status| status["state"] == "online");
        assert!(ear.until(PATIENCE, online).await, "{}", agent.log());
        serve.until("the line's slots", |serve| {
            serve.ask("/api/v1/lines")["lines"][0]["slots"]["active"]["release"] == 1
        });
        let (folder, seen, words) = (folder.to_owned(), BTreeSet::new(), 0);
        Some(Self { folder, port, ear, agent, serve, place, seen, words, _broker: broker })
    }

    /// Coils come, are decided, and the inspector says what those are that wait for a person: what is not OK, and what was drawn.
    /// How many words were said.
    pub async fn shift(&mut self, coils: &Coils, inspector: Inspector) -> usize {
        let plan = Plan::recording(&coils.recording).expect("a recording");
        player(self.port, "gateway").play(&plan, &mut |_| {}).await;
        let wanted = self.seen.len() + coils.labels.len();
        let all = |heard: &[Heard]| on(heard, "assessment").len() >= wanted;
        assert!(self.ear.until(PATIENCE, all).await, "not {wanted} decisions: {}", self.agent.log());
        let mut random = StdRng::seed_from_u64(inspector.seed);
        let mut messages = Vec::new();
        for decision in on(&self.ear.all(), "assessment") {
            let id = decision["decision_id"].as_str().expect("a decision's name").to_owned();
            if !self.seen.insert(id) || (decision["verdict"] == "OK" && decision["drawn"].is_null()) {
                continue;
            }
            let coil_id = decision["coil_id"].as_str().expect("a coil's name");
            let nok = coils.labels[coil_id] ^ random.random_bool(inspector.wrong);
            let at = Timestamp::now();
            let label = if nok { "NOK" } else { "OK" };
            let word = json!({"coil_id": coil_id, "label": label, "operator": "op-1", "at": at});
            let topic = format!("plant/{LINE}/feedback");
            messages.push(Message {
                after: Duration::ZERO,
                at,
                topic,
                payload: word.to_string().into_bytes(),
            });
        }
        let said = messages.len();
        self.words += said;
        player(self.port, "inspector").play(&Plan { messages }, &mut |_| {}).await;
        let words = self.words;
        let heard = |heard: &[Heard]| on(heard, "disposition").len() >= words;
        assert!(self.ear.until(PATIENCE, heard).await, "not {words} words: {}", self.agent.log());
        let of = |serve: &Serve, what: &str| serve.ask("/api/v1/lines")["lines"][0][what].as_u64();
        self.serve.until("all in the record", |serve| {
            of(serve, "coils") == Some(wanted as u64) && of(serve, "labelled") == Some(words as u64)
        });
        said
    }

    /// The trainer looks whether a better set can be had; its report.
    pub fn retrain(&self, desk: &Path, data: &Path, out: &Path, more: &[&str]) -> Value {
        let key = desk.join("keys/trainer.key");
        let record = self.place.arguments("--record");
        let told = run(programs::trainer()
            .args([
                "retrain",
                "--line",
                LINE,
                "--config",
                text(&coils::settings(&self.folder)),
                "--data",
                text(data),
            ])
            .args(["--out", text(out), "--key", text(&key), "--plant", "works", "--json"])
            .args(record)
            .args(more));
        serde_json::from_str(&told).expect("a report")
    }

    /// Where the broker is.
    pub fn broker(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Sends a bundle to the line and waits until it stands there for its turn.
    pub fn push(&self, bundle: &Path) {
        let broker = self.broker();
        trainer(["bundle", "push", text(bundle), "--line", LINE, "--broker", &broker, "--wait", "staged"]);
    }

    /// What `coilsight-trainer history` says.
    pub fn history(&self, of: [&str; 2]) -> String {
        run(programs::trainer().arg("history").args(of).args(self.place.arguments("--record")))
    }

    /// A line's sub-page of the record's REST interface.
    pub fn of_line(&self, what: &str) -> Value {
        self.serve.ask(&format!("/api/v1/lines/{LINE}/{what}"))
    }

    /// The page as a browser shows it; `None` without one.
    pub fn page(&self) -> Option<String> {
        let browser = ["/usr/bin/chromium", "/usr/bin/chromium-browser"]
            .into_iter()
            .find(|path| Path::new(path).exists())?;
        let profile = self.folder.join("browser");
        Some(run(Command::new(browser)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--no-first-run",
            ])
            .arg(format!("--user-data-dir={}", profile.display()))
            .args(["--virtual-time-budget=4000", "--dump-dom"])
            .arg(format!("http://{}/", self.serve.at))))
    }

    /// Ends it in order.
    pub fn stop(mut self) {
        assert!(self.agent.stop().success(), "{}", self.agent.log());
    }
}

fn player(port: u16, name: &str) -> Player {
    Player { host: "127.0.0.1".into(), port, client_id: format!("works-{name}"), login: None, speed: 0.0 }
}

fn on(heard: &[Heard], topic: &str) -> Vec<Value> {
    let topic = format!("plant/{LINE}/{topic}");
    let of = heard.iter().filter(|one| one.topic == topic);
    of.map(|one| serde_json::from_slice(&one.payload).expect("JSON")).collect()
}

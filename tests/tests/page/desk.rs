//! An agent with judged coils, as an operator finds it in the morning.

use crate::browser::{self, http};
use coilsight_models::message::Topics;
use coilsight_tests::agent::Agent;
use coilsight_tests::broker::Mosquitto;
use coilsight_tests::gateway::listener;
use coilsight_tests::gateway::plan::{Plan, coil_id};
use coilsight_tests::gateway::player::Player;
use serde_json::Value;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_mins(2);

/// A plant's broker, an agent, and coils that it has judged.
pub struct Desk {
    pub agent: Agent,
    /// Where the page is.
    pub origin: String,
    _broker: Mosquitto,
    _folder: tempfile::TempDir,
}

impl Desk {
    /// With so many short coils, of which the start of `unknown` was not heard: a person must look at those. `None`
    /// after saying that `test` is skipped.
    pub fn open(test: &str, coils: usize, unknown: usize) -> Option<Self> {
        let mut plan = Plan::short_coils(coils, "plant/gl2", 5);
        let lost: Vec<String> = (1..=unknown).map(|n| format!("B5-{n:06}")).collect();
        plan.messages.retain(|message| {
            let start = message.topic.ends_with("coil/start");
            !(start && coil_id(&message.payload).is_some_and(|id| lost.contains(&id)))
        });
        Self::over(test, &plan, coils)
    }

    /// With the coils of a plan.
    pub fn over(test: &str, plan: &Plan, coils: usize) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        if !browser::there(test) {
            return None;
        }
        let broker = Mosquitto::start(test, folder.path())?;
        let mut agent = Agent::configure(folder.path(), broker.port, "");
        agent.start();
        let player = |name: &str| Player {
            host: "127.0.0.1".into(),
            port: broker.port,
            client_id: format!("bench-{name}"),
            login: None,
            speed: 0.0,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut ear = listener::listen(&player("listener"), &Topics::default()).await.unwrap();
            let online = |heard: &[listener::Heard]| {
                heard.iter().any(|message| {
                    message.topic.ends_with("/status")
                        && serde_json::from_slice::<Value>(&message.payload).unwrap()["state"] == "online"
                })
            };
            assert!(ear.until(PATIENCE, online).await, "{}", agent.log());
            player("gateway").play(plan, &mut |_| {}).await;
        });
        let origin = agent.page();
        let desk = Self { agent, origin, _broker: broker, _folder: folder };
        let until = Instant::now() + PATIENCE;
        while desk.get("/api/v1/coils")["counts"]["all"] != coils
            || desk.get("/api/v1/status")["state"] != "online"
        {
            assert!(Instant::now() < until, "not all were judged:\n{}", desk.agent.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(desk)
    }

    fn at(&self) -> &str {
        self.origin.trim_start_matches("http://")
    }

    /// What the agent answers.
    pub fn get(&self, path: &str) -> Value {
        let (_, text) = http("GET", self.at(), path, "", "");
        serde_json::from_str(&text).unwrap()
    }

    /// A decision of a queue by its place, and its coil's id.
    pub fn coil(&self, queue: &str, n: usize) -> (String, String) {
        let coils = self.get(&format!("/api/v1/coils?queue={queue}"));
        let text = |name: &str| coils["coils"][n][name].as_str().unwrap().to_owned();
        (text("decision_id"), text("coil_id"))
    }

    /// What stands of a decision: label and who said it; empty where nothing does.
    pub fn standing(&self, id: &str) -> (String, String) {
        let standing = &self.get(&format!("/api/v1/coils/{id}"))["standing"];
        let text = |name: &str| standing[name].as_str().unwrap_or_default().to_owned();
        (text("label"), text("by"))
    }

    /// Says what a coil is from another place, as somebody with this code.
    pub fn says(&self, code: &str, decision_id: &str, label: &str) {
        self.remarks(code, decision_id, label, "");
    }

    /// The same with a remark.
    pub fn remarks(&self, code: &str, decision_id: &str, label: &str, remark: &str) {
        let json = "Content-Type: application/json\r\nX-Coilsight: 1\r\n";
        let cookie = self.login(code);
        let standing =
            self.get(&format!("/api/v1/coils/{decision_id}"))["standing"]["disposition_id"].clone();
        let body = serde_json::json!({ "label": label, "standing": standing, "remark": remark }).to_string();
        let headers = format!("{json}Cookie: {cookie}\r\n");
        let (status, text) =
            http("POST", self.at(), &format!("/api/v1/coils/{decision_id}/feedback"), &headers, &body);
        assert_eq!(status, 201, "{text}");
    }

    fn login(&self, code: &str) -> String {
        use std::io::{Read, Write};
        let body = serde_json::json!({ "code": code }).to_string();
        let mut stream = std::net::TcpStream::connect(self.at()).unwrap();
        let length = body.len();
        write!(
            stream,
            "POST /api/v1/login HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             X-Coilsight: 1\r\nContent-Length: {length}\r\n\r\n{body}",
            self.at()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let cookie = answer.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("set-cookie")
                .then(|| value.split(';').next().unwrap_or(value).to_owned())
        });
        cookie.unwrap_or_else(|| panic!("no login: {answer}"))
    }
}

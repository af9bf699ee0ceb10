//! `deploy/broker/acl` lets a line, its gateway, the record and an engineer do their work, and nothing else.

use super::{SOON, is_online, on, player};
use coilsight_models::message::Topics;
use coilsight_tests::agent::Agent;
use coilsight_tests::broker::{Mosquitto, passwords, program};
use coilsight_tests::gateway::listener::{self, Heard};
use coilsight_tests::gateway::plan::{Message, Plan};
use coilsight_tests::gateway::player::Player;
use coilsight_tests::programs;
use coilsight_tests::record::{Place, Serve};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

fn by(port: u16, user: &str) -> Player {
    Player { login: Some((user.into(), "secret".into())), ..player(port, user) }
}

/// One message to the line's topic.
fn message(topic: &str, payload: &[u8]) -> Plan {
    let like = Plan::short_coils(1, "plant/gl2", 1).messages.swap_remove(0);
    let (topic, payload) = (format!("plant/gl2/{topic}"), payload.to_owned());
    Plan { messages: vec![Message { topic, payload, after: Duration::ZERO, ..like }] }
}

fn word(operator: &str, label: &str) -> Vec<u8> {
    let at = "2026-03-02T08:00:00Z";
    json!({"coil_id": "B5-000001", "label": label, "operator": operator, "at": at}).to_string().into_bytes()
}

/// What a command of the trainer's says, by an engineer's login.
fn engineer(folder: &Path, port: u16) -> Value {
    let mut command = programs::trainer();
    command.args(["line", "--line", "gl2", "--json", "--user", "engineer", "--broker"]);
    command.arg(format!("127.0.0.1:{port}")).arg("--password-file").arg(folder.join("password"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn with_the_access_rules_that_we_give_all_do_their_work_and_nobody_anothers() {
    let test = "with_the_access_rules_that_we_give_all_do_their_work_and_nobody_anothers";
    if program(test).is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let users = ["gl2", "gl3", "gateway-gl2", "record", "engineer", "bench"].map(|user| (user, "secret"));
    let passwords = passwords(folder, &users);
    std::fs::write(folder.join("password"), "secret\n").unwrap();
    // The bench hears everything; it has no part in the rules that are looked at.
    let ours = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/broker/acl");
    let rules = std::fs::read_to_string(ours).unwrap() + "\nuser bench\ntopic read #\n";
    std::fs::write(folder.join("acl"), rules).unwrap();
    let here = folder.display();
    // With a limit mosquitto 2.0.11 acknowledges what it throws away, else it hangs up.
    let lines = format!(
        "allow_anonymous false\npassword_file {}\nacl_file {here}/acl\nmax_queued_messages 1000\n",
        passwords.display()
    );
    let Some(broker) = Mosquitto::with(test, folder, &lines) else { return };
    let port = broker.port;
    let login = format!("username = \"gl2\"\npassword_file = \"{here}/password\"\n[upload]\nenabled = true");
    let mut agent = Agent::configure(folder, port, &login);
    agent.start();
    let password = folder.join("password").display().to_string();
    let place = Place::Folder(folder.join("record"));
    let serve = Serve::start_with(&place, port, &["--user", "record", "--password-file", &password]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (kept, heard) = runtime.block_on(async {
        let mut ear = listener::listen(&by(port, "bench"), &Topics::default()).await.unwrap();
        assert!(ear.until(SOON, is_online).await, "{}", agent.log());
        by(port, "gateway-gl2").play(&Plan::short_coils(2, "plant/gl2", 5), &mut |_| {}).await;
        assert!(ear.until(SOON, |all| on(all, "assessment").len() == 2).await, "{}", agent.log());
        serve.until("two coils", |serve| serve.coils().len() == 2);
        let kept = serve.coils();
        // Others speak for this line; the broker does not pass it on.
        let said = ear.all().into_iter().find(|one| one.topic == "plant/gl2/assessment").unwrap().payload;
        let forged = word("op-6", "OK");
        for (who, topic, payload) in [
            ("gl3", "assessment", &said[..]),
            ("gl3", "upload/batch", b"{}"),
            ("gl3", "model/state", b"{}"),
            ("gl2", "feedback", &forged),
            ("record", "feedback", &forged),
            ("record", "model/offer", b"{}"),
            ("engineer", "feedback", &forged),
            ("engineer", "upload/stored", b"{}"),
            ("gateway-gl2", "assessment", &said[..]),
        ] {
            by(port, who).play(&message(topic, payload), &mut |_| {}).await;
        }
        // The broker takes messages in order: what came before this has been passed on, or never is.
        by(port, "gateway-gl2").play(&message("feedback", &word("op-7", "NOK")), &mut |_| {}).await;
        serve.until("one word", |serve| serve.coils().values().any(|(_, label)| label == "NOK"));
        let disposed = |all: &[Heard]| !on(all, "disposition").is_empty();
        assert!(ear.until(SOON, disposed).await, "{}", agent.log());
        (kept, ear.all())
    });
    assert_eq!(on(&heard, "assessment").len(), 2, "nobody else decides");
    assert_eq!(on(&heard, "disposition").len(), 1, "and nobody but the gateway brings a word");
    assert_eq!(serve.coils().len(), kept.len());
    assert!(
        serve.get("/metrics").1.contains("coilsight_record_refused_total 0"),
        "{}",
        serve.get("/metrics").1
    );
    assert_eq!(engineer(folder, port)["active"]["release"], 1);
    assert!(!agent.log().contains(" WARN "), "{}", agent.log());
    let doctor =
        programs::agent().args(["doctor", "--json", "--config"]).arg(agent.config()).output().unwrap();
    assert!(agent.stop().success(), "{}", agent.log());
    let report: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    assert_eq!(report["faults"], 0, "{report:#}");
}

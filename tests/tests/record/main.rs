//! The plant's record with real programs: a line and a broker (mosquitto), `coilsight-trainer serve` that is killed, away, and put back
//! to a backup; at the end every decision is there once, with what people said of it. And the rights that all of it needs.

mod rights;

use coilsight_models::message::Topics;
use coilsight_tests::agent::Agent;
use coilsight_tests::broker::Mosquitto;
use coilsight_tests::gateway::listener::{self, Ear, Heard};
use coilsight_tests::gateway::plan::{Message, Plan};
use coilsight_tests::gateway::player::Player;
use coilsight_tests::record::{Place, Serve};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

const SOON: Duration = Duration::from_mins(1);

fn player(port: u16, name: &str) -> Player {
    Player { host: "127.0.0.1".into(), port, client_id: format!("bench-{name}"), login: None, speed: 0.0 }
}

fn on(heard: &[Heard], topic: &str) -> Vec<Value> {
    let topic = format!("plant/gl2/{topic}");
    let of = heard.iter().filter(|one| one.topic == topic);
    of.map(|one| serde_json::from_slice(&one.payload).expect("JSON")).collect()
}

fn is_online(heard: &[Heard]) -> bool {
    on(heard, "status").last().is_some_and(|status| status["state"] == "online")
}

/// Plays a plan and waits for so many decisions in all.
async fn play(ear: &mut Ear, port: u16, plan: &Plan, decisions: usize) {
    player(port, "gateway").play(plan, &mut |_| {}).await;
    let all = |heard: &[Heard]| on(heard, "assessment").len() >= decisions;
    assert!(ear.until(SOON, all).await, "not {decisions} decisions");
}

#[test]
fn a_record_that_is_killed_away_or_from_a_backup_has_everything_once() {
    let test = "a_record_that_is_killed_away_or_from_a_backup_has_everything_once";
    let folder = tempfile::tempdir().unwrap();
    let Some(broker) = Mosquitto::start(test, folder.path()) else { return };
    let port = broker.port;
    let mut agent = Agent::configure(folder.path(), port, "[upload]\nenabled = true");
    let data = folder.path().join("record");
    let place = Place::Folder(data.clone());
    let serve = Serve::start(&place, port);
    agent.start();
    let plan = |seed| Plan::short_coils(6, "plant/gl2", seed);
    let said = |label: &str, at: &str| {
        let word = json!({"coil_id": "B5-000001", "label": label, "operator": "op-7", "at": at});
        let like = plan(5).messages.pop().unwrap();
        let (topic, payload) = ("plant/gl2/feedback".into(), word.to_string().into_bytes());
        Plan { messages: vec![Message { topic, payload, after: Duration::ZERO, ..like }] }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let heard = runtime.block_on(async {
        let mut ear = listener::listen(&player(port, "listener"), &Topics::default()).await.unwrap();
        assert!(ear.until(SOON, is_online).await, "{}", agent.log());
        play(&mut ear, port, &plan(5), 6).await;
        serve.until("six coils", |serve| serve.coils().len() == 6);
        // A backup as a person makes one: with the program ended.
        drop(serve);
        let backup = folder.path().join("backup");
        std::fs::create_dir(&backup).unwrap();
        for file in std::fs::read_dir(&data).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), backup.join(file.file_name())).unwrap();
        }
        // Away: the line keeps it. Then there, and the line itself is killed.
        play(&mut ear, port, &plan(6), 12).await;
        let serve = Serve::start(&place, port);
        agent.kill();
        agent.start();
        serve.until("twelve coils", |serve| serve.coils().len() == 12);
        player(port, "gateway").play(&said("NOK", "2026-03-02T08:00:00Z"), &mut |_| {}).await;
        serve.until("the word", |serve| serve.coils().values().any(|(_, label)| label == "NOK"));
        drop(serve);
        // From the backup: what came since is sent again.
        let serve = Serve::start(&Place::Folder(backup), port);
        serve.until("all", |serve| {
            serve.coils().len() == 12 && serve.coils().values().any(|(_, label)| label == "NOK")
        });
        player(port, "gateway").play(&said("OK", "2026-03-02T09:00:00Z"), &mut |_| {}).await;
        serve.until("the other word", |serve| serve.coils().values().any(|(_, label)| label == "OK"));

        let heard = ear.all();
        let told = on(&heard, "assessment");
        let told: BTreeMap<_, _> = told
            .iter()
            .map(|one| {
                (one["decision_id"].as_str().unwrap().to_owned(), one["verdict"].as_str().unwrap().to_owned())
            })
            .collect();
        let kept =
            serve.coils().into_iter().map(|(id, (verdict, _))| (id, verdict)).collect::<BTreeMap<_, _>>();
        assert_eq!(kept, told);
        let one = serve.coils().into_iter().find(|(_, (_, label))| label == "OK").unwrap().0;
        let whole = serve.ask(&format!("/api/v1/lines/gl2/coils/{one}"));
        assert_eq!((&whole["matrix"], whole["words"].as_array().unwrap().len()), (&json!("kept"), 2));
        assert_eq!(
            whole["assessment"],
            *on(&heard, "assessment").iter().find(|a| a["decision_id"] == *one).unwrap()
        );
        let line = &serve.ask("/api/v1/lines")["lines"][0];
        assert_eq!(
            (&line["line"], &line["coils"], &line["labelled"]),
            (&json!("gl2"), &json!(12), &json!(1))
        );
        // What may not be asked.
        assert_eq!(serve.get("/api/v1/coils?limit=x").0, 400);
        assert_eq!(serve.get("/api/v1/lines/gl2/coils/..%2f..").0, 404);
        assert_eq!(serve.get("/readyz").0, 200);
        assert!(serve.get("/metrics").1.contains("coilsight_record_connected 1"));
        heard
    });
    assert_eq!(on(&heard, "status").last().unwrap()["state"], "online");
    assert!(agent.stop().success(), "{}", agent.log());
}

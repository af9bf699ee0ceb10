//! `coilsight-trainer line`: a trainer that was installed anew finds the release that comes next.

use coilsight_models::bundle::{Id, Sha256};
use coilsight_models::message::Topics;
use coilsight_models::message::model::{Slot, State, VERSION, Way, payload};
use coilsight_tests::broker::Mosquitto;
use coilsight_tests::programs;
use rumqttc::{Event, MqttOptions, Packet, QoS};
use std::time::Duration;

fn state() -> State {
    let slot = Slot { name: Id::new("set").unwrap(), release: 41, fingerprint: Sha256::of(b"set") };
    State {
        version: VERSION,
        line: "gl2".into(),
        active: Some(slot),
        candidate: None,
        last_good: None,
        newest_release: 42,
        newest_time: None,
        trust_version: 1,
        at: None,
    }
}

/// Has the broker keep it.
fn publish(port: u16, payload: Vec<u8>) {
    let mut options = MqttOptions::new("state", "127.0.0.1", port);
    options.set_keep_alive(Duration::from_secs(5));
    let (client, mut connection) = rumqttc::Client::new(options, 4);
    client.publish(Topics::default().model(Way::State), QoS::AtLeastOnce, true, payload).unwrap();
    let taken = |event| matches!(event, Ok(Event::Incoming(Packet::PubAck(_))));
    assert!(connection.iter().any(taken));
}

fn line(port: u16, more: &[&str]) -> std::process::Output {
    let broker = format!("127.0.0.1:{port}");
    programs::trainer().args(["line", "--line", "gl2", "--broker", &broker]).args(more).output().unwrap()
}

#[test]
fn the_state_that_the_broker_keeps_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let Some(broker) = Mosquitto::start("the_state_that_the_broker_keeps_is_read", folder.path()) else {
        return;
    };
    publish(broker.port, payload(&state()));
    let output = line(broker.port, &["--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(State::parse(&output.stdout).unwrap(), state());
    let words = String::from_utf8(line(broker.port, &[]).stdout).unwrap();
    assert!(words.contains("set release 41") && words.contains("next release is 43"), "{words}");
    publish(broker.port, b"{".to_vec());
    let output = line(broker.port, &[]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot be read"));
}

//! Garbage, messages of 10 MiB, a thousand open coils, ids without end: memory stays within bounds, and the good
//! coils among them are judged.

use super::{assessments, full, online, player, runtime, undisturbed};
use coilsight_models::message::Topics;
use coilsight_tests::agent::Agent;
use coilsight_tests::broker::Mosquitto;
use coilsight_tests::gateway::check::{self, Decisions};
use coilsight_tests::gateway::listener::{self, Heard};
use coilsight_tests::gateway::plan::{Message, Plan};
use jiff::Timestamp;
use serde_json::json;
use std::time::{Duration, Instant};

/// What the agent may hold, bytes: half of what its unit allows.
const BOUND: u64 = 256 << 20;

struct Flood {
    garbage_mib: usize,
    giants: usize,
    open_coils: usize,
    ids: usize,
}

#[test]
fn a_flood_takes_no_more_memory_than_it_may_and_good_coils_are_judged() {
    let test = "a_flood_takes_no_more_memory_than_it_may_and_good_coils_are_judged";
    let flood = if full() {
        Flood { garbage_mib: 256, giants: 40, open_coils: 1000, ids: 100_000 }
    } else {
        Flood { garbage_mib: 16, giants: 4, open_coils: 300, ids: 500 }
    };
    let folder = tempfile::tempdir().unwrap();
    let Some(broker) = Mosquitto::start(test, folder.path()) else { return };
    let good = Plan::short_coils(if full() { 40 } else { 4 }, "plant/gl2", 23);
    let expected = undisturbed(&good, folder.path());
    let mut agent = Agent::configure(folder.path(), broker.port, "");
    agent.start();
    let port = broker.port;
    let began = Instant::now();
    let (heard, sent) = runtime().block_on(async {
        let mut ear = listener::listen(&player(port, "listener", 0.0), &Topics::default()).await.unwrap();
        online(&mut ear).await;
        // One gateway: good coils among the flood, in the order in which they come.
        let mixed = flood.among(&good);
        let sent = player(port, "gateway", 0.0).play(&mixed, &mut |_| {}).await;
        let patience = Duration::from_mins(if full() { 180 } else { 3 });
        assert!(ear.until(patience, super::decided(expected.len(), "B23-")).await, "{}", agent.log());
        (ear.all(), sent)
    });
    let (now, most) = agent.memory();
    let good = on_good(&heard, &expected);
    assert_eq!(check::differences(&expected, &good), [""; 0], "the flood changes no decision");
    assert!(most < BOUND, "{} MiB", most >> 20);
    eprintln!(
        "{} MiB of garbage, {} messages of 10 MiB, {} open coils, {} ids in {:.0} s: memory {} MiB at most, {} MiB at \
         the end; {} broken connections; {}",
        flood.garbage_mib,
        flood.giants,
        flood.open_coils,
        flood.ids,
        began.elapsed().as_secs_f64(),
        most >> 20,
        now >> 20,
        sent.broken,
        latencies(&heard, &expected),
    );
    assert!(agent.ended().is_none(), "it still runs: {}", agent.log());
}

/// Decisions on the good coils.
fn on_good(heard: &[Heard], expected: &Decisions) -> Decisions {
    let mut decisions = check::heard(heard, &assessments()).decisions;
    decisions.retain(|id, _| expected.contains_key(id));
    decisions
}

/// How long judging took, by the decisions themselves.
fn latencies(heard: &[Heard], expected: &Decisions) -> String {
    let mut ms: Vec<f64> = super::on(heard, "assessment")
        .iter()
        .filter(|a| expected.contains_key(a["decision_id"].as_str().unwrap_or_default()))
        .filter_map(|a| a["timing"]["judged_in_ms"].as_f64())
        .collect();
    ms.sort_by(f64::total_cmp);
    format!(
        "a good coil was judged in {:.1} ms (median), {:.1} ms (worst)",
        ms[ms.len() / 2],
        ms[ms.len() - 1]
    )
}

impl Flood {
    /// The flood with the good coils' messages spread evenly among it.
    fn among(&self, good: &Plan) -> Plan {
        let at: Timestamp = "2026-03-02T06:00:00Z".parse().unwrap();
        let message = |topic: &str, payload: Vec<u8>| Message {
            after: Duration::ZERO,
            at,
            topic: format!("plant/gl2/{topic}"),
            payload,
        };
        let side = vec![vec![70.0; 9]; 20];
        let rows = |id: &str, count: usize| {
            let positions: Vec<f64> = (0..count).map(|i| i as f64 / 2.0).collect();
            let side = &side[..count];
            json!({"coil_id": id, "position_m": positions, "top": side, "bottom": side})
                .to_string()
                .into_bytes()
        };
        let mut flood = Vec::new();
        for i in 0..self.open_coils {
            let id = format!("OPEN-{i}");
            let start = json!({"coil_id": id, "at": at, "nominal_g_m2": 70.0, "tolerance_class": "B", "width_mm": 1250});
            flood.push(message("coil/start", start.to_string().into_bytes()));
            flood.push(message("gauge", rows(&id, 20)));
        }
        let topics = ["gauge", "coil/start", "coil/end", "coil/matrix", "feedback"];
        for i in 0..self.garbage_mib * 4 {
            let junk = (0..256 << 10).map(|j| (i * 31 + j * 17) as u8).collect();
            flood.push(message(topics[i % topics.len()], junk));
        }
        for i in 0..self.giants {
            flood.insert(i * flood.len() / self.giants.max(1), message(topics[i % 4], vec![b'['; 10 << 20]));
        }
        flood.extend((0..self.ids).map(|i| message("gauge", rows(&format!("ID-{i}"), 1))));
        let every = flood.len().div_ceil(good.messages.len()).max(1);
        let mut messages = Vec::with_capacity(flood.len() + good.messages.len());
        let mut good = good.messages.iter();
        for (i, one) in flood.into_iter().enumerate() {
            if i % every == 0 {
                messages.extend(good.next().map(|m| Message { after: Duration::ZERO, ..m.clone() }));
            }
            messages.push(one);
        }
        messages.extend(good.map(|m| Message { after: Duration::ZERO, ..m.clone() }));
        Plan { messages }
    }
}

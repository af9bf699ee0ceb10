//! Lines as the plant's record sees them: the agent's own archive and way up, on a session of its own, without the rest of a line.

use coilsight_agent::archive::{Archive, Limits, Mark, NewDecision, RealDisk, Stats};
use coilsight_agent::upload::{Event, Uploader};
use coilsight_models::chunk::Coverage;
use coilsight_models::coil::{CELLS, CoilId, CoilMatrix, Order, ToleranceClass};
use coilsight_models::message::assessment::{self, Assessment, ModelUsed, Timing};
use coilsight_models::message::upload::Stored;
use coilsight_models::tally::Counts;
use coilsight_models::verdict::Verdict;
use jiff::Timestamp;
use rumqttc::{AsyncClient, Event as Mqtt, Incoming, MqttOptions, QoS};
use serde_json::json;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A line's log.
pub struct Log {
    line: String,
    archive: Arc<Archive>,
    decided: u32,
}

/// Its way to the record.
pub struct Uplink {
    line: String,
    uploader: Uploader,
}

/// What was seen on the way up.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// From a batch on its way to the word that it is stored.
    pub lags: Vec<Duration>,
    /// Up to where the record said that all is stored, the furthest.
    pub stored: Mark,
    /// Bytes sent.
    pub bytes: u64,
}

impl Log {
    /// An empty one in `folder`.
    pub fn new(line: &str, folder: &Path) -> Self {
        Self::within(line, folder, Limits { reserve_file: 4096, ..Limits::default() })
    }

    /// An empty one in `folder` that keeps to these limits.
    pub fn within(line: &str, folder: &Path, limits: Limits) -> Self {
        let disk = Arc::new(RealDisk::new(folder.join(line)).expect("a folder to write to"));
        let (archive, _) = Archive::open_without_views_folder(disk, limits).expect("an archive");
        Self { line: line.to_owned(), archive: Arc::new(archive), decided: 0 }
    }

    /// What it takes of the disk.
    pub fn stats(&self) -> Stats {
        self.archive.stats()
    }

    /// Its way to the record.
    pub fn uplink(&self) -> Uplink {
        let line = self.line.clone();
        let uploader = Uploader::new(Arc::clone(&self.archive), line.clone(), format!("log-of-{line}"));
        Uplink { line, uploader }
    }

    /// So many decisions more, each with a matrix; one in twenty gets a word.
    pub fn decide(&mut self, decisions: u32) {
        for n in self.decided..self.decided + decisions {
            let (assessment, matrix) = decision(&self.line, n);
            let (decision_id, at) = (assessment.decision_id.clone(), assessment.pass);
            let json = serde_json::to_vec(&assessment).expect("JSON");
            let new = NewDecision {
                decision_id: &decision_id,
                coil_id: assessment.coil_id.as_str(),
                pass_key: &decision_id,
                segment: None,
                json: &json,
                matrix: Some(&matrix),
            };
            self.archive.decide(new).expect("a disk to write to");
            if n.is_multiple_of(20) {
                let word = json!({"coil_id": format!("C{n}"), "label": "OK", "operator": "Ada", "at": at, "known": true});
                let word = serde_json::to_vec(&word).expect("JSON");
                self.archive
                    .feedback(&format!("w-{decision_id}"), Some(&decision_id), &word)
                    .expect("a disk");
            }
        }
        self.decided += decisions;
    }
}

/// A line's n-th decision and the matrix that it was made of: a coil every ten minutes.
pub fn decision(line: &str, n: u32) -> (Assessment, Vec<u8>) {
    let decision_id = format!("{line}-{n:08}");
    let matrix = vec![(n % 251) as u8; 4 * CELLS];
    let coverage = Coverage::of(&CoilMatrix::from_bytes(&matrix).expect("a matrix"));
    let began: Timestamp = "2026-03-02T06:00:00Z".parse().expect("a time");
    let at = began.checked_add(jiff::SignedDuration::from_mins(10 * i64::from(n))).expect("a time");
    let assessment = Assessment {
        version: assessment::VERSION,
        decision_id: decision_id.clone(),
        line: line.to_owned(),
        coil_id: CoilId::new(format!("C{n}")).expect("a name"),
        pass: Some(at),
        verdict: Verdict::Ok,
        by_score: Some(Verdict::Ok),
        p_nok: Some(0.25),
        confidence: Some(0.75),
        votes: Vec::new(),
        reasons: Vec::new(),
        evidence: Vec::new(),
        order: Order::new(70.0, ToleranceClass::B, 1250.0).ok(),
        length_m: Some(1000.0),
        coverage,
        rows: Counts::default(),
        model: ModelUsed {
            bundle: "set".into(),
            release: 1,
            fingerprint: "ab".repeat(32),
            policy: None,
            prepare: 1,
            agent: "0.1.0".into(),
        },
        drawn: None,
        timing: Timing { closed_at: Some(at), ended_at: None, judged_in_ms: 5.0 },
    };
    (assessment, matrix)
}

impl Uplink {
    /// Sends what the record lacks, as the agent does, until it is dropped; a connection that is lost is made again.
    pub async fn send(mut self, port: u16, seen: Arc<Mutex<Seen>>) {
        let began = Instant::now();
        let (batch, stored) =
            (format!("plant/{}/upload/batch", self.line), format!("plant/{}/upload/stored", self.line));
        for generation in 0.. {
            let mut options = MqttOptions::new(format!("up-{}", self.line), "127.0.0.1", port);
            options.set_max_packet_size(5 << 20, 5 << 20).set_keep_alive(Duration::from_secs(30));
            let (client, mut eventloop) = AsyncClient::new(options, 16);
            let _ = client.try_subscribe(&stored, QoS::AtLeastOnce);
            let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
            // Never dropped half-way: it may have taken a message that it has not yet sent.
            let polling = async {
                loop {
                    match eventloop.poll().await {
                        Ok(Mqtt::Incoming(Incoming::Publish(message))) => {
                            if let Ok(stored) = Stored::parse(&message.payload) {
                                let _ = tell.send(Event::Stored(stored));
                            }
                        }
                        Ok(Mqtt::Incoming(Incoming::SubAck(_))) => drop(tell.send(Event::Up { generation })),
                        Ok(_) => {}
                        Err(_) => return,
                    }
                }
            };
            let work = async {
                let mut sent = None;
                loop {
                    let mut events = Vec::new();
                    let tick = Duration::from_millis(20);
                    let _ = tokio::time::timeout(tick, told.recv_many(&mut events, 16)).await;
                    for event in &events {
                        if let Event::Stored(stored) = event {
                            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                            seen.stored = seen.stored.max(Mark::from(stored.upto));
                            seen.lags.extend(sent.take().map(|sent: Instant| sent.elapsed()));
                        }
                    }
                    if let Some((_, payload)) = self.uploader.step(events, began.elapsed()).expect("a log") {
                        seen.lock().unwrap_or_else(PoisonError::into_inner).bytes += payload.len() as u64;
                        sent = Some(Instant::now());
                        let _ = client.publish(&batch, QoS::AtLeastOnce, false, payload).await;
                    }
                }
            };
            tokio::select! {
                () = polling => {}
                () = work => {}
            }
            let _ = self.uploader.step([Event::Down], began.elapsed());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

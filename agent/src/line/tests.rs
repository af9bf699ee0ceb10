//! The line's rules, with a judge that is easy to foresee and a disk in a temporary folder.

mod closing;
mod crash;
mod damage;
mod passes;
mod redelivery;
mod rows;

use super::{Config, Judge, Line, NotTaken, Now, Publish, Unjudged};
use crate::archive::{Archive, Limits, RealDisk};
use coilsight_models::bundle::Id;
use coilsight_models::coil::{CoilMatrix, Order};
use coilsight_models::message::assessment::{Assessment, ModelUsed};
use coilsight_models::session::{ModelScore, Novelty, Scores};
use coilsight_models::tally::Fate;
use coilsight_models::verdict::{Policy, Threshold};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// P(NOK) is near to 1 as soon as any cell lies under 55 g/m2, and near to 0 otherwise. A coil with a cell over 120 g/m2
/// is unlike all others.
pub(crate) struct ThinSpotJudge {
    policy: Policy,
}

impl Default for ThinSpotJudge {
    fn default() -> Self {
        let t = Threshold { nok_from: 0.5, review_from: 0.4, review_to: 0.6 };
        Self { policy: Policy { miss_cost: 20.0, a: t, b: t, c: t, unknown: t } }
    }
}

impl Judge for ThinSpotJudge {
    fn scores(&mut self, matrix: &CoilMatrix, _: Option<&Order>) -> Result<Scores, Unjudged> {
        let thin = matrix.mean().iter().filter(|m| (1..5500).contains(*m)).count();
        let p_nok = 1.0 - 0.98 / (1.0 + thin as f64);
        let name = Id::new("thin-spot").unwrap();
        let distance = if matrix.mean().iter().any(|m| *m > 12_000) { 9.0 } else { 1.0 };
        let novelty = Some(Novelty { distance, limit: 3.0 });
        Ok(Scores { p_nok, models: vec![ModelScore { name, p_nok, weight: 1.0 }], novelty })
    }

    fn policy(&self) -> &Policy {
        &self.policy
    }

    fn model(&self) -> ModelUsed {
        let text = String::from("test");
        ModelUsed {
            bundle: text.clone(),
            release: 1,
            fingerprint: text.clone(),
            policy: None,
            prepare: 1,
            agent: text,
        }
    }

    fn prove(&mut self) -> Result<(), Unjudged> {
        Ok(())
    }
}

/// A line in a temporary folder, and everything it has published.
struct Bench {
    line: Line,
    heard: Heard,
    now: Duration,
    folder: tempfile::TempDir,
}

#[derive(Default)]
struct Heard(Vec<Assessment>);

impl Publish for Heard {
    fn publish(&mut self, a: &Assessment, _: &Archive) -> Result<(), NotTaken> {
        self.0.push(a.clone());
        Ok(())
    }
}

fn open(folder: &std::path::Path, config: Config) -> Line {
    let disk = Arc::new(RealDisk::new(folder.join("archive")).unwrap());
    let limits = Limits { reserve_file: 4096, ..Limits::default() };
    let (archive, recovery) = Archive::open(disk, folder.join("views"), limits).unwrap();
    Line::new(config, archive, &recovery.open, Box::new(ThinSpotJudge::default())).unwrap()
}

impl Bench {
    fn new() -> Self {
        Self::with(Config::default())
    }

    fn with(config: Config) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let line = open(folder.path(), config);
        Self { line, heard: Heard::default(), now: Duration::ZERO, folder }
    }

    /// Stops without a word, as a power cut would, and starts again.
    fn restart(self) -> Self {
        let Self { line, heard, folder, .. } = self;
        drop(line);
        let line = open(folder.path(), Config::default());
        Self { line, heard, now: Duration::ZERO, folder }
    }

    fn say(&mut self, topic: &str, payload: &serde_json::Value) -> Fate {
        self.say_bytes(topic, payload.to_string().as_bytes())
    }

    fn say_bytes(&mut self, topic: &str, payload: &[u8]) -> Fate {
        let now = Now { elapsed: self.now, wall: None };
        let fate = self.line.take(&format!("plant/gl2/{topic}"), payload, now).unwrap();
        self.line.commit().unwrap();
        self.line.publish(&mut self.heard).unwrap();
        let tally = self.line.tally();
        assert!(tally.adds_up(), "{tally:#?}");
        fate
    }

    fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.line.tick(Now { elapsed: self.now, wall: None }).unwrap();
        self.line.publish(&mut self.heard).unwrap();
    }

    fn start(&mut self, coil: &str, at: &str) -> Fate {
        self.say("coil/start", &start(coil, at))
    }

    /// Rows every quarter of a metre from `from` to `to` m, all of `g_m2`.
    fn rows(&mut self, coil: &str, from: u32, to: u32, g_m2: f64) -> Fate {
        self.say("gauge", &rows(coil, from, to, g_m2))
    }

    fn end(&mut self, coil: &str, length_m: f64) -> Fate {
        self.say("coil/end", &end(coil, length_m))
    }

    fn last(&self) -> &Assessment {
        self.heard.0.last().expect("a decision")
    }
}

/// A decision on an unremarkable coil.
pub(crate) fn assessment() -> Assessment {
    let mut bench = Bench::new();
    bench.start("M", "2026-01-05T06:00:00Z");
    bench.rows("M", 0, 100, 70.0);
    bench.end("M", 100.0);
    bench.last().clone()
}

pub(crate) fn start(coil: &str, at: &str) -> serde_json::Value {
    json!({"coil_id": coil, "at": at, "nominal_g_m2": 70.0, "tolerance_class": "B", "width_mm": 1250})
}

pub(crate) fn rows(coil: &str, from: u32, to: u32, g_m2: f64) -> serde_json::Value {
    let positions: Vec<f64> = (4 * from..4 * to).map(|i| f64::from(i) / 4.0).collect();
    let side = vec![vec![g_m2; 9]; positions.len()];
    json!({"coil_id": coil, "position_m": positions, "top": side, "bottom": side})
}

pub(crate) fn end(coil: &str, length_m: f64) -> serde_json::Value {
    json!({"coil_id": coil, "at": "2026-01-05T09:00:00Z", "length_m": length_m})
}

pub(crate) const SIX: &str = "2026-01-05T06:00:00Z";
pub(crate) const SEVEN: &str = "2026-01-05T07:00:00Z";

//! Recorded shifts through the agent: every pass has its one decision, its matrix is the one given beside
//! the recording, and every message and row is accounted for.

mod again;
mod clean;
mod faults;

use coilsight_agent::archive::{Archive, Limits, Matrix, RealDisk};
use coilsight_agent::line::{BundleJudge, Config, NotTaken, Publish};
use coilsight_agent::{replay, trust};
use coilsight_models::coil::CoilMatrix;
use coilsight_models::message::assessment::Assessment;
use coilsight_tests::{golden_bundle, programs};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

/// A decision with the matrix that the archive keeps for it.
#[derive(Clone, Debug)]
struct Decided {
    assessment: Assessment,
    matrix: Option<CoilMatrix>,
}

#[derive(Default)]
struct Heard(Vec<Decided>);

impl Publish for Heard {
    fn publish(&mut self, assessment: &Assessment, archive: &Archive) -> Result<(), NotTaken> {
        let matrix = matrix(archive, &assessment.decision_id);
        self.0.push(Decided { assessment: assessment.clone(), matrix });
        Ok(())
    }
}

fn matrix(archive: &Archive, decision_id: &str) -> Option<CoilMatrix> {
    match archive.matrix(decision_id).unwrap() {
        Matrix::Kept(bytes) => Some(CoilMatrix::from_bytes(&bytes).unwrap()),
        Matrix::Absent => None,
        other => panic!("{decision_id}: {other:?}"),
    }
}

/// Through the library, with the golden bundle as judge.
fn play(recording: &Path, state: &Path) -> (Vec<Decided>, replay::Summary) {
    let (bundle, key) = golden_bundle();
    let bundle = trust::bundle(&bundle, &trust::keys(&[key], None).unwrap(), None, "gl2").unwrap();
    let judge = Box::new(BundleJudge::open(&bundle).unwrap());
    let line = replay::open(state, Config::default(), judge).unwrap();
    let mut heard = Heard::default();
    let file = BufReader::new(File::open(recording).unwrap());
    let summary = replay::play(line, file, &mut heard).unwrap();
    (heard.0, summary)
}

/// `coilsight-agent replay`, its decisions as JSON on standard output.
fn program(recording: &Path, state: &Path) -> Command {
    let (bundle, key) = golden_bundle();
    let mut command = programs::agent();
    command.arg("replay").arg(recording).arg("--bundle").arg(bundle).arg("--trust").arg(key);
    command.arg("--state").arg(state).arg("--json");
    command
}

/// What is in an archive that no process has open: decisions by id, with their matrices.
fn archived(state: &Path) -> BTreeMap<String, Decided> {
    let disk = RealDisk::new(state.join("archive")).unwrap();
    let (archive, recovery) = Archive::open(Arc::new(disk), state.join("views"), Limits::default()).unwrap();
    assert_eq!(recovery.gaps, []);
    let decisions: Vec<_> = archive.decisions().map(|decision| decision.unwrap()).collect();
    let count = decisions.len();
    let by_id: BTreeMap<String, Decided> = decisions
        .into_iter()
        .map(|decision| {
            let assessment = serde_json::from_slice(&decision.json).unwrap();
            let matrix = matrix(&archive, &decision.decision_id);
            (decision.decision_id, Decided { assessment, matrix })
        })
        .collect();
    assert_eq!(by_id.len(), count, "a decision id is there twice");
    archive.close().unwrap();
    by_id
}

/// A reason's code, as programs read it.
fn codes(assessment: &Assessment) -> Vec<String> {
    let json = serde_json::to_value(&assessment.reasons).unwrap();
    json.as_array().unwrap().iter().map(|reason| reason["code"].as_str().unwrap().to_owned()).collect()
}

//! A shift without faults: welds where two coils interleave, and line stops.

use super::{Decided, play, program};
use coilsight_models::message::assessment::Assessment;
use coilsight_models::verdict::Verdict;
use coilsight_tests::data;
use coilsight_tests::shift::{Shift, differences};

const RECORDING: &str = "recordings/shift-clean.jsonl";

#[test]
fn a_clean_shift_is_decided_and_chunked_as_given() {
    let Some(recording) = data("a_clean_shift_is_decided_and_chunked_as_given", RECORDING) else { return };
    let shift = Shift::read(&recording).unwrap();
    let state = tempfile::tempdir().unwrap();
    let (decided, summary) = play(&recording, state.path());
    assert_eq!((shift.passes.len(), decided.len(), summary.decisions), (24, 24, 24));
    for (pass, Decided { assessment, matrix }) in shift.passes.iter().zip(&decided) {
        assert_eq!(assessment.coil_id.as_str(), pass.coil_id);
        assert_eq!(assessment.pass, pass.started_at.parse().ok());
        assert_ne!(assessment.verdict, Verdict::Review, "{}: {:?}", pass.coil_id, assessment.reasons);
        assert_eq!(assessment.coverage.chunks, 1.0);
        assert_eq!(differences(matrix.as_ref().unwrap(), &pass.matrix), [], "{}", pass.coil_id);
    }
    let tally = summary.tally;
    assert!(tally.adds_up());
    assert_eq!((tally.messages.received, tally.messages.used), (1413, 1413));
    assert_eq!((tally.rows.received, tally.rows.used), (67_121, 67_121));
}

#[test]
fn the_program_says_the_same_as_the_library() {
    let Some(recording) = data("the_program_says_the_same_as_the_library", RECORDING) else { return };
    let (there, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let output = program(&recording, there.path()).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{errors}");
    let sums: serde_json::Value = serde_json::from_str(&errors).expect("nothing but the sums, no warning");
    assert_eq!((&sums["decisions"], &sums["adds_up"]), (&24.into(), &true.into()));
    let said: Vec<Assessment> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (expected, _) = play(&recording, here.path());
    assert_eq!(said.len(), 24);
    for (said, Decided { assessment, .. }) in said.iter().zip(&expected) {
        let mut said = said.clone();
        // How long it took is the only thing that may differ.
        said.timing = assessment.timing.clone();
        assert_eq!(&said, assessment);
    }
}

//! The same recording once more, and a process killed on the way: the same decisions, none twice.

use super::{Decided, archived, play, program};
use coilsight_models::coil::CoilMatrix;
use coilsight_models::message::assessment::Assessment;
use coilsight_tests::data;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;

const RECORDINGS: [&str; 2] = ["recordings/shift-clean.jsonl", "recordings/shift-faults.jsonl"];

/// Without what a run may change: how long it took, and when a pass was closed or repeated.
fn told(decided: &BTreeMap<String, Decided>) -> BTreeMap<&str, (Assessment, Option<Vec<u8>>)> {
    let one = |decided: &Decided| {
        let mut a = decided.assessment.clone();
        (a.timing.closed_at, a.timing.judged_in_ms) = (None, 0.0);
        a.rows.duplicate = 0;
        a.rows.received = a.rows.used;
        a.rows.set_aside.clear();
        (a, decided.matrix.as_ref().map(CoilMatrix::to_bytes))
    };
    decided.iter().map(|(id, decided)| (id.as_str(), one(decided))).collect()
}

#[test]
fn a_recording_played_again_gives_no_new_decision() {
    for file in RECORDINGS {
        let Some(recording) = data("a_recording_played_again_gives_no_new_decision", file) else { return };
        let state = tempfile::tempdir().unwrap();
        let (first, _) = play(&recording, state.path());
        let before = archived(state.path());
        let (second, summary) = play(&recording, state.path());
        assert_eq!((second.len(), summary.decisions), (0, 0));
        assert!(summary.tally.adds_up());
        assert_eq!(first.len(), before.len());
        assert_eq!(told(&archived(state.path())), told(&before));
    }
}

#[test]
fn a_killed_replay_played_again_ends_as_if_it_had_never_been_killed() {
    let test = "a_killed_replay_played_again_ends_as_if_it_had_never_been_killed";
    for file in RECORDINGS {
        let Some(recording) = data(test, file) else { return };
        let whole = tempfile::tempdir().unwrap();
        play(&recording, whole.path());
        let expected = archived(whole.path());
        let lines = std::fs::read_to_string(&recording).unwrap();
        let count = lines.lines().count();
        for killed_after in [1, 620, 660, count - 60] {
            let state = tempfile::tempdir().unwrap();
            kill_after(&lines, killed_after, state.path());
            let early = archived(state.path());
            let (_, summary) = play(&recording, state.path());
            let late = archived(state.path());
            assert!(summary.tally.adds_up());
            assert_eq!(told(&late), told(&expected), "{file}, killed after line {killed_after}");
            let kept = early.iter().all(|(id, decided)| late[id].assessment == decided.assessment);
            assert!(kept, "a decision made before line {killed_after} has changed");
        }
    }
}

/// Feeds the first lines of a recording to the program and kills it (SIGKILL) when it has taken them.
fn kill_after(lines: &str, count: usize, state: &Path) {
    let mut child = program(Path::new("-"), state)
        .env("RUST_LOG", "coilsight_agent=debug,warn")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for line in lines.lines().take(count) {
        writeln!(stdin, "{line}").unwrap();
    }
    // A topic that the line does not know is set aside, and said: everything before it has been taken.
    writeln!(stdin, r#"{{"topic":"the/end/of/this/life","payload":"x"}}"#).unwrap();
    stdin.flush().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("the/end/of/this/life") {
        said.clear();
        assert!(stderr.read_line(&mut said).unwrap() > 0, "the program ended by itself");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

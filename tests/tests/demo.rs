//! The demo needs nothing: no data, no configuration, no network but this machine's own address, no folder that stays.

use coilsight_agent::archive::Archive;
use coilsight_agent::line::{BundleJudge, Config, NotTaken, Publish};
use coilsight_agent::{replay, show, trust};
use coilsight_models::bundle::{Limits, TrustedKeys, Verified};
use coilsight_models::message::assessment::Assessment;
use coilsight_tests::{programs, root};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// The demo, where there is nothing.
fn demo(folder: &Path) -> Command {
    let mut demo = programs::agent();
    demo.arg("demo").env_clear().env("TMPDIR", folder).current_dir(folder);
    demo
}

fn left_in(folder: &Path) -> Vec<std::path::PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn the_demo_shows_a_shift_as_a_replay_decides_it() {
    let elsewhere = tempfile::tempdir().unwrap();
    let output = demo(elsewhere.path()).arg("--exit").output().unwrap();
    let (said, errors) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{errors}");
    assert_eq!(errors, "", "a healthy shift logs no warning");
    assert!(!said.contains('\x1b'), "colours belong in a terminal");
    let table = said.split("\nThe shift:\n").nth(1).expect("a table of the shift");
    for verdict in ["  OK ", "  NOK "] {
        assert!(table.contains(verdict), "no coil is{verdict}:\n{table}");
    }
    assert!(table.contains("g/m2") && table.contains("gauge"), "it says where:\n{table}");
    let decisions = replayed();
    for decision in &decisions {
        assert!(table.contains(decision), "the replay says\n{decision}\nand the demo\n{table}");
    }
    assert!(table.contains(&format!("\n{} coils: ", decisions.len())), "{table}");
    // The plant's topics carried all of it, and nothing twice.
    let heard = |topic: &str| {
        let line = table.lines().find(|line| line.split_whitespace().next() == Some(topic));
        let count = line.and_then(|line| line.split_whitespace().nth(1));
        count.and_then(|count| count.parse::<usize>().ok()).unwrap_or_else(|| panic!("{topic}:\n{table}"))
    };
    let sent =
        ["coil/start", "gauge", "coil/end", "feedback"].map(|topic| heard(&format!("plant/gl2/{topic}")));
    let total: usize = sent.iter().sum();
    assert_eq!(heard("plant/gl2/assessment"), decisions.len());
    assert_eq!(heard("plant/gl2/disposition"), sent[3]);
    assert!(heard("plant/gl2/notification") >= 1);
    let sums = table.lines().find(|line| line.starts_with("  messages ")).expect("the sums");
    let sums: Vec<usize> = sums.split_whitespace().skip(1).map(|n| n.parse().unwrap()).collect();
    assert_eq!(sums, [total, total, 0, 0], "received, used, duplicate, set aside");
    assert!(table.contains("0 messages waiting, all well"), "{table}");
    assert_eq!(left_in(elsewhere.path()), Vec::<std::path::PathBuf>::new());
}

#[test]
fn an_interrupted_demo_leaves_nothing_behind() {
    let elsewhere = tempfile::tempdir().unwrap();
    let mut child = demo(elsewhere.path()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    let online = said.by_ref().map(Result::unwrap).find(|line| line.contains("the agent is online"));
    assert!(online.is_some());
    assert_eq!(left_in(elsewhere.path()).len(), 1, "its archive");
    let told = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(told.success());
    let rest: Vec<String> = said.map(Result::unwrap).collect();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(rest.iter().any(|line| line.contains("coils: ")), "what there was of the shift: {rest:?}");
    assert_eq!(left_in(elsewhere.path()), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_demo_that_nobody_reads_ends_quietly() {
    let elsewhere = tempfile::tempdir().unwrap();
    let mut child =
        demo(elsewhere.path()).arg("--exit").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(left_in(elsewhere.path()), Vec::<std::path::PathBuf>::new());
}

/// What a replay of the demo's recording decides, as people read it.
fn replayed() -> Vec<String> {
    struct Decisions(Vec<String>);
    impl Publish for Decisions {
        fn publish(&mut self, assessment: &Assessment, _: &Archive) -> Result<(), NotTaken> {
            self.0.push(show::line(assessment));
            Ok(())
        }
    }
    let folder = root().join("agent/demo");
    let keys = TrustedKeys::new([("demo", trust::DEMO_KEY)]).unwrap();
    let bundle = std::fs::read(folder.join("demo.coilbundle")).unwrap();
    let bundle = Verified::read(&bundle[..], &keys, &Limits::default()).unwrap();
    let state = tempfile::tempdir().unwrap();
    let config = Config { id: "demo".into(), ..Config::default() };
    let line = replay::open(state.path(), config, Box::new(BundleJudge::open(&bundle).unwrap())).unwrap();
    let recording = BufReader::new(std::fs::File::open(folder.join("demo.jsonl")).unwrap());
    let mut decisions = Decisions(Vec::new());
    replay::play(line, recording, &mut decisions).unwrap();
    decisions.0
}

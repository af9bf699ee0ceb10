//! The kept way against the plain one, and after being broken off.

use crate::data::coils::CoilSet;
use crate::run::{Progress, RunConfig, RunFolder, train};
use crate::simulate::{self, Plan};
use std::ops::ControlFlow;
use std::path::Path;

const SETTINGS: &str = "
name: kept
folds: 2
prepare:
  layout: stacked
  channels: [{ signal: deviation, shift: 0.05, scale: 10, low: -3, high: 3 }]
  side: [nominal, class_a]
network:
  freeze: 1
  backbone:
    kind: cnn
    filters: [6, 6]
    pools: [{ after: 1, kernel: [4, 3] }]
    head: { stages: [0, 1], features: [avg, max], feature_norm: true, feature_dropout: 0.2, hidden: 6 }
forward: []
keep: { draws: 3, budget_mib: BUDGET }
fit:
  epochs: 3
  epoch_items: 160
  batch: 8
  sampler: { kind: balanced, nok_share: 0.5 }
  optimizer: { learning_rate: 0.01 }
  early_stop: { patience: 5 }
augment: { flip_length: 0.5, swap_sides: 0.5, gauge_gain: 0.01, other_class: 0.5 }
";

fn set(folder: &Path) -> CoilSet {
    let plan = Plan { count: 40, nok_share: 0.5, short: true, seed: 11, ..Plan::default() };
    simulate::coils(&plan, folder, "train", &|_| {}).expect("coils");
    CoilSet::load(folder, "train").expect("coils")
}

/// Trains, breaking off after so many epochs; the out-of-fold scores once it is done, and how many rows were computed.
fn run(set: &CoilSet, budget: &str, out: &Path, epochs: usize) -> (Option<String>, usize) {
    let config = RunConfig::parse(&SETTINGS.replace("BUDGET", budget)).expect("settings");
    let folder = RunFolder::begin(out, &config).expect("folder");
    let (mut seen, mut computed) = (0, 0);
    let done = train(set, &config, &folder, &mut |_, progress| {
        match progress {
            Progress::Epoch(_) => seen += 1,
            Progress::Kept(done, all) => computed += if done == all { all } else { 0 },
        }
        if seen >= epochs { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    if epochs == usize::MAX {
        done.as_ref().expect("trained");
    }
    let text = done.is_ok().then(|| std::fs::read_to_string(out.join("oof.csv")).expect("scores"));
    (text, computed)
}

#[test]
fn kept_features_give_the_bits_of_the_plain_way_also_when_broken_off() {
    let folder = tempfile::tempdir().expect("folder");
    let set = set(folder.path());
    let at = |name: &str| folder.path().join(name);
    let (plain, none) = run(&set, "0", &at("plain"), usize::MAX);
    assert_eq!(none, 0);
    let (kept, computed) = run(&set, "64", &at("kept"), usize::MAX);
    assert!(plain.is_some() && computed > 0);
    assert_eq!(kept, plain);
    // Random weights differ from member to member, so nobody shares; a run that goes on has what it needs.
    let mut again = 0;
    for epochs in [1, 2, 4, usize::MAX] {
        let (text, more) = run(&set, "64", &at("broken-off"), epochs);
        again += more;
        assert_eq!(text.is_some(), epochs == usize::MAX);
        if text.is_some() {
            assert_eq!(text, plain);
        }
    }
    assert_eq!(again, computed);
}

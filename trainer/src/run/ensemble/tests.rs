use super::*;
use crate::simulate::{self, Plan};

fn table(margins: &[f64]) -> ScoreTable {
    let n = margins.len();
    ScoreTable {
        coil_id: (0..n).map(|i| format!("X-{i}")).collect(),
        nok: (0..n).map(|i| i.is_multiple_of(4)).collect(),
        class: vec!['A'; n],
        fold: (0..n).map(|i| (i / 4) % 3).collect(),
        margins: margins.iter().map(|m| vec![*m]).collect(),
        p_nok: margins.iter().map(|m| 1.0 / (1.0 + (-m).exp())).collect(),
    }
}

#[test]
fn what_a_fold_holds_has_no_say_in_its_weights() {
    // One model is right everywhere but in the last 4 coils, the other knows little.
    let good: Vec<f64> = (0..60).map(|i| if i % 4 == 0 { 3.0 } else { -3.0 + 0.01 * f64::from(i) }).collect();
    let poor: Vec<f64> = (0..60).map(|i| f64::from(i % 5) - if i % 4 == 0 { 1.5 } else { 2.0 }).collect();
    let (a, b) = (table(&good), table(&poor));
    let rows: Vec<usize> = (0..60).filter(|i| a.fold[*i] != 0).collect();
    let (p, weights) = learned(&[&a, &b], &rows).unwrap();
    assert!(weights[0] > 0.6 && (weights.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{weights:?}");
    // The labels of fold 0 turned round: nothing that is learned without it moves.
    let turned = |t: &ScoreTable| {
        let mut t = t.clone();
        for i in (0..60).filter(|i| t.fold[*i] == 0).collect::<Vec<_>>() {
            t.nok[i] = !t.nok[i];
        }
        t
    };
    let again = learned(&[&turned(&a), &turned(&b)], &rows).unwrap();
    assert_eq!((p.clone(), weights), again);
    let all: Vec<usize> = (0..60).collect();
    assert_ne!(learned(&[&turned(&a), &turned(&b)], &all).unwrap().1, again.1);
    assert!((mix(&p, &[0.25, 0.75], 7) - (0.25 * p[0][7] + 0.75 * p[1][7])).abs() < 1e-15);
}

const SETTINGS: &str = "
name: NAME
folds: 2
split_seed: 1
seed: SEED
forward: [0.5, 0.75]
final: false
prepare:
  layout: beside
  channels: [{ signal: deviation, shift: 0.05, scale: 10, low: -3, high: 3 }]
network:
  backbone: { kind: cnn, filters: [2], pools: [{ after: 1, kernel: [8, 3] }] }
fit: { epochs: 3, epoch_items: 96, batch: 8, optimizer: { learning_rate: 0.02 }, early_stop: null }
";

fn train(set: &CoilSet, out: &Path, name: &str, seed: &str) -> PathBuf {
    let text = SETTINGS.replace("NAME", name).replace("SEED", seed);
    let config = crate::run::RunConfig::parse(&text).unwrap();
    let folder = RunFolder::begin(&out.join(name), &config).unwrap();
    let go_on = &mut |_, _: crate::run::Progress| std::ops::ControlFlow::Continue(());
    crate::run::train(set, &config, &folder, go_on).unwrap();
    folder.path().to_owned()
}

#[test]
fn runs_become_an_ensemble_and_those_of_other_folds_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan { count: 64, nok_share: 0.5, short: true, seed: 3, ..Plan::default() };
    simulate::coils(&plan, folder.path(), "train", &|_| {}).unwrap();
    let set = CoilSet::load(folder.path(), "train").unwrap();
    let runs = [train(&set, folder.path(), "one", "1"), train(&set, folder.path(), "two", "2")];
    let out = folder.path().join("both");
    let request = Request { runs: &runs, name: "both", out: &out };
    let ensemble = build(&request, &set).unwrap();
    assert_eq!(Ensemble::read(&out).unwrap(), ensemble);
    assert_eq!((ensemble.members.len(), ensemble.weights_without_fold.len()), (2, 2));
    assert!((ensemble.members.iter().map(|m| m.weight).sum::<f64>() - 1.0).abs() < 1e-9);
    let contender = crate::run::contender::Contender::open(&out).unwrap();
    assert_eq!(contender.scores.margins[0].len(), 2);
    assert!(contender.forward.is_some());
    let release = crate::release::ReleaseSet::open(&out).unwrap();
    let voters: Vec<f64> = ensemble.members.iter().map(|m| m.weight).filter(|weight| *weight > 0.0).collect();
    assert_eq!(release.models.iter().map(|model| model.weight).collect::<Vec<_>>(), voters);
    assert_eq!(release.policy, ensemble.policy);

    let twice = [runs[0].clone(), runs[0].clone()];
    let error = |runs: &[PathBuf], set: &CoilSet| {
        let error = build(&Request { runs, ..request.clone() }, set).unwrap_err();
        format!("{error:#}")
    };
    assert!(error(&twice, &set).contains("twice"));
    let mut relabelled = set.clone();
    relabelled.coils[0].nok = !relabelled.coils[0].nok;
    assert!(error(&runs, &relabelled).contains("other data"));
    let oof = runs[1].join("oof.csv");
    let text = std::fs::read_to_string(&oof).unwrap();
    let (rest, last) = text.trim_end().rsplit_once('\n').unwrap();
    let swapped =
        if last.contains(",0,") { last.replacen(",0,", ",1,", 1) } else { last.replacen(",1,", ",0,", 1) };
    std::fs::write(&oof, format!("{rest}\n{swapped}\n")).unwrap();
    assert!(error(&runs, &set).contains("other folds"));
}

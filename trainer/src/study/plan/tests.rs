use super::*;

const STUDY: &str = "
name: small
repeats: 2
experiments:
  - name: depth
    title: How deep
    school: baseline
    base: cnn.yaml
    all: { fit.epochs: 3 }
    axes:
      - { name: kernel, key: network.backbone.kernel, values: [[3, 3], [5, 3]] }
      - name: norm
        cases:
          - { name: with, set: { network.backbone.head.feature_norm: true } }
          - { name: without, set: { network.backbone.head.feature_norm: false } }
      - { name: rate, key: fit.optimizer.learning_rate, values: [0.001, 0.01], tune: true }
  - name: share
    title: How many coils
    school: baseline
    base: cnn.yaml
    all: { fit.epochs: 3 }
    axes: [{ name: share, key: share, values: [1, 0.5] }]
";

fn parse(text: &str) -> anyhow::Result<Plan> {
    Plan::parse(text, &|_| Ok(include_str!("../../../configs/cnn.yaml").into()))
}

#[test]
fn grids_are_spread_out_in_order() {
    let plan = parse(STUDY).unwrap();
    let depth = &plan.experiments[0];
    assert_eq!((depth.configurations.len(), depth.tuned.as_slice()), (8, &["rate".to_owned()][..]));
    assert_eq!(depth.configurations[1].name, "kernel=3-3,norm=with,rate=0.01");
    assert_eq!(depth.configurations[7].point, ["5-3", "without", "0.01"]);
    assert_eq!(depth.configurations[7].config.fit.optimizer.learning_rate, 0.01);
    assert_eq!(depth.configurations[0].config.fit.epochs, 3);
    let shares: Vec<f64> = plan.experiments[1].configurations.iter().map(|c| c.share).collect();
    assert_eq!(shares, [1.0, 0.5]);
    // 10 configurations of 2 repeats of 5 folds and 2 stretches.
    assert_eq!(plan.cells().len(), 10 * 12);
}

#[test]
fn the_same_settings_are_trained_once() {
    let twice = STUDY
        .replace("[1, 0.5]", "[1]")
        .replace("name: share, key: share", "name: again, key: fit.batch")
        .replace("values: [1]", "values: [48, 64]");
    let plan = parse(&twice).unwrap();
    let batch = plan.experiments[1].configurations[0].config.fit.batch;
    assert_eq!(batch, 48);
    let digests: HashSet<String> =
        plan.experiments.iter().flat_map(|e| &e.configurations).map(Configuration::digest).collect();
    assert_eq!(plan.cells().len(), digests.len() * 12);
    let same = STUDY.replace("[1, 0.5]", "[1, 1.0]");
    assert!(parse(&same).is_ok(), "labels differ, settings do not");
    assert_eq!(parse(&same).unwrap().cells().len(), 9 * 12);
}

#[test]
fn senseless_studies_are_refused_by_name() {
    for (from, to, wanted) in [
        ("name: small", "name: Small One", "Small One"),
        ("repeats: 2", "repeats: 0", "repeats is 0"),
        ("repeats: 2", "folds: 1", "folds is 1"),
        ("name: share\n", "name: depth\n", "two experiments"),
        ("fit.epochs: 3", "fit.epoch: 3", "experiment depth"),
        ("fit.epochs: 3", "seed: 3", "the study's own"),
        ("[1, 0.5]", "[1, 1.5]", "share is 1.5"),
        ("[1, 0.5]", "[]", "axis share"),
        ("[1, 0.5]", "[0.5, 0.5]", "axis share"),
        ("school: baseline", "school: none", "none"),
        ("key: share, ", "", "axis share"),
    ] {
        assert!(STUDY.contains(from), "{from}");
        let error = format!("{:#}", parse(&STUDY.replacen(from, to, 1)).unwrap_err());
        assert!(error.contains(wanted), "{error}");
    }
}

#[test]
fn the_shipped_studies_are_usable() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("studies");
    let read = |name: &str| Plan::read(&folder.join(name)).unwrap_or_else(|error| panic!("{error:#}"));
    let whole = read("paper-coil.yaml");
    // The paper's 50 combinations of size and frozen stages, at three learning rates.
    assert_eq!((whole.folds, whole.repeats, whole.experiments[0].configurations.len()), (5, 10, 150));
    let small = read("paper-coil-small.yaml");
    assert_eq!((small.repeats, small.cells().len()), (2, 216));
    for plan in [whole, small] {
        let schools: HashSet<School> = plan.experiments.iter().map(|e| e.school).collect();
        assert_eq!(schools.len(), 3, "{} compares transfer, contrastive and a baseline", plan.name);
    }
}

//! A study made by hand: every kind of experiment, every gap, hostile names.

use super::Picture;
use crate::plot::Heatmap;
use crate::score::report::Estimate;
use crate::score::{Bootstrap, Confusion, Interval, Judged, OnTheLine, Report};
use crate::study::School;
use crate::study::results::{
    Calibration, CellMetrics, Chosen, Comparison, Configuration, Curves, Data, Experiment, Forward, Gold,
    GoldOf, Metric, Results, Summary, Test, Wrong,
};
use coilsight_models::coil::{CHUNKS, CoilMatrix, GAUGES};
use std::collections::BTreeMap;

pub const HOSTILE: &str = "<script>alert('x')</script>\"&";
const NOTHING: Estimate = Estimate { value: None, interval: None };

/// Without randomness, yet not all alike: -0.5 to 0.5.
fn wobble(i: usize) -> f64 {
    (i * 37 % 101) as f64 / 101.0 - 0.5
}

fn around(value: f64, wide: f64) -> Estimate {
    Estimate {
        value: Some(value),
        interval: Some(Interval { low: value - wide, high: (value + wide).min(1.0) }),
    }
}

fn confusion(f1: f64) -> Confusion {
    let found = (100.0 * f1) as u64;
    Confusion { true_nok: found, false_nok: 100 - found, false_ok: 100 - found, true_ok: 1700 + found }
}

fn configuration(point: &[&str], names: &[&str], f1: f64) -> Configuration {
    let name: Vec<String> = names.iter().zip(point).map(|(n, v)| format!("{n}={v}")).collect();
    let metrics = [
        (Metric::F1Nok, 0.0),
        (Metric::PrecisionNok, 0.05),
        (Metric::RecallNok, -0.04),
        (Metric::Accuracy, 0.2),
    ];
    let cells = (0..10)
        .map(|i| CellMetrics {
            repeat: i / 5,
            fold: i % 5,
            epochs: 12,
            coils: 400,
            nok: 40,
            confusion: confusion(f1),
            metrics: metrics
                .iter()
                .map(|(m, more)| (*m, f1 + more + 0.1 * wobble(i + (100.0 * f1) as usize)))
                .collect(),
        })
        .collect();
    let summary = |value| Summary {
        mean: Some(value),
        sd: Some(0.03),
        by_coil: around(value, 0.05),
        by_day: around(value, 0.07),
    };
    Configuration {
        name: if name.is_empty() { "only".into() } else { name.join(",") },
        point: point.iter().map(|v| (*v).to_owned()).collect(),
        network: "efficientnet-lite0".into(),
        weight_origin: "ImageNet, timm efficientnet_lite0.ra_in1k".into(),
        parameters: 3_400_000,
        trainable: 120_000,
        share: 1.0,
        cells,
        summary: metrics.iter().map(|(m, more)| (*m, summary(f1 + more))).collect(),
        confusion: confusion(f1),
        on_the_line: BTreeMap::from([
            ("all".into(), OnTheLine::at(0.03, &confusion(f1))),
            ("A".into(), None),
            ("?".into(), OnTheLine::at(0.03, &confusion(f1))),
        ]),
        calibration: Calibration {
            brier: 0.031,
            ece: 0.012,
            bins: (0..10).map(|i| (0.1 * f64::from(i), 0.09 * f64::from(i), 180)).collect(),
        },
        forward: Some(Forward {
            average_precision: around(f1 - 0.08, 0.09),
            roc_auc: around(0.9, 0.03),
            f1_nok: around(f1 - 0.1, 0.1),
            on_the_line: None,
        }),
    }
}

/// Nothing in it that may be missing.
fn bare(name: &str) -> Configuration {
    Configuration {
        name: name.into(),
        point: vec![name.into()],
        cells: Vec::new(),
        summary: BTreeMap::from([
            (Metric::F1Nok, Summary { mean: None, sd: None, by_coil: NOTHING, by_day: NOTHING }),
            (
                Metric::RocAuc,
                Summary { mean: Some(f64::NAN), sd: Some(f64::NAN), by_coil: NOTHING, by_day: NOTHING },
            ),
            (Metric::Accuracy, Summary { mean: Some(0.875), sd: None, by_coil: NOTHING, by_day: NOTHING }),
        ]),
        confusion: Confusion::default(),
        on_the_line: BTreeMap::new(),
        calibration: Calibration { brier: f64::NAN, ece: f64::NAN, bins: Vec::new() },
        forward: None,
        ..configuration(&[], &[], 0.5)
    }
}

fn axis(name: &str, values: &[&str]) -> (String, Vec<String>) {
    (name.into(), values.iter().map(|v| (*v).to_owned()).collect())
}

fn grid(axes: &[(String, Vec<String>)], f1: impl Fn(usize, usize) -> f64) -> Vec<Configuration> {
    let names: Vec<&str> = axes.iter().map(|a| a.0.as_str()).collect();
    let point = |i: usize, j: usize| configuration(&[&axes[0].1[i], &axes[1].1[j]], &names, f1(i, j));
    (0..axes[0].1.len())
        .flat_map(|i| (0..axes[1].1.len()).map(move |j| (i, j)))
        .map(|(i, j)| point(i, j))
        .collect()
}

fn comparison(of: &str, with: &str) -> Comparison {
    let test = |p, holm| Some(Test { statistic: Some(2.1), p, holm });
    Comparison {
        of: of.into(),
        with: with.into(),
        difference: Some(0.05),
        corrected_t: test(0.21, Some(0.42)),
        naive_t: test(0.0002, Some(0.0004)),
        mcnemar: test(0.03, None),
        permutation: None,
        delong: test(f64::NAN, None),
    }
}

fn curves() -> Curves {
    let at = |i: u32| f64::from(i) / 50.0;
    Curves {
        roc: (0..=50).map(|i| (at(i), at(i).powf(0.2))).collect(),
        precision_recall: (0..=50).map(|i| (at(i), 1.0 - 0.9 * at(i).powi(3))).collect(),
        cost: (0..=50).map(|i| (at(i), 0.5 * (at(i) * (1.0 - at(i))))).collect(),
    }
}

fn chosen(school: School, experiment: &str, configuration: &str, curves: Curves) -> Chosen {
    let wrong = |id: &str, nok| Wrong { coil_id: id.into(), row: 17, nok, class: 'B', p_nok: 0.31, wrong: 2 };
    Chosen {
        school,
        experiment: experiment.into(),
        configuration: configuration.into(),
        curves,
        errors: vec![wrong("C-1042", true), wrong(HOSTILE, false)],
    }
}

pub fn results() -> Results {
    let sweep = vec![axis("size", &["n", "s", "m"]), axis("frozen stages", &["0", "3", "5", "7", "9"])];
    let tuned = vec![axis("size", &["n", "s"]), axis("rate", &["0.001", "0.01"])];
    let experiment = |name: &str, school, axes: Vec<_>, configurations| Experiment {
        name: name.into(),
        title: format!("The {name} question (figure 17)"),
        school,
        axes,
        tuned: Vec::new(),
        configurations,
        comparisons: Vec::new(),
    };
    let mut freeze = experiment(
        "freeze",
        School::Transfer,
        sweep.clone(),
        grid(&sweep, |i, j| 0.55 + 0.03 * i as f64 + 0.02 * j as f64),
    );
    freeze.comparisons = vec![comparison("freeze/size=n,frozen stages=3", "freeze/size=n,frozen stages=0")];
    let rates = experiment(
        "rates",
        School::Transfer,
        tuned.clone(),
        grid(&tuned, |i, j| 0.6 + 0.05 * (i + j) as f64),
    );
    let rates = Experiment { tuned: vec!["rate".into()], ..rates };
    let pooling = experiment(
        "pooling",
        School::Contrastive,
        vec![axis("pool", &["avg", "max", HOSTILE])],
        vec![
            configuration(&["avg"], &["pool"], 0.61),
            configuration(&["max"], &["pool"], 0.58),
            bare(HOSTILE),
        ],
    );
    let scratch = experiment("scratch", School::Baseline, Vec::new(), vec![configuration(&[], &[], 0.66)]);
    Results {
        name: format!("small {HOSTILE}"),
        trainer: "0.9.0".into(),
        seed: 1,
        folds: 5,
        repeats: 2,
        forward: vec![0.5, 0.75],
        select: Metric::F1Nok,
        data: Data {
            set: "coils".into(),
            sha256: "ab".repeat(32),
            coils: 2000,
            nok: 200,
            days: 61,
            prevalence: 0.03,
        },
        bootstrap: Bootstrap::default(),
        experiments: vec![freeze, rates, pooling, scratch],
        chosen: vec![
            chosen(School::Transfer, "freeze", "size=m,frozen stages=9", curves()),
            chosen(
                School::Contrastive,
                "pooling",
                "pool=avg",
                Curves { roc: curves().roc.iter().map(|(x, y)| (*x, y.powf(1.6))).collect(), ..curves() },
            ),
            chosen(School::Baseline, "scratch", "only", Curves::default()),
        ],
        between: vec![
            comparison("freeze/size=m,frozen stages=9", "pooling/pool=avg"),
            Comparison { difference: None, ..comparison("freeze/size=m,frozen stages=9", "scratch/only") },
        ],
    }
}

pub fn gold(results: &Results) -> Gold {
    let coils: Vec<Judged> = (0..60)
        .map(|i| Judged {
            nok: i % 2 == 0,
            p_nok: 0.5 + wobble(i),
            called_nok: i % 2 == 0 && i % 10 != 0,
            review: false,
            class: if i < 5 { 'A' } else { 'B' },
        })
        .collect();
    let of = |c: &Chosen| GoldOf {
        school: c.school,
        configuration: format!("{}/{}", c.experiment, c.configuration),
        report: Report::new(&coils, 0.03, Bootstrap { draws: 50, ..Bootstrap::default() }),
        curves: c.curves.clone(),
    };
    Gold {
        set: "gold-a".into(),
        sha256: "cd".repeat(32),
        looks: 3,
        of: results.chosen.iter().map(of).collect(),
    }
}

pub fn picture(coil_id: &str) -> Picture {
    let cell = |i: usize| {
        if i.is_multiple_of(97) {
            0
        } else {
            (4000.0 + 600.0 * wobble(i / GAUGES) + 300.0 * wobble(i)) as u16
        }
    };
    let matrix =
        CoilMatrix::from_hundredths((0..CHUNKS * GAUGES).map(cell).collect(), vec![10; CHUNKS * GAUGES])
            .unwrap();
    let map = Heatmap {
        title: coil_id.into(),
        note: "made by hand".into(),
        matrix,
        nominal_g_m2: 40.0,
        length_m: 1500.0,
    };
    let evidence = (0..CHUNKS * GAUGES).map(|i| wobble(i / GAUGES / 11)).collect();
    Picture { school: School::Transfer, coil_id: coil_id.into(), map, evidence: Some(evidence) }
}

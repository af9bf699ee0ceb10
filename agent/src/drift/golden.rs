//! The figures of [`super::distance`] against Evidently's own.

use super::distance::{self, clean};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Golden {
    versions: BTreeMap<String, String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    reference: Vec<Run>,
    recent: Vec<Run>,
    figures: BTreeMap<String, Option<f64>>,
}

/// One value of 1/1024, or so many equal ones, or one that is no number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Run {
    One(i64),
    Many(i64, usize),
    NotFinite(String),
}

fn values(runs: &[Run]) -> Vec<f64> {
    let of = |run: &Run| match run {
        Run::One(value) => vec![*value as f64 / 1024.0],
        Run::Many(value, count) => vec![*value as f64 / 1024.0; *count],
        Run::NotFinite(text) => vec![text.parse().unwrap()],
    };
    clean(runs.iter().flat_map(of))
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("golden/evidently.json")).unwrap()
}

#[test]
fn figures_are_evidentlys() {
    let golden = golden();
    assert_eq!(golden.versions["evidently"], "0.7.23");
    let mut compared = 0;
    for case in &golden.cases {
        let (reference, recent) = (values(&case.reference), values(&case.recent));
        for (method, wanted) in &case.figures {
            let ours = match method.as_str() {
                "ks" => distance::ks_p(&reference, &recent),
                "chisquare" => distance::chi_square_p(&reference, &recent),
                "z" => distance::z_p(&reference, &recent),
                "wasserstein" => distance::wasserstein(&reference, &recent),
                "jensenshannon" => distance::jensen_shannon(&reference, &recent),
                "psi" => distance::psi(&reference, &recent),
                other => panic!("{other} is no figure of ours"),
            };
            match (ours, wanted) {
                (None, None) => (),
                // In proportion, for the smallest p is a figure too; Evidently's z knows nothing below 1e-15.
                (Some(a), Some(b)) => assert!(
                    (a - b).abs() <= (1e-6 * b.abs().min(1.0)).max(1e-15),
                    "{method} of {}: {a}, Evidently says {b}",
                    case.name
                ),
                other => panic!("{method} of {}: {other:?}", case.name),
            }
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared}");
}

#[test]
fn samples_without_values_have_no_figures() {
    let some = [1.0, 2.0];
    for (a, b) in [(&some[..], &[][..]), (&[][..], &some[..]), (&[][..], &[][..])] {
        assert_eq!(distance::ks_p(a, b), None);
        assert_eq!(distance::chi_square_p(a, b), None);
        assert_eq!(distance::z_p(a, b), None);
        assert_eq!(distance::wasserstein(a, b), None);
        assert_eq!(distance::jensen_shannon(a, b), None);
        assert_eq!(distance::psi(a, b), None);
    }
}

#[test]
fn more_than_scipy_does_exactly_is_not_computed() {
    let many = vec![1.0; distance::MAX_EXACT + 1];
    assert_eq!(distance::ks_p(&many, &[1.0]), None);
    assert!(distance::wasserstein(&many, &[1.0]).is_some());
}

//! golden.json, to 1e-9.

use crate::score::interval::{clopper_pearson, wilson};
use crate::score::kappa::{Agreed, many, two};
use crate::score::{Confusion, Estimate};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    confusions: Vec<OfConfusion>,
    shares: Vec<OfShare>,
    pairs: Vec<OfPair>,
    many: Vec<OfMany>,
}

#[derive(Deserialize)]
struct OfConfusion {
    cells: [f64; 4],
    accuracy: f64,
    balanced_accuracy: Option<f64>,
    mcc: Option<f64>,
}

#[derive(Deserialize)]
struct OfShare {
    hits: u64,
    of: u64,
    wilson: [f64; 2],
    clopper_pearson: [f64; 2],
}

#[derive(Deserialize)]
struct Figure {
    value: f64,
    se: f64,
}

#[derive(Deserialize)]
struct OfPair {
    table: [usize; 4],
    kappa: f64,
    se: f64,
    pabak: f64,
    ac1: Figure,
}

#[derive(Deserialize)]
struct OfMany {
    raters: u64,
    nok: Vec<u64>,
    kappa: f64,
    se: f64,
    ac1: Figure,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../golden.json")).unwrap()
}

fn close(ours: f64, theirs: f64) {
    assert!((ours - theirs).abs() < 1e-9, "{ours} {theirs}");
}

#[test]
fn metrics_are_scikit_learns() {
    for OfConfusion { cells: [true_nok, false_nok, false_ok, true_ok], accuracy, balanced_accuracy, mcc } in
        golden().confusions
    {
        let confusion = Confusion { true_nok, false_nok, false_ok, true_ok };
        close(confusion.accuracy().unwrap(), accuracy);
        assert_eq!(confusion.balanced_accuracy().is_some(), balanced_accuracy.is_some());
        for (ours, theirs) in [(confusion.balanced_accuracy(), balanced_accuracy), (confusion.mcc(), mcc)] {
            if let Some((ours, theirs)) = ours.zip(theirs) {
                close(ours, theirs);
            }
        }
    }
}

#[test]
fn intervals_of_shares_are_statsmodels() {
    for OfShare { hits, of, wilson: w, clopper_pearson: cp } in golden().shares {
        for (ours, theirs) in [(wilson(hits, of).unwrap(), w), (clopper_pearson(hits, of).unwrap(), cp)] {
            close(ours.low, theirs[0]);
            close(ours.high, theirs[1]);
        }
    }
}

fn with_error(ours: Estimate, value: f64, se: f64) {
    close(ours.value, value);
    // Without an error there is Wilson's interval instead.
    if se > 1e-9 {
        close(ours.low, (value - 1.959963984540054 * se).max(-1.0));
        close(ours.high, (value + 1.959963984540054 * se).min(1.0));
    } else {
        assert!(ours.low < ours.value || ours.value < ours.high, "{ours:?}");
    }
}

#[test]
fn kappas_of_two_are_statsmodels_and_irrcacs() {
    for OfPair { table, kappa, se, pabak, ac1 } in golden().pairs {
        let cells = [(false, false), (false, true), (true, false), (true, true)];
        let coils: Vec<_> = cells.into_iter().zip(table).flat_map(|(cell, n)| vec![cell; n]).collect();
        let ours: Agreed = two(&coils);
        with_error(ours.kappa.unwrap(), kappa, se);
        close(ours.pabak.unwrap().value, pabak);
        with_error(ours.ac1.unwrap(), ac1.value, ac1.se);
    }
}

#[test]
fn kappas_of_many_are_irrcacs() {
    for OfMany { raters, nok, kappa, se, ac1 } in golden().many {
        let ours = many(&nok, raters);
        with_error(ours.kappa.unwrap(), kappa, se);
        with_error(ours.ac1.unwrap(), ac1.value, ac1.se);
    }
}

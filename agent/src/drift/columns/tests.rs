//! Columns of strips that are made up here.

use super::*;
use coilsight_models::coil::CELLS;
use proptest::prelude::*;

/// 70 g/m2 everywhere, times a factor by gauge.
fn matrix(factor: impl Fn(usize, usize) -> f64) -> CoilMatrix {
    let cells = (0..CELLS).map(|c| (7000.0 * factor(c / GAUGES, c % GAUGES)) as u16).collect();
    CoilMatrix::from_hundredths(cells, vec![10; CELLS]).unwrap()
}

fn columns(matrix: &CoilMatrix) -> Columns {
    let order = Order::new(70.0, ToleranceClass::B, 1250.0).unwrap();
    Columns::of(&Seen {
        matrix,
        order: Some(&order),
        length_m: Some(1800.0),
        p_nok: Some(0.25),
        votes: &[0.2, 0.3],
        unlike: true,
    })
}

fn value(columns: &Columns, name: &str) -> f64 {
    let models = ["one".to_owned(), "two".to_owned()];
    let all = Columns::names(&models);
    columns.get(all.iter().find(|c| c.name == name).unwrap())
}

#[test]
fn a_gauge_that_reads_too_much_shows_at_any_weight() {
    let heavy = columns(&matrix(|_, g| if g == 3 { 1.05 * 1.1 } else { 1.1 }));
    assert!((value(&heavy, "offset top 4") - 5.0).abs() < 0.01);
    assert!(value(&heavy, "offset top 5").abs() < 0.01);
    assert!((value(&heavy, "level top") - 10.0).abs() < 0.01);
    assert!((value(&heavy, "level bottom") - 10.0).abs() < 0.01);
    assert_eq!(value(&heavy, "tolerance_class"), 1.0);
    assert_eq!(value(&heavy, "p_nok two"), f64::from(0.3_f32));
    assert!(heavy.unlike());
}

#[test]
fn a_flaw_on_a_part_of_the_strip_is_no_offset() {
    let flawed = columns(&matrix(|k, g| if g == 12 && k < 60 { 0.5 } else { 1.0 }));
    assert_eq!(value(&flawed, "offset bottom 4"), 0.0);
}

#[test]
fn gaps_are_a_gauges_own_and_not_those_of_all() {
    // Nothing was read in the last quarter; gauge 0 missed a third of the rest.
    let gaps = columns(&matrix(|k, g| if k >= 198 || (g == 0 && k < 66) { 0.0 } else { 1.0 }));
    assert!((value(&gaps, "gaps top 1") - 1.0 / 3.0).abs() < 1e-6);
    assert_eq!(value(&gaps, "gaps top 2"), 0.0);
    let blind = columns(&matrix(|_, g| if g == 0 { 0.0 } else { 1.0 }));
    assert_eq!(blind.gap(0), 1.0);
    assert!(value(&blind, "offset top 1").is_nan());
}

#[test]
fn a_coil_of_which_nothing_is_known_has_columns_too() {
    let matrix = matrix(|_, _| 0.0);
    let columns = Columns::of(&Seen {
        matrix: &matrix,
        order: None,
        length_m: None,
        p_nok: None,
        votes: &[],
        unlike: false,
    });
    assert!(Columns::names(&[]).iter().all(|c| columns.get(c).is_nan()));
    assert_eq!(columns.stratum(), None);
}

#[test]
fn weights_of_a_usual_list_lie_in_strata_of_their_own() {
    let matrix = matrix(|_, _| 1.0);
    let stratum = |nominal| {
        let order = Order::new(nominal, ToleranceClass::A, 1000.0).unwrap();
        let seen = Seen {
            matrix: &matrix,
            order: Some(&order),
            length_m: None,
            p_nok: None,
            votes: &[],
            unlike: false,
        };
        Columns::of(&seen).stratum().unwrap().1
    };
    let mut all = [40.0, 50.0, 70.0, 100.0, 137.5].map(stratum).to_vec();
    all.dedup();
    assert_eq!(all.len(), 5);
    assert_eq!(stratum(100.0), stratum(101.0));
}

proptest! {
    #[test]
    fn bytes_round_trip(cells in proptest::collection::vec(any::<u16>(), CELLS)) {
        let matrix = CoilMatrix::from_hundredths(cells.clone(), cells).unwrap();
        let columns = columns(&matrix);
        prop_assert_eq!(Columns::from_bytes(&columns.to_bytes()).unwrap(), columns);
    }

    #[test]
    fn wrong_lengths_are_refused(n in 0_usize..2000) {
        let fine = n % 4 == 0 && (248..=248 + 64).contains(&n);
        prop_assert_eq!(Columns::from_bytes(&vec![0; n]).is_ok(), fine);
    }
}

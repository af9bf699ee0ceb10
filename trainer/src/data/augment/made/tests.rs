//! That made coils are NOK for a reason, and only of what they may be made of.

use super::*;
use crate::simulate::{self, Plan};
use coilsight_models::coil::{CHUNKS, GAUGES};
use std::sync::OnceLock;

/// Simulated coils, a third NOK.
fn coils() -> &'static [LabelledCoil] {
    static COILS: OnceLock<Vec<LabelledCoil>> = OnceLock::new();
    COILS.get_or_init(|| {
        let plan = Plan { count: 60, nok_share: 0.33, short: true, seed: 5, ..Plan::default() };
        (0..plan.count).into_par_iter().map(|index| labelled(&simulate::coil(&plan, index))).collect()
    })
}

fn labelled(coil: &simulate::Coil) -> LabelledCoil {
    LabelledCoil {
        id: coil.id.clone(),
        produced_at: String::new(),
        matrix: coil.chunked().matrix,
        order: Some(coil.order),
        length_m: coil.length_m,
        nok: coil.nok,
    }
}

fn made(config: &AugmentConfig, seed: u64) -> Vec<Made> {
    make(&coils().iter().collect::<Vec<_>>(), config, seed)
}

fn drawn() -> AugmentConfig {
    AugmentConfig { drawn_defects: 0.5, ..AugmentConfig::default() }
}

fn borrowed() -> AugmentConfig {
    AugmentConfig { borrowed_defects: 0.5, ..AugmentConfig::default() }
}

/// The OK coil that one was made of.
fn host(made: &Made) -> &'static LabelledCoil {
    coils().iter().find(|coil| coil.id == made.coil.id).expect("made of a training coil")
}

#[test]
fn nothing_is_made_unless_it_is_asked_for() {
    assert!(made(&AugmentConfig::default(), 1).is_empty());
}

#[test]
fn made_coils_are_nok_by_a_flaw_as_bad_as_real_ones() {
    for config in [drawn(), borrowed()] {
        let made = made(&config, 1);
        let ok = coils().iter().filter(|coil| !coil.nok).count();
        assert!(made.len() > ok / 4 && made.len() <= ok.div_ceil(2), "{} of {ok}", made.len());
        for made in &made {
            let (host, order) = (host(made), made.coil.order.expect("an order"));
            let bar =
                bar(&coils().iter().collect::<Vec<_>>(), order.tolerance_class(), 0.5).expect("NOK coils");
            assert!(made.coil.nok && !host.nok && made.coil.order == host.order);
            assert!(severity(&made.coil.matrix, &order) - severity(&host.matrix, &order) >= bar);
            let most = (100.0 * order.max_reading()) as u16;
            let (before, after) = (host.matrix.mean(), made.coil.matrix.mean());
            assert!(before.iter().zip(after).all(|(b, a)| (*b == 0) == (*a == 0) && *a <= most));
            let same = before.iter().zip(after).filter(|(b, a)| b == a).count();
            assert!(
                same > CELLS / 20,
                "a flaw is not the whole coil: {same} cells as they were, {}",
                made.how
            );
        }
    }
}

#[test]
fn what_is_made_follows_from_the_seed() {
    let matrices = |seed| made(&drawn(), seed).into_iter().map(|m| m.coil.matrix).collect::<Vec<_>>();
    assert_eq!(matrices(1), matrices(1));
    assert_ne!(matrices(1), matrices(2));
}

#[test]
fn one_kind_leaves_the_other_as_it_was() {
    let both = AugmentConfig { borrowed_defects: 0.5, ..drawn() };
    let (drawn, both) = (made(&drawn(), 3), made(&both, 3));
    assert!(both.len() > drawn.len());
    assert!(drawn.iter().zip(&both).all(|(a, b)| a.how == b.how && a.coil.matrix == b.coil.matrix));
}

#[test]
fn flaws_are_lent_to_the_same_or_a_stricter_class_alone() {
    let class = |id: &str| {
        let coil = coils().iter().find(|coil| coil.id.to_string() == id).expect("a training coil");
        assert!(coil.nok);
        coil.order.expect("an order").tolerance_class()
    };
    for made in made(&borrowed(), 4) {
        let words = made.how.strip_prefix("borrowed_defects of ").expect("borrowed");
        let donor = class(words.split(',').next().expect("an id"));
        assert!(donor >= made.coil.order.expect("an order").tolerance_class(), "{}", made.how);
    }
}

#[test]
fn a_borrowed_flaw_is_the_donors_deviation_at_another_place() {
    let base = &coils()[0];
    let order = Order::new(70.0, ToleranceClass::C, 1200.0).unwrap();
    let with = |thin: bool, nok: bool| {
        let mean = (0..CELLS).map(|i| {
            // A thin head, which stays behind.
            let there =
                i % GAUGES == 4 && (100..150).contains(&(i / GAUGES)) || (i / GAUGES < 2 && i % GAUGES > 13);
            if thin && there { 5600 } else { 7000 }
        });
        let matrix =
            coilsight_models::coil::CoilMatrix::from_hundredths(mean.collect(), vec![0; CELLS]).unwrap();
        LabelledCoil { matrix, order: Some(order), nok, ..base.clone() }
    };
    let (donor, host) = (with(true, true), with(false, false));
    let config = AugmentConfig { borrowed_defects: 1.0, ..AugmentConfig::default() };
    let made = make(&[&donor, &host], &config, 1);
    let matrix = &made[0].coil.matrix;
    let thin: Vec<(usize, usize)> =
        (0..CELLS).filter(|i| matrix.mean()[*i] != 7000).map(|i| (i / GAUGES, i % GAUGES)).collect();
    assert_eq!(thin.len(), 50, "{}", made[0].how);
    let (first, column) = thin[0];
    assert!(
        thin.iter().enumerate().all(|(k, cell)| *cell == (first + k, column)) && (2..=6).contains(&column)
    );
    assert!(first.abs_diff(100) <= CHUNKS / 4);
    // A fifth thinner, made up to half as strong again.
    assert!((4900..=5600).contains(&matrix.mean()[first * GAUGES + column]));
}

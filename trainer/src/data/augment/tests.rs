//! What holds for every kind of change.

use super::*;
use coilsight_models::coil::{CELLS, CHUNKS, GAUGES, ToleranceClass};
use proptest::prelude::*;

fn coil() -> CoilMatrix {
    let gap = |i: usize| i % GAUGES == 3 || (i % GAUGES == 7 && (50..90).contains(&(i / GAUGES)));
    let mean = (0..CELLS).map(|i| if gap(i) { 0 } else { 6000 + (i * 37 % 997) as u16 });
    CoilMatrix::from_hundredths(mean.collect(), (0..CELLS).map(|i| i as u16 % 300).collect()).unwrap()
}

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

fn draw(config: &AugmentConfig, matrix: &CoilMatrix, seed: u64) -> CoilMatrix {
    config.draw(matrix, None, false, &mut rng(seed)).matrix
}

/// Everything that a draw does, at once.
fn all() -> AugmentConfig {
    AugmentConfig {
        flip_length: 0.5,
        flip_width: 0.5,
        swap_sides: 0.5,
        rotate: 0.3,
        shift_length: 0.03,
        gauge_gain: 0.02,
        coil_gain: 0.02,
        gauge_drift: 0.01,
        noise: 0.01,
        gauge_dropout: 0.05,
        gap_dropout: 0.1,
        lost_chunks: 0.5,
        other_class: 0.5,
        ..AugmentConfig::default()
    }
}

#[test]
fn the_default_changes_nothing() {
    let order = Order::new(70.0, ToleranceClass::B, 1250.0).ok();
    let drawn = AugmentConfig::default().draw(&coil(), order, true, &mut rng(7));
    assert_eq!(drawn, Drawn { matrix: coil(), order, changes: Vec::new() });
    assert!(AugmentConfig::default().alone().is_empty());
}

#[test]
fn every_setting_has_its_limits() {
    for (i, (name, _, most)) in all().settings().into_iter().enumerate() {
        for (value, good) in
            [(0.0, true), (most, true), (most + 0.01, false), (-0.01, false), (f64::NAN, false)]
        {
            let mut config = AugmentConfig::default();
            *config.settings()[i].1 = value;
            assert_eq!(config.check().is_ok(), good, "{name}: {value}");
        }
    }
}

#[test]
fn every_kind_alone_changes_a_coil_and_says_so() {
    let order = Order::new(70.0, ToleranceClass::B, 1250.0).ok();
    let kinds = all().alone();
    assert_eq!(kinds.len(), 13);
    for (name, config) in kinds {
        // The first draw that changes something; only what is named may.
        let drawn = (0..100).map(|seed| config.draw(&coil(), order, true, &mut rng(seed)));
        let found = drawn.into_iter().find(|d| !d.changes.is_empty()).unwrap_or_else(|| panic!("{name}"));
        assert!(found.changes.iter().all(|change| change.starts_with(name)), "{name}: {:?}", found.changes);
        assert!(found.matrix != coil() || found.order != order, "{name}");
    }
}

#[test]
fn one_kind_leaves_the_draws_of_others_as_they_were() {
    let turned = AugmentConfig { flip_width: 0.5, gauge_gain: 0.01, ..AugmentConfig::default() };
    let lost = AugmentConfig { lost_chunks: 1.0, ..turned.clone() };
    for seed in 0..20 {
        let (a, b) = (draw(&turned, &coil(), seed), draw(&lost, &coil(), seed));
        let same = a.mean().iter().zip(b.mean()).filter(|(a, b)| **b > 0 && a != b).count();
        assert_eq!(same, 0);
        assert_ne!(a, b);
    }
}

#[test]
fn turning_twice_is_not_turning() {
    for config in [
        AugmentConfig { flip_length: 1.0, ..AugmentConfig::default() },
        AugmentConfig { flip_width: 1.0, ..AugmentConfig::default() },
        AugmentConfig { swap_sides: 1.0, ..AugmentConfig::default() },
    ] {
        let once = draw(&config, &coil(), 7);
        assert_ne!(once, coil());
        assert_eq!(draw(&config, &once, 8), coil());
    }
}

#[test]
fn a_gauge_keeps_its_shape_when_its_gain_changes() {
    let config = AugmentConfig { gauge_gain: 0.02, ..AugmentConfig::default() };
    let drawn = draw(&config, &coil(), 7);
    let mut of_gauge = Vec::new();
    for column in (0..GAUGES).filter(|column| *column != 3) {
        let ratio = |k: usize| Some(drawn.at(k, column)? / coil().at(k, column)?);
        let ratios: Vec<f64> = (0..CHUNKS).filter_map(ratio).collect();
        assert!(ratios.iter().all(|r| (r - ratios[0]).abs() < 3e-4 && (0.95..1.05).contains(r)));
        of_gauge.push(ratios[0]);
    }
    let spread = of_gauge.iter().fold(0.0_f64, |most, r| most.max((r - 1.0).abs()));
    assert!((0.01..=0.0401).contains(&spread), "{spread}");
}

#[test]
fn noise_and_drift_are_as_large_as_they_are_set() {
    let flat = CoilMatrix::from_hundredths(vec![7000; CELLS], vec![0; CELLS]).unwrap();
    let deviation = |config: &AugmentConfig| {
        let off = (0..8).flat_map(|seed| draw(config, &flat, seed).mean().to_vec());
        let squares: Vec<f64> = off.map(|m| (f64::from(m) / 7000.0 - 1.0).powi(2)).collect();
        (squares.iter().sum::<f64>() / squares.len() as f64).sqrt()
    };
    let noise = deviation(&AugmentConfig { noise: 0.01, ..AugmentConfig::default() });
    assert!((noise - 0.01).abs() < 0.0003, "{noise}");
    let config = AugmentConfig { gauge_drift: 0.01, ..AugmentConfig::default() };
    let drift = deviation(&config);
    assert!((drift - 0.01).abs() < 0.002, "{drift}");
    // Smooth: no step from chunk to chunk.
    let drawn = draw(&config, &flat, 3);
    assert!((1..CHUNKS).all(|k| (drawn.at(k, 5).unwrap() - drawn.at(k - 1, 5).unwrap()).abs() < 0.05));
}

#[test]
fn a_coil_keeps_a_gauge() {
    let config = AugmentConfig { gauge_dropout: 1.0, ..AugmentConfig::default() };
    let drawn = draw(&config, &coil(), 1);
    let alive = |column: &usize| (0..CHUNKS).any(|chunk| drawn.at(chunk, *column).is_some());
    assert_eq!((0..GAUGES).filter(alive).count(), 1);
}

#[test]
fn a_class_is_only_changed_where_the_label_holds() {
    let config = AugmentConfig { other_class: 1.0, ..AugmentConfig::default() };
    let order = Order::new(70.0, ToleranceClass::B, 1250.0).unwrap();
    let seen = |nok: bool| -> Vec<ToleranceClass> {
        let draw =
            |seed| config.draw(&coil(), Some(order), nok, &mut rng(seed)).order.unwrap().tolerance_class();
        let mut classes: Vec<_> = (0..200).map(draw).collect();
        classes.sort_unstable();
        classes.dedup();
        classes
    };
    assert_eq!(seen(true), [ToleranceClass::A, ToleranceClass::B]);
    assert_eq!(seen(false), [ToleranceClass::B, ToleranceClass::C]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn draws_repeat_and_stay_in_range(seed: u64, cells in prop::collection::vec(prop_oneof![Just(0), 1_u16..=20_000, Just(u16::MAX)], CELLS)) {
        let matrix = CoilMatrix::from_hundredths(cells.clone(), cells).unwrap();
        let order = Order::new(70.0, ToleranceClass::B, 1250.0).ok();
        let drawn = all().draw(&matrix, order, true, &mut rng(seed));
        prop_assert_eq!(&drawn, &all().draw(&matrix, order, true, &mut rng(seed)));
        // Readings are only ever taken away; the range is that of the type.
        let gaps = |m: &CoilMatrix| m.mean().iter().filter(|v| **v == 0).count();
        prop_assert!(gaps(&drawn.matrix) >= gaps(&matrix));
    }

    #[test]
    fn gaps_stay_where_they_are(seed: u64) {
        let still = AugmentConfig { gauge_dropout: 0.0, gap_dropout: 0.0, lost_chunks: 0.0, flip_length: 0.0, flip_width: 0.0, swap_sides: 0.0, ..all() };
        let drawn = draw(&still, &coil(), seed);
        prop_assert!(drawn.mean().iter().zip(coil().mean()).all(|(a, b)| (*a == 0) == (*b == 0)));
        // A few per cent of gain, drift and noise, and flaws of other places: never far from what was read.
        let near = |(a, b): (&u16, &u16)| *b == 0 || (0.6..1.6).contains(&(f64::from(*a) / f64::from(*b)));
        prop_assert!(drawn.mean().iter().zip(coil().mean()).all(near));
    }
}

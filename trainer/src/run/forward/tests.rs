use super::*;
use coilsight_models::coil::{CELLS, CoilId, CoilMatrix, Order, ToleranceClass};

/// Coils made on these days, NOK or not.
fn set(coils: &[(u32, bool)]) -> CoilSet {
    let coil = |(i, (day, nok)): (usize, &(u32, bool))| LabelledCoil {
        id: CoilId::new(format!("X-{i}")).expect("id"),
        produced_at: format!("2026-01-{day:02}T06:00:00Z"),
        matrix: CoilMatrix::from_hundredths(vec![7000; CELLS], vec![5; CELLS]).expect("matrix"),
        order: Order::new(70.0, ToleranceClass::B, 1250.0).ok(),
        length_m: 900.0,
        nok: *nok,
    };
    CoilSet { name: "some".into(), coils: coils.iter().enumerate().map(coil).collect() }
}

#[test]
fn networks_see_what_is_earlier_and_judge_what_is_later() {
    // As the file has them, days 8 and 1 stand the other way round; coils 2 and 3 were made on the same day.
    let days = [8, 2, 3, 3, 5, 6, 7, 1].map(|day| (day, day % 2 == 0));
    let set = set(&days);
    let found = stretches(&set, &[0.5, 0.75]).unwrap();
    let first = Stretch { seen: vec![7, 1, 2, 3], judged: vec![4, 5] };
    let last = Stretch { seen: vec![7, 1, 2, 3, 4, 5], judged: vec![6, 0] };
    assert_eq!(found, [first, last]);
    assert_eq!(stretches(&set, &[]).unwrap(), []);
    let error = stretches(&set, &[0.5, 0.875]).unwrap_err().to_string();
    assert!(error.contains("0.875 to 1") && error.contains("forward: []"), "{error}");
}

#[test]
fn the_last_stretch_is_judged_by_what_was_chosen_before_it() {
    // Three stretches of a kind, and a network for each. The last one's network scores everything 2 higher: its ranking is
    // as good as ever, but every coil is called NOK, and the report must say so.
    let days: Vec<(u32, bool)> = (1..=24).map(|day| (day, day % 4 == 0)).collect();
    let set = set(&days);
    let stretches = stretches(&set, &[0.25, 0.5, 0.75]).unwrap();
    let margin =
        |i: &usize| 0.1 * f64::from(u8::from(i.is_multiple_of(8))) + if days[*i].1 { 1.0 } else { -1.0 };
    let shifted = |by: f64| {
        let margins = stretches.iter().enumerate().flat_map(|(k, s)| {
            s.judged.iter().map(move |i| vec![margin(i) + if k == 2 { by } else { 0.0 }]).collect::<Vec<_>>()
        });
        let found = Found::new(&set, &stretches, margins.collect());
        let (calibration, p) = found.calibrated().unwrap();
        let bootstrap = Bootstrap { draws: 20, ..Bootstrap::default() };
        found.report(&PolicyConfig::default(), bootstrap, &p, &p, Some(calibration)).unwrap()
    };
    let (as_before, table) = shifted(0.0);
    let (drifted, _) = shifted(20.0);
    assert_eq!(
        (as_before.policy.clone(), as_before.calibration),
        (drifted.policy.clone(), drifted.calibration)
    );
    for forward in [&as_before, &drifted] {
        assert_eq!(forward.roc_auc.value, Some(1.0));
        assert_eq!(forward.average_precision.value, Some(1.0));
    }
    let confusion = |forward: &Forward| forward.last.overall.confusion;
    assert_eq!((confusion(&as_before).true_nok, confusion(&as_before).false_nok), (2, 0));
    assert_eq!((confusion(&drifted).true_nok, confusion(&drifted).false_nok), (2, 4));
    let last = &as_before.stretches[2];
    assert_eq!((last.learned_from, last.coils, last.nok), (18, 6, 2));
    assert_eq!((last.from.as_str(), last.to.as_str()), ("2026-01-19T06:00:00Z", "2026-01-24T06:00:00Z"));
    assert_eq!(table.lines().count(), 1 + 18);
    assert!(table.lines().nth(1).unwrap().starts_with("X-6,2026-01-07T06:00:00Z,OK,B,0,-1,"), "{table}");
}

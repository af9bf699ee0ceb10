//! Sets that come and go, and what is told of gauges meanwhile.

use super::*;
use crate::drift::{Finding, report};
use coilsight_models::coil::{CELLS, GAUGES, ToleranceClass};

fn config() -> Config {
    Config { reference: 50, window: 20, min_reference: 30, min_window: 10, ..Config::default() }
}

/// A coil that a set judged; gauge `top 3` reads as much of what is there.
fn coil(n: usize, set: &str, gain: f64) -> Looked {
    let mut rng = fastrand::Rng::with_seed(n as u64);
    let cell = |at: usize| {
        let gain = if at % GAUGES == 2 { gain } else { 1.0 };
        (6000.0 * gain * (1.0 + 0.02 * (rng.f64() - 0.5))).round() as u16
    };
    let matrix = CoilMatrix::from_hundredths((0..CELLS).map(cell).collect(), vec![0; CELLS]).unwrap();
    let order = Order::new(55.0, ToleranceClass::B, 1250.0).unwrap();
    let columns = Columns::of(&Seen {
        matrix: &matrix,
        order: Some(&order),
        length_m: Some(1500.0),
        p_nok: Some(0.1),
        votes: &[0.1],
        unlike: false,
    });
    Looked {
        signature: Signature::of(&matrix, Some(&order)),
        coil: drift::Coil { id: CoilId::new(format!("C-{n}")).unwrap(), at: None, columns },
        set: set.into(),
        models: vec![format!("net {set}")],
    }
}

/// How many of these models' scores the reference holds, and how many coils in all.
fn references(gauges: &Gauges, model: &str) -> Option<(usize, usize)> {
    let report = gauges.report()?;
    let column = report.columns.iter().find(|column| column.name == format!("p_nok {model}"))?;
    Some((column.reference_n, report.reference.n))
}

#[test]
fn another_set_starts_its_scores_anew_and_a_straggler_does_not() {
    let mut gauges = Gauges::new(config());
    let mut n = 0;
    let mut take = |gauges: &mut Gauges, sets: &str, gain: f64| {
        for set in sets.chars() {
            gauges.take(coil(n, &set.to_string(), gain));
            n += 1;
        }
    };
    take(&mut gauges, &"a".repeat(60), 1.0);
    assert_eq!(references(&gauges, "net a"), Some((50, 50)));
    // A gauge breaks, and then another set judges.
    take(&mut gauges, &"a".repeat(15), 1.04);
    let broken =
        |gauges: &Gauges| gauges.report().unwrap().findings.iter().any(|f| f.key == "gauge_off top 3");
    assert!(broken(&gauges));
    take(&mut gauges, "bababbbb", 1.04);
    assert_eq!((references(&gauges, "net a"), references(&gauges, "net b")), (Some((50, 50)), None));
    take(&mut gauges, "b", 1.04);
    assert_eq!((references(&gauges, "net a"), references(&gauges, "net b")), (None, Some((1, 50))));
    take(&mut gauges, "abaab", 1.04);
    assert_eq!(references(&gauges, "net b").unwrap(), (3, 50));
    take(&mut gauges, &"b".repeat(100), 1.04);
    assert!(broken(&gauges), "it is broken still");
    let report = gauges.report().unwrap();
    assert_eq!(report.reference.from.unwrap().coil_id.as_str(), "C-0");
    // Back to the first set: its scores are looked at anew.
    take(&mut gauges, &"a".repeat(7), 1.04);
    assert_eq!(references(&gauges, "net a").unwrap(), (3, 50));
}

#[test]
fn a_start_looks_at_the_first_coils_of_all_and_of_the_set_since_it_came_last() {
    let of = |sets: &str| {
        let sets: Vec<Arc<str>> = sets.chars().map(|set| set.to_string().into()).collect();
        places(sets.iter(), 100, 3, 2)
    };
    assert!(of("").is_empty());
    assert_eq!(of("a"), [100]);
    assert_eq!(of("aaaaaaaaaa"), [100, 101, 102, 108, 109]);
    // Gone back to a: from 112 on it is the set that judges, but for a straggler.
    assert_eq!(of("aaaaaaabbbbbabaaaaaaa"), [100, 101, 102, 112, 114, 115, 119, 120]);
}

#[test]
fn what_has_become_much_worse_is_told_again() {
    let mut gauges = Gauges::new(config());
    let mut report = drift::Watch::new(config(), &[]).report();
    let mut told = |code, percent: f64| {
        let text = format!("{percent}");
        report.findings = vec![Finding {
            code,
            key: code.name().to_owned(),
            gauge: None,
            side: None,
            percent: Some(percent),
            since: None,
            text,
            to_do: String::new(),
            why: None,
        }];
        gauges.troubles(&report).into_values().next().unwrap().text
    };
    let off = report::Code::GaugeOff;
    let of: Vec<_> =
        [-1.6, -1.8, -3.0, -3.2, -3.3, -5.0, -2.0, -12.0].into_iter().map(|p| told(off, p)).collect();
    assert_eq!(of, ["-1.6", "-1.6", "-1.6", "-3.2", "-3.2", "-5", "-5", "-12"]);
    let unlike = report::Code::Unlike;
    let of: Vec<_> = [12.0, 18.0, 25.0, 45.0, 51.0].into_iter().map(|p| told(unlike, p)).collect();
    assert_eq!(of, ["12", "12", "25", "25", "51"]);
}

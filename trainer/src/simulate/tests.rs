//! Properties of the line as a whole: signs of the physics, determinism, agreement of rows and matrices, labels.

use std::collections::BTreeMap;
use std::fs;

use coilsight_models::chunk::{Position, Strip};
use coilsight_models::coil::{CELLS, CHUNKS, GAUGES, Order, SIDE_GAUGES, ToleranceClass};
use coilsight_models::message::Topics;
use coilsight_models::message::inbound::{Inbound, parse};
use coilsight_models::tally::Fate;
use proptest::prelude::*;

use super::flaw::{Flaw, Kind};
use super::inspector::complaint;
use super::line::{Film, Setup, run};
use super::*;
use crate::data::npy::read_u16;

mod judged;
mod plans;

fn short(count: u64, seed: u64) -> Plan {
    Plan { count, seed, short: true, ..Plan::default() }
}

fn ordered(class: ToleranceClass) -> Order {
    Order::new(70.0, class, 1300.0).unwrap()
}

/// A line on which nothing is out of true.
fn calm() -> Setup {
    let mut setup = Setup::draw(&ordered(ToleranceClass::B), None, &mut rng(1, Stream::Coil, 0));
    (setup.bow_mm, setup.s_bow_mm, setup.skew_mm) = (0.0, 0.0, [0.0; 2]);
    (setup.first_error, setup.edge) = ([0.0; 2], [0.0; 2]);
    (setup.margin, setup.feed_forward, setup.vibration.0) = (1.06, (1.0, 1.0), 0.0);
    setup
}

fn film(setup: &Setup, flaws: &[Flaw]) -> Film {
    run(&ordered(ToleranceClass::B), 600.0, setup, flaws, &mut rng(7, Stream::Coil, 1))
}

/// What a data set is made of.
const FILES: [&str; 5] = ["NAME-mean.npy", "NAME-std.npy", "NAME.csv", "truth-NAME.csv", "gauges-NAME.csv"];

/// Every column.
const ALL: [usize; GAUGES] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17];

/// Mean weight of the columns over the rows between two places.
fn mean(film: &Film, from_m: f64, to_m: f64, columns: &[usize]) -> f64 {
    let rows = &film.rows[(from_m / ROW_M) as usize..(to_m / ROW_M) as usize];
    let all: Vec<f64> = rows.iter().flat_map(|r| columns.iter().map(|&c| f64::from(r[c]))).collect();
    all.iter().sum::<f64>() / all.len() as f64
}

fn flaw(kind: Kind, strength: f64) -> Flaw {
    let (middle_mm, half_width_mm) = if kind == Kind::EdgeOvercoat { (650.0, 90.0) } else { (0.0, 90.0) };
    let (from_m, to_m) = if kind == Kind::WeldTransient { (0.0, 100.0) } else { (200.0, 300.0) };
    let (mildest, worst) = kind.profile().strength;
    let severity = (strength - mildest) / (worst - mildest);
    Flaw { kind, side: 0, from_m, to_m, middle_mm, half_width_mm, severity, period_m: 20.0 }
}

#[test]
fn a_calm_line_meets_its_aim() {
    let film = film(&calm(), &[]);
    let w = mean(&film, 50.0, 550.0, &ALL);
    assert!((w / (1.06 * 70.0) - 1.0).abs() < 0.02, "{w}");
    assert!(complaint(&film, &ordered(ToleranceClass::A), None, &[]) < 0.05);
}

#[test]
fn a_wrong_first_pressure_is_regulated_away() {
    let film = film(&Setup { first_error: [0.3, 0.0], ..calm() }, &[]);
    let error = |from, to| mean(&film, from, to, &ALL[..SIDE_GAUGES]) / (1.06 * 70.0) - 1.0;
    assert!(error(30.0, 90.0) < -0.09, "thin before the gauge has seen it: {}", error(30.0, 90.0));
    assert!(error(400.0, 550.0).abs() < 0.03, "{}", error(400.0, 550.0));
}

#[test]
fn a_bent_strip_mirrors_top_and_bottom() {
    let film = film(&Setup { bow_mm: 1.5, ..calm() }, &[]);
    let at = |column| mean(&film, 100.0, 500.0, &[column]);
    assert!(at(0) > at(4) && at(8) > at(4), "the top's edges are farther from the knife");
    assert!(at(9) < at(13) && at(17) < at(13), "the bottom's are nearer");
}

#[test]
fn flaws_do_what_their_causes_do() {
    let calm = calm();
    let sound = film(&calm, &[]);
    // Where it is, in the middle of its extent, against the same strip without it.
    let change = |kind, strength, columns: &[usize]| {
        let (from, to) = if kind == Kind::WeldTransient { (2.0, 12.0) } else { (240.0, 260.0) };
        let flawed = film(&calm, &[flaw(kind, strength)]);
        mean(&flawed, from, to, columns) / mean(&sound, from, to, columns) - 1.0
    };
    assert!(change(Kind::KnifeNick, 0.8, &[4]) < -0.15);
    assert!(change(Kind::CloggedNozzle, 0.4, &[4]) > 0.15);
    assert!(change(Kind::Flutter, 4.0, &[4]) < -0.2 && change(Kind::Flutter, 4.0, &[13]) > 0.2);
    assert!(
        change(Kind::EdgeOvercoat, 0.5, &[8]) > 0.2 && change(Kind::EdgeOvercoat, 0.5, &[0]).abs() < 0.03
    );
    assert!(change(Kind::BareSpot, 0.95, &[4]) < -0.9 && change(Kind::BareSpot, 0.95, &[0]).abs() < 0.03);
    assert!(change(Kind::WeldTransient, 1.0, &ALL) < -0.15);
    assert!(change(Kind::PressureStep, 0.6, &ALL[..9]) < -0.1);
    assert!(change(Kind::PressureStep, 0.6, &ALL[9..]).abs() < 0.03);
    let spread = |f: &Film| {
        let m = mean(f, 240.0, 260.0, &[4]);
        f.rows[480..520].iter().map(|r| (f64::from(r[4]) - m).powi(2)).sum::<f64>()
    };
    for (kind, strength) in [(Kind::Dross, 0.3), (Kind::Chatter, 2.0)] {
        assert!(spread(&film(&calm, &[flaw(kind, strength)])) > 4.0 * spread(&sound), "{kind:?}");
    }
}

#[test]
fn strict_customers_complain_more() {
    for (kind, strength) in
        [(Kind::KnifeNick, 0.9), (Kind::EdgeOvercoat, 0.8), (Kind::BareSpot, 0.9), (Kind::PressureStep, 0.8)]
    {
        let film = film(&calm(), &[flaw(kind, strength)]);
        let by_class = ToleranceClass::ALL.map(|class| complaint(&film, &ordered(class), None, &[]));
        assert!(by_class[0] > by_class[1] && by_class[1] >= by_class[2], "{kind:?} {by_class:?}");
        assert!(by_class[0] > 0.2, "{kind:?} {by_class:?}");
    }
}

#[test]
fn labels_come_in_the_share_asked_for_and_strict_classes_have_more() {
    // Half a second of work each; 300 coils at 30 % have a standard deviation of 2.6 %.
    let plan = Plan { nok_share: 0.3, ..short(300, 11) };
    let (mut nok, mut by_class) = (0, BTreeMap::new());
    for coil in (0..plan.count).map(|i| coil(&plan, i)) {
        nok += u32::from(coil.nok);
        let class: &mut (f64, f64) = by_class.entry(coil.order.tolerance_class()).or_default();
        class.0 += f64::from(u8::from(coil.nok));
        class.1 += 1.0;
        // Inspectors differ by 20 %: four standard deviations are seen hardly ever.
        assert!(if coil.nok { coil.complaint > 0.4 } else { coil.complaint < 2.6 }, "{}", coil.complaint);
    }
    assert!((66..=114).contains(&nok), "{nok}");
    let share = |class| by_class[&class].0 / by_class[&class].1;
    assert!(share(ToleranceClass::A) > share(ToleranceClass::C), "{by_class:?}");
}

#[test]
fn readings_are_within_the_scale_and_mostly_there() {
    for coil in (0..20).map(|i| coil(&short(20, 3), i)) {
        let most = coil.order.max_reading();
        let readings: Vec<f32> = coil.rows.iter().flatten().copied().collect();
        let read = readings.iter().filter(|r| !r.is_nan()).count() as f64 / readings.len() as f64;
        assert!(read > 0.9, "{read}");
        assert!(readings.iter().all(|&r| r.is_nan() || (0.0..=most).contains(&f64::from(r))));
        assert_eq!(coil.rows.len(), (coil.length_m / ROW_M) as usize);
        assert!(coil.seconds.is_sorted() && coil.duration_s() > coil.length_m / 3.2);
    }
}

#[test]
fn a_data_set_is_the_same_on_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan { nok_share: 0.2, ..short(10, 5) };
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let summary = pool.install(|| coils(&plan, folder.path(), &format!("t{threads}"), &|_| ())).unwrap();
        assert_eq!(summary.coils, 10);
    }
    for file in FILES {
        let read = |threads: u32| {
            fs::read(folder.path().join(file.replace("NAME", &format!("t{threads}")))).unwrap()
        };
        assert_eq!(read(1), read(3), "{file}");
    }
    let dims = [Some(10), Some(CHUNKS as u64), Some(GAUGES as u64)];
    let mean = read_u16(&folder.path().join("t1-mean.npy"), &dims).unwrap();
    assert_eq!(mean[3 * CELLS..4 * CELLS], *coil(&plan, 3).chunked().matrix.mean());
    let table = fs::read_to_string(folder.path().join("t1.csv")).unwrap();
    let head = "index,coil_id,produced_at,label,nominal_g_m2,tolerance_class,width_mm,length_m";
    assert_eq!(table.lines().next(), Some(head));
    assert!(table.lines().nth(1).unwrap().starts_with("0,SIM-0005-000000,2026-03-02T06:00:00Z,"), "{table}");
}

#[test]
fn a_recording_replays_into_its_matrices() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan { nok_share: 0.5, ..short(4, 21) };
    recording(&plan, folder.path(), "r", &|_| ()).unwrap();
    let topics = Topics::default();
    let (mut strips, mut lengths, mut orders) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let (mut order_of_ids, mut feedback, mut last_tst) = (Vec::new(), 0, String::new());
    for line in fs::read_to_string(folder.path().join("r.jsonl")).unwrap().lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let payload = line["payload"].as_str().unwrap();
        assert_eq!(line["payloadlen"], payload.len());
        let tst = line["tst"].as_str().unwrap().to_owned();
        assert!(tst.len() == 27 && tst >= last_tst, "{tst} after {last_tst}");
        last_tst = tst;
        let kind = topics.kind(line["topic"].as_str().unwrap()).unwrap();
        match parse(kind, payload.as_bytes()).unwrap() {
            Inbound::Start(start) => {
                order_of_ids.push(start.coil_id.clone());
                orders.insert(start.coil_id, start.order.unwrap());
            }
            Inbound::Rows(rows) => {
                assert_eq!(rows.absurd_readings, 0);
                order_of_ids.push(rows.coil_id.clone());
                let strip: &mut Strip = strips.entry(rows.coil_id).or_default();
                for row in rows.rows {
                    assert_eq!(strip.add(&row.unwrap()), Fate::Used);
                }
            }
            Inbound::End(end) => assert!(lengths.insert(end.coil_id, end.length_m).is_none()),
            Inbound::Feedback(_) => feedback += 1,
            Inbound::WholeCoil(_) => panic!("none is recorded"),
        }
    }
    let dims = [Some(4), Some(CHUNKS as u64), Some(GAUGES as u64)];
    let expected = read_u16(&folder.path().join("r-mean.npy"), &dims).unwrap();
    let expected_std = read_u16(&folder.path().join("r-std.npy"), &dims).unwrap();
    for (i, (id, strip)) in strips.iter().enumerate() {
        let chunked = strip.chunk(lengths[id], orders[id].max_reading());
        assert_eq!(*chunked.matrix.mean(), expected[i * CELLS..(i + 1) * CELLS], "{id}");
        assert_eq!(*chunked.matrix.std(), expected_std[i * CELLS..(i + 1) * CELLS], "{id}");
        assert!(strip.covers(lengths[id]));
        assert!(strip.at(Position::from_millimetres(0)).is_some());
    }
    assert_eq!((strips.len(), orders.len(), lengths.len()), (4, 4, 4));
    assert!(feedback >= 1);
    order_of_ids.dedup();
    assert!(order_of_ids.len() > 4, "messages of two coils interleave: {order_of_ids:?}");
}

#[test]
fn ten_short_coils_make_a_recording_to_ship() {
    let folder = tempfile::tempdir().unwrap();
    recording(&short(10, 1), folder.path(), "r", &|_| ()).unwrap();
    let bytes = fs::metadata(folder.path().join("r.jsonl")).unwrap().len();
    assert!((1_000_000..2_600_000).contains(&bytes), "{bytes}");
}

#[test]
fn plans_out_of_sense_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let make = |plan: Plan, name: &str| coils(&plan, folder.path(), name, &|_| ()).unwrap_err();
    assert!(matches!(make(short(0, 1), "a"), SimulateError::Count(0)));
    assert!(matches!(make(short(u64::MAX, 1), "a"), SimulateError::Count(_)));
    let share = Plan { nok_share: f64::NAN, ..short(1, 1) };
    assert!(matches!(make(share, "a"), SimulateError::NokShare(_)));
    let flaws = Plan { flaws_per_coil: 0.0, ..short(1, 1) };
    assert!(matches!(make(flaws, "a"), SimulateError::Flaws(_)));
    let prefix = Plan { id_prefix: "<b>".to_owned(), ..short(1, 1) };
    assert!(matches!(make(prefix, "a"), SimulateError::IdPrefix { .. }));
    assert!(matches!(make(short(1, 1), "../a"), SimulateError::Name { .. }));
    let nowhere = folder.path().join("no");
    let error = coils(&short(1, 1), &nowhere, "a", &|_| ()).unwrap_err();
    assert!(matches!(error, SimulateError::Write { .. }), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn a_coil_depends_on_its_seed_and_index_alone(seed in any::<u64>(), index in 0_u64..1000) {
        let plan = short(1000, seed);
        let (a, b) = (coil(&plan, index), coil(&Plan { count: 3, ..plan.clone() }, index));
        prop_assert_eq!(a.chunked().matrix, b.chunked().matrix);
        prop_assert_eq!(&a.seconds, &b.seconds);
        let other = coil(&plan, index + 1);
        prop_assert!(a.rows[..100] != other.rows[..100]);
    }

    #[test]
    fn flaws_lie_on_the_strip(seed in any::<u64>(), length_m in 500.0_f64..3000.0) {
        let mut rng = rng(seed, Stream::Coil, 0);
        for _ in 0..200 {
            let flaw = Flaw::draw(length_m, 1200.0, &BTreeMap::new(), &mut rng).unwrap();
            prop_assert!(0.0 <= flaw.from_m && flaw.from_m < flaw.to_m && flaw.to_m <= length_m + 1e-9);
            prop_assert!(flaw.middle_mm.abs() <= 600.0);
        }
    }
}

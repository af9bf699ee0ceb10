//! Plans as files: the shipped ones do what they say, senseless ones are refused with a reason.

use super::*;

/// A shipped scenario with so many coils.
fn scenario(name: &str, count: u64) -> Plan {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("scenarios/{name}.yaml"));
    let mut plan = Plan { short: true, ..Plan::read(&path).unwrap() };
    plan.resize(count);
    plan
}

fn rows(folder: &std::path::Path, name: &str) -> Vec<BTreeMap<String, String>> {
    csv::Reader::from_path(folder.join(name)).unwrap().deserialize().map(Result::unwrap).collect()
}

#[test]
fn shipped_scenarios_can_be_carried_out_and_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let shipped = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let names: Vec<String> = fs::read_dir(shipped)
        .unwrap()
        .map(|file| file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    assert!(names.len() >= 5, "{names:?}");
    for name in &names {
        let plan = scenario(name, 12);
        assert_eq!(plan.count, 12);
        for run in ["a", "b"] {
            assert_eq!(coils(&plan, folder.path(), run, &|_| ()).unwrap().coils, 12, "{name}");
        }
        for file in FILES {
            let read = |run: &str| fs::read(folder.path().join(file.replace("NAME", run))).unwrap();
            assert_eq!(read("a"), read("b"), "{name} {file}");
        }
    }
}

#[test]
fn a_new_defect_appears_on_its_day() {
    let folder = tempfile::tempdir().unwrap();
    coils(&scenario("new-defect", 80), folder.path(), "n", &|_| ()).unwrap();
    let (table, truth) = (rows(folder.path(), "n.csv"), rows(folder.path(), "truth-n.csv"));
    let made_at: BTreeMap<&str, &str> =
        table.iter().map(|row| (row["coil_id"].as_str(), row["produced_at"].as_str())).collect();
    let new: Vec<&str> = truth
        .iter()
        .filter(|row| row["kind"] == "check_mark")
        .map(|row| made_at[row["coil_id"].as_str()])
        .collect();
    assert!(new.len() >= 4 && new.iter().all(|&at| at >= "2026-04-01T06:00:00Z"), "{new:?}");
    assert!(table.iter().any(|row| row["produced_at"].starts_with("2026-03-02")));
    assert_eq!(table[40]["produced_at"], "2026-04-01T06:00:00Z");
}

#[test]
fn a_gauge_drifts_and_another_goes_blind_when_they_are_told_to() {
    let plan = scenario("gauge-drift", 74);
    let at = |index: u64| coil(&plan, index);
    let (quiet, drifted, blind, after) = (at(0), at(47), at(50), at(60));
    // Warmer and colder by day is 0.2 % to either side.
    let gain = |coil: &Coil, gauge: usize| coil.gauges.gain[gauge] / quiet.gauges.gain[gauge];
    assert!((gain(&drifted, 4) - 0.96).abs() < 0.006 && (gain(&drifted, 3) - 1.0).abs() < 0.005);
    assert!((gain(&after, 4) - 1.015).abs() < 0.006);
    let read = |coil: &Coil| (0..CHUNKS).map(|k| coil.chunked().matrix.mean()[k * GAUGES + 13]).max();
    assert_eq!(read(&blind), Some(0));
    assert!(read(&quiet) > Some(0) || quiet.gauges.dead.contains(&13));
    assert!(at(73).gauges.noise > 1.45 && quiet.gauges.noise == 1.0);
}

#[test]
fn nothing_changes_in_a_plain_month() {
    let plan = scenario("plain-month", 3000);
    let (first, last) = (coil(&plan, 25), coil(&plan, 2975));
    assert_eq!(first.gauges.gain, last.gauges.gain, "the same hour of the day");
    assert_eq!((first.gauges.zero, first.gauges.noise), (last.gauges.zero, last.gauges.noise));
    assert_eq!(first.period, last.period);
}

#[test]
fn another_product_mix_is_ordered_after_the_change() {
    let plan = Plan { campaign: 1, ..scenario("product-change", 60) };
    let heavy = |from: u64| {
        (from..from + 30).filter(|&i| coil(&plan, i).order.tolerance_class() == ToleranceClass::C).count()
    };
    assert!(heavy(0) < 10 && heavy(30) > 15, "{} {}", heavy(0), heavy(30));
}

#[test]
fn json_is_read_too_and_periods_keep_their_proportions() {
    let mut plan =
        Plan::parse(r#"{"seed": 7, "periods": [{"name": "a", "coils": 30}, {"name": "b", "coils": 90}]}"#)
            .unwrap();
    assert_eq!((plan.seed, plan.count), (7, 120));
    plan.resize(40);
    assert_eq!(plan.periods.iter().map(|p| p.coils).collect::<Vec<_>>(), [10, 30]);
    plan.resize(2);
    assert_eq!(plan.periods.iter().map(|p| p.coils).collect::<Vec<_>>(), [1, 1]);
    plan.resize(0);
    assert!(matches!(plan.check("x").unwrap_err(), SimulateError::Count(0)));
}

#[test]
fn a_period_cannot_begin_before_the_last_one_has_ended() {
    let text =
        "short: true\nperiods: [{ name: a, coils: 9 }, { name: b, coils: 1, start: 2026-03-02T06:10:00Z }]";
    let folder = tempfile::tempdir().unwrap();
    let error = coils(&Plan::parse(text).unwrap(), folder.path(), "x", &|_| ()).unwrap_err();
    assert!(matches!(error, SimulateError::PeriodStart { .. }), "{error}");
}

#[test]
fn senseless_plans_are_refused_with_a_reason() {
    let customer = "name: X, class: A, share: 1, widths_mm: [1000, 1200]";
    for (text, reason) in [
        ("cuont: 3", "cannot be understood"),
        ("count: -1", "cannot be understood"),
        ("periods: [{ coils: 5, flaws: { rust: 2 } }]", "cannot be understood"),
        ("count: 7\nperiods: [{ coils: 5 }]", "leave count out"),
        ("periods: [{ coils: 0 }]", "between 1 and"),
        ("periods: [{ name: a }, { name: a }]", "each name once"),
        ("periods: [{ customers: { Nobody: 1 } }]", "not among the customers"),
        ("periods: [{ flaws: { dross: -1 } }]", "rate of dross in always is -1"),
        ("periods: [{ nok_share: 2 }]", "between 0 and 1"),
        ("periods: [{ gauges: { dead: [18] } }]", "gauges.dead of always is 18"),
        ("periods: [{ gauges: { gains: [{ gauge: 3, value: 3 }] } }]", "is 3: give 0.5 to 1.5"),
        ("periods: [{ gauges: { noise: 1e3 } }]", "gauges.noise of always is 1000"),
        ("periods: [{ gauges: { calibrate_every: 0 } }]", "calibrate_every"),
        ("campaign: 0", "campaign is 0"),
        ("minutes_per_coil: -3", "minutes_per_coil is -3"),
        ("inspectors: []", "inspectors has 0 entries"),
        ("inspectors: [{ name: x, strictness: 0, noise: 0.1 }]", "strictness of x is 0"),
        ("feedback: { of_ok: 7 }", "feedback.of_ok is 7"),
        ("customers: []", "customers has 0 entries"),
        (&format!("customers: [{{ {customer}, weights: [] }}]"), "weights of X has 0"),
        (&format!("customers: [{{ {customer}, weights: [9000] }}]"), "weight of X is 9000"),
    ] {
        let error = Plan::parse(text).unwrap_err().to_string();
        assert!(error.contains(reason), "{text}: {error}");
    }
    let zero = Kind::ALL.map(|kind| format!("{}: 0", kind.name())).join(", ");
    let error = Plan::parse(&format!("periods: [{{ flaws: {{ {zero} }} }}]")).unwrap_err();
    assert!(matches!(error, SimulateError::AllZero { .. }), "{error}");
}

#[test]
fn a_file_that_is_no_plan_is_not_read_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.yaml");
    fs::write(&path, vec![b'#'; (1 << 20) + 1]).unwrap();
    assert!(matches!(Plan::read(&path).unwrap_err(), SimulateError::PlanSize { .. }));
    assert!(matches!(Plan::read(&folder.path().join("no")).unwrap_err(), SimulateError::Read { .. }));
}

proptest! {
    #[test]
    fn whatever_text_a_plan_is_it_is_refused_or_checked(text in "[ -~\\n]{0,200}") {
        if let Ok(plan) = Plan::parse(&text) {
            prop_assert!(plan.check("x").is_ok());
        }
    }
}

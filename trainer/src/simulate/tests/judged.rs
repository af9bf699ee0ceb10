//! Defects, customers and inspectors: what is complained about, and who agrees with whom.

use super::super::inspector::Panel;
use super::*;

/// Agreement of two inspectors beyond what chance gives (Cohen's kappa).
fn kappa(words: &[(bool, bool)]) -> f64 {
    let n = words.len() as f64;
    let share = |which: &dyn Fn(&(bool, bool)) -> bool| words.iter().filter(|w| which(w)).count() as f64 / n;
    let (first, second) = (share(&|w| w.0), share(&|w| w.1));
    let agreed = share(&|w| w.0 == w.1);
    let chance = first * second + (1.0 - first) * (1.0 - second);
    (agreed - chance) / (1.0 - chance)
}

/// The kappas of all pairs of a plan's inspectors over its coils.
fn kappas(plan: &Plan) -> Vec<f64> {
    let factors_and_complaint = |i| (Panel::draw(plan, i).factors, coil(plan, i).complaint);
    let coils: Vec<(Vec<f64>, f64)> = (0..plan.count).map(factors_and_complaint).collect();
    let inspectors = plan.inspectors.len();
    let pairs = (0..inspectors).flat_map(|a| (a + 1..inspectors).map(move |b| (a, b)));
    let words =
        |(a, b): (usize, usize)| coils.iter().map(move |(f, c)| (f[a] * c > 1.0, f[b] * c > 1.0)).collect();
    pairs.map(|pair| kappa(&Vec::from_iter::<Vec<_>>(words(pair)))).collect()
}

#[test]
fn kappa_is_that_of_the_textbook() {
    // Cohen's table of 20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no: 0.4.
    let words = [(20, (true, true)), (5, (true, false)), (10, (false, true)), (15, (false, false))];
    let words: Vec<(bool, bool)> = words.into_iter().flat_map(|(n, word)| vec![word; n]).collect();
    assert!((kappa(&words) - 0.4).abs() < 1e-12);
}

#[test]
fn inspectors_agree_as_well_as_they_are_said_to() {
    let usual = kappas(&Plan { nok_share: 0.3, ..short(240, 17) });
    assert!(usual.iter().all(|kappa| (0.8..0.97).contains(kappa)), "{usual:?}");
    let text = include_str!("../../../scenarios/noisy-inspectors.yaml");
    let mut noisy = Plan { nok_share: 0.3, short: true, ..Plan::parse(text).unwrap() };
    noisy.resize(240);
    let noisy = kappas(&noisy);
    assert!(noisy.iter().all(|kappa| (0.4..0.8).contains(kappa)), "{noisy:?}");
    assert!(noisy.iter().sum::<f64>() < usual.iter().sum::<f64>() - 0.5, "{noisy:?} {usual:?}");
}

#[test]
fn most_refused_coils_are_close_to_the_limit() {
    let plan = Plan { nok_share: 1.0, ..short(60, 9) };
    let mut complaints: Vec<f64> = (0..plan.count).map(|i| coil(&plan, i).complaint).collect();
    complaints.sort_by(f64::total_cmp);
    assert!((1.0..1.8).contains(&complaints[30]), "{complaints:?}");
    assert!(complaints[54] < 3.5, "{complaints:?}");
}

#[test]
fn every_kind_is_complained_about_once_it_is_bad_enough() {
    let strict = ordered(ToleranceClass::A);
    for kind in Kind::ALL {
        let flaw = Flaw::of(kind, 600.0, 1300.0, &mut rng(4, Stream::Coil, 0));
        let at = |severity| complaint(&film(&calm(), &[Flaw { severity, ..flaw }]), &strict, None, &[flaw]);
        let (mild, middling, worst) = (at(0.0), at(0.5), at(1.0));
        assert!(mild <= middling && middling <= worst, "{kind:?}: {mild} {middling} {worst}");
        assert!(mild < 1.0 && worst > 1.0, "{kind:?}: {mild} {middling} {worst}");
    }
}

#[test]
fn a_customer_bears_what_is_agreed() {
    let flaw = flaw(Kind::KnifeNick, 0.9);
    let film = film(&calm(), &[flaw]);
    let customer = |times| {
        let mut customer = Plan::default().customers[0].clone();
        customer.bears = BTreeMap::from([(Kind::KnifeNick, times)]);
        complaint(&film, &ordered(ToleranceClass::B), Some(&customer), &[flaw])
    };
    assert!((customer(0.5) / customer(1.0) - 2.0).abs() < 0.1, "{} {}", customer(0.5), customer(1.0));
    assert!(customer(2.0) < 0.6 * customer(1.0));
}

#[test]
fn operators_who_say_nok_to_everything_are_heard() {
    let text = include_str!("../../../scenarios/noisy-inspectors.yaml");
    let mut plan = Plan { short: true, ..Plan::parse(text).unwrap() };
    plan.resize(40);
    plan.feedback.nok_to_everything[0].share = 0.5;
    let folder = tempfile::tempdir().unwrap();
    recording(&plan, folder.path(), "r", &|_| ()).unwrap();
    let recording = fs::read_to_string(folder.path().join("r.jsonl")).unwrap();
    let by = |operator: &str| {
        let said = |line: &&str| line.contains("feedback") && line.contains(operator);
        recording.lines().filter(said).map(|line| line.contains("NOK")).collect::<Vec<bool>>()
    };
    let careless = by("operator-9");
    assert!((10..=30).contains(&careless.len()) && careless.iter().all(|&nok| nok), "{careless:?}");
    assert!(by("strict").contains(&false), "inspectors say what they saw");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn a_worse_flaw_is_never_complained_about_less(seed in any::<u64>(), which in 0..Kind::ALL.len()) {
        let flaw = Flaw::of(Kind::ALL[which], 600.0, 1300.0, &mut rng(seed, Stream::Coil, 0));
        let at = |severity| {
            complaint(&film(&calm(), &[Flaw { severity, ..flaw }]), &ordered(ToleranceClass::B), None, &[])
        };
        prop_assert!(at(0.3) <= at(1.0) + 1e-9, "{flaw:?}");
    }
}

//! The watch over coils that are made up here: bent and skewed strips, a class and weight in campaigns.

use super::columns::{Columns, Seen};
use super::gauges;
use super::report::{Code, Report, State};
use super::{Coil, Config, Watch};
use coilsight_models::coil::{CELLS, CHUNKS, CoilId, CoilMatrix, GAUGES, Gauge, Order, Side, ToleranceClass};

const MODELS: [&str; 1] = ["cnn"];

/// What happens to a coil.
#[derive(Clone, Copy)]
struct Made {
    factor: fn(usize) -> f64,
    /// Share of campaigns of heavy coatings for building.
    building: f64,
    unlike: bool,
}

const USUAL: Made = Made { factor: |_| 1.0, building: 0.3, unlike: false };

struct Line {
    rng: fastrand::Rng,
    n: usize,
    building: bool,
}

impl Line {
    fn new(seed: u64) -> Self {
        Self { rng: fastrand::Rng::with_seed(seed), n: 0, building: false }
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.rng.f64()).sum::<f64>() - 6.0
    }

    fn coil(&mut self, made: Made) -> Coil {
        if self.n.is_multiple_of(6) {
            self.building = self.rng.f64() < made.building;
        }
        let (class, nominal) =
            if self.building { (ToleranceClass::C, 100.0) } else { (ToleranceClass::A, 50.0) };
        let order = Order::new(nominal, class, 1250.0).unwrap();
        let (level, bow, skew) = (1.09 + 0.02 * self.normal(), 0.02 * self.normal(), 0.02 * self.normal());
        let mut cells = Vec::with_capacity(CELLS);
        for _ in 0..CHUNKS {
            for g in 0..GAUGES {
                let y = (g % 9) as f64 / 4.0 - 1.0;
                let sign = if g < 9 { 1.0 } else { -1.0 };
                let noise = 1.0 + 0.02 * (self.rng.f64() - 0.5);
                let shape = 1.0 + sign * bow * (y * y - 0.33) + skew * y;
                cells.push((100.0 * nominal * level * shape * noise * (made.factor)(g)).round() as u16);
            }
        }
        let matrix = CoilMatrix::from_hundredths(cells, vec![0; CELLS]).unwrap();
        // The strict get higher scores.
        let p = 0.01 * (0.5 * self.normal()).exp() * if self.building { 1.0 } else { 5.0 };
        let columns = Columns::of(&Seen {
            matrix: &matrix,
            order: Some(&order),
            length_m: Some(1500.0),
            p_nok: Some(p),
            votes: &[p],
            unlike: made.unlike,
        });
        self.n += 1;
        Coil { id: CoilId::new(format!("C-{:04}", self.n)).unwrap(), at: None, columns }
    }
}

/// The same coil, its order unknown.
fn without_order(coil: Coil) -> Coil {
    let mut bytes = coil.columns.to_bytes();
    // Level, nominal weight, width; length; class.
    for at in (54..58).chain([59]) {
        bytes[4 * at..4 * at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    }
    Coil { columns: Columns::from_bytes(&bytes).unwrap(), ..coil }
}

fn config() -> Config {
    Config { reference: 200, window: 100, min_window: 60, ..Config::default() }
}

fn models() -> Vec<String> {
    MODELS.map(str::to_owned).to_vec()
}

/// A watch after so many usual coils.
fn watch(seed: u64, coils: usize) -> (Watch, Line) {
    let (mut watch, mut line) = (Watch::new(config(), &models()), Line::new(seed));
    for _ in 0..coils {
        watch.push(line.coil(USUAL));
    }
    (watch, line)
}

fn codes(report: &Report) -> Vec<Code> {
    report.findings.iter().map(|f| f.code).collect()
}

#[test]
fn learns_fills_watches_and_finds_nothing_where_nothing_happens() {
    let (mut watch, mut line) = (Watch::new(config(), &models()), Line::new(1));
    assert_eq!(watch.report().state, State::Learning);
    for n in 1..=500 {
        watch.push(line.coil(USUAL));
        if n % 20 > 0 {
            continue;
        }
        let report = watch.report();
        let wanted = match n {
            _ if n < 200 => State::Learning,
            _ if n < 260 => State::Filling,
            _ => State::Watching,
        };
        assert_eq!((report.state, codes(&report)), (wanted, vec![]), "coil {n}");
    }
    let report = watch.report();
    assert_eq!((report.reference.n, report.window.n), (200, 100));
    assert_eq!(report.reference.from.unwrap().coil_id.as_str(), "C-0001");
    assert_eq!(report.window.from.unwrap().coil_id.as_str(), "C-0401");
    assert_eq!(report.window.to.unwrap().coil_id.as_str(), "C-0500");
    assert!(report.gauges.iter().all(|g| g.state == gauges::State::Fine));
    assert_eq!(report.columns.len(), 3 * GAUGES + 2 + 4 + 1 + 1);
    assert!(report.columns.iter().all(|c| c.figures.psi.is_some() && !c.drifted));
    assert!(report.columns.iter().all(|c| c.figures.ks_p.is_some() != c.figures.chi_square_p.is_some()));
}

#[test]
fn a_gauge_off_is_named_with_how_much_and_since_when_until_it_is_repaired() {
    let (mut watch, mut line) = watch(2, 320);
    let off = Made { factor: |g| if g == 6 { 1.031 } else { 1.0 }, ..USUAL };
    let mut after = 0;
    while watch.report().findings.is_empty() {
        watch.push(line.coil(off));
        after += 1;
        assert!(after < 12, "not found");
    }
    for _ in 0..20 {
        watch.push(line.coil(off));
    }
    let report = watch.report();
    let [finding] = &report.findings[..] else { panic!("{:?}", report.findings) };
    assert_eq!((finding.code, finding.gauge), (Code::GaugeOff, Some(Gauge::of_column(6))));
    assert_eq!(finding.since.as_ref().unwrap().coil_id.as_str(), "C-0321");
    assert!((finding.percent.unwrap() - 3.1).abs() < 0.4, "{finding:?}");
    assert!(finding.text.starts_with("gauge top 7 reads "), "{}", finding.text);
    assert!(finding.text.ends_with("since coil C-0321"), "{}", finding.text);
    assert!(finding.to_do.contains("calibrated"));
    for _ in 0..40 {
        watch.push(line.coil(USUAL));
    }
    assert_eq!(watch.report().gauges[6].state, gauges::State::Fine);
    assert_eq!(watch.report().gauges[6].since, None);
}

#[test]
fn two_gauges_off_are_two_findings() {
    let (mut watch, mut line) = watch(3, 320);
    for _ in 0..15 {
        watch.push(line.coil(Made {
            factor: |g| [1.0, 0.95, 1.1][usize::from(g == 0) + 2 * usize::from(g == 13)],
            ..USUAL
        }));
    }
    let report = watch.report();
    let found: Vec<_> = report.findings.iter().map(|f| f.gauge.unwrap().to_string()).collect();
    assert_eq!(found, ["top 1", "bottom 5"], "{:?}", report.findings);
}

#[test]
fn a_blind_gauge_is_found_while_still_learning() {
    let (mut watch, mut line) = watch(4, 20);
    for n in 1..=3 {
        assert_eq!(codes(&watch.report()), vec![], "after {n}");
        watch.push(line.coil(Made { factor: |g| if g == 17 { 0.0 } else { 1.0 }, ..USUAL }));
    }
    let report = watch.report();
    assert_eq!(codes(&report), [Code::GaugeBlind]);
    assert_eq!(report.findings[0].text, "gauge bottom 9 reads nothing, since coil C-0021");
    assert_eq!(report.findings[0].key, "gauge_blind bottom 9");
}

#[test]
fn another_order_mix_is_told_as_such_and_is_nobodys_fault() {
    let (mut watch, mut line) = watch(5, 320);
    for _ in 0..150 {
        watch.push(line.coil(Made { building: 1.0, ..USUAL }));
    }
    let report = watch.report();
    assert!(report.order_mix.changed, "{}", report.order_mix.text);
    assert!(report.order_mix.text.contains("tolerance_class"), "{}", report.order_mix.text);
    assert_eq!(codes(&report), vec![]);
    // The scores are others, but not at like mix.
    let scores = report.columns.iter().find(|c| c.name == "p_nok").unwrap();
    assert!(scores.figures.ks_p.unwrap() < 1e-6 && !scores.drifted, "{scores:?}");
}

#[test]
fn a_line_run_heavier_is_a_matter_of_level_and_of_no_gauge() {
    let (mut watch, mut line) = watch(6, 320);
    for _ in 0..100 {
        watch.push(line.coil(Made { factor: |_| 1.03, ..USUAL }));
    }
    let report = watch.report();
    assert_eq!(codes(&report), [Code::Level, Code::Level], "{:?}", report.findings);
    assert!((report.findings[0].percent.unwrap() - 3.0).abs() < 1.0);
}

#[test]
fn many_gauges_of_a_side_off_are_its_profile() {
    let (mut watch, mut line) = watch(7, 320);
    let odd = Made { factor: |g| if g < 9 && g % 2 == 1 { 1.06 } else { 1.0 }, ..USUAL };
    for _ in 0..60 {
        watch.push(line.coil(odd));
    }
    let report = watch.report();
    assert!(codes(&report).contains(&Code::Profile), "{:?}", report.findings);
    assert!(!codes(&report).contains(&Code::GaugeOff), "{:?}", report.findings);
}

#[test]
fn other_models_leave_the_gauges_and_start_their_scores_anew() {
    let (mut watch, mut line) = watch(13, 320);
    let off = Made { factor: |g| if g == 6 { 1.04 } else { 1.0 }, ..USUAL };
    for _ in 0..20 {
        watch.push(line.coil(off));
    }
    let before = watch.report();
    watch.judged_by(&["other".to_owned()]);
    let after = watch.report();
    assert_eq!((&before.findings, &before.gauges), (&after.findings, &after.gauges));
    assert_eq!((&before.reference, after.unlike.reference), (&after.reference, None));
    let scores = |report: &Report| {
        let of = report.columns.iter().filter(|c| c.name.starts_with("p_nok"));
        of.map(|c| (c.name.clone(), c.reference_n, c.window_n)).collect::<Vec<_>>()
    };
    assert_eq!(scores(&after), [("p_nok".to_owned(), 0, 0), ("p_nok other".to_owned(), 0, 0)]);
    // Longer than a reference: what was broken has not become what is usual.
    for _ in 0..260 {
        watch.push(line.coil(off));
    }
    let report = watch.report();
    assert_eq!(codes(&report), [Code::GaugeOff], "{:?}", report.findings);
    assert_eq!(scores(&report)[1], ("p_nok other".to_owned(), 200, 60));
}

#[test]
fn a_gauge_that_reads_now_and_then_is_one_finding() {
    let (mut watch, mut line) = watch(14, 320);
    let blind = Made { factor: |g| if g == 4 { 0.0 } else { 1.0 }, ..USUAL };
    for _ in 0..3 {
        watch.push(line.coil(blind));
    }
    for n in 0..60 {
        assert_eq!(codes(&watch.report()), [Code::GaugeBlind], "{n}");
        watch.push(line.coil(if n % 4 == 0 { USUAL } else { blind }));
    }
    for n in 0..23 {
        watch.push(line.coil(USUAL));
        assert_eq!(codes(&watch.report()), [Code::GaugeBlind], "{n}");
    }
    let text = &watch.report().gauges[4].text;
    assert!(text.ends_with("not in the newest 23 coils"), "{text}");
    watch.push(line.coil(USUAL));
    // It is well; that it missed nearly half of the window stands beside it.
    let report = watch.report();
    assert_eq!(report.gauges[4].state, gauges::State::Fine);
    assert!(!codes(&report).contains(&Code::GaugeBlind), "{:?}", report.findings);
}

#[test]
fn a_side_that_reads_nothing_is_one_finding() {
    let (mut watch, mut line) = watch(15, 320);
    for _ in 0..3 {
        watch.push(line.coil(Made { factor: |g| if g < 9 { 0.0 } else { 1.0 }, ..USUAL }));
    }
    let report = watch.report();
    let [finding] = &report.findings[..] else { panic!("{:?}", report.findings) };
    assert_eq!((finding.code, finding.gauge, finding.side), (Code::GaugeBlind, None, Some(Side::Top)));
    assert_eq!(finding.text, "9 gauges of the top side read nothing, since coil C-0321");
    assert_eq!(finding.key, "gauges_unread top");
    let (mut watch, mut line) = self::watch(15, 320);
    for _ in 0..3 {
        watch.push(line.coil(Made { factor: |g| if g < 3 { 0.0 } else { 1.0 }, ..USUAL }));
    }
    assert_eq!(codes(&watch.report()), [Code::GaugeBlind; 3]);
}

#[test]
fn coils_unlike_training_are_told_until_they_are_clearly_fewer() {
    let (mut watch, mut line) = watch(16, 320);
    let mut told = |every: usize| {
        for n in 0..100 {
            watch.push(line.coil(Made { unlike: n % every == 0, ..USUAL }));
        }
        codes(&watch.report())
    };
    // 9, 12, 9 and 6 of a hundred; a tenth is too many.
    assert_eq!((told(12), told(9)), (vec![], vec![Code::Unlike]));
    assert_eq!((told(12), told(17)), (vec![Code::Unlike], vec![]));
}

#[test]
fn what_cannot_be_compared_is_no_end_of_what_was_found() {
    let (mut watch, mut line) = watch(17, 320);
    for _ in 0..100 {
        watch.push(line.coil(Made { factor: |_| 1.03, ..USUAL }));
    }
    let before = codes(&watch.report());
    assert_eq!(before, [Code::Level, Code::Level]);
    // Without orders there is no level.
    for _ in 0..60 {
        watch.push(without_order(line.coil(Made { factor: |_| 1.03, ..USUAL })));
    }
    let report = watch.report();
    let level = report.columns.iter().find(|c| c.name == "level top").unwrap();
    assert!(level.adjusted.is_none() && level.drifted, "{level:?}");
}

#[test]
fn coils_unlike_training_are_told() {
    let (mut watch, mut line) = watch(8, 320);
    for n in 0..100 {
        watch.push(line.coil(Made { unlike: n % 5 == 0, ..USUAL }));
    }
    let report = watch.report();
    assert_eq!(codes(&report), [Code::Unlike]);
    assert_eq!((report.unlike.reference, report.unlike.window), (Some(0.0), Some(0.2)));
}

#[test]
fn the_same_coils_give_the_same_report_and_a_restart_finds_the_same() {
    let (mut one, mut line) = watch(9, 320);
    let mut later = Vec::new();
    for _ in 0..400 {
        let coil = line.coil(Made { factor: |g| if g == 3 { 0.97 } else { 1.0 }, ..USUAL });
        later.push(coil.clone());
        one.push(coil);
    }
    let (mut two, _) = watch(9, 320);
    for coil in &later {
        two.push(coil.clone());
    }
    assert_eq!(one.report(), two.report());
    let mut again = Watch::resume(config(), &models(), one.reference().to_vec());
    let newest = later.len() - again.run_up();
    for coil in &later[newest..] {
        again.push(coil.clone());
    }
    assert_eq!(codes(&again.report()), [Code::GaugeOff]);
    assert_eq!(again.report().columns, one.report().columns);
    // What is kept of the reference is enough to go on gathering it.
    let (half, mut line) = watch(10, 150);
    let mut resumed = Watch::resume(config(), &models(), half.reference().to_vec());
    resumed.push(line.coil(USUAL));
    assert_eq!(resumed.report().reference.n, 151);
    assert!(resumed.report().gauges.iter().all(|g| g.state == gauges::State::Fine));
}

#[test]
fn a_report_is_json_and_back() {
    let (watch, _) = watch(11, 300);
    for report in [watch.report(), Watch::new(config(), &models()).report()] {
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
    }
}

#[test]
fn coils_of_which_nothing_is_known_do_no_harm() {
    let matrix = CoilMatrix::from_hundredths(vec![0; CELLS], vec![0; CELLS]).unwrap();
    let nothing = Columns::of(&Seen {
        matrix: &matrix,
        order: None,
        length_m: None,
        p_nok: None,
        votes: &[],
        unlike: false,
    });
    let mut watch = Watch::new(config(), &models());
    for _ in 0..330 {
        watch.push(Coil { id: CoilId::new("C").unwrap(), at: None, columns: nothing.clone() });
    }
    assert_eq!(codes(&watch.report()), vec![]);
    let (mut watch, _) = self::watch(12, 330);
    for _ in 0..100 {
        watch.push(Coil { id: CoilId::new("C").unwrap(), at: None, columns: nothing.clone() });
    }
    watch.report();
}

//! New references, over an archive of coils with their matrices.

use super::*;
use crate::archive::NewDecision;
use crate::drift::Renewal;
use coilsight_models::coil::{CELLS, CoilId, CoilMatrix, GAUGES, Gauge, Order, ToleranceClass};
use coilsight_models::message::assessment::Assessment;

/// The gauge that is exchanged, and one that breaks, by column.
const EXCHANGED: usize = 2;
const BROKEN: usize = 12;

struct Plant {
    folder: tempfile::TempDir,
    round: Round,
    model: Assessment,
    n: u64,
}

fn start(folder: &Path) -> Round {
    let drift = drift::Config {
        reference: 50,
        window: 20,
        min_reference: 30,
        min_window: 10,
        ..drift::Config::default()
    };
    round(Parts { drift, ..parts(folder) })
}

impl Plant {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let round = start(folder.path());
        Self { round, folder, model: crate::line::tests::assessment(), n: 0 }
    }

    /// So many coils are judged, on which these two gauges read so many times what is there.
    fn judge(&mut self, coils: u64, exchanged: f64, broken: f64) {
        for _ in 0..coils {
            let mut rng = fastrand::Rng::with_seed(self.n);
            let cell = |at: usize| {
                let gain = match at % GAUGES {
                    EXCHANGED => exchanged,
                    BROKEN => broken,
                    _ => 1.0,
                };
                (6000.0 * gain * (1.0 + 0.02 * (rng.f64() - 0.5))).round() as u16
            };
            let matrix = CoilMatrix::from_hundredths((0..CELLS).map(cell).collect(), vec![0; CELLS]).unwrap();
            let mut a = self.model.clone();
            a.coil_id = CoilId::new(format!("C-{}", self.n)).unwrap();
            a.decision_id = format!("{:032x}", self.n);
            a.order = Order::new(55.0, ToleranceClass::B, 1250.0).ok();
            let new = NewDecision {
                decision_id: &a.decision_id,
                coil_id: a.coil_id.as_str(),
                pass_key: &format!("p{}", self.n),
                segment: None,
                json: &serde_json::to_vec(&a).unwrap(),
                matrix: Some(&matrix.to_bytes()),
            };
            self.round.parts.archive.decide(new).unwrap();
            self.n += 1;
        }
        self.work();
    }

    fn work(&mut self) {
        while !self.round.read_on() {}
        self.round.find_new();
        while self.round.look() {}
    }

    fn renew(&self, of: Of) {
        let after = Some(format!("{:032x}", self.n - 1));
        let at = Timestamp::UNIX_EPOCH;
        let new = Renewal { of, at, by: "Ada".into(), remark: None, after_coil: after.clone(), after };
        assert!(self.round.parts.findings.references.renew(new).unwrap());
    }

    /// The agent is started anew over what the disk holds.
    fn restart(self) -> Self {
        let Self { folder, round, model, n } = self;
        drop(round);
        let mut plant = Self { round: start(folder.path()), folder, model, n };
        plant.work();
        plant
    }

    fn found(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.report().findings.into_iter().map(|found| found.key).collect();
        keys.retain(|key| key.starts_with("gauge_off"));
        keys
    }

    fn report(&self) -> drift::Report {
        self.round.gauges.report().unwrap()
    }

    /// What the reference is: of everything, and of the exchanged gauge, each with how many coils and what they say.
    fn reference(&self) -> (String, usize, usize, Option<f64>) {
        let report = self.report();
        let column = report.columns.iter().find(|column| column.name == "offset top 3").unwrap();
        let from = report.reference.from.unwrap().coil_id.to_string();
        (from, report.reference.n, column.reference_n, column.reference_median)
    }
}

#[test]
fn an_exchanged_gauge_has_a_new_reference_that_a_restart_comes_to_again() {
    let mut plant = Plant::new();
    plant.judge(60, 1.0, 1.0);
    // One gauge breaks, the other is exchanged and reads 4 % more: both are found.
    plant.judge(20, 1.04, 0.95);
    assert_eq!(plant.found(), ["gauge_off top 3", "gauge_off bottom 4"]);
    plant.renew(Of::Gauge(Gauge::of_column(EXCHANGED)));
    plant.judge(1, 1.04, 0.95);
    assert_eq!(plant.found(), ["gauge_off bottom 4"], "what was found of it is over, and of others is not");
    plant.judge(80, 1.04, 0.95);
    assert_eq!(plant.found(), ["gauge_off bottom 4"]);
    let (from, coils, of_gauge, median) = plant.reference();
    assert_eq!((from.as_str(), coils, of_gauge), ("C-0", 50, 50), "the reference of all others stays");
    assert!((median.unwrap() - 4.0).abs() < 0.2, "{median:?}");
    let before = (plant.reference(), plant.report().columns.len());
    let mut plant = plant.restart();
    assert_eq!((plant.reference(), plant.report().columns.len()), before);
    assert_eq!(plant.found(), ["gauge_off bottom 4"]);
    // The new one goes wrong, too.
    plant.judge(20, 1.08, 0.95);
    assert_eq!(plant.found(), ["gauge_off top 3", "gauge_off bottom 4"]);
    let percent = plant.report().gauges[EXCHANGED].offset_percent.unwrap();
    assert!((percent - 100.0 * 0.04 / 1.04).abs() < 0.7, "{percent}");
}

#[test]
fn a_new_reference_of_everything_begins_behind_its_coil_now_and_after_a_restart() {
    let mut plant = Plant::new();
    plant.judge(60, 1.0, 1.0);
    plant.judge(20, 1.04, 0.95);
    plant.renew(Of::Gauge(Gauge::of_column(EXCHANGED)));
    plant.judge(5, 1.04, 0.95);
    plant.renew(Of::All);
    plant.work();
    assert_eq!((plant.report().reference.n, plant.found()), (0, vec![]));
    plant.judge(30, 1.04, 0.95);
    let halfway = plant.reference();
    assert_eq!((halfway.0.as_str(), halfway.1, halfway.2), ("C-85", 30, 30));
    let mut plant = plant.restart();
    assert_eq!(plant.reference(), halfway);
    plant.judge(60, 1.04, 0.95);
    assert_eq!(plant.found(), Vec::<String>::new());
    let (stands, again) = (plant.reference(), plant.restart());
    assert_eq!((stands.0.as_str(), stands.1), ("C-85", 50));
    assert_eq!(again.reference(), stands);
}

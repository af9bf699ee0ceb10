//! The watch over a line: coil by coil in, a report out.

use super::adjusted::{self, Compared, Stratum, Value};
use super::columns::{Column, Columns, Kind};
use super::gauges::{self, Reading};
use super::neighbours::{Gauges, Neighbours, middle};
use super::report::{Adjusted, ColumnReport, Figures, Mark, OrderMix, Report, Sample, State, Unlike};
use super::{Config, distance, told};
use coilsight_models::coil::{CoilId, GAUGES, Gauge};
use jiff::Timestamp;
use std::collections::VecDeque;

/// Coils between two looks at all columns.
pub const STRIDE: u64 = 10;
/// Coils between two lessons while the reference is gathered.
const LESSON: usize = 50;

/// A judged coil.
#[derive(Clone, Debug, PartialEq)]
pub struct Coil {
    /// Its name.
    pub id: CoilId,
    /// When it was closed, by the plant's time.
    pub at: Option<Timestamp>,
    /// What is kept of it.
    pub columns: Columns,
}

impl Coil {
    fn mark(&self) -> Mark {
        Mark { coil_id: self.id.clone(), at: self.at }
    }
}

/// A watch over the coils that one set of models judges on one line.
///
/// In memory: reference and window, together 700 coils of 350 to 400 bytes unless configured otherwise, 0.3 MB. A
/// [`push`](Self::push) takes some 20 µs and every tenth one some milliseconds; a [`report`](Self::report), some ten.
/// The same coils give the same report.
#[derive(Clone, Debug)]
pub struct Watch {
    config: Config,
    columns: Vec<Column>,
    reference: Vec<Coil>,
    /// The newest coils, those of the reference included.
    recent: VecDeque<Coil>,
    /// Coils after the reference.
    after: u64,
    neighbours: Option<Neighbours>,
    gauges: [Reading; GAUGES],
    gauges_since: [Option<Mark>; GAUGES],
    looks: Vec<Look>,
}

/// What the looks at a column came to.
#[derive(Clone, Debug, Default)]
pub(super) struct Look {
    /// The last one, and p by Holm.
    compared: Option<(Compared, f64)>,
    /// Looks in a row that found it another.
    in_a_row: usize,
    /// The newest coil at the first of those.
    pub(super) since: Option<Mark>,
}

impl Watch {
    /// A watch over coils that models of these names judge.
    pub fn new(config: Config, models: &[String]) -> Self {
        let columns = Columns::names(models);
        let unknown = Reading { state: gauges::State::Unknown, offset: None, gap: None, since: None };
        Self {
            looks: vec![Look::default(); columns.len()],
            columns,
            reference: Vec::new(),
            recent: VecDeque::new(),
            after: 0,
            neighbours: None,
            gauges: [unknown; GAUGES],
            gauges_since: [const { None }; GAUGES],
            config,
        }
    }

    /// Goes on with a reference that was kept, oldest coil first. The newest coils follow by [`Self::push`]: as many
    /// as the window and some twenty looks more ([`Self::run_up`]) bring back all that the watch had found.
    pub fn resume(config: Config, models: &[String], reference: Vec<Coil>) -> Self {
        let mut watch = Self::new(config, models);
        for coil in reference.into_iter().take(watch.config.reference) {
            watch.refer(coil);
        }
        watch
    }

    /// How many of the newest coils bring the watch up to date after [`Self::resume`].
    pub fn run_up(&self) -> usize {
        self.config.window + STRIDE as usize * (self.config.looks + 20)
    }

    /// The reference so far, oldest coil first: what is worth keeping over a restart.
    pub fn reference(&self) -> &[Coil] {
        &self.reference
    }

    /// Takes the next coil.
    pub fn push(&mut self, coil: Coil) {
        if self.reference.len() < self.config.reference {
            self.refer(coil.clone());
        } else {
            self.after += 1;
        }
        if self.recent.len() == self.config.window {
            self.recent.pop_front();
        }
        self.recent.push_back(coil);
        self.read_gauges();
        if self.after > 0 && self.after.is_multiple_of(STRIDE) {
            self.look();
        }
    }

    /// What there is to tell now.
    pub fn report(&self) -> Report {
        let window = self.window();
        let (reference_n, window_n) = (self.reference.len(), window.len());
        let state = match () {
            () if reference_n < self.config.reference => State::Learning,
            () if window_n < self.config.min_window => State::Filling,
            () => State::Watching,
        };
        let mut report = Report {
            state,
            reference: sample(self.reference.iter(), self.config.reference),
            window: sample(window.iter().copied(), self.config.window),
            unlike: Unlike {
                reference: share_unlike(self.reference.iter()),
                window: share_unlike(window.iter().copied()),
            },
            order_mix: OrderMix { changed: false, unseen: None, text: String::new() },
            gauges: (0..GAUGES)
                .map(|g| told::gauge(g, &self.gauges[g], self.gauges_since[g].clone()))
                .collect(),
            columns: (0..self.columns.len()).map(|n| self.column(n, &window)).collect(),
            findings: Vec::new(),
        };
        let strata = |coils: &mut dyn Iterator<Item = &Coil>| -> Vec<Stratum> {
            coils.map(|coil| coil.columns.stratum()).collect()
        };
        if window_n >= self.config.min_window {
            let (a, b) = (strata(&mut self.reference.iter()), strata(&mut window.iter().copied()));
            report.order_mix.unseen = Some(adjusted::unseen(&a, &b));
        }
        told::order_mix(&mut report);
        report.findings = told::findings(
            &self.config,
            &report,
            gauges::whole_sides(&self.gauges),
            &self.columns,
            &self.looks,
        );
        report
    }

    fn refer(&mut self, coil: Coil) {
        self.reference.push(coil);
        let n = self.reference.len();
        // Until the reference stands gauges are held against what there is of it.
        if n == self.config.reference || (n >= self.config.min_reference && n.is_multiple_of(LESSON)) {
            let offsets: Vec<_> = self.reference.iter().map(|coil| coil.columns.offsets()).collect();
            self.neighbours = Some(Neighbours::learn(&offsets, n / 2));
        }
    }

    /// The newest coils after the reference.
    fn window(&self) -> Vec<&Coil> {
        let n = self.recent.len().min(usize::try_from(self.after).unwrap_or(usize::MAX));
        self.recent.iter().skip(self.recent.len() - n).collect()
    }

    fn read_gauges(&mut self) {
        let off = |g: usize| self.gauges[g].state == gauges::State::Off;
        let before = (0..GAUGES).filter(|g| off(*g)).fold(0, |mask: Gauges, g| mask | 1 << g);
        let coils = self.recent.iter().map(|coil| &coil.columns);
        let now = gauges::read(&self.config, self.neighbours.as_ref(), coils, before);
        for (g, reading) in now.iter().enumerate() {
            if reading.state != self.gauges[g].state {
                self.gauges_since[g] = reading.since.map(|at| self.recent[at].mark());
            }
        }
        self.gauges = now;
    }

    fn look(&mut self) {
        let window = self.window();
        let now = window.last().map(|coil| coil.mark());
        let compared: Vec<Option<Compared>> =
            self.columns.iter().map(|column| self.compare(column, &window)).collect();
        let tested: Vec<usize> = (0..compared.len()).filter(|n| compared[*n].is_some()).collect();
        let p: Vec<f64> = compared.iter().flatten().map(|c| c.p).collect();
        let adjusted = adjusted::holm(&p);
        self.looks.iter_mut().for_each(|look| look.compared = None);
        for (n, p) in tested.into_iter().zip(adjusted) {
            self.looks[n].compared = compared[n].map(|c| (c, p));
        }
        for look in &mut self.looks {
            let other = look
                .compared
                .is_some_and(|(c, p)| p <= self.config.alpha && c.effect >= self.config.min_effect);
            look.in_a_row = if other { look.in_a_row + 1 } else { 0 };
            match look.in_a_row {
                0 => look.since = None,
                1 => look.since.clone_from(&now),
                _ => (),
            }
        }
    }

    fn compare(&self, column: &Column, window: &[&Coil]) -> Option<Compared> {
        let (min_reference, min) = (self.config.min_reference, self.config.min_window);
        let values = |coils: &mut dyn Iterator<Item = &Coil>| -> Vec<Value> {
            coils.map(|c| (c.columns.get(column), c.columns.stratum())).collect()
        };
        let (a, b) = (values(&mut self.reference.iter()), values(&mut window.iter().copied()));
        if a.iter().filter(|(v, _)| v.is_finite()).count() < min_reference {
            return None;
        }
        let plain = |values: &[Value]| values.iter().map(|(v, _)| *v).collect::<Vec<_>>();
        match column.kind {
            Kind::OrderClass => adjusted::compare_classes(&plain(&a), &plain(&b), min),
            Kind::Order => adjusted::compare_orders(&plain(&a), &plain(&b), least(column.kind), min),
            _ => adjusted::compare(&a, &b, least(column.kind), min),
        }
    }

    fn column(&self, n: usize, window: &[&Coil]) -> ColumnReport {
        let (column, look) = (&self.columns[n], &self.looks[n]);
        let a = distance::clean(self.reference.iter().map(|c| c.columns.get(column)));
        let b = distance::clean(window.iter().map(|c| c.columns.get(column)));
        let enough = a.len() >= self.config.min_reference && b.len() >= self.config.min_window;
        let median = |values: &[f64]| (!values.is_empty()).then(|| middle(values.to_vec()));
        let mut report = ColumnReport {
            name: column.name.clone(),
            kind: column.kind,
            gauge: column.gauge.map(Gauge::of_column),
            reference_n: a.len(),
            window_n: b.len(),
            reference_median: median(&a),
            window_median: median(&b),
            figures: if enough { figures(column.kind, &a, &b) } else { Figures::default() },
            adjusted: look.compared.map(|(c, p)| Adjusted {
                p,
                effect: c.effect,
                coils_for_one: c.tau,
                n: c.coils,
            }),
            drifted: look.in_a_row >= self.config.looks,
            text: String::new(),
        };
        report.text = told::column(&report, enough);
        report
    }
}

/// The least standard deviation to measure a distance by: finer differences matter to nobody.
fn least(kind: Kind) -> f64 {
    match kind {
        Kind::GaugeOffset => 0.5,
        Kind::GaugeSpread => 0.1,
        Kind::GaugeGaps | Kind::Prediction => 0.02,
        Kind::Level | Kind::Order => 1.0,
        Kind::OrderClass => 0.0,
    }
}

fn figures(kind: Kind, a: &[f64], b: &[f64]) -> Figures {
    let number = kind != Kind::OrderClass;
    Figures {
        ks_p: number.then(|| distance::ks_p(a, b)).flatten(),
        chi_square_p: (!number).then(|| distance::chi_square_p(a, b)).flatten(),
        wasserstein: number.then(|| distance::wasserstein(a, b)).flatten(),
        jensen_shannon: distance::jensen_shannon(a, b),
        psi: distance::psi(a, b),
    }
}

fn sample<'a>(coils: impl DoubleEndedIterator<Item = &'a Coil> + ExactSizeIterator, wanted: usize) -> Sample {
    let n = coils.len();
    let mut marks = coils.map(Coil::mark);
    let from = marks.next();
    let to = marks.next_back().or_else(|| from.clone());
    Sample { n, wanted, from, to }
}

fn share_unlike<'a>(coils: impl ExactSizeIterator<Item = &'a Coil>) -> Option<f64> {
    let n = coils.len();
    let unlike = coils.filter(|coil| coil.columns.unlike()).count();
    (n > 0).then(|| unlike as f64 / n as f64)
}

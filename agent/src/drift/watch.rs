//! The watch over a line: coil by coil in, a report out.

mod renewed;

use super::adjusted::{self, Compared, Stratum, Value};
use super::columns::{Column, Columns, Kind};
use super::gauges::{self, Reading};
use super::neighbours::{Neighbours, middle};
use super::report::{Adjusted, ColumnReport, Figures, Mark, OrderMix, Report, Sample, State, Unlike};
use super::{Config, distance, told};
use coilsight_models::coil::{CoilId, GAUGES, Gauge};
use jiff::Timestamp;
use std::collections::{BTreeMap, VecDeque};

/// Coils between two looks at all columns.
pub const STRIDE: u64 = 10;
/// Coils between two lessons while the reference is gathered.
const LESSON: usize = 50;
/// So many times the coils that say how a gauge reads it must read well to be fine again.
const WELL: usize = 2;

/// Coils unlike those trained on are no trouble any more below this share of the bound.
const OVER: f64 = 0.7;

/// Of a gauge of which too little is known.
const UNKNOWN: Reading = Reading { state: gauges::State::Unknown, offset: None, gap: None, coils: None };

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

/// A watch over the coils of one line. What gauges, strip and orders were is asked of the first coils, whichever models
/// judged them; how models score, of the first coils that these models judged.
///
/// In memory (but for references of single gauges, as large again each): both references and the window, together 1,200 coils of 350 to 400 bytes unless configured otherwise, 0.5 MB. A
/// [`push`](Self::push) takes a tenth of a millisecond, every tenth of them, which looks at all columns, four; a
/// [`report`](Self::report) five. The same coils give the same report.
#[derive(Clone, Debug)]
pub struct Watch {
    config: Config,
    columns: Vec<Column>,
    reference: Vec<Coil>,
    /// The first coils that these models judged: the reference for their scores.
    scored: Vec<Coil>,
    /// The newest coils, those of the references included.
    recent: VecDeque<Coil>,
    /// Coils after the reference.
    after: u64,
    /// Coils after `scored`.
    after_scored: u64,
    neighbours: Option<Neighbours>,
    /// Gauges of which a new reference was taken since, by column: the first coils after that, and how many came after
    /// those.
    renewed: BTreeMap<usize, (Vec<Coil>, u64)>,
    gauges: [Reading; GAUGES],
    gauges_since: [Option<Mark>; GAUGES],
    /// For how many coils a gauge that is off has read well again.
    well: [usize; GAUGES],
    off: [Option<usize>; GAUGES],
    looks: Vec<Look>,
    /// Whether too many coils are unlike those trained on.
    unlike: bool,
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
        Self {
            looks: vec![Look::default(); columns.len()],
            columns,
            reference: Vec::new(),
            scored: Vec::new(),
            recent: VecDeque::new(),
            after: 0,
            after_scored: 0,
            unlike: false,
            neighbours: None,
            renewed: BTreeMap::new(),
            gauges: [UNKNOWN; GAUGES],
            gauges_since: [const { None }; GAUGES],
            well: [0; GAUGES],
            off: [None; GAUGES],
            config,
        }
    }

    /// Goes on with a reference that was kept, oldest coil first. Coils after it follow by [`Self::push`]: the newest
    /// [`Self::run_up`] of them bring back what the watch had found; more are not needed.
    pub fn resume(config: Config, models: &[String], reference: Vec<Coil>) -> Self {
        let mut watch = Self::new(config, models);
        for coil in reference.into_iter().take(watch.config.reference) {
            watch.recall(coil.clone());
            watch.scored.push(coil.clone());
            watch.refer(coil);
        }
        watch
    }

    /// Other models judge from here on: their scores are held against their own first coils. Of gauges, strip and orders
    /// all stays, for they do not depend on models: what was broken does not become what is usual.
    pub fn judged_by(&mut self, models: &[String]) {
        self.columns = Columns::names(models);
        self.scored.clear();
        self.after_scored = 0;
        self.unlike = false;
        let of_models = self.columns.iter().position(|column| column.kind == Kind::Prediction);
        self.looks.truncate(of_models.unwrap_or(self.columns.len()));
        self.looks.resize_with(self.columns.len(), Look::default);
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
        if self.scored.len() < self.config.reference {
            self.scored.push(coil.clone());
        } else {
            self.after_scored += 1;
        }
        self.refer_renewed(&coil);
        self.recall(coil);
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
                reference: share_unlike(self.scored.iter()),
                window: share_unlike(self.newest(self.after_scored).into_iter()),
            },
            order_mix: OrderMix { changed: false, unseen: None, text: String::new() },
            gauges: (0..GAUGES)
                .map(|g| told::gauge(g, &self.gauges[g], self.well[g], self.gauges_since[g].clone()))
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
            &report,
            gauges::whole_sides(&self.gauges),
            self.unlike,
            &self.columns,
            &self.looks,
        );
        report
    }

    fn recall(&mut self, coil: Coil) {
        if self.recent.len() == self.config.window {
            self.recent.pop_front();
        }
        self.recent.push_back(coil);
    }

    fn refer(&mut self, coil: Coil) {
        self.reference.push(coil);
        let n = self.reference.len();
        // Until the reference stands gauges are held against what there is of it.
        if n == self.config.reference || (n >= self.config.min_reference && n.is_multiple_of(LESSON)) {
            let offsets: Vec<_> = self.reference.iter().map(|coil| coil.columns.offsets()).collect();
            self.neighbours = Some(Neighbours::learn(&offsets, n / 2));
            let renewed: Vec<usize> = self.renewed.keys().copied().collect();
            for gauge in renewed {
                self.learn_renewed(gauge);
            }
        }
    }

    /// The newest coils after the reference.
    fn window(&self) -> Vec<&Coil> {
        self.newest(self.after)
    }

    /// The newest so many coils, as far as they are kept.
    fn newest(&self, coils: u64) -> Vec<&Coil> {
        let n = self.recent.len().min(usize::try_from(coils).unwrap_or(usize::MAX));
        self.recent.iter().skip(self.recent.len() - n).collect()
    }

    /// What a column is compared with, and what is compared.
    fn samples<'a>(&'a self, column: &Column, window: &[&'a Coil]) -> (&'a [Coil], Vec<&'a Coil>) {
        match column.kind {
            Kind::Prediction => (&self.scored, self.newest(self.after_scored)),
            _ => match column.gauge.and_then(|gauge| self.renewed.get(&gauge)) {
                Some((coils, after)) => (coils, self.newest(*after)),
                None => (&self.reference, window.to_vec()),
            },
        }
    }

    fn read_gauges(&mut self) {
        let coils = self.recent.iter().map(|coil| &coil.columns);
        let now = gauges::read(&self.config, self.neighbours.as_ref(), coils, &self.off);
        for (g, mut reading) in now.into_iter().enumerate() {
            // What was amiss is fine once it has read well for a while: nobody wants to hear of it to and fro.
            let before = self.gauges[g].state;
            let well = before.amiss() > reading.state.amiss();
            self.well[g] = if well { self.well[g] + 1 } else { 0 };
            if well && self.well[g] < WELL * self.config.gauge_coils {
                (reading.state, reading.coils) = (before, self.gauges[g].coils.map(|n| n + 1));
            } else {
                self.well[g] = 0;
            }
            self.off[g] = reading.coils.filter(|_| reading.state == gauges::State::Off);
            if reading.state != before {
                let oldest = reading.coils.map(|n| self.recent.len().saturating_sub(n));
                self.gauges_since[g] = oldest.and_then(|at| self.recent.get(at)).map(Coil::mark);
            }
            self.gauges[g] = reading;
        }
    }

    fn look(&mut self) {
        let window = self.window();
        let now = window.last().map(|coil| coil.mark());
        let compared: Vec<Option<Compared>> =
            self.columns.iter().map(|column| self.compare(column, &window)).collect();
        self.looks.iter_mut().for_each(|look| look.compared = None);
        // What is ordered is a question of its own: it takes nothing from the others' chances, nor they from its.
        let (orders, others): (Vec<usize>, Vec<usize>) = (0..compared.len())
            .filter(|n| compared[*n].is_some())
            .partition(|n| self.columns[*n].kind.of_order());
        for family in [orders, others] {
            let p: Vec<f64> = family.iter().filter_map(|n| compared[*n]).map(|c| c.p).collect();
            for (n, p) in family.into_iter().zip(adjusted::holm(&p)) {
                self.looks[n].compared = compared[n].map(|c| (c, p));
            }
        }
        self.look_for_unlike();
        for look in &mut self.looks {
            // Too few coils of a like order say nothing, for or against.
            let Some((c, p)) = look.compared else { continue };
            let other = p <= self.config.alpha && c.effect >= self.config.min_effect;
            look.in_a_row = if other { look.in_a_row + 1 } else { 0 };
            match look.in_a_row {
                0 => look.since = None,
                1 => look.since.clone_from(&now),
                _ => (),
            }
        }
    }

    /// Whether coils are unlike those trained on; it is over well below where it began.
    fn look_for_unlike(&mut self) {
        let window = self.newest(self.after_scored);
        let (before, n) = (share_unlike(self.scored.iter()).unwrap_or(0.0), window.len());
        let Some(share) = share_unlike(window.into_iter()).filter(|_| n >= self.config.min_window) else {
            return;
        };
        let bound = self.config.unlike_share.max(2.0 * before);
        self.unlike = share >= if self.unlike { OVER * bound } else { bound };
    }

    fn compare(&self, column: &Column, window: &[&Coil]) -> Option<Compared> {
        let (reference, window) = self.samples(column, window);
        let (min_reference, min) = (self.config.min_reference, self.config.min_window);
        let values = |coils: &mut dyn Iterator<Item = &Coil>| -> Vec<Value> {
            coils.map(|c| (c.columns.get(column), c.columns.stratum())).collect()
        };
        let (a, b) = (values(&mut reference.iter()), values(&mut window.iter().copied()));
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
        let (reference, window) = self.samples(column, window);
        let a = distance::clean(reference.iter().map(|c| c.columns.get(column)));
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
            figures: if enough {
                Figures::of(&a, &b, column.kind == Kind::OrderClass)
            } else {
                Figures::default()
            },
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

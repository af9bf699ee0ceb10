//! One coil, from its plan and index alone.
//!
//! Whether it is to be NOK is drawn first, with the share that the plan and the customer give. An OK coil is run with
//! flaws as they come, anew until the inspector on shift lets it pass. A NOK coil's flaws are made as severe as it takes
//! to be refused, with a little on top: most refused coils of a line are close to the limit, few are gross.

use coilsight_models::chunk::{Chunked, Position, Readings, Row, Strip};
use coilsight_models::coil::{CoilId, GAUGES, Order};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Poisson, StandardNormal};

use super::customer::{Customer, nok_chance, ordered};
use super::flaw::Flaw;
use super::gauge::Gauges;
use super::inspector::{Panel, complaint};
use super::line::{Film, Setup, run};
use super::period::Place;
use super::{Plan, ROW_M, Stream, rng};

/// A coil is drawn anew this often at most until the inspector says what the plan wants.
const ATTEMPTS: u32 = 60;
/// From this attempt on the flaws of a coil that is to pass are halved each time.
const MILDER_FROM: u32 = 12;
/// Standard deviation of the logarithm of how far beyond the limit a NOK coil's complaint lies.
const BEYOND: f64 = 0.4;
/// Halvings in the search for a severity: to within 2 %.
const HALVINGS: u32 = 9;

/// A simulated coil.
#[derive(Debug, Clone)]
pub struct Coil {
    /// Its place in the plan.
    pub index: u64,
    /// Its name.
    pub id: CoilId,
    /// The period that it belongs to.
    pub period: String,
    /// Who ordered it.
    pub customer: String,
    /// What was ordered.
    pub order: Order,
    /// Its length, m.
    pub length_m: f64,
    /// What the gauges read every half metre, g/m2 to the hundredth, not a number where nothing was read.
    pub rows: Vec<[f32; GAUGES]>,
    /// When each row passed, seconds after the coil's start.
    pub seconds: Vec<f64>,
    /// Who judged it.
    pub inspector: String,
    /// The label that the inspector noted.
    pub nok: bool,
    /// Whether it is the opposite of what the inspector meant.
    pub slip: bool,
    /// How many inspectors would have refused it.
    pub refusing: usize,
    /// What there is to complain about before any doubt: NOK above about 1.
    pub complaint: f64,
    /// What went wrong.
    pub flaws: Vec<Flaw>,
    /// The gauges that read it.
    pub gauges: Gauges,
}

/// Simulates the `index`th coil of a plan that was checked.
pub fn coil(plan: &Plan, index: u64) -> Coil {
    let place = plan.place(index);
    let mut rng = rng(plan.seed, Stream::Coil, index);
    let (customer, order) = ordered(plan, &place, index);
    let panel = Panel::draw(plan, index);
    let wanted_nok = rng.random::<f64>() < nok_chance(plan, &place, customer);
    let length_m = {
        let (shortest, longest) = if plan.short { (500.0, 900.0) } else { (900.0, 2800.0) };
        (rng.random_range(shortest..longest) / ROW_M).round() * ROW_M
    };
    let stop_m = (plan.line_stop && index == 2).then_some(0.5 * length_m);
    let line = Passes { plan, place, customer, order, length_m, stop_m };
    let pass = if wanted_nok { line.refused(&panel, &mut rng) } else { line.accepted(&panel, &mut rng) };
    let gauges = Gauges::draw(plan.seed, index, &place, pass.film.rows.len(), &mut rng);
    let rows = gauges.read(&pass.film, order.max_reading(), &mut rng);
    let id = CoilId::new(format!("{}-{:04}-{index:06}", plan.id_prefix, plan.seed % 10_000));
    Coil {
        index,
        id: id.expect("the prefix is checked"),
        period: place.period.name.clone(),
        customer: customer.name.clone(),
        order,
        length_m,
        rows,
        seconds: pass.film.seconds,
        inspector: plan.inspectors[panel.on_shift].name.clone(),
        nok: (panel.factor() * pass.complaint > 1.0) != panel.slip,
        slip: panel.slip,
        refusing: panel.refusing(pass.complaint),
        complaint: pass.complaint,
        flaws: pass.flaws,
        gauges,
    }
}

/// What passes of one coil through the line have in common.
struct Passes<'a> {
    plan: &'a Plan,
    place: Place<'a>,
    customer: &'a Customer,
    order: Order,
    length_m: f64,
    stop_m: Option<f64>,
}

/// One pass.
struct Pass {
    film: Film,
    complaint: f64,
    flaws: Vec<Flaw>,
}

impl Passes<'_> {
    /// A coil that the inspector lets pass.
    fn accepted(&self, panel: &Panel, rng: &mut ChaCha8Rng) -> Pass {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let milder = 0.5_f64.powi(attempt.max(MILDER_FROM).cast_signed() - MILDER_FROM.cast_signed());
            let flaws = self.flaws(rng).into_iter().map(|flaw| flaw.times(milder)).collect();
            let pass = self.pass(flaws, &Setup::draw(&self.order, self.stop_m, rng), rng.random());
            if panel.factor() * pass.complaint <= 1.0 || attempt == ATTEMPTS {
                return pass;
            }
        }
    }

    /// A coil that the inspector refuses.
    fn refused(&self, panel: &Panel, rng: &mut ChaCha8Rng) -> Pass {
        let beyond = (BEYOND * rng.sample::<f64, _>(StandardNormal).abs()).exp();
        let wanted = 1.02 * beyond / panel.factor();
        let mut attempt = 0;
        loop {
            attempt += 1;
            let flaws = self.flaws(rng);
            if flaws.is_empty() && attempt < ATTEMPTS {
                continue;
            }
            let (setup, seed) = (Setup::draw(&self.order, self.stop_m, rng), rng.random());
            // The same strip every time, so that nothing but severity decides.
            let times = |octaves: f64| {
                let flaws = flaws.iter().map(|flaw| flaw.times(octaves.exp2())).collect();
                self.pass(flaws, &setup, seed)
            };
            let (mut low, mut high) = (-7.0, 7.0);
            let mut severe = times(high);
            let enough = severe.complaint > wanted;
            if attempt == ATTEMPTS || (enough && times(low).complaint < wanted) {
                for _ in 0..HALVINGS {
                    let middle = 0.5 * (low + high);
                    let pass = times(middle);
                    if pass.complaint > wanted { (high, severe) = (middle, pass) } else { low = middle }
                }
                return severe;
            }
        }
    }

    fn flaws(&self, rng: &mut ChaCha8Rng) -> Vec<Flaw> {
        let period = self.place.period;
        let mean = period.flaws_per_coil.unwrap_or(self.plan.flaws_per_coil);
        let count = Poisson::new(mean).expect("checked to be positive").sample(rng) as usize;
        let draw = |_| Flaw::draw(self.length_m, self.order.width_mm(), &period.flaws, rng);
        (0..count).filter_map(draw).collect()
    }

    fn pass(&self, flaws: Vec<Flaw>, setup: &Setup, seed: u64) -> Pass {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let film = run(&self.order, self.length_m, setup, &flaws, &mut rng);
        let complaint = complaint(&film, &self.order, Some(self.customer), &flaws);
        Pass { film, complaint, flaws }
    }
}

impl Coil {
    /// Seconds that the coil takes.
    pub fn duration_s(&self) -> f64 {
        let last = self.seconds.len().saturating_sub(2)..self.seconds.len();
        let last = &self.seconds[last];
        // The last row takes as long as the one before it.
        2.0 * last.last().copied().unwrap_or(0.0) - last.first().copied().unwrap_or(0.0)
    }

    /// Chunked as the line does it.
    pub fn chunked(&self) -> Chunked {
        let mut strip = Strip::default();
        for (i, row) in self.rows.iter().enumerate() {
            let position = Position::from_millimetres((i as f64 * ROW_M * 1000.0) as u32);
            strip.add(&Row { position, readings: Readings::from_raw(*row) });
        }
        strip.chunk(self.length_m, self.order.max_reading())
    }
}

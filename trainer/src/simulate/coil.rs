//! One coil, from its plan and index alone.

use coilsight_models::chunk::{Chunked, Position, Readings, Row, Strip};
use coilsight_models::coil::{CoilId, GAUGES, Order, ToleranceClass};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Poisson};

use super::flaw::Flaw;
use super::gauge::Gauges;
use super::inspector::{complaint, is_nok};
use super::line::{Setup, run};
use super::{Plan, ROW_M, Stream, rng};

/// Coils of one product in a row.
const CAMPAIGN: u64 = 8;
/// Coils are drawn anew until the inspector says what the plan wants; this often at most.
const ATTEMPTS: usize = 2000;

/// A simulated coil.
#[derive(Debug, Clone)]
pub struct Coil {
    /// Its place in the plan.
    pub index: u64,
    /// Its name.
    pub id: CoilId,
    /// What was ordered.
    pub order: Order,
    /// Its length, m.
    pub length_m: f64,
    /// What the gauges read every half metre, g/m2 to the hundredth, not a number where nothing was read.
    pub rows: Vec<[f32; GAUGES]>,
    /// When each row passed, seconds after the coil's start.
    pub seconds: Vec<f64>,
    /// The inspector's label.
    pub nok: bool,
    /// What the inspector saw before any doubt: NOK above about 1.
    pub complaint: f64,
    /// What went wrong.
    pub flaws: Vec<Flaw>,
}

/// Simulates the `index`th coil of a plan.
///
/// Whether it is to be NOK is drawn first, with the plan's share. Then coils are run until the inspector agrees, so
/// that NOK coils are those that this line makes and this inspector refuses, however few they are.
pub fn coil(plan: &Plan, index: u64) -> Coil {
    let mut rng = rng(plan.seed, Stream::Coil, index);
    let wanted_nok = rng.random::<f64>() < plan.nok_share;
    let length_m = {
        let (shortest, longest) = if plan.short { (500.0, 900.0) } else { (900.0, 2800.0) };
        (rng.random_range(shortest..longest) / ROW_M).round() * ROW_M
    };
    let stop_m = (plan.line_stop && index == 2).then_some(0.5 * length_m);
    let flaw_count = Poisson::new(plan.flaws_per_coil).expect("checked to be positive");
    let mut attempt = 0;
    loop {
        attempt += 1;
        let order = order(plan, index, &mut rng);
        let flaws: Vec<Flaw> = (0..flaw_count.sample(&mut rng) as usize)
            .map(|_| Flaw::draw(length_m, order.width_mm(), &mut rng))
            .collect();
        let setup = Setup::draw(&order, stop_m, &mut rng);
        let film = run(&order, length_m, &setup, &flaws, &mut rng);
        let complaint = complaint(&film, &order);
        let nok = is_nok(complaint, &mut rng);
        if nok != wanted_nok && attempt < ATTEMPTS {
            continue;
        }
        let gauges = Gauges::draw(plan.seed, index, film.rows.len(), &mut rng);
        let rows = gauges.read(&film, order.max_reading(), &mut rng);
        let id = CoilId::new(format!("{}-{:04}-{index:06}", plan.id_prefix, plan.seed % 10_000));
        let id = id.expect("the prefix is checked");
        return Coil { index, id, order, length_m, rows, seconds: film.seconds, nok, complaint, flaws };
    }
}

/// What is ordered: weight and width by campaign, tolerance class coil by coil.
fn order(plan: &Plan, index: u64, coil: &mut ChaCha8Rng) -> Order {
    use ToleranceClass::{A, B, C};
    let mut campaign = rng(plan.seed, Stream::Campaign, index / CAMPAIGN);
    // Z80, Z100, Z140, Z200, Z275: grams on both sides together.
    let weights = [(40.0, 1), (50.0, 3), (70.0, 4), (100.0, 3), (137.5, 2)];
    let (nominal, _) = *weights.choose_weighted(&mut campaign, |w| w.1).expect("weights are positive");
    let width_mm = f64::from(campaign.random_range(18..=37_u32)) * 50.0;
    // Car bodies take light coatings, building sheet heavy ones.
    let classes = if nominal < 60.0 { [(A, 5), (B, 4), (C, 1)] } else { [(A, 2), (B, 4), (C, 4)] };
    let (class, _) = *classes.choose_weighted(coil, |c| c.1).expect("weights are positive");
    Order::new(nominal, class, width_mm).expect("within what a line can be asked for")
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

//! Speed, pressure and the strip's shape along one coil, and the film that comes of them.
//!
//! A strip bent across (cross-bow) is nearer to one knife where it is farther from the other: what the top gains the
//! bottom loses. The same holds for a strip that drifts or vibrates between the knives. Each side's weight is
//! regulated by an integral controller on knife pressure, fed by a gauge some hundred metres downstream; pressure
//! follows speed at once, but neither exactly nor without lag.

use std::collections::VecDeque;
use std::f64::consts::{PI, TAU};

use coilsight_models::coil::{GAUGES, Order, SIDE_GAUGES};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::ROW_M;
use super::flaw::{Effect, Flaw};
use super::wiping::{SLOT_MM, coating_g_m2, pressure_kpa};

/// The outermost gauges look this far inside the strip's edges, mm.
const EDGE_MM: f64 = 50.0;
/// Edge over-coating falls to 1/e over this distance from the edge, mm.
const EDGE_DECAY_MM: f64 = 60.0;
/// A line stop lasts 25 minutes (plant interface).
const STOP_SECONDS: f64 = 1500.0;

/// The coating as it is, before any gauge.
#[derive(Debug, Clone)]
pub struct Film {
    /// g/m2 by row (every half metre) and gauge place (columns as in the matrix).
    pub rows: Vec<[f32; GAUGES]>,
    /// When each row passed, seconds after the coil's start.
    pub seconds: Vec<f64>,
}

/// Where a side's nine gauges are, mm from the centre line, operator side first: they are scaled to the strip.
pub fn gauge_places_mm(width_mm: f64) -> [f64; SIDE_GAUGES] {
    std::array::from_fn(|g| (0.5 * width_mm - EDGE_MM) * (g as f64 / 4.0 - 1.0))
}

/// How the line is set up for one coil, and what wanders along it.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Strip speed, m/s.
    pub speed: f64,
    /// Knife to strip, mm.
    pub distance_mm: f64,
    /// Weight aimed at over weight ordered: nobody aims at the minimum.
    pub margin: f64,
    /// Cross-bow: the middle against the edges, mm, positive away from the top knife at the edges.
    pub bow_mm: f64,
    /// An S across the strip, mm.
    pub s_bow_mm: f64,
    /// Skew of each knife, mm at the edge.
    pub skew_mm: [f64; 2],
    /// Over-coating at the very edge, by side (operator, drive).
    pub edge: [f64; 2],
    /// Amplitude, mm at the knife, and frequency, Hz, of the strip's vibration, and how much of it is torsion.
    pub vibration: (f64, f64, f64),
    /// Relative error of each side's first pressure.
    pub first_error: [f64; 2],
    /// How much of a change of speed the pressure follows, and over how many metres.
    pub feed_forward: (f64, f64),
    /// Metres from knife to gauge, and the controller's gain per metre.
    pub control: (f64, f64),
    /// Where the line stops, if it does.
    pub stop_m: Option<f64>,
}

impl Setup {
    /// An ordinary day's settings for an order.
    pub fn draw(order: &Order, stop_m: Option<f64>, rng: &mut ChaCha8Rng) -> Self {
        let mut normal = |deviation: f64| deviation * rng.sample::<f64, _>(StandardNormal);
        let delay_m = 100.0 + normal(15.0).clamp(-40.0, 40.0);
        Self {
            speed: 2.5 + normal(0.12).clamp(-0.4, 0.4),
            // Light coatings need the knives close, heavy ones let them stand off.
            distance_mm: (6.0 + 0.07 * order.nominal_g_m2()).clamp(7.5, 16.0) + normal(0.4).clamp(-1.0, 1.0),
            margin: 1.09 + normal(0.018),
            bow_mm: normal(0.35),
            s_bow_mm: normal(0.1),
            skew_mm: [normal(0.12), normal(0.12)],
            edge: [0.06 * normal(0.5).exp(), 0.06 * normal(0.5).exp()],
            vibration: (0.08 * normal(0.6).exp(), 2.5 * normal(0.3).exp(), normal(0.5).clamp(-1.0, 1.0)),
            first_error: [normal(0.02), normal(0.02)],
            feed_forward: (1.0 + normal(0.07), 8.0 * normal(0.3).exp()),
            control: (delay_m, 0.6 * normal(0.25).exp().min(1.9) / delay_m),
            stop_m,
        }
    }

    /// Knife pressure as a share of the full one that is called for at this share of the speed: weight stays the same
    /// where pressure follows speed exactly.
    fn follow(&self, pace: f64) -> f64 {
        (1.0 + self.feed_forward.0 * (pace - 1.0)).max(0.05)
    }

    /// Speed at a place as a share of the full one: slower around welds, and where the line stops.
    fn pace(&self, at_m: f64, length_m: f64) -> f64 {
        let from_weld = at_m.min(length_m - at_m);
        let ramp = if from_weld < 30.0 { 0.8 - 0.2 * (PI * from_weld / 30.0).cos() } else { 1.0 };
        let stop = self.stop_m.map_or(1.0, |s| 1.0 - 0.85 * (-((at_m - s) / 10.0).powi(2)).exp());
        ramp * stop
    }
}

/// Wanders about zero with a standard deviation and a length over which it forgets (Ornstein and Uhlenbeck).
struct Wander {
    now: f64,
    keep: f64,
    kick: f64,
}

impl Wander {
    fn new(deviation: f64, length_m: f64, rng: &mut ChaCha8Rng) -> Self {
        let keep = (-ROW_M / length_m).exp();
        let now = deviation * rng.sample::<f64, _>(StandardNormal);
        Self { now, keep, kick: deviation * (1.0 - keep * keep).sqrt() }
    }

    fn step(&mut self, rng: &mut ChaCha8Rng) -> f64 {
        self.now = self.keep * self.now + self.kick * rng.sample::<f64, _>(StandardNormal);
        self.now
    }
}

/// One side's regulation of weight: pressure corrected by what the gauge saw a while ago.
struct Regulation {
    /// Log of the factor on pressure.
    correction: f64,
    /// Relative errors of weight on their way to the gauge.
    under_way: VecDeque<f64>,
    gain: f64,
}

impl Regulation {
    fn new(first_error: f64, (delay_m, gain): (f64, f64)) -> Self {
        let rows = (delay_m / ROW_M) as usize;
        Self { correction: first_error, under_way: VecDeque::from(vec![0.0; rows]), gain }
    }

    /// A heavier film than wanted raises the pressure, once it has come to the gauge. Weight goes as one over the
    /// root of pressure, hence the two.
    fn see(&mut self, relative_error: f64) {
        self.under_way.push_back(relative_error.clamp(-0.3, 0.3));
        let seen = self.under_way.pop_front().unwrap_or(0.0);
        self.correction += 2.0 * self.gain * ROW_M * seen;
    }
}

/// Runs a coil through the line.
pub fn run(order: &Order, length_m: f64, setup: &Setup, flaws: &[Flaw], rng: &mut ChaCha8Rng) -> Film {
    let rows = (length_m / ROW_M).ceil() as usize;
    let mut film = Film { rows: Vec::with_capacity(rows), seconds: Vec::with_capacity(rows) };
    let mut knives = Knives::new(order, setup, rng);
    let mut pressure = knives.full_pressure * setup.follow(setup.pace(0.0, length_m));
    let (mut seconds, mut stopped) = (0.0, false);
    for i in 0..rows {
        let at_m = i as f64 * ROW_M;
        let pace = setup.pace(at_m, length_m);
        if !stopped && setup.stop_m.is_some_and(|s| at_m >= s) {
            (seconds, stopped) = (seconds + STOP_SECONDS, true);
        }
        let wanted = knives.full_pressure * setup.follow(pace);
        pressure += (wanted - pressure) * (ROW_M / setup.feed_forward.1).min(1.0);
        let mut effect = Effect::NONE;
        for flaw in flaws {
            flaw.act(at_m, &knives.places_mm, &mut effect, rng);
        }
        let speed = setup.speed * pace;
        film.rows.push(knives.wipe(speed, pressure, seconds, &effect, rng));
        film.seconds.push(seconds);
        seconds += ROW_M / speed;
    }
    film
}

/// Both knives, and the strip between them.
struct Knives<'a> {
    setup: &'a Setup,
    places_mm: [f64; SIDE_GAUGES],
    /// Places from -1 (operator side) to 1.
    y: [f64; SIDE_GAUGES],
    /// Factor of edge over-coating.
    edges: [f64; SIDE_GAUGES],
    aim_g_m2: f64,
    full_pressure: f64,
    regulation: [Regulation; 2],
    drift_mm: Wander,
    bow_mm: Wander,
    texture: Vec<Wander>,
}

impl<'a> Knives<'a> {
    fn new(order: &Order, setup: &'a Setup, rng: &mut ChaCha8Rng) -> Self {
        let places_mm = gauge_places_mm(order.width_mm());
        let half = 0.5 * order.width_mm();
        let edges = places_mm.map(|place| {
            let at = |side: f64| (-(half - side * place) / EDGE_DECAY_MM).exp();
            1.0 + setup.edge[0] * at(-1.0) + setup.edge[1] * at(1.0)
        });
        let aim_g_m2 = setup.margin * order.nominal_g_m2();
        Self {
            setup,
            places_mm,
            y: places_mm.map(|p| p / half),
            edges,
            aim_g_m2,
            full_pressure: pressure_kpa(aim_g_m2, setup.speed, setup.distance_mm),
            regulation: setup.first_error.map(|e| Regulation::new(e, setup.control)),
            drift_mm: Wander::new(0.1, 150.0, rng),
            bow_mm: Wander::new(0.1, 200.0, rng),
            texture: (0..GAUGES).map(|_| Wander::new(0.008, 3.0, rng)).collect(),
        }
    }

    /// One row of film, g/m2 by column.
    fn wipe(
        &mut self,
        speed: f64,
        pressure: f64,
        seconds: f64,
        effect: &Effect,
        rng: &mut ChaCha8Rng,
    ) -> [f32; GAUGES] {
        let setup = self.setup;
        let (amplitude, hertz, torsion) = setup.vibration;
        let swing = amplitude * (TAU * hertz * seconds).sin();
        let (drift, bow) = (self.drift_mm.step(rng), setup.bow_mm + self.bow_mm.step(rng));
        // Where the strip is, from the plane midway, away from the top knife.
        let strip = self.y.map(|y| {
            let bent = bow * (y * y - 1.0 / 3.0) + setup.s_bow_mm * (y.powi(3) - 0.6 * y);
            drift + bent + swing * (1.0 + torsion * y)
        });
        let mut row = [0.0; GAUGES];
        for (side, regulation) in self.regulation.iter_mut().enumerate() {
            // Away from the top knife is towards the bottom one.
            let sign = if side == 0 { 1.0 } else { -1.0 };
            let knife = pressure * effect.pressure[side] * regulation.correction.exp();
            let mut sum = 0.0;
            for (g, &strip_mm) in strip.iter().enumerate() {
                let column = side * SIDE_GAUGES + g;
                let skew = setup.skew_mm[side] * self.y[g];
                let distance = setup.distance_mm + sign * strip_mm + skew + effect.shift_mm[column];
                let wiped = coating_g_m2(speed, knife, distance, SLOT_MM * effect.slot[column]);
                let texture = 1.0 + self.texture[column].step(rng);
                let weight = (wiped * self.edges[g] * effect.film[column] * texture).max(0.0);
                row[column] = weight as f32;
                sum += weight;
            }
            regulation.see(sum / SIDE_GAUGES as f64 / self.aim_g_m2 - 1.0);
        }
        row
    }
}

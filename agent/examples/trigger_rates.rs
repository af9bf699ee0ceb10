//! How often the trigger rules fire on models that are good enough, how soon on those that are not, and how often the
//! scores' intervals hold the truth. Prints Markdown.
//!
//! `cargo run --release --example trigger_rates -- [repetitions] [seed]`; 10,000 and 1 unless said otherwise.

use coilsight_agent::score::{
    Config, Course, Estimate, Facts, Fold, Judged, Panel, Panels, Paper, Random, Triggers, Window,
    clopper_pearson, ensemble, scores,
};
use coilsight_models::coil::ToleranceClass;
use coilsight_models::message::inbound::Label;
use coilsight_models::verdict::Verdict;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Instant;

/// Campaigns of so many coils, and how long a run may be (`score.sequential.run`).
const CAMPAIGNS: [(u64, u32); 4] = [(8, 200), (60, 20), (60, 200), (300, 200)];

/// Models in the set: they take their part of the false alarms.
const MODELS: usize = 3;

/// A line and the ensemble that judges it.
#[derive(Clone, Copy)]
struct World {
    /// The share of NOK coils.
    nok: f64,
    recall: f64,
    specificity: f64,
    /// The share of OK coils that is drawn for review.
    share: f64,
    /// Of NOK and of OK coils, the share that goes to REVIEW, whatever the score says.
    review: [f64; 2],
    /// So many coils are of one order.
    campaign: u64,
    /// They are all NOK or all OK, and the score says the same of all; else each is by itself.
    alike: bool,
}

/// What the coils of a campaign share.
#[derive(Clone, Copy, Default)]
struct Campaign {
    nok: bool,
    said_nok: bool,
}

impl World {
    /// As right on NOK as on OK coils, of which 3 % and 97 % come.
    fn right(accuracy: f64, share: f64) -> Self {
        Self {
            nok: 0.03,
            recall: accuracy,
            specificity: accuracy,
            share,
            review: [0.0; 2],
            campaign: 1,
            alike: true,
        }
    }

    fn always_ok(share: f64) -> Self {
        Self { recall: 0.0, specificity: 1.0, ..Self::right(0.0, share) }
    }

    fn coil(&self, place: u64, of: &mut Campaign, panel: &Arc<Panel>, random: &mut Random) -> Judged {
        if !self.alike || place.is_multiple_of(self.campaign) {
            of.nok = random.chance(self.nok);
            of.said_nok = random.chance(if of.nok { self.recall } else { 1.0 - self.specificity });
        }
        let Campaign { nok, said_nok: said } = *of;
        let review = random.chance(self.review[usize::from(!nok)]);
        let by_score = if said { Verdict::Nok } else { Verdict::Ok };
        let verdict = if review { Verdict::Review } else { by_score };
        let drawn = (random.chance(self.share) && verdict == Verdict::Ok).then_some(self.share);
        let seen = verdict != Verdict::Ok || drawn.is_some();
        let label = seen.then_some(if nok { Label::Nok } else { Label::Ok });
        let by_score = Some(by_score);
        let class =
            [ToleranceClass::A, ToleranceClass::B, ToleranceClass::B, ToleranceClass::C][place as usize % 4];
        // Coils by themselves are of an order each.
        let order = Some((60.0, 800.0 + (place / self.campaign % 1000) as f64));
        let class = Some(if self.campaign > 1 { ToleranceClass::B } else { class });
        Judged::new(&Facts {
            place,
            at: None,
            class,
            order,
            verdict,
            by_score,
            drawn,
            label,
            panel,
            votes: &[by_score; MODELS],
        })
    }

    /// Accuracy, balanced accuracy, MCC, and the share of NOK coils among those that pass as OK.
    fn truth(&self) -> [f64; 4] {
        let said = self.nok * self.recall + (1.0 - self.nok) * (1.0 - self.specificity);
        let spread = (said * (1.0 - said) * self.nok * (1.0 - self.nok)).sqrt();
        let missed = self.nok * (1.0 - self.recall) * (1.0 - self.review[0]);
        let passed = (1.0 - self.nok) * self.specificity * (1.0 - self.review[1]);
        [
            self.nok * self.recall + (1.0 - self.nok) * self.specificity,
            f64::midpoint(self.recall, self.specificity),
            if spread > 0.0 {
                self.nok * (1.0 - self.nok) * (self.recall + self.specificity - 1.0) / spread
            } else {
                0.0
            },
            missed / (missed + passed),
        ]
    }
}

/// When each rule first fires: the paper's on labelled coils as they are, on all coils as they stand for them, the
/// sequential test. Every rule is asked after every coil; or the sequential test alone, with runs of so many coils.
fn first_firings(
    worlds: &[(World, u64)],
    random: &mut Random,
    panel: &Arc<Panel>,
    sequential_only: Option<u32>,
) -> [Option<u64>; 3] {
    let mut weighted = Config::default();
    if let Some(run) = sequential_only {
        weighted.sequential.run = run;
    }
    let sequential_only = sequential_only.is_some();
    let raw = Paper { weighted: false, ..weighted.paper };
    let triggers = Triggers::new(Config { paper: Paper { on: false, ..weighted.paper }, ..weighted });
    let mut fold = Fold::new(Course::Ensemble, &weighted);
    let (mut first, mut n, mut campaign) = ([None; 3], 0, Campaign::default());
    for (world, coils) in worlds {
        for _ in 0..*coils {
            let coil = world.coil(n, &mut campaign, panel, random);
            n += 1;
            fold.take(&coil);
            let met = [
                !sequential_only && first[0].is_none() && fold.paper(&raw).is_some(),
                !sequential_only && first[1].is_none() && fold.paper(&weighted.paper).is_some(),
                first[2].is_none() && !triggers.met(&fold, Course::Ensemble, MODELS).is_empty(),
            ];
            for (first, met) in first.iter_mut().zip(met) {
                if met {
                    *first = first.or(Some(n));
                }
            }
            if first.iter().all(Option::is_some) || (sequential_only && first[2].is_some()) {
                return first;
            }
        }
    }
    first
}

/// Runs the repetitions on both cores, each with a generator of its own.
fn repeat<T: Send>(repetitions: u64, seed: u64, run: impl Fn(&mut Random) -> T + Sync) -> Vec<T> {
    let half = repetitions / 2;
    let part = |range: std::ops::Range<u64>| {
        range.map(|i| run(&mut Random::seeded(seed << 32 | i))).collect::<Vec<T>>()
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(|| part(half..repetitions));
        let mut all = part(0..half);
        all.extend(other.join().expect("a simulation"));
        all
    })
}

fn percent(part: usize, of: usize) -> String {
    format!("{:.1} %", 100.0 * part as f64 / of as f64)
}

fn within(firings: &[Option<u64>], coils: u64) -> String {
    percent(firings.iter().filter(|at| at.is_some_and(|at| at <= coils)).count(), firings.len())
}

fn median(firings: &[Option<u64>], horizon: u64) -> String {
    let mut at: Vec<u64> = firings.iter().map(|at| at.unwrap_or(u64::MAX)).collect();
    at.sort_unstable();
    match at[at.len() / 2] {
        u64::MAX => format!("> {horizon}"),
        median => median.to_string(),
    }
}

fn column(firings: &[[Option<u64>; 3]], rule: usize) -> Vec<Option<u64>> {
    firings.iter().map(|firing| firing[rule]).collect()
}

fn false_alarms(repetitions: u64, seed: u64, panel: &Arc<Panel>) {
    println!("\n### False alarms within 200 coils\n");
    println!(
        "| true accuracy | labelled | paper's rule, labelled coils as they are | paper's rule, weighted | sequential test |"
    );
    println!("|---|---|---|---|---|");
    for accuracy in [0.80, 0.85, 0.90] {
        for share in [1.0, 0.1, 0.05, 0.02] {
            let world = World::right(accuracy, share);
            let firings =
                repeat(repetitions, seed, |random| first_firings(&[(world, 200)], random, panel, None));
            let [raw, weighted, sequential] = [0, 1, 2].map(|rule| within(&column(&firings, rule), 200));
            println!("| {accuracy:.2} | {} | {raw} | {weighted} | {sequential} |", labelled(share));
        }
    }
    let run = Config::default().sequential.run;
    println!("\nThe sequential test at 0.80, where it is hardest, within 5,000 coils:");
    for share in [1.0, 0.02] {
        let world = World::right(0.80, share);
        let firings =
            repeat(repetitions, seed, |random| first_firings(&[(world, 5000)], random, panel, Some(run)));
        println!("{} ({}).", within(&column(&firings, 2), 5000), labelled(share));
    }
    println!("\n### The sequential test in campaigns\n");
    println!(
        "All coils of a campaign are NOK or all OK, and all judged alike; a set that is good enough; 5,000 coils.\n"
    );
    println!(
        "| coils of a campaign | `run` | true accuracy | labelled | false alarms |\n|---|---|---|---|---|"
    );
    for (campaign, run) in CAMPAIGNS {
        for accuracy in [0.80, 0.85] {
            for share in [1.0, 0.02] {
                let world = World { campaign, ..World::right(accuracy, share) };
                let firings = repeat(repetitions, seed, |random| {
                    first_firings(&[(world, 5000)], random, panel, Some(run))
                });
                let within = within(&column(&firings, 2), 5000);
                println!("| {campaign} | {run} | {accuracy:.2} | {} | {within} |", labelled(share));
            }
        }
    }
}

fn labelled(share: f64) -> String {
    if share < 1.0 { format!("NOK, and {:.0} % of OK", 100.0 * share) } else { "every coil".to_owned() }
}

fn delays(repetitions: u64, seed: u64, panel: &Arc<Panel>) {
    println!("\n### Delay\n");
    println!("| ensemble | labelled | rule | median, coils | within 200 | within 1,000 | within 5,000 |");
    println!("|---|---|---|---|---|---|---|");
    let run = Config::default().sequential.run;
    let row = |name: &str, before: Option<(World, u64)>, world: World, extra: &str| {
        let course: Vec<(World, u64)> = before.into_iter().chain([(world, 5000)]).collect();
        let start = before.map_or(0, |(_, coils)| coils);
        let firings =
            repeat(repetitions, seed, |random| first_firings(&course, random, panel, before.map(|_| run)));
        for (rule, rule_name) in
            ["paper's, as they are", "paper's, weighted", "sequential"].iter().enumerate()
        {
            if before.is_some() && rule < 2 {
                continue;
            }
            // What fired before the change is a false alarm, not a catch.
            let at: Vec<Option<u64>> = column(&firings, rule)
                .into_iter()
                .filter(|at| at.is_none_or(|at| at > start))
                .map(|at| at.map(|at| at - start))
                .collect();
            let [a, b, c] = [200, 1000, 5000].map(|coils| within(&at, coils));
            let median = median(&at, 5000);
            println!(
                "| {name} | {}{extra} | {rule_name} | {median} | {a} | {b} | {c} |",
                labelled(world.share)
            );
        }
    };
    for share in [1.0, 0.1, 0.05, 0.02] {
        row("accuracy 0.60", None, World::right(0.60, share), "");
    }
    for share in [1.0, 0.1, 0.05, 0.02] {
        row("always OK", None, World::always_ok(share), "");
    }
    for share in [0.1, 0.02] {
        let world = World { review: [0.2, 0.04], ..World::always_ok(share) };
        row("always OK", None, world, ", and REVIEW: 20 % of NOK, 4 % of OK");
    }
    for share in [1.0, 0.1, 0.02] {
        let good = Some((World::right(0.95, share), 5000));
        row("0.95 for 5,000 coils, then 0.60", good, World::right(0.60, share), "");
        row("0.95 for 5,000 coils, then always OK", good, World::always_ok(share), "");
    }
}

fn delays_in_campaigns(repetitions: u64, seed: u64, panel: &Arc<Panel>) {
    println!("\n### Delay of the sequential test in campaigns\n");
    println!("| coils of a campaign | judged | `run` | ensemble | labelled | median, coils | within 5,000 |");
    println!("|---|---|---|---|---|---|---|");
    for (campaign, run) in CAMPAIGNS {
        for (alike, judged) in [(true, "all alike"), (false, "each by itself")] {
            for share in [1.0, 0.02] {
                for (name, world) in
                    [("accuracy 0.60", World::right(0.60, share)), ("always OK", World::always_ok(share))]
                {
                    let world = World { campaign, alike, ..world };
                    let firings = repeat(repetitions, seed, |random| {
                        first_firings(&[(world, 5000)], random, panel, Some(run))
                    });
                    let at = column(&firings, 2);
                    let (median, within) = (median(&at, 5000), within(&at, 5000));
                    let labelled = labelled(share);
                    println!("| {campaign} | {judged} | {run} | {name} | {labelled} | {median} | {within} |");
                }
            }
        }
    }
}

fn coverage(repetitions: u64, seed: u64, panel: &Arc<Panel>) {
    println!("\n### Coverage of the 95 % intervals (mean width; share of windows with an interval)\n");
    println!(
        "| recall, specificity | coils | labelled | accuracy | balanced accuracy | MCC | NOK among passed |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (recall, specificity, coils, share) in [
        (0.8, 0.97, 200, 1.0),
        (0.8, 0.97, 1000, 0.02),
        (0.8, 0.97, 1000, 0.1),
        (0.8, 0.97, 5000, 0.02),
        (0.8, 0.97, 5000, 0.1),
        (0.95, 0.99, 1000, 0.05),
        (0.95, 0.99, 5000, 0.02),
        (0.6, 0.9, 1000, 0.05),
        (0.0, 1.0, 1000, 0.05),
    ] {
        let world = World { recall, specificity, review: [0.2, 0.04], ..World::right(0.0, share) };
        let truth = world.truth();
        let estimates = repeat(repetitions, seed, |random| {
            let mut of = Campaign::default();
            let judged: Vec<Judged> =
                (0..coils).map(|place| world.coil(place, &mut of, panel, random)).collect();
            let figures = ensemble(&judged, Window::All, Timestamp::UNIX_EPOCH);
            let drawn = judged.iter().filter(|coil| coil.drawn().is_some());
            let nok = drawn.clone().filter(|coil| coil.label_nok() == Some(true)).count();
            let share_nok = clopper_pearson(nok as u64, drawn.count() as u64);
            [figures.accuracy, figures.balanced_accuracy, figures.mcc, share_nok]
        });
        let told: Vec<String> =
            (0..4).map(|i| told(estimates.iter().map(|of| of[i]).collect(), truth[i])).collect();
        println!("| {recall:.2}, {specificity:.2} | {coils} | {} | {} |", labelled(share), told.join(" | "));
    }
}

fn told(estimates: Vec<Option<Estimate>>, truth: f64) -> String {
    let all = estimates.len();
    let there: Vec<Estimate> = estimates.into_iter().flatten().collect();
    // The exact ends are hit by truths like 0, but for rounding.
    let holds = there.iter().filter(|e| e.low - 1e-12 <= truth && truth <= e.high + 1e-12).count();
    let width = there.iter().map(|e| e.high - e.low).sum::<f64>() / there.len() as f64;
    format!("{} ({width:.3}; {})", percent(holds, there.len()), percent(there.len(), all))
}

fn cost(panel: &Arc<Panel>) {
    let (world, mut random) = (World { review: [0.2, 0.04], ..World::right(0.9, 0.02) }, Random::seeded(1));
    let mut of = Campaign::default();
    let judged: Vec<Judged> =
        (0..200_000).map(|place| world.coil(place, &mut of, panel, &mut random)).collect();
    let (start, triggers) = (Instant::now(), Triggers::new(Config::default()));
    let scores = scores(&judged, Window::All, Timestamp::UNIX_EPOCH);
    let scored = start.elapsed();
    let start = Instant::now();
    let fired = triggers.evaluate(&judged, &[], Timestamp::UNIX_EPOCH);
    println!(
        "\n### Cost\n\n200,000 coils take {} MB. Scores of {} judges, overall and by class: {scored:.0?}. All rules for the \
         ensemble and {} models: {:.0?} ({} fired).",
        judged.len() * size_of::<Judged>() / 1_000_000,
        scores.judges.len(),
        panel.models.len(),
        start.elapsed(),
        fired.len()
    );
}

fn main() {
    if std::env::args().nth(1).as_deref() == Some("cost") {
        cost(&Panels::default().of("simulated", ["a", "b", "c"].into_iter()));
        return;
    }
    let mut numbers =
        std::env::args().skip(1).map(|n| n.parse::<u64>().expect("repetitions, seed; or: cost"));
    let (repetitions, seed) = (numbers.next().unwrap_or(10_000).max(2), numbers.next().unwrap_or(1));
    println!("{repetitions} repetitions, seed {seed}, 3 % of coils NOK.");
    let panel = Panels::default().of("simulated", ["a", "b", "c"].into_iter());
    false_alarms(repetitions, seed, &panel);
    delays(repetitions, seed, &panel);
    delays_in_campaigns(repetitions, seed, &panel);
    coverage(repetitions, seed, &panel);
    cost(&panel);
}

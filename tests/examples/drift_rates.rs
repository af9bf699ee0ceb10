//! How often the drift watch is wrong on months in which nothing happens, and how soon it finds what does; beside
//! Evidently's default rule on the same columns. Prints a markdown table.
//!
//!     cargo run --release --example drift_rates -- SEEDS
//!
//! Coils are simulated as in `trainer/scenarios/plain-month.yaml`. P(NOK) comes from a stand-in for a model: a logistic
//! function of how far the thinnest hundredth of the strip lies under the order, steeper for stricter customers.

#[path = "drift_rates/month.rs"]
mod month;
#[path = "drift_rates/rule.rs"]
mod rule;

use coilsight_agent::drift::columns::Columns;
use coilsight_agent::drift::report::{Code, Finding, State};
use coilsight_agent::drift::{Coil, Config, Watch};
use month::{Change, MODELS, Month, Simulated, coil, columns};
use rule::Evidently;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

/// Coils of a month.
const MONTH: u64 = 3000;
/// A change comes after so many coils.
const AT: u64 = 1200;
/// And is waited for this long.
const WAIT: u64 = 600;

/// Months with gauges that age are looked at for so many seeds.
const AGEING: u64 = 4;

/// What one undisturbed month came to.
#[derive(Default)]
struct Quiet {
    looks: usize,
    /// Findings raised: gauges, and everything else.
    gauges: usize,
    others: usize,
    mix: usize,
    drifted_columns: usize,
    evidently_columns: usize,
    evidently_some: usize,
    evidently_dataset: usize,
    /// Gauge findings of a gauge whose gain had truly changed by 1 % or more.
    right: usize,
}

fn quiet(coils: &[Simulated]) -> Quiet {
    let mut watch = Watch::new(Config::default(), &MODELS.map(str::to_owned));
    let mut evidently = Evidently::default();
    let mut gains = Vec::new();
    let (mut quiet, mut open, mut mix) = (Quiet::default(), BTreeSet::new(), false);
    for (index, simulated) in coils.iter().enumerate() {
        gains.push(simulated.gains);
        let coil = simulated.coil(columns(simulated, Change::None));
        evidently.push(&coil.columns);
        watch.push(coil);
        if index % 10 != 9 {
            continue;
        }
        let report = watch.report();
        if report.state == State::Watching {
            quiet.looks += 1;
            quiet.drifted_columns += report.columns.iter().filter(|c| c.drifted).count();
            let drifted = evidently.drifted();
            quiet.evidently_columns += drifted.len();
            quiet.evidently_some += usize::from(!drifted.is_empty());
            quiet.evidently_dataset += usize::from(Evidently::dataset(&drifted));
        }
        for finding in report.findings.iter().filter(|f| !open.contains(&f.key)) {
            if finding.code <= Code::GaugeGaps {
                quiet.gauges += 1;
                quiet.right += usize::from(month::truly_off(&gains, finding));
            } else {
                quiet.others += 1;
            }
        }
        open = report.findings.into_iter().map(|f| f.key).collect();
        quiet.mix += usize::from(report.order_mix.changed && !mix);
        mix = report.order_mix.changed;
    }
    quiet
}

/// Coils until a change was told, or what else was.
#[derive(Default)]
struct Found {
    right: Option<u64>,
    wrong: usize,
    evidently_column: Option<u64>,
    evidently_dataset: Option<u64>,
}

/// The same coils, each time changed otherwise from [`AT`] on.
fn changes(coils: &[Simulated], list: &[Change]) -> Vec<Found> {
    let mut watch = Watch::new(Config::default(), &MODELS.map(str::to_owned));
    let mut evidently = Evidently::default();
    let (before, after) = coils.split_at(AT as usize);
    for simulated in before {
        let coil = simulated.coil(columns(simulated, Change::None));
        evidently.push(&coil.columns);
        watch.push(coil);
    }
    let known: BTreeSet<String> = watch.report().findings.into_iter().map(|f| f.key).collect();
    let mut running: Vec<_> =
        list.iter().map(|change| (*change, watch.clone(), evidently.clone(), Found::default())).collect();
    for (simulated, after) in after.iter().zip(1..=WAIT) {
        for (change, watch, evidently, found) in &mut running {
            let coil = simulated.coil(columns(simulated, *change));
            step(*change, coil, after, watch, evidently, found, &known);
        }
    }
    running.into_iter().map(|(_, _, _, found)| found).collect()
}

fn step(
    change: Change,
    coil: Coil,
    after: u64,
    watch: &mut Watch,
    evidently: &mut Evidently,
    found: &mut Found,
    before: &BTreeSet<String>,
) {
    let columns: Columns = coil.columns.clone();
    evidently.push(&columns);
    if found.right.is_none() || change == Change::Mix {
        watch.push(coil);
        let report = watch.report();
        let fits = |finding: &Finding| change.is_told_by(finding);
        let told = report.findings.iter().any(fits) || (change == Change::Mix && report.order_mix.changed);
        if told && found.right.is_none() {
            found.right = Some(after);
        }
        let others = report.findings.iter().filter(|f| !fits(f) && !before.contains(&f.key)).count();
        found.wrong = found.wrong.max(others);
    }
    if after.is_multiple_of(10) {
        let drifted = evidently.drifted();
        if found.evidently_column.is_none() && change.columns().iter().any(|name| drifted.contains(name)) {
            found.evidently_column = Some(after);
        }
        if found.evidently_dataset.is_none() && Evidently::dataset(&drifted) {
            found.evidently_dataset = Some(after);
        }
    }
}

fn main() {
    let seeds: u64 = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(12);
    let next = AtomicU64::new(1);
    let list = [
        Change::Gauge(2.0),
        Change::Gauge(3.0),
        Change::Gauge(5.0),
        Change::Gauge(10.0),
        Change::Blind,
        Change::Level(3.0),
    ];
    let work = || {
        let mut done = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed > seeds {
                return done;
            }
            let simulated = |month: Month, coils: u64| -> Vec<Simulated> {
                let plan = month.plan(seed, coils);
                (0..coils).map(|index| coil(&plan, index)).collect()
            };
            let plain = simulated(Month::Plain, MONTH);
            let mut found = changes(&plain, &list.map(|change| change.of_seed(seed)));
            let calm = quiet(&plain);
            drop(plain);
            found.extend(changes(&simulated(Month::Mix, AT + WAIT), &[Change::Mix]));
            let ageing = (seed <= AGEING).then(|| quiet(&simulated(Month::Ageing, MONTH)));
            eprintln!("seed {seed}: {} findings", calm.gauges + calm.others);
            done.push((calm, ageing, found));
        }
    };
    let done: Vec<_> = std::thread::scope(|scope| {
        let threads = [scope.spawn(work), scope.spawn(work)];
        threads.into_iter().flat_map(|t| t.join().expect("a thread of ours does not panic")).collect()
    });
    print_quiet("Nothing changes", &done.iter().map(|d| &d.0).collect::<Vec<_>>());
    print_quiet(
        "Gauges age by 1 % until calibrated every 400 coils",
        &done.iter().filter_map(|d| d.1.as_ref()).collect::<Vec<_>>(),
    );
    println!(
        "\n| change after {AT} coils | told after, median (worst) | not within {WAIT} | others told beside | "
    );
    println!("|---|---|---|---|");
    for (n, change) in list.iter().chain([&Change::Mix]).enumerate() {
        let of: Vec<&Found> = done.iter().map(|d| &d.2[n]).collect();
        let delay = |of: &dyn Fn(&Found) -> Option<u64>, all: &[&Found]| {
            let mut delays: Vec<u64> = all.iter().filter_map(|f| of(f)).collect();
            delays.sort_unstable();
            let missing = all.len() - delays.len();
            let text = delays.get(delays.len() / 2).map_or("never".to_owned(), |m| {
                format!("{m} ({})", delays.last().copied().unwrap_or_default())
            });
            (text, missing)
        };
        let (ours, missing) = delay(&|f| f.right, &of);
        let (column, column_missing) = delay(&|f| f.evidently_column, &of);
        let (dataset, dataset_missing) = delay(&|f| f.evidently_dataset, &of);
        let wrong: usize = of.iter().map(|f| f.wrong).sum();
        println!("| {change} | {ours} | {missing} of {} | {wrong} |", of.len());
        println!(
            "| ... Evidently, its column; dataset | {column}; {dataset} | {column_missing}; {dataset_missing} | |"
        );
    }
}

fn print_quiet(name: &str, months: &[&Quiet]) {
    let sum = |of: fn(&Quiet) -> usize| months.iter().map(|m| of(m)).sum::<usize>() as f64;
    let (n, looks) = (months.len() as f64, sum(|m| m.looks));
    println!("\n{name}: {} months of {MONTH} coils, {looks} looks", months.len());
    println!("\n| | |\n|---|---|");
    println!("| findings on gauges a month | {:.2} |", sum(|m| m.gauges) / n);
    println!(
        "| ... of a gauge that had changed by 1 % | {:.0} % |",
        100.0 * sum(|m| m.right) / sum(|m| m.gauges).max(1.0)
    );
    println!("| other findings a month | {:.2} |", sum(|m| m.others) / n);
    println!("| changes of the order mix told a month | {:.2} |", sum(|m| m.mix) / n);
    println!("| columns drifted a look | {:.3} |", sum(|m| m.drifted_columns) / looks);
    println!("| Evidently: columns drifted a look | {:.1} |", sum(|m| m.evidently_columns) / looks);
    println!(
        "| Evidently: looks with a drifted column | {:.0} % |",
        100.0 * sum(|m| m.evidently_some) / looks
    );
    println!(
        "| Evidently: looks with dataset drift | {:.1} % |",
        100.0 * sum(|m| m.evidently_dataset) / looks
    );
}

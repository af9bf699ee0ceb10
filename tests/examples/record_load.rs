//! How much one `coilsight-trainer serve` takes in: many lines at once, each with decisions of some days to send.
//!
//!     COILSIGHT_TEST_DATABASE=postgres://... cargo run --release -p coilsight-tests --example record_load -- 50 400
//!
//! Lines, then decisions a line. Without a database, `SQLite` in a folder. The agent's own archive and way up send; mosquitto carries.

use coilsight_tests::broker::Mosquitto;
use coilsight_tests::record::{Place, Serve};
use coilsight_tests::uplink::{Log, Seen, Uplink};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

fn main() {
    let mut numbers = std::env::args().skip(1).map(|number| number.parse::<u32>().expect("a number"));
    let (lines, decisions) = (numbers.next().unwrap_or(50), numbers.next().unwrap_or(400));
    let folder = tempfile::tempdir().expect("a folder");
    let broker = Mosquitto::start("record_load", folder.path()).expect("mosquitto");
    let place = Place::new("record_load", &folder.path().join("record"));
    let began = Instant::now();
    let logs = folder.path().join("lines");
    let uplinks: Vec<Uplink> = (0..lines)
        .map(|n| {
            let mut log = Log::new(&format!("l{n}"), &logs);
            log.decide(decisions);
            log.uplink()
        })
        .collect();
    println!(
        "{lines} lines with {decisions} decisions each, written in {:.1} s",
        began.elapsed().as_secs_f64()
    );
    let serve = Serve::start(&place, broker.port);
    let seen: Vec<Arc<Mutex<Seen>>> = uplinks.iter().map(|_| Arc::default()).collect();
    let began = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let all = u64::from(lines) * u64::from(decisions);
    let most = runtime.block_on(async {
        for (line, seen) in uplinks.into_iter().zip(&seen) {
            tokio::spawn(line.send(broker.port, Arc::clone(seen)));
        }
        let mut most = 0.0_f64;
        loop {
            tokio::time::sleep(Duration::from_millis(250)).await;
            let status = std::fs::read_to_string(format!("/proc/{}/status", serve.id())).unwrap_or_default();
            let peak = status
                .lines()
                .find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok());
            most = peak.unwrap_or(most);
            let address = serve.at.clone();
            let counted =
                tokio::task::spawn_blocking(move || Serve::stored(&address)).await.expect("an answer");
            if counted >= all {
                return most;
            }
        }
    });
    let took = began.elapsed().as_secs_f64();
    let mut lags: Vec<f64> = Vec::new();
    let mut bytes = 0;
    for seen in &seen {
        let seen = seen.lock().expect("nobody panicked");
        lags.extend(seen.lags.iter().map(Duration::as_secs_f64));
        bytes += seen.bytes;
    }
    lags.sort_by(f64::total_cmp);
    let at = |share: f64| lags[((lags.len() - 1) as f64 * share) as usize];
    println!(
        "{all} decisions in {took:.1} s: {:.0} a second, {:.1} MB/s; a batch is answered after {:.2} s in the median, {:.2} s in 99 %; serve's \
         peak {:.0} MiB",
        all as f64 / took,
        bytes as f64 / 1e6 / took,
        at(0.5),
        at(0.99),
        most / 1024.0
    );
    let a_day = 86_400.0 * all as f64 / took;
    println!(
        "at 150 coils a line and day: as much as {:.0} lines make, or a month of {lines} lines in {:.1} min",
        a_day / 150.0,
        150.0 * 30.0 * f64::from(lines) / (all as f64 / took) / 60.0
    );
}

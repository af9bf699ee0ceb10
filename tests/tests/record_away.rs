//! The trainer away for a month, and the broker: afterwards everything is in the plant's record once, within the cap that
//! `docs/record.md` states. Matrices are shed, oldest first; decisions and words never.

use coilsight_agent::archive::Limits;
use coilsight_tests::broker::Mosquitto;
use coilsight_tests::postgres::Postgres;
use coilsight_tests::record::{Place, Serve};
use coilsight_tests::uplink::{Log, Seen};
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A cap under which a month of `days` does not fit, at 150 coils a day.
fn limits(days: u32) -> Limits {
    Limits {
        cap: (3 << 20) + u64::from(days) * (3 << 19),
        reserve: 4 << 20,
        reserve_file: 4096,
        log_file: 4 << 20,
        coils_file: 1 << 20,
        views_cache: 1 << 20,
    }
}

/// A matrix in its file, bytes.
const MATRIX: u64 = 19_032;
const PATIENCE: Duration = Duration::from_mins(3);

fn number(place: &Place, sql: &str) -> u64 {
    place.query(sql).and_then(|told| told.parse().ok()).unwrap_or_default()
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "not {what}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[test]
fn a_month_without_trainer_and_one_without_broker_come_once_and_within_the_cap() {
    let test = "a_month_without_trainer_and_one_without_broker_come_once_and_within_the_cap";
    let folder = tempfile::tempdir().unwrap();
    // The server's user goes through it.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let Some(server) = Postgres::start(test, folder.path()) else { return };
    let Some(mut broker) = Mosquitto::start(test, folder.path()) else { return };
    let place = Place::Server(server.url());
    let port = broker.port;
    // Thirty days take a minute.
    let days = if std::env::var_os("COILSIGHT_FULL").is_some() { 30 } else { 6 };
    let (month, limits) = (150 * days, limits(days));
    let mut log = Log::within("l1", folder.path(), limits.clone());
    let seen: Arc<Mutex<Seen>> = Arc::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        // The trainer is away: the line asks and hears nothing.
        let sending = tokio::spawn(log.uplink().send(port, Arc::clone(&seen)));
        tokio::time::sleep(Duration::from_millis(100)).await;
        log.decide(month);
        let after_the_first = log.stats();
        assert!(after_the_first.used <= limits.cap, "{after_the_first:?}");
        assert!(after_the_first.files_dropped > 0, "a month does not fit: {after_the_first:?}");
        assert!(seen.lock().unwrap().lags.is_empty(), "nobody answers");
        let serve = Serve::start(&place, port);
        let coils = || number(&place, "SELECT COUNT(*) FROM coil");
        until("the first month in the record", || coils() == u64::from(month)).await;

        // What the formula says, but for the file that is being written and the one that is dropped whole.
        let room = limits.cap - limits.reserve - after_the_first.log - after_the_first.open;
        let stated = room / MATRIX;
        let kept = number(&place, "SELECT COUNT(*) FROM coil WHERE matrix IS NOT NULL");
        let a_file = limits.coils_file / MATRIX + 1;
        assert!(kept <= stated && kept + 2 * a_file >= stated, "{kept} matrices, {stated} stated");
        // The newest ones: what was shed is older than all that was kept.
        let first_kept = place.query("SELECT MIN(decision_id) FROM coil WHERE matrix IS NOT NULL").unwrap();
        let newer = number(&place, &format!("SELECT COUNT(*) FROM coil WHERE decision_id >= '{first_kept}'"));
        assert_eq!(newer, kept);

        // The broker is away, for both.
        broker.stop();
        log.decide(month);
        assert!(log.stats().used <= limits.cap, "{:?}", log.stats());
        assert_eq!(coils(), u64::from(month));
        broker.again();
        until("the second month in the record", || coils() == u64::from(2 * month)).await;
        assert_eq!(number(&place, "SELECT COUNT(DISTINCT decision_id) FROM coil"), u64::from(2 * month));
        let words = u64::from(2 * month).div_ceil(20);
        until("all words", || number(&place, "SELECT COUNT(*) FROM word") == words).await;
        assert_eq!(number(&place, "SELECT COUNT(DISTINCT word) FROM word"), words);
        assert_eq!(number(&place, "SELECT COUNT(*) FROM coil WHERE label = 'OK'"), words);
        let stats = log.stats();
        let matrices = number(&place, "SELECT COUNT(*) FROM coil WHERE matrix IS NOT NULL");
        println!(
            "two months of {month} decisions under a cap of {} MiB: all decisions and {words} words once, {matrices} matrices; log {} \
             bytes a decision",
            limits.cap >> 20,
            stats.log / u64::from(2 * month)
        );
        sending.abort();
        drop(serve);
    });
}

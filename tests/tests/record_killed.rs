//! The plant's record on a `PostgreSQL` that is killed while lines send, and put back to a backup: nothing is lost that a line was told is
//! stored, and nothing is there twice.

use coilsight_tests::broker::Mosquitto;
use coilsight_tests::postgres::Postgres;
use coilsight_tests::record::{Place, Serve};
use coilsight_tests::uplink::{Log, Seen};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const LINES: u32 = 4;
const PATIENCE: Duration = Duration::from_mins(3);

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    // The server's user goes through it.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// Each line's place that it was told is stored, with the places that the database has.
fn promised(seen: &[(String, Arc<Mutex<Seen>>)], place: &Place) -> Vec<((i64, i64), (i64, i64))> {
    let of = |(line, seen): &(String, Arc<Mutex<Seen>>)| {
        let told = seen.lock().unwrap().stored;
        let kept = place.query(&format!("SELECT file, pos FROM line_log WHERE line = '{line}'")).unwrap();
        let kept =
            kept.split_once('|').map_or((0, 0), |(file, pos)| (file.parse().unwrap(), pos.parse().unwrap()));
        ((i64::from(told.file), told.offset as i64), kept)
    };
    seen.iter().map(of).collect()
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "not {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[test]
fn a_database_that_is_killed_while_it_writes_loses_nothing_that_was_promised() {
    let test = "a_database_that_is_killed_while_it_writes_loses_nothing_that_was_promised";
    let folder = folder();
    let Some(server) = Postgres::start(test, folder.path()) else { return };
    let Some(broker) = Mosquitto::start(test, folder.path()) else { return };
    let (kills, decisions) = if std::env::var_os("COILSIGHT_FULL").is_some() { (40, 3000) } else { (4, 400) };
    let place = Place::Server(server.url());
    let serve = Serve::start(&place, broker.port);
    let mut random = StdRng::seed_from_u64(9);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let seen: Vec<(String, Arc<Mutex<Seen>>)> =
            (0..LINES).map(|n| (format!("l{n}"), Arc::default())).collect();
        for (line, seen) in &seen {
            let mut log = Log::new(line, folder.path());
            log.decide(decisions);
            tokio::spawn(log.uplink().send(broker.port, Arc::clone(seen)));
        }
        for _ in 0..kills {
            tokio::time::sleep(Duration::from_millis(random.random_range(100..600))).await;
            server.kill();
            server.again();
            for (told, kept) in promised(&seen, &place) {
                assert!(kept >= told, "stored up to {kept:?}, promised up to {told:?}");
            }
        }
        let all = u64::from(LINES * decisions);
        until("all in the record", || {
            place.query("SELECT COUNT(*) FROM coil").is_some_and(|count| count.parse() == Ok(all))
        })
        .await;
        let words = place.query("SELECT COUNT(*), COUNT(DISTINCT word) FROM word").unwrap();
        let each = LINES * decisions.div_ceil(20);
        assert_eq!(words, format!("{each}|{each}"));
        let labelled = place.query("SELECT COUNT(*) FROM coil WHERE label = 'OK'").unwrap();
        assert_eq!(labelled, each.to_string(), "what stands was settled with its word");
    });
    drop(serve);
}

#[test]
fn a_database_from_a_backup_is_sent_what_it_lost() {
    let test = "a_database_from_a_backup_is_sent_what_it_lost";
    let folder = folder();
    let Some(server) = Postgres::start(test, folder.path()) else { return };
    let Some(broker) = Mosquitto::start(test, folder.path()) else { return };
    let place = Place::Server(server.url());
    let mut serve = Serve::start(&place, broker.port);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let mut log = Log::new("l1", folder.path());
        log.decide(60);
        let backup = folder.path().join("postgres/backup.sql");
        let count = || place.query("SELECT COUNT(*) FROM coil").and_then(|count| count.parse::<u32>().ok());
        let sending = tokio::spawn(log.uplink().send(broker.port, Arc::clone(&seen)));
        until("some in the record", || count() == Some(60)).await;
        let address = ["-h", "127.0.0.1", "-U", "coilsight", "-p"];
        let port = server.port.to_string();
        let run = |program: &str, arguments: &[&str]| {
            let mut command = server.program(program);
            command.args(address).arg(&port).args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
            assert!(command.status().unwrap().success(), "{program} {arguments:?}");
        };
        run("pg_dump", &["--clean", "--if-exists", "-f", backup.to_str().unwrap(), "record"]);
        log.decide(40);
        until("all in the record", || count() == Some(100)).await;
        drop(serve);
        run("psql", &["-q", "-f", backup.to_str().unwrap(), "record"]);
        assert_eq!(count(), Some(60), "as it was");
        serve = Serve::start(&place, broker.port);
        until("what it lost", || count() == Some(100)).await;
        assert_eq!(place.query("SELECT COUNT(DISTINCT decision_id) FROM coil").as_deref(), Some("100"));
        sending.abort();
        drop(serve);
    });
}

//! A week of the line's time: memory, file handles and disk stay as they are.

use super::{decided, full, online, player, runtime};
use coilsight_models::message::Topics;
use coilsight_tests::agent::Agent;
use coilsight_tests::broker::Mosquitto;
use coilsight_tests::gateway::listener;
use coilsight_tests::gateway::plan::Plan;
use std::path::Path;
use std::time::Duration;

#[test]
fn a_week_leaves_memory_handles_and_disk_as_they_were() {
    let test = "a_week_leaves_memory_handles_and_disk_as_they_were";
    if !full() {
        coilsight_tests::skip::say(test, "takes long; ./test --full runs it");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let Some(broker) = Mosquitto::start(test, folder.path()) else { return };
    // Little room, so that what is kept for a while is dropped within the week.
    let mut agent =
        Agent::configure(folder.path(), broker.port, "[archive]\ncap_mib = 96\nreserve_mib = 16\n");
    agent.start();
    agent.until_logged("archive opened");
    let day = 24.0 * 3600.0;
    let coils = (day / Plan::short_coils(100, "plant/gl2", 0).lasts().as_secs_f64() * 100.0) as usize;
    let port = broker.port;
    let mut table = Vec::new();
    runtime().block_on(async {
        let mut ear = listener::listen(&player(port, "listener", 0.0), &Topics::default()).await.unwrap();
        online(&mut ear).await;
        for seed in 1..=days() {
            let plan = Plan::short_coils(coils, "plant/gl2", seed);
            player(port, &format!("gateway-{seed}"), 0.0).play(&plan, &mut |_| {}).await;
            let wanted = coils * seed as usize;
            let patience = Duration::from_mins(10);
            assert!(ear.until(patience, decided(wanted, "")).await);
            let row = (agent.memory().0, agent.handles(), used(&agent.state()), written(agent.id()));
            eprintln!(
                "day {seed}: {wanted} coils, {:.1} MiB memory, {} handles, {:.1} MiB on disk, {:.1} MiB written",
                row.0 as f64 / 1048576.0,
                row.1,
                row.2 as f64 / 1048576.0,
                row.3 as f64 / 1048576.0
            );
            table.push(row);
        }
    });
    let (third, last) = (&table[2], &table[table.len() - 1]);
    assert!(last.0 < third.0 + third.0 / 10 + (4 << 20), "memory grows: {table:?}");
    assert!(last.1 <= third.1 + 2, "handles grow: {table:?}");
    assert!(last.2 <= 96 << 20, "more disk than its cap: {table:?}");
    assert!(agent.stop().success(), "{}", agent.log());
    let log = agent.log();
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "a healthy week logs no warning");
}

/// A week, or as many days as `COILSIGHT_DAYS` says.
fn days() -> u64 {
    std::env::var("COILSIGHT_DAYS").ok().and_then(|days| days.parse().ok()).unwrap_or(7)
}

/// Bytes of all files in a folder and below.
fn used(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|e| if e.path().is_dir() { used(&e.path()) } else { e.metadata().map_or(0, |m| m.len()) })
        .sum()
}

/// Bytes that a process has had written to the disk so far.
fn written(id: u32) -> u64 {
    let io = std::fs::read_to_string(format!("/proc/{id}/io")).unwrap_or_default();
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|n| n.parse().ok()).unwrap_or(0)
}

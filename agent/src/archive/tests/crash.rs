//! Power cuts at every change to the disk, with many outcomes each, and again during the recovery.

use super::super::sim::{Rng, SimDisk};
use super::tiny;
use super::workload::{Op, World, script};

/// A disk for [`nor_where_the_disk_is_full_when_the_power_goes`], bytes.
const SMALL: u64 = 6_500;

/// Opens and runs a script up to the cut; returns the call that was in flight, and the calls after it.
fn run(world: &mut World, ops: &[Op]) -> Option<(Option<Op>, usize)> {
    if world.start(None).is_err() {
        return Some((None, 0));
    }
    for (i, &op) in ops.iter().enumerate() {
        if world.run(op).is_err() {
            return Some((Some(op), i));
        }
    }
    None
}

/// What must hold after a cut: all that was acknowledged, and the rest of the script as if nothing had been.
fn recover(world: &mut World, ops: &[Op], in_flight: Option<Op>, at: usize) {
    let happened = world.start(in_flight).expect("an archive that opens after the cut");
    let retry = in_flight.filter(|op| !happened && !matches!(op, Op::Append(..)));
    let after = ops[at..].iter().skip(usize::from(in_flight.is_some()));
    for &op in retry.iter().chain(after).chain(&[Op::Sync, Op::Reopen]) {
        world.run(op).expect("a call on a sound disk");
    }
    world.check();
}

fn sweep(seed: u64, calls: usize, outcomes: u64, capacity: Option<u64>) {
    let ops = script(seed, calls);
    let disk = || {
        let disk = SimDisk::new();
        disk.set_capacity(capacity);
        disk
    };
    let mut whole = World::new(disk(), tiny());
    assert_eq!(run(&mut whole, &ops), None, "seed {seed}: the script without a cut");
    whole.check();
    for n in 1..=whole.disk.ops() {
        let mut cut = World::new(disk(), tiny());
        cut.disk.cut_after(n);
        let Some((in_flight, at)) = run(&mut cut, &ops) else { continue };
        cut.archive = None;
        for outcome in 0..outcomes {
            let case = format!("seed {seed}, cut at change {n}, outcome {outcome}");
            let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let mut rng = Rng(seed << 40 | n << 16 | outcome);
                let mut disk = cut.disk.after_cut(&mut rng);
                // The power comes and goes while the archive recovers.
                for _ in 0..outcome % 3 {
                    let again = cut.on(disk.clone());
                    again.disk.cut_after(1 + rng.below(25) as u64);
                    drop(super::open(&again.disk, tiny()));
                    disk = disk.after_cut(&mut rng);
                }
                recover(&mut cut.on(disk), &ops, in_flight, at);
            }));
            assert!(told.is_ok(), "{case}: see above");
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_wherever_the_power_goes() {
    for seed in 1..=4 {
        sweep(seed, 60, 12, None);
    }
}

/// The disk is too small as well: rows and matrices are refused, the reserve comes and goes.
#[test]
fn nor_where_the_disk_is_full_when_the_power_goes() {
    for seed in 11..=13 {
        sweep(seed, 60, 8, Some(SMALL));
    }
}

#[test]
fn a_long_shift_survives_many_cuts() {
    for seed in 100..130 {
        let ops = script(seed, 250);
        let mut rng = Rng(seed);
        let mut world = World::new(SimDisk::new(), tiny());
        let (mut in_flight, mut at) = (None, 0);
        loop {
            let happened = world.start(in_flight).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
            if in_flight.is_some() && (happened || matches!(in_flight, Some(Op::Append(..)))) {
                at += 1;
            }
            world.disk.cut_after(1 + rng.below(120) as u64);
            let Some(stopped) = ops.iter().skip(at).position(|&op| world.run(op).is_err()) else { break };
            at += stopped;
            in_flight = Some(ops[at]);
            world.archive = None;
            let disk = world.disk.after_cut(&mut rng);
            world = world.on(disk);
        }
        world.check();
    }
}

/// The workload does what the sweep is for: it rotates, drops, trusts nothing twice.
#[test]
fn the_script_reaches_rotation_and_retention() {
    let mut world = World::new(SimDisk::new(), tiny());
    assert_eq!(run(&mut world, &script(1, 60)), None);
    assert!(world.disk.ops() > 200, "{} changes", world.disk.ops());
    // The small disk of the sweep is small enough to refuse, and large enough to take most.
    for seed in 11..=13 {
        let disk = SimDisk::new();
        disk.set_capacity(Some(SMALL));
        let mut world = World::new(disk, tiny());
        assert_eq!(run(&mut world, &script(seed, 60)), None);
        let decides = script(seed, 60).iter().filter(|op| matches!(op, Op::Decide(_))).count();
        assert!(world.refused > 3 && world.decided() > decides / 2, "seed {seed}: {} refused", world.refused);
    }
    let (mut rotated, mut dropped) = (0, 0);
    for seed in 1..=4 {
        let mut world = World::new(SimDisk::new(), tiny());
        assert_eq!(run(&mut world, &script(seed, 60)), None);
        rotated += usize::from(super::exists(&world.disk, "log/00000003.log"));
        dropped += usize::from(!super::exists(&world.disk, "coils/00000001.seg"));
    }
    assert!(rotated >= 2 && dropped >= 2, "{rotated} of 4 scripts rotate the log, {dropped} drop matrices");
}

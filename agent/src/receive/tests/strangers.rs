//! Others may publish on the models' topics, too: how long they can hold the one transfer, and what they cannot do to an
//! honest one.

use super::*;

/// A file whose front takes many pieces.
fn long_front() -> Sender {
    let front = Front::new(Vec::new(), [b"{\"manifest\"".as_slice(), &b" ".repeat(60_000)].concat()).unwrap();
    let mut bytes = Vec::new();
    front.write(&mut bytes).unwrap();
    bytes.extend(Rng(1).bytes(10_000));
    Sender::new(bytes)
}

/// Fast enough for the floor, and no faster.
fn trickle() -> Limits {
    Limits { floor_bytes: u64::from(PIECE), ..Limits::default() }
}

#[test]
fn a_front_that_trickles_is_refused_in_time() {
    let stranger = long_front();
    let mut plant = Plant::with(trickle());
    plant.hear([stranger.offers()]);
    for index in 0..6 {
        plant.hear([stranger.sends(index)]);
        plant.wait(Duration::from_mins(5) - Duration::from_secs(1));
    }
    assert!(plant.receiver.on_its_way().is_some(), "{:?}", plant.said());
    plant.wait(Duration::from_secs(6));
    plant.assert_refused("signatures and manifest were not all here after 30 minutes (slow retrieval)");
    assert_eq!(plant.desk.fronts, 0);
}

#[test]
fn a_front_that_trickles_gives_way_to_another_file() {
    let (stranger, honest) = (long_front(), Sender::new(file(2, 50_000)));
    let mut plant = Plant::with(trickle());
    plant.hear([stranger.offers()]);
    for index in 0..10 {
        plant.hear([stranger.sends(index)]);
        plant.hear([honest.offers()]);
        assert_eq!((plant.said().offer, plant.said().state), (honest.offer.offer, Stage::Waiting));
        plant.wait(Duration::from_mins(1));
    }
    plant.wants.clear();
    plant.hear([stranger.sends(10), honest.offers()]);
    plant.serve(&honest);
    assert_eq!(plant.content(), honest.file);
}

#[test]
fn once_the_front_is_verified_only_the_whole_has_a_limit() {
    let sender = Sender::new(file(3, 200_000));
    let mut plant = Plant::with(trickle());
    plant.hear([sender.offers()]);
    for index in 0..60 {
        plant.hear([sender.sends(index)]);
        plant.wait(Duration::from_mins(1));
    }
    assert_eq!(plant.receiver.on_its_way().map(|(_, have)| have), Some(60));
}

#[test]
fn a_full_disk_is_not_held_against_the_front() {
    let sender = Sender::new(file(4, 50_000));
    let mut plant = Plant::new();
    plant.hear([sender.offers()]);
    plant.disk.set_capacity(Some(plant.disk.used() + 500));
    for _ in 0..60 {
        plant.serve(&sender);
        plant.wait(Duration::from_secs(61));
    }
    plant.disk.set_capacity(None);
    plant.wait(Duration::from_secs(61));
    plant.serve(&sender);
    assert_eq!(plant.content(), sender.file);
}

#[test]
fn old_pieces_keep_nothing_alive_and_stop_no_want() {
    let (sender, other) = (Sender::new(file(5, 50_000)), Sender::new(file(6, 50_000)));
    let mut plant = Plant::with(trickle());
    plant.hear([sender.offers(), sender.sends(0), sender.sends(1)]);
    plant.wants.clear();
    for _ in 0..60 * 11 {
        plant.hear([sender.sends(0), sender.sends(1)]);
        plant.wait(Duration::from_secs(1));
    }
    assert!(plant.wants.len() > 5, "{} wants: the trainer hears none", plant.wants.len());
    assert!(plant.receiver.on_its_way().is_some(), "not too slow: silent");
    plant.wants.clear();
    plant.hear([other.offers()]);
    plant.serve(&other);
    assert_eq!(plant.content(), other.file);
}

//! Too much, too slow, no room, not what was offered.

use super::*;
use crate::archive::sim::Fault;

#[test]
fn a_file_over_the_limit_is_refused_unheard() {
    let mut plant = Plant::with(Limits { max_bytes: 40_000, ..Limits::default() });
    plant.hear([Sender::new(file(1, 40_001)).offers()]);
    plant.assert_refused("(endless data)");
    assert_eq!(plant.wants, []);
    plant.hear([Sender::new(file(1, 40_000)).offers()]);
    assert_eq!(plant.said().state, Stage::Receiving);
}

#[test]
fn more_than_was_offered_is_dropped_and_counted_and_the_file_comes_whole() {
    let sender = Sender::new(file(2, 3_000));
    let mut plant = Plant::new();
    plant.hear([sender.offers()]);
    let noted = plant.disk.used();
    for (index, length) in [(3, 1), (2, 953), (1, 1023), (u32::MAX, 1024)] {
        let data = &vec![0; length];
        plant.hear([(Way::Piece, Piece { offer: sender.offer.offer, index, data }.payload())]);
    }
    assert_eq!((plant.receiver.set_aside(), plant.disk.used()), (4, noted));
    plant.serve(&sender);
    assert_eq!(plant.content(), sender.file);
}

#[test]
fn another_content_is_refused_when_all_is_there() {
    let sender = Sender::new(file(4, 20_000));
    let mut other = sender.clone();
    other.file[15_000] ^= 1;
    let mut plant = Plant::new();
    plant.hear([sender.offers()]);
    plant.serve(&other);
    plant.assert_refused("(partial delivery, or altered on its way)");
    // The right bytes are welcome afterwards.
    plant.hear([sender.offers()]);
    plant.serve(&sender);
    assert_eq!(plant.content(), sender.file);
}

#[test]
fn a_file_that_does_not_end_in_time_is_dropped_also_over_restarts() {
    let limits = Limits { longest: Duration::from_hours(2), ..Limits::default() };
    let sender = Sender::new(file(5, 50_000));
    let mut plant = Plant::with(limits.clone());
    plant.hear([sender.offers()]);
    plant.hear((0..8).map(|index| sender.sends(index)));
    plant.hear((8..16).map(|index| sender.sends(index)));
    plant.hear((16..24).map(|index| sender.sends(index)));
    for _ in 0..119 {
        plant.wait(Duration::from_mins(1));
    }
    assert!(plant.receiver.on_its_way().is_some());
    // The age is noted every ten minutes; so much more a restart gives it.
    plant.restart(plant.disk.clone(), limits);
    assert!(plant.receiver.on_its_way().is_some());
    for _ in 0..11 {
        plant.wait(Duration::from_mins(1));
    }
    plant.assert_refused("not all here after 120 minutes (slow retrieval)");
}

#[test]
fn pieces_that_trickle_are_refused_and_silence_is_waited_for() {
    let sender = Sender::new(file(6, 200_000));
    let mut plant = Plant::new();
    plant.hear([sender.offers()]);
    for index in 0..10 {
        plant.hear([sender.sends(index)]);
        plant.wait(Duration::from_secs(59));
    }
    assert!(plant.receiver.on_its_way().is_some());
    plant.wait(Duration::from_secs(10));
    plant.assert_refused("(slow retrieval)");

    plant.hear([sender.offers()]);
    plant.hear((0..8).map(|index| sender.sends(index)));
    plant.hear((8..16).map(|index| sender.sends(index)));
    plant.hear((16..24).map(|index| sender.sends(index)));
    plant.wants.clear();
    for _ in 0..60 * 12 {
        plant.wait(Duration::from_mins(1));
    }
    let have = plant.receiver.on_its_way().map(|(_, have)| have);
    assert_eq!(have, Some(24), "a trainer that was switched off");
    assert!(plant.wants.len() < 400, "{} wants into the void", plant.wants.len());
}

#[test]
fn a_full_disk_is_told_and_tried_again() {
    let sender = Sender::new(file(7, 50_000));
    let mut plant = Plant::new();
    plant.hear([sender.offers()]);
    plant.disk.set_capacity(Some(plant.disk.used() + 5_000));
    plant.serve(&sender);
    assert_eq!((plant.said().state, plant.said().have), (Stage::Waiting, 0));
    assert!(plant.said().text.contains("no room") && plant.said().to_do.contains("make room"));
    plant.hear([sender.offers(), sender.sends(0)]);
    assert_eq!((plant.said().state, plant.wants.len()), (Stage::Waiting, 0));
    plant.wait(Duration::from_secs(61));
    assert_eq!(plant.wants.len(), 1, "it is tried again");
    plant.serve(&sender);
    assert_eq!(plant.said().state, Stage::Waiting);
    plant.disk.set_capacity(None);
    plant.wait(Duration::from_secs(61));
    plant.serve(&sender);
    assert_eq!(plant.content(), sender.file);
}

#[test]
fn an_offer_on_a_full_disk_is_told_to_wait() {
    let sender = Sender::new(file(8, 5_000));
    let mut plant = Plant::new();
    plant.disk.set_capacity(Some(10));
    plant.hear([sender.offers()]);
    assert_eq!((plant.said().state, plant.files().len()), (Stage::Waiting, 0));
    plant.disk.set_capacity(None);
    plant.hear([sender.offers()]);
    plant.serve(&sender);
    assert_eq!(plant.content(), sender.file);
}

#[test]
fn what_a_failed_sync_may_have_lost_is_had_again() {
    let sender = Sender::new(file(9, 50_000));
    let mut plant = Plant::new();
    plant.hear([sender.offers()]);
    plant.disk.fail(Fault::Sync("incoming/"));
    plant.serve(&sender);
    assert_eq!((plant.said().state, plant.said().have), (Stage::Waiting, 0));
    plant.wait(Duration::from_secs(61));
    plant.serve(&sender);
    plant.restart(plant.disk.after_cut(&mut Rng(1)), Limits::default());
    while plant.receiver.has_work() {
        plant.step(Vec::new());
    }
    assert_eq!(plant.content(), sender.file);
}

//! Pieces in disorder, twice, of other files; connections that come and go.

use super::*;

#[test]
fn within_the_window_any_order_will_do() {
    let sender = Sender::new(file(1, 10_000));
    let mut plant = Plant::new();
    plant.hear([sender.offers()]);
    plant.hear([3, 1, 2, 7, 0, 0, 3].map(|index| sender.sends(index)));
    let (_, have) = plant.receiver.on_its_way().unwrap();
    assert_eq!(have, 5);
    // Beyond the end of the window nothing is kept.
    plant.hear([sender.sends(9), sender.sends(4), sender.sends(5), sender.sends(6)]);
    plant.hear([sender.offers()]);
    plant.serve(&sender);
    assert_eq!(plant.content(), sender.file);
}

#[test]
fn what_was_not_asked_for_is_not_kept() {
    let sender = Sender::new(file(2, 50_000));
    let mut plant = Plant::new();
    let other = Sender::new(file(3, 50_000));
    plant.hear([sender.sends(0)]);
    assert_eq!(plant.disk.used(), 0, "nothing was offered");
    plant.hear([sender.offers()]);
    let noted = plant.disk.used();
    plant.hear([sender.sends(8), sender.sends(40), other.sends(0), other.sends(1)]);
    assert_eq!(plant.disk.used(), noted);
    let short = Piece { offer: sender.offer.offer, index: 2, data: b"short" }.payload();
    plant.hear([
        (Way::Piece, short),
        (Way::Piece, b"CPIECE1\nnothing".to_vec()),
        (Way::Offer, b"{".to_vec()),
    ]);
    assert_eq!((plant.disk.used(), plant.receiver.set_aside()), (noted, 3));
}

#[test]
fn the_same_offer_again_goes_on_where_it_was() {
    let sender = Sender::new(file(4, 50_000));
    let mut plant = Plant::new();
    plant.hear([sender.offers()]);
    plant.hear((0..6).map(|index| sender.sends(index)));
    plant.wants.clear();
    plant.hear([sender.offers()]);
    assert_eq!((plant.said().state, plant.said().have), (Stage::Receiving, 6));
    assert_eq!((plant.wants[0].from, plant.wants[0].count), (6, 8));
}

#[test]
fn the_same_file_in_other_pieces_begins_anew_once_the_first_has_rested() {
    let sender = Sender::new(file(5, 50_000));
    let mut plant = Plant::new();
    plant.hear([sender.offers()]);
    plant.hear((0..6).map(|index| sender.sends(index)));
    let mut other = sender.clone();
    other.offer.piece_bytes = 4 << 10;
    plant.wants.clear();
    // Or anybody who may publish here could throw away what has come, again and again.
    plant.hear([other.offers()]);
    assert_eq!(plant.said().state, Stage::Waiting);
    plant.wait(Duration::from_mins(11));
    plant.wants.clear();
    plant.hear([other.offers()]);
    assert_eq!(plant.wants[0].from, 0);
    plant.serve(&other);
    assert_eq!(plant.content(), other.file);
}

#[test]
fn another_file_waits_until_this_one_has_rested_for_long() {
    let (one, other) = (Sender::new(file(6, 50_000)), Sender::new(file(7, 50_000)));
    let mut plant = Plant::new();
    plant.hear([one.offers()]);
    plant.hear((0..2).map(|index| one.sends(index)));
    plant.wait(Duration::from_mins(9));
    plant.hear([other.offers()]);
    assert_eq!((plant.said().state, plant.said().offer), (Stage::Waiting, other.offer.offer));
    assert!(plant.said().text.contains("gl2-set (2 of 49 pieces)"), "{}", plant.said().text);
    plant.now += Duration::from_mins(1);
    plant.wants.clear();
    plant.hear([other.offers()]);
    let told: Vec<_> = plant.answers.iter().rev().take(2).map(|a| (a.offer, a.state)).collect();
    assert_eq!(told, [(other.offer.offer, Stage::Receiving), (one.offer.offer, Stage::Refused)]);
    plant.serve(&other);
    assert_eq!(plant.content(), other.file);
}

#[test]
fn an_offer_that_nothing_follows_gives_way_soon() {
    let (one, other) = (Sender::new(file(10, 50_000)), Sender::new(file(11, 50_000)));
    let mut plant = Plant::new();
    plant.hear([one.offers()]);
    plant.wait(Duration::from_secs(14));
    plant.hear([other.offers()]);
    assert_eq!(plant.said().state, Stage::Waiting);
    plant.now += Duration::from_secs(1);
    plant.wants.clear();
    plant.hear([other.offers()]);
    plant.serve(&other);
    assert_eq!(plant.content(), other.file);
}

#[test]
fn a_new_connection_asks_at_once_and_nothing_of_the_old_is_acknowledged() {
    let sender = Sender::new(file(8, 50_000));
    let mut plant = Plant::new();
    plant.hear([sender.offers()]);
    plant.wants.clear();
    let old = Ticket { generation: plant.generation, packet: 9 };
    let (way, payload) = sender.sends(0);
    let late = Event::Delivered { ticket: old, way, payload: payload.into() };
    assert_eq!(plant.step(vec![Event::Down, late.clone()]), []);
    assert_eq!(plant.wants, []);
    plant.up();
    assert_eq!(plant.wants.len(), 1);
    assert_eq!(plant.step(vec![late]), []);
}

#[test]
fn an_offer_of_another_version_is_answered() {
    let sender = Sender::new(file(9, 1_000));
    let mut json = serde_json::to_value(&sender.offer).unwrap();
    json["version"] = 2.into();
    let mut plant = Plant::new();
    plant.hear([(Way::Offer, json.to_string().into_bytes())]);
    plant.assert_refused("version 2");
    assert_eq!(plant.said().offer, sender.offer.offer);
}

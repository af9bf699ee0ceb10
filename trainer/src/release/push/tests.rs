use super::*;
use coilsight_models::bundle::Id;
use coilsight_models::message::model::{Slot, VERSION, payload};

const NOW: Duration = Duration::from_secs(100);

fn push(awaited: Awaited) -> Push {
    let offer = Offer {
        version: VERSION,
        offer: Sha256::of(b"file"),
        bytes: 30 * 1024 + 1,
        piece_bytes: 1024,
        name: Id::new("set").unwrap(),
        release: 3,
    };
    let mut push = Push::new(offer, Sha256::of(b"manifest"), awaited);
    push.connected();
    assert_eq!(push.due(NOW), [Say::Offer]);
    push
}

fn wants(push: &mut Push, from: u32, count: u32) {
    let want = Want { version: VERSION, offer: push.offer.offer, from, count };
    push.hear(Way::Want, &payload(&want), NOW);
}

fn answer(push: &Push, state: Stage) -> Answer {
    Answer {
        version: VERSION,
        offer: push.offer.offer,
        state,
        have: 0,
        pieces: 31,
        fingerprint: None,
        release: None,
        text: "signed by a stranger".into(),
        to_do: "Have it signed".into(),
        at: None,
    }
}

fn says(push: &mut Push, state: Stage) {
    push.hear(Way::Answer, &answer(push, state).payload(), NOW);
}

fn pieces(push: &mut Push) -> Vec<u32> {
    let due = push.due(NOW);
    due.into_iter()
        .map(|send| match send {
            Say::Piece(index) => index,
            Say::Offer => panic!("an offer"),
        })
        .collect()
}

fn state(active: Option<&[u8]>, candidate: Option<&[u8]>) -> Vec<u8> {
    let slot = |manifest: &[u8]| Slot {
        name: Id::new("set").unwrap(),
        release: 3,
        fingerprint: Sha256::of(manifest),
    };
    payload(&State {
        version: VERSION,
        line: "gl2".into(),
        active: active.map(slot),
        candidate: candidate.map(slot),
        last_good: None,
        newest_release: 3,
        newest_time: None,
        trust_version: 1,
        at: None,
    })
}

#[test]
fn it_sends_what_is_asked_for_and_nothing_else() {
    let mut push = push(Awaited::Staged);
    assert_eq!(push.due(NOW), []);
    wants(&mut push, 0, 8);
    assert_eq!(pieces(&mut push), [0, 1, 2, 3, 4, 5, 6, 7]);
    (0..8).for_each(|index| push.taken(index));
    wants(&mut push, 4, 8);
    assert_eq!(pieces(&mut push), [8, 9, 10, 11], "4 to 7 are on their way");
    (8..12).for_each(|index| push.taken(index));
    wants(&mut push, 4, 8);
    assert_eq!(pieces(&mut push), [4, 5, 6, 7, 8, 9, 10, 11], "asked for again: they are lost");
    (4..12).for_each(|index| push.taken(index));
    wants(&mut push, 27, 4);
    assert_eq!(pieces(&mut push), [27, 28, 29, 30]);
    assert_eq!(push.have(), 27);
    wants(&mut push, 31, 1);
    assert_eq!(pieces(&mut push), [0; 0], "there is no such piece");
}

#[test]
fn what_the_broker_has_not_taken_is_not_sent_again_and_never_more_than_a_window() {
    let mut push = push(Awaited::Staged);
    wants(&mut push, 0, 8);
    assert_eq!(pieces(&mut push).len(), 8);
    for _ in 0..100 {
        wants(&mut push, 0, 8);
        assert_eq!(pieces(&mut push), [0; 0]);
    }
    push.taken(3);
    wants(&mut push, 0, 8);
    assert_eq!(pieces(&mut push), [3]);
}

#[test]
fn a_new_connection_offers_again_and_forgets_what_was_sent() {
    let mut push = push(Awaited::Staged);
    wants(&mut push, 0, 8);
    assert_eq!(pieces(&mut push).len(), 8);
    push.disconnected();
    assert_eq!(push.due(NOW * 10), []);
    push.connected();
    assert_eq!(push.due(NOW), [Say::Offer]);
    wants(&mut push, 5, 8);
    assert_eq!(pieces(&mut push), [5, 6, 7, 8, 9, 10, 11, 12]);
}

#[test]
fn a_silent_line_hears_the_offer_again() {
    let mut push = push(Awaited::Active);
    assert_eq!(push.due(NOW + OFFER_EVERY / 2), []);
    assert_eq!(push.due(NOW + OFFER_EVERY), [Say::Offer]);
    says(&mut push, Stage::Waiting);
    assert_eq!(push.ended(), None);
    assert_eq!(push.due(NOW + OFFER_EVERY), [Say::Offer]);
    says(&mut push, Stage::Staged);
    assert_eq!(push.due(NOW + OFFER_EVERY * 100), [], "it is there: its turn comes");
}

#[test]
fn it_ends_with_what_is_awaited_or_a_refusal() {
    for (awaited, stage, reached) in [
        (Awaited::Staged, Stage::Staged, Some(true)),
        (Awaited::Staged, Stage::Shadow, Some(true)),
        (Awaited::Staged, Stage::Active, Some(true)),
        (Awaited::Staged, Stage::Received, None),
        (Awaited::Staged, Stage::Refused, Some(false)),
        (Awaited::Active, Stage::Staged, None),
        (Awaited::Active, Stage::Shadow, None),
        (Awaited::Active, Stage::Active, Some(true)),
        (Awaited::Active, Stage::RolledBack, Some(false)),
    ] {
        let mut push = push(awaited);
        says(&mut push, stage);
        let ended = push.ended().map(|end| matches!(end, End::Reached(_)));
        assert_eq!(ended, reached, "{awaited:?} {stage:?}");
        assert_eq!(push.word().unwrap().to_string(), "Have it signed: signed by a stranger");
    }
}

#[test]
fn another_file_is_none_of_its_business() {
    let mut push = push(Awaited::Staged);
    let other = Answer { offer: Sha256::of(b"other"), ..answer(&push, Stage::Refused) };
    push.hear(Way::Answer, &other.payload(), NOW);
    let want = Want { version: VERSION, offer: Sha256::of(b"other"), from: 0, count: 8 };
    push.hear(Way::Want, &payload(&want), NOW);
    push.hear(Way::Want, b"{", NOW);
    push.hear(Way::State, &state(Some(b"other"), None), NOW);
    assert_eq!(push.due(NOW), []);
    assert_eq!(push.ended(), None);
    // The same bundle, whatever file it came in.
    push.hear(
        Way::Answer,
        &Answer { fingerprint: Some(push.fingerprint), state: Stage::Staged, ..other }.payload(),
        NOW,
    );
    assert!(matches!(push.ended(), Some(End::Reached(_))));
}

#[test]
fn the_lines_state_stands_in_for_an_answer_that_was_lost() {
    let late = NOW + ANSWER_LOST;
    let mut one = push(Awaited::Active);
    one.hear(Way::State, &state(None, Some(b"manifest")), NOW);
    assert_eq!((one.due(late), one.ended()), (Vec::new(), None));
    assert!(one.word().is_none(), "the broker may have kept it of a line that is gone");
    wants(&mut one, 0, 1);
    assert_eq!(one.due(late + late), []);
    assert_eq!((one.ended(), one.word().map(|word| word.stage)), (None, Some(Stage::Staged)));
    one.hear(Way::State, &state(Some(b"manifest"), None), NOW);
    assert!(matches!(one.ended(), Some(End::Reached(_))), "nothing of it is on its way any more");

    let mut other = push(Awaited::Staged);
    other.hear(Way::State, &state(None, Some(b"manifest")), NOW);
    assert_eq!((other.due(NOW), other.ended()), (Vec::new(), None), "the line may have begun to receive");
    wants(&mut other, 0, 8);
    assert_eq!(pieces(&mut other).len(), 8);
    assert_eq!(other.due(late), []);
    assert!(matches!(other.ended(), Some(End::Reached(_))));
}

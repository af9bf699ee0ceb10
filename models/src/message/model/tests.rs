use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

fn offer(bytes: u64, piece_bytes: u32) -> Offer {
    let name = Id::new("gl2-set").unwrap();
    Offer { version: VERSION, offer: Sha256::of(b"file"), bytes, piece_bytes, name, release: 7 }
}

fn answer(text: String) -> Answer {
    Answer {
        version: VERSION,
        offer: Sha256::of(b"file"),
        state: Stage::Refused,
        have: 1,
        pieces: 2,
        fingerprint: None,
        release: None,
        to_do: text.clone(),
        text,
        at: None,
    }
}

/// The same message with one field changed.
fn with(message: &impl Serialize, field: &str, value: Value) -> Vec<u8> {
    let mut json = serde_json::to_value(message).unwrap();
    json[field] = value;
    json.to_string().into_bytes()
}

#[test]
fn the_wire_form_stands() {
    let sha = Sha256::of(b"file").to_string();
    let told = serde_json::to_value(offer(100_000, 65_536)).unwrap();
    let expected = json!({"version": 1, "offer": sha, "bytes": 100_000, "piece_bytes": 65_536, "name": "gl2-set", "release": 7});
    assert_eq!(told, expected);
    let want = Want { version: VERSION, offer: Sha256::of(b"file"), from: 3, count: 8 };
    assert_eq!(
        serde_json::to_value(want).unwrap(),
        json!({"version": 1, "offer": sha, "from": 3, "count": 8})
    );
    let told = serde_json::to_value(Answer { state: Stage::RolledBack, ..answer("x".into()) }).unwrap();
    let expected = json!({"version": 1, "offer": sha, "state": "rolled_back", "have": 1, "pieces": 2, "text": "x", "to_do": "x", "at": null});
    assert_eq!(told, expected);
    let piece = Piece { offer: Sha256::of(b"file"), index: 258, data: b"abc" }.payload();
    assert_eq!(piece[..8], *b"CPIECE1\n");
    assert_eq!(piece[8..40], *Sha256::of(b"file").as_bytes());
    assert_eq!(piece[40..], *b"\x02\x01\0\0abc");
}

#[test]
fn a_state_comes_back_and_says_which_release_is_next() {
    let slot = Slot { name: Id::new("a").unwrap(), release: 4, fingerprint: Sha256::of(b"a") };
    let state = State {
        version: VERSION,
        line: "gl2".into(),
        active: Some(slot),
        candidate: None,
        last_good: None,
        newest_release: 5,
        newest_time: None,
        trust_version: 2,
        at: None,
    };
    assert_eq!(State::parse(&payload(&state)).unwrap(), state);
    assert_eq!(state.next_release(), 6);
    assert!(State::parse(&with(&state, "line", json!(""))).is_err());
    assert!(State::parse(&with(&state, "line", json!("\u{1b}[2J"))).is_err());
}

#[test]
fn each_refusal_says_why() {
    let good = offer(100_000, 65_536);
    let refused = |payload: &[u8]| Offer::parse(payload).unwrap_err().to_string();
    assert_eq!(
        refused(&vec![b' '; 4097]),
        "a message on model/offer has 4097 bytes, at most 4096 are allowed"
    );
    assert!(refused(b"{").contains("not understood"));
    assert!(refused(&with(&good, "version", json!(2))).contains("version 2"));
    assert!(refused(&with(&good, "bytes", json!(0))).contains("bytes must be"));
    assert!(refused(&with(&good, "bytes", json!(MAX_FILE + 1))).contains("bytes must be"));
    assert!(refused(&with(&good, "piece_bytes", json!(1023))).contains("piece_bytes must be"));
    assert!(refused(&with(&good, "piece_bytes", json!(65_537))).contains("piece_bytes must be"));
    assert!(refused(&with(&good, "name", json!("../x"))).contains("not understood"));
    assert!(refused(&with(&good, "offer", json!("AA"))).contains("not understood"));
    assert_eq!(Offer::named(&with(&good, "version", json!(2))), Some(good.offer));
    assert_eq!(Offer::named(b"{\"offer\":7}"), None);
    let twice = String::from_utf8(payload(&good)).unwrap().replacen('{', "{\"bytes\":1,", 1);
    assert!(refused(twice.as_bytes()).contains("not understood"), "a field given twice");
    let want = Want { version: VERSION, offer: Sha256::of(b"file"), from: 3, count: 9 };
    assert!(Want::parse(&payload(&want)).unwrap_err().to_string().contains("count must be 1 to 8"));
    let piece = Piece { offer: Sha256::of(b"file"), index: 0, data: b"a" }.payload();
    for broken in [b"CPIECE1\nshort".as_slice(), &piece[1..], &piece[..PIECE_HEAD - 1]] {
        assert!(matches!(Piece::parse(broken), Err(WireFault::Value { field: "its head", .. })));
    }
    let empty = Piece::parse(&piece[..PIECE_HEAD]).unwrap_err();
    assert!(matches!(empty, WireFault::Value { field: "its content", .. }), "{empty}");
    let long = [&piece[..PIECE_HEAD], &vec![0; 65_537]].concat();
    assert!(matches!(Piece::parse(&long), Err(WireFault::TooLong { .. })));
}

#[test]
fn texts_neither_steer_a_terminal_nor_break_the_limit() {
    let told = Answer::parse(&payload(&answer("a\u{1b}[31m\n\u{9b}b".into()))).unwrap();
    assert_eq!(told.text, "a [31m  b");
    for text in ["\u{1}".repeat(1 << 20), "\u{20ac}".repeat(1 << 20), "\"".repeat(1 << 20)] {
        let said = answer(text).payload();
        assert!(said.len() <= MAX_ANSWER, "{} bytes", said.len());
        assert!(Answer::parse(&said).unwrap().text.len() > MAX_TEXT - 4);
    }
}

proptest! {
    #[test]
    fn pieces_cover_the_file_exactly(bytes in 1u64..3_000_000, piece_bytes in MIN_PIECE_BYTES..=MAX_PIECE_BYTES) {
        let offer = offer(bytes, piece_bytes);
        let mut end = 0;
        for index in 0..offer.pieces() {
            let (at, length) = offer.place(index).unwrap();
            prop_assert_eq!(at, end);
            prop_assert!(length > 0 && length <= piece_bytes as usize);
            end += length as u64;
        }
        prop_assert_eq!(end, bytes);
        prop_assert_eq!(offer.place(offer.pieces()), None);
        prop_assert_eq!(offer.place(u32::MAX), None);
    }

    #[test]
    fn what_goes_comes_back(index: u32, data in proptest::collection::vec(any::<u8>(), 1..2000), from: u32, count in 1..=MAX_WINDOW) {
        let piece = Piece { offer: Sha256::of(&data), index, data: &data };
        let said = piece.payload();
        prop_assert_eq!(Piece::parse(&said).unwrap(), piece);
        let want = Want { version: VERSION, offer: Sha256::of(&data), from, count };
        prop_assert_eq!(Want::parse(&payload(&want)).unwrap(), want);
    }

    #[test]
    fn no_bytes_panic(tail in proptest::collection::vec(any::<u8>(), 0..200)) {
        let piece = [PIECE_MAGIC.as_slice(), &tail].concat();
        let _ = (Piece::parse(&tail), Piece::parse(&piece), Offer::parse(&tail), Want::parse(&tail));
        let _ = (Answer::parse(&tail), State::parse(&tail));
    }
}

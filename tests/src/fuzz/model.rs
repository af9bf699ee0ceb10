//! What is said on a bundle's way to the line: a byte for the topic, then the payload.

use super::wire::{again, taken};
use coilsight_models::bundle::Sha256;
use coilsight_models::message::model::{
    Answer, MAX_TEXT, MAX_WINDOW, Offer, PIECE_MAGIC, Piece, State, Want, Way, payload,
};

/// What is read holds to its limits, and says the same when it is said again.
pub fn run(data: &[u8]) {
    let Some((way, data)) = data.split_first() else { return };
    let way = Way::ALL[usize::from(*way) % Way::ALL.len()];
    match way {
        Way::Offer => {
            let Some(offer) = taken(way, data, Offer::parse(data)) else { return };
            let last = offer.pieces() - 1;
            let (at, length) = offer.place(last).expect("a last piece");
            assert_eq!(at + length as u64, offer.bytes);
            assert_eq!(offer.place(last + 1), None);
            again(way, &payload(&offer), &offer, Offer::parse);
        }
        Way::Want => {
            let Some(want) = taken(way, data, Want::parse(data)) else { return };
            assert!((1..=MAX_WINDOW).contains(&want.count));
            again(way, &payload(&want), &want, Want::parse);
        }
        Way::Piece => {
            let Some(piece) = taken(way, data, Piece::parse(data)) else { return };
            assert_eq!(piece.payload(), data, "a piece has one form");
        }
        Way::Answer => {
            let Some(answer) = taken(way, data, Answer::parse(data)) else { return };
            for text in [&answer.text, &answer.to_do] {
                assert!(text.len() <= MAX_TEXT && !text.contains(char::is_control));
            }
            let said = answer.payload();
            assert!(said.len() <= way.max_bytes());
            again(way, &said, &answer, Answer::parse);
        }
        Way::State => {
            let Some(state) = taken(way, data, State::parse(data)) else { return };
            again(way, &payload(&state), &state, State::parse);
        }
    }
}

/// A good message of every kind, and some that are nearly good.
pub fn seeds() -> Vec<Vec<u8>> {
    let sha = Sha256::of(b"file");
    let slot = format!(r#"{{"name":"set","release":4,"fingerprint":"{sha}"}}"#);
    let texts = [
        (
            0,
            format!(
                r#"{{"version":1,"offer":"{sha}","bytes":100000,"piece_bytes":65536,"name":"set","release":7}}"#
            ),
        ),
        (
            0,
            format!(
                r#"{{"version":1,"offer":"{sha}","bytes":1099511627777,"piece_bytes":1,"name":"../x","release":-7}}"#
            ),
        ),
        (0, r#"{"version":2}"#.to_string()),
        (1, format!(r#"{{"version":1,"offer":"{sha}","from":0,"count":8}}"#)),
        (1, format!(r#"{{"version":1,"offer":"{sha}","from":4294967295,"count":9}}"#)),
        (
            3,
            format!(
                r#"{{"version":1,"offer":"{sha}","state":"rolled_back","have":1,"pieces":2,"fingerprint":"{sha}","release":3,"text":"a\u001b[2Jb","to_do":"","at":"2026-01-05T06:00:00Z"}}"#
            ),
        ),
        (
            4,
            format!(
                r#"{{"version":1,"line":"gl2","active":{slot},"candidate":null,"last_good":{slot},"newest_release":4,"newest_time":"2026-01-05T06:00:00Z","trust_version":1,"at":null}}"#
            ),
        ),
    ];
    let piece = [&[2], PIECE_MAGIC.as_slice(), sha.as_bytes(), b"\x01\0\0\0content"].concat();
    let texts = texts.into_iter().map(|(way, text)| [&[way], text.as_bytes()].concat());
    texts.chain([piece]).collect()
}

//! A coil's name and its stored matrix.

use coilsight_models::chunk::Coverage;
use coilsight_models::coil::{CELLS, CoilId, CoilMatrix};
use std::path::{Component, Path};

/// Bytes of a stored matrix.
const MATRIX: usize = 4 * CELLS;

/// The bytes are an id, a matrix, and a pattern of which a matrix is made, of the right length or nearly.
pub fn run(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        id(text);
    }
    matrix(data);
    if !data.is_empty() {
        let length = MATRIX + 2 - data.len() % 5;
        matrix(&data.iter().copied().cycle().take(length).collect::<Vec<_>>());
    }
}

fn id(text: &str) {
    let Ok(id) = CoilId::new(text) else {
        let quoted = serde_json::to_string(text).expect("a text becomes JSON");
        assert!(serde_json::from_str::<CoilId>(&quoted).is_err(), "JSON brings in what is refused: {text:?}");
        return;
    };
    assert_eq!(id.as_str(), text);
    harmless(&id);
    let json = serde_json::to_string(&id).expect("an id becomes JSON");
    assert_eq!(serde_json::from_str::<CoilId>(&json).ok(), Some(id));
}

/// That an accepted id can stand in a log, on a page, in a topic and in a file's name.
pub fn harmless(id: &CoilId) {
    let text = id.as_str();
    assert!((1..=CoilId::MAX).contains(&text.chars().count()), "{text:?}");
    assert!(!text.chars().any(|c| c.is_control() || "/\\<>&\"'`$;|".contains(c)), "{text:?}");
    assert_eq!(text.trim(), text);
    let parts: Vec<_> = Path::new(text).components().collect();
    assert!(matches!(parts[..], [Component::Normal(name)] if name == text), "{text:?}");
}

fn matrix(bytes: &[u8]) {
    let Ok(matrix) = CoilMatrix::from_bytes(bytes) else {
        assert_ne!(bytes.len(), MATRIX, "a matrix of the right length is refused");
        return;
    };
    assert_eq!(bytes.len(), MATRIX, "what is no matrix is taken for one");
    let stored = matrix.to_bytes();
    assert_eq!(CoilMatrix::from_bytes(&stored).as_ref(), Ok(&matrix));
    // Equal but for the spread of what was not read.
    for (i, (kept, came)) in stored.chunks_exact(2).zip(bytes.chunks_exact(2)).enumerate() {
        assert!(kept == came || (i >= CELLS && matrix.mean()[i - CELLS] == 0 && kept == [0, 0]));
    }
    let Coverage { chunks, gauges, cells, blind_gauges } = Coverage::of(&matrix);
    for share in [chunks, gauges, cells] {
        assert!((0.0..=1.0).contains(&share), "{share}");
    }
    assert!(cells <= chunks && blind_gauges.len() <= 18);
}

/// Ids of plants and of attackers; matrices come from any of them.
pub fn seeds() -> Vec<Vec<u8>> {
    let ids = ["GL2-26101000", "Bund 7 (neu)", "\u{c4}-12:3", "x.1#2+3", "../a", ".h", "<img>", "a\u{202e}b"];
    let mut seeds: Vec<Vec<u8>> = ids.iter().map(|id| id.as_bytes().to_vec()).collect();
    seeds.push([0x58, 0x1b].repeat(7));
    seeds.push([0x00, 0x00, 0x58, 0x1b].repeat(7));
    seeds
}

use super::*;
use crate::coil::CoilMatrix;
use proptest::prelude::*;
use serde_json::{Value, json};

fn word() -> Value {
    json!({"kind": "word", "key": "k1", "about": null, "word": {
        "coil_id": "X", "label": "NOK", "operator": "op-1", "at": "2026-11-20T06:00:00Z", "known": false,
    }})
}

fn batch() -> Value {
    json!({
        "version": 1, "line": "gl2", "log": "0011", "after": {"file": 1, "offset": 8}, "upto": {"file": 2, "offset": 0},
        "records": [word()],
    })
}

fn parse(value: &Value) -> Result<Batch, WireFault> {
    Batch::parse(&serde_json::to_vec(value).unwrap())
}

fn changed(change: impl FnOnce(&mut Value)) -> WireFault {
    let mut value = batch();
    change(&mut value);
    parse(&value).expect_err("refused")
}

#[test]
fn a_batch_comes_back_as_it_went() {
    let read = parse(&batch()).unwrap();
    assert_eq!(parse(&serde_json::from_slice(&payload(&read)).unwrap()).unwrap(), read);
    assert_eq!((read.after, read.upto), (Place { file: 1, offset: 8 }, Place { file: 2, offset: 0 }));
    assert!(matches!(&read.records[0], Record::Word { key, about: None, .. } if key == "k1"));
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    assert!(matches!(changed(|b| b["version"] = json!(2)), WireFault::Version { found: 2, .. }));
    assert!(matches!(changed(|b| b["line"] = json!("")), WireFault::Value { field: "line", .. }));
    assert!(matches!(changed(|b| b["log"] = json!("a\nb")), WireFault::Value { field: "log", .. }));
    let back = changed(|b| b["upto"] = json!({"file": 1, "offset": 8}));
    assert!(matches!(back, WireFault::Value { field: "upto", .. }), "{back}");
    let many = changed(|b| b["records"] = json!(vec![word(); MAX_RECORDS + 1]));
    assert!(matches!(many, WireFault::Value { field: "records", .. }), "{many}");
    assert!(matches!(
        changed(|b| b["records"][0]["key"] = json!("k".repeat(65))),
        WireFault::Value { field: "key", .. }
    ));
    assert!(matches!(changed(|b| b["records"][0]["kind"] = json!("other")), WireFault::Form { .. }));
    let long = vec![b' '; Way::Batch.max_bytes() + 1];
    assert!(matches!(Batch::parse(&long), Err(WireFault::TooLong { .. })));
}

#[test]
fn a_matrix_travels_exactly_and_half_a_one_is_refused() {
    let bytes: Vec<u8> = (0..19_008_u32).map(|n| (n % 251) as u8).collect();
    let matrix = Matrix::of(&bytes);
    assert_eq!(matrix.decode().unwrap(), Some(CoilMatrix::from_bytes(&bytes).unwrap()));
    assert_eq!(Matrix::Shed.decode().unwrap(), None);
    assert!(Matrix::of(&bytes[..100]).decode().is_err());
    assert!(Matrix::Kept { data: "=".into() }.decode().is_err());
}

#[test]
fn short_records_share_a_batch_and_a_long_one_goes_alone() {
    let half = Way::Batch.max_bytes() / 8;
    assert!(fits(0, 0, 2 << 20), "the longest");
    assert!(fits(1, half - 10, 10));
    assert!(!fits(1, half - 10, 11));
    assert!(!fits(MAX_RECORDS, 0, 1));
}

#[test]
fn the_place_and_the_report_are_checked() {
    let stored = json!({"version": 1, "line": "gl2", "log": "0011", "upto": {"file": 2, "offset": 0}});
    let read = Stored::parse(&serde_json::to_vec(&stored).unwrap()).unwrap();
    assert_eq!((read.upto, read.wait_s), (Place { file: 2, offset: 0 }, None));
    assert!(Stored::parse(&[b' '; 5000]).is_err());
    let report = json!({
        "version": 1, "line": "gl2", "at": "2026-11-20T06:00:00Z", "set": "ab", "triggers": [],
        "performance": [{"set": "ab", "judge": "ensemble", "window": "200c", "coils": 200, "labelled": 12, "score": 0.7,
            "interval": [0.4, 0.9], "balanced_accuracy": null, "mcc": null, "tolerance_class": null}],
    });
    let read = Report::parse(&serde_json::to_vec(&report).unwrap()).unwrap();
    assert_eq!(read.performance[0].interval, Some((0.4, 0.9)));
    let mut hostile = report;
    hostile["performance"][0]["judge"] = json!("j".repeat(65));
    assert!(Report::parse(&serde_json::to_vec(&hostile).unwrap()).is_err());
}

proptest! {
    #[test]
    fn no_bytes_make_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = (Batch::parse(&bytes), Stored::parse(&bytes), Report::parse(&bytes));
    }

    #[test]
    fn no_cut_or_changed_batch_makes_a_panic(at in 0_usize..300, byte: u8) {
        let mut bytes = serde_json::to_vec(&batch()).unwrap();
        let at = at % bytes.len();
        let _ = Batch::parse(&bytes[..at]);
        bytes[at] = byte;
        if let Ok(read) = Batch::parse(&bytes) {
            prop_assert!(read.upto > read.after);
        }
    }
}

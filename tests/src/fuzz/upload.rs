//! What lines and the plant's record say to each other: a byte for the topic, then the payload.

use super::wire::{again, taken};
use crate::uplink::decision;
use coilsight_models::message::upload::{
    Batch, MAX_RECORDS, MAX_ROWS, Matrix, Performance, Place, Record, Report, Stored, Trigger, VERSION, Way,
    payload,
};

/// What is read holds to its limits, and says the same when it is said again.
pub fn run(data: &[u8]) {
    let Some((way, data)) = data.split_first() else { return };
    let way = Way::ALL[usize::from(*way) % Way::ALL.len()];
    match way {
        Way::Batch => {
            let Some(batch) = taken(way, data, Batch::parse(data)) else { return };
            assert!(batch.records.len() <= MAX_RECORDS && batch.after < batch.upto);
            for record in &batch.records {
                if let Record::Decision { assessment, matrix } = record {
                    assert_eq!(assessment.line, batch.line);
                    assert_eq!(matches!(matrix, Matrix::Kept { .. }), matrix.decode().unwrap().is_some());
                }
            }
            again(way, &payload(&batch), &batch, Batch::parse);
        }
        Way::Stored => {
            let Some(stored) = taken(way, data, Stored::parse(data)) else { return };
            again(way, &payload(&stored), &stored, Stored::parse);
        }
        Way::Report => {
            let Some(report) = taken(way, data, Report::parse(data)) else { return };
            assert!(report.performance.len() <= MAX_ROWS && report.triggers.len() <= MAX_ROWS);
            again(way, &payload(&report), &report, Report::parse);
        }
    }
}

/// One of each kind.
pub fn seeds() -> Vec<Vec<u8>> {
    let (assessment, matrix) = decision("gl2", 0);
    let word = r#"{"coil_id":"C0","label":"NOK","operator":"op-1","at":"2026-03-02T08:00:00Z","known":true}"#;
    let word = serde_json::from_str(word).expect("a word");
    let decided = |matrix| Record::Decision { assessment: Box::new(assessment.clone()), matrix };
    let batch = |records| Batch {
        version: VERSION,
        line: "gl2".into(),
        log: "0011".into(),
        after: Place::default(),
        upto: Place { file: 1, offset: 8 },
        records,
    };
    let said =
        Record::Word { key: "k1".into(), about: Some(assessment.decision_id.clone()), word: Box::new(word) };
    let stored = Stored {
        version: VERSION,
        line: "gl2".into(),
        log: "0011".into(),
        upto: Place { file: 1, offset: 8 },
        wait_s: Some(5),
    };
    let row = Performance {
        set: None,
        judge: "line".into(),
        tolerance_class: Some("A".into()),
        window: "200c".into(),
        coils: 200,
        labelled: 17,
        score: Some(0.5),
        interval: Some((0.25, 0.75)),
        balanced_accuracy: None,
        mcc: Some(-0.5),
    };
    let at = "2026-03-02T08:00:00Z".parse().expect("a time");
    let report = Report {
        version: VERSION,
        line: "gl2".into(),
        at,
        set: "ab".repeat(32),
        performance: vec![row],
        triggers: vec![Trigger {
            rule: "score".into(),
            model: None,
            set: "ab".repeat(32),
            at,
            holds: true,
            text: "few are right".into(),
            to_do: "retrain".into(),
        }],
    };
    [
        (0, payload(&batch(vec![decided(Matrix::Shed), said]))),
        (0, payload(&batch(vec![decided(Matrix::None)]))),
        (0, payload(&batch(vec![decided(Matrix::of(&matrix[..64]))]))),
        (1, payload(&stored)),
        (2, payload(&report)),
        (2, b"{\"version\":2}".to_vec()),
    ]
    .map(|(way, bytes)| [&[way], bytes.as_slice()].concat())
    .to_vec()
}

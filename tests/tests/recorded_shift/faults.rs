//! A bad day: each pass has the outcome that the plant interface names for its fault.

use super::{Decided, codes, play};
use coilsight_models::coil::{CHUNKS, GAUGES};
use coilsight_models::tally::{Reason, Tally};
use coilsight_models::verdict::Verdict;
use coilsight_tests::data;
use coilsight_tests::shift::{Pass, Shift, differences};
use std::collections::BTreeMap;

const RECORDING: &str = "recordings/shift-faults.jsonl";

/// What becomes of a pass.
enum Outcome {
    /// OK or NOK by the models, without a person.
    Judged,
    /// A person decides, for this reason (besides what the models may add).
    Review(&'static str),
    /// No decision: nothing of it could be read.
    None,
}

/// What becomes of its matrix.
enum Cells {
    /// All as given.
    Whole,
    /// As given but for chunks that hold rows between these places, m: rows there were lost.
    ButBetween(&'static [(f64, f64)]),
    /// As given but for one column, of which nothing is read.
    ButColumn(usize),
    /// There is none.
    None,
}

use Cells::{ButBetween, ButColumn, Whole};
use Outcome::{Judged, Review};

/// The shift's 26 passes, in its table's order.
const TABLE: [(&str, &str, Outcome, Cells); 26] = [
    ("GL2-26102000", "none", Judged, Whole),
    ("GL2-26102001", "cut_json", Judged, ButBetween(&[(75.0, 100.0), (175.0, 200.0)])),
    ("GL2-26102002", "narrow_rows", Judged, ButBetween(&[(100.0, 125.0)])),
    ("GL2-26102003", "repeated_batch", Judged, Whole),
    ("GL2-26102004", "reversed_batch", Judged, Whole),
    ("GL2-26102005", "absurd_values", Judged, ButBetween(&[(125.0, 150.0)])),
    ("GL2-26102006", "no_end", Review("no_end"), Whole),
    ("GL2-26102007", "double_end", Judged, Whole),
    ("GL2-26102008", "start_missing", Review("no_start"), Whole),
    ("GL2-26102009", "start_damaged", Review("no_start"), Whole),
    ("GL2-26102010", "whole_coil_repeated", Judged, Whole),
    ("GL2-26102010", "id_reused_for_a_new_pass", Judged, Whole),
    ("GL2-26102012", "interleaved", Judged, Whole),
    ("GL2-26102013", "matrix_instead_of_rows", Judged, Whole),
    ("GL2-26102014", "matrix_of_wrong_shape", Review("wrong_shape"), Cells::None),
    ("GL2-26102015", "second_start_same", Judged, Whole),
    ("GL2-26102016", "rows_past_the_end", Judged, Whole),
    ("GL2-26102017", "conflicting_rows", Judged, Whole),
    ("GL2-26102018", "batches_out_of_order", Judged, Whole),
    ("GL2-26102019", "garbage_300k", Judged, Whole),
    ("GL2-26102020", "a_third_missing", Review("strip_unseen"), ButBetween(&[(0.0, 879.5)])),
    ("GL2-26102021", "dead_gauge", Review("blind_gauges"), ButColumn(4)),
    ("GL2-26102022", "end_late", Judged, Whole),
    ("GL2-26102023", "order_data_absurd", Review("bad_order"), Whole),
    ("<img src=x onerror=alert(1)>", "hostile_id", Outcome::None, Cells::None),
    ("GL2-26102025", "feedback_contradicts", Judged, Whole),
];

#[test]
fn every_fault_has_the_outcome_that_the_plant_interface_names() {
    let Some(recording) = data("every_fault_has_the_outcome_that_the_plant_interface_names", RECORDING)
    else {
        return;
    };
    let shift = Shift::read(&recording).unwrap();
    let state = tempfile::tempdir().unwrap();
    let (decided, summary) = play(&recording, state.path());
    assert_eq!((shift.passes.len(), decided.len(), summary.decisions), (26, 25, 25));
    for (pass, (coil_id, fault, outcome, cells)) in shift.passes.iter().zip(&TABLE) {
        assert_eq!((pass.coil_id.as_str(), pass.fault.as_str()), (*coil_id, *fault));
        check(pass, outcome, cells, &decided);
    }
    sums(&summary.tally);
}

fn check(pass: &Pass, outcome: &Outcome, cells: &Cells, decided: &[Decided]) {
    let fault = &pass.fault;
    let heard = !matches!(outcome, Review("no_start"));
    let started = pass.started_at.parse().ok().filter(|_| heard);
    let own: Vec<&Decided> = decided
        .iter()
        .filter(|d| d.assessment.coil_id.as_str() == pass.coil_id && d.assessment.pass == started)
        .collect();
    if matches!(outcome, Outcome::None) {
        assert_eq!(own.len(), 0, "{fault}");
        return;
    }
    let [Decided { assessment, matrix }] = own[..] else { panic!("{fault}: {} decisions", own.len()) };
    let reasons = codes(assessment);
    match outcome {
        Judged => {
            assert!(matches!(assessment.verdict, Verdict::Ok | Verdict::Nok), "{fault}: {reasons:?}");
            assert_eq!(assessment.by_score, Some(assessment.verdict), "{fault}");
        }
        Review(code) => {
            assert_eq!(assessment.verdict, Verdict::Review, "{fault}");
            assert_eq!(reasons[0], *code, "{fault}: {reasons:?}");
            // Judged all the same wherever there is something to judge.
            assert_eq!(assessment.p_nok.is_some(), matrix.is_some(), "{fault}");
        }
        Outcome::None => {}
    }
    let Some(matrix) = matrix else {
        assert!(matches!(cells, Cells::None), "{fault}: no matrix");
        return;
    };
    let apart = differences(matrix, &pass.matrix);
    let length_m = assessment.length_m.unwrap();
    match cells {
        Whole => assert_eq!(apart, [], "{fault}"),
        ButBetween(places) => {
            let chunk = |m: f64| (m / length_m * CHUNKS as f64) as usize;
            let lost = |k: usize| places.iter().any(|(from, to)| (chunk(*from)..=chunk(*to)).contains(&k));
            assert!(apart.iter().all(|(k, _)| lost(*k)), "{fault}: {apart:?}");
        }
        ButColumn(column) => {
            assert!(apart.iter().all(|(_, g)| g == column), "{fault}: {apart:?}");
            assert!((0..CHUNKS).all(|k| matrix.mean()[k * GAUGES + column] == 0), "{fault}");
        }
        Cells::None => panic!("{fault}: a matrix"),
    }
    eprintln!("{fault}: {} cells differ", apart.len());
}

/// Counted by hand in the recording: what was sent, and where each of it must end.
fn sums(tally: &Tally) {
    assert!(tally.adds_up());
    let messages = &tally.messages;
    assert_eq!((messages.received, messages.used), (1555, 1440));
    // 16 batches again, an end and a start again, a whole coil again (31), a word of feedback again.
    assert_eq!(messages.duplicate, 16 + 1 + 1 + 31 + 1);
    let aside = BTreeMap::from([
        (Reason::Oversized, 1),
        // Two batches cut off, and a start.
        (Reason::Malformed, 3),
        // A whole coil under markup: start, 54 batches, end, feedback.
        (Reason::BadCoilId, 57),
        (Reason::WrongShape, 1),
        (Reason::WrongWidth, 1),
        (Reason::Conflicting, 1),
        (Reason::UnknownCoil, 1),
    ]);
    assert_eq!(messages.set_aside, aside);
    let rows = &tally.rows;
    assert_eq!((rows.received, rows.used, rows.open), (71_075, 68_693, 0));
    assert_eq!(rows.duplicate, 16 * 50 + 1445);
    let aside = BTreeMap::from([
        (Reason::WrongWidth, 50),
        (Reason::BadPosition, 1),
        (Reason::Conflicting, 50),
        (Reason::BeyondLength, 36),
    ]);
    assert_eq!(rows.set_aside, aside);
    assert_eq!(tally.readings.set_aside, BTreeMap::from([(Reason::AbsurdValue, 3)]));
}

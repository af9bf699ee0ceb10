//! What the plant publishes: a byte for the kind, then the payload.

use super::coil::harmless;
use coilsight_models::chunk::MAX_LENGTH_M;
use coilsight_models::coil::{CELLS, CHUNKS, CoilMatrix, GAUGES, MAX_READING, OrderFault, SIDE_GAUGES};
use coilsight_models::message::Kind;
use coilsight_models::message::inbound::{
    End, Feedback, Inbound, MAX_ROWS_A_MESSAGE, Rows, Start, WholeCoil, parse,
};
use coilsight_models::tally::Reason;
use serde_json::{Value, json};

const KINDS: [Kind; 6] = [Kind::Start, Kind::Gauge, Kind::End, Kind::Matrix, Kind::Feedback, Kind::Surface];

/// What is read holds to its limits, and says the same when it is said again.
pub fn run(data: &[u8]) {
    let Some((kind, payload)) = data.split_first() else { return };
    let kind = KINDS[usize::from(*kind) % KINDS.len()];
    let message = match parse(kind, payload) {
        Ok(message) => message,
        Err(reason) => {
            assert_eq!(reason == Reason::Oversized, payload.len() > kind.max_bytes(), "{kind:?}: {reason:?}");
            return;
        }
    };
    let (again, first) = match message {
        Inbound::Start(start) => (said_start(&start), Inbound::Start(start)),
        Inbound::Rows(rows) => {
            let rows = checked_rows(rows);
            (said_rows(&rows), Inbound::Rows(rows))
        }
        Inbound::End(end) => (said_end(&end), Inbound::End(end)),
        Inbound::WholeCoil(coil) => {
            let coil = checked_whole(coil);
            (said_whole(&coil), Inbound::WholeCoil(coil))
        }
        Inbound::Feedback(feedback) => (said_feedback(&feedback), Inbound::Feedback(feedback)),
    };
    let again = again.to_string();
    if again.len() <= kind.max_bytes() {
        assert_eq!(parse(kind, again.as_bytes()), Ok(first), "{again}");
    }
}

fn said_start(start: &Start) -> Value {
    harmless(&start.coil_id);
    let mut said = json!({ "coil_id": start.coil_id, "at": start.at });
    match start.order {
        Ok(order) => {
            said["nominal_g_m2"] = order.nominal_g_m2().into();
            said["tolerance_class"] = order.tolerance_class().letter().into();
            said["width_mm"] = order.width_mm().into();
        }
        Err(OrderFault::NominalWeight) => {}
        Err(OrderFault::Width) => said["nominal_g_m2"] = 70.into(),
        Err(OrderFault::ToleranceClass) => {
            said["nominal_g_m2"] = 70.into();
            said["width_mm"] = 1250.into();
        }
    }
    said
}

fn said_end(end: &End) -> Value {
    harmless(&end.coil_id);
    assert!(end.length_m > 0.0 && end.length_m <= MAX_LENGTH_M, "{}", end.length_m);
    json!({ "coil_id": end.coil_id, "at": end.at, "length_m": end.length_m })
}

/// The rows that are good: what was set aside is not said again.
fn checked_rows(rows: Rows) -> Rows {
    assert!(rows.rows.len() <= MAX_ROWS_A_MESSAGE);
    assert!(rows.absurd_readings <= (GAUGES * rows.rows.len()) as u64);
    let good: Vec<_> = rows.rows.into_iter().flatten().map(Ok).collect();
    for row in good.iter().flatten() {
        assert!(row.position.metres() <= MAX_LENGTH_M);
        let read = (0..GAUGES).filter_map(|column| row.readings.at(column));
        assert!(read.into_iter().all(|v| (0.0..=MAX_READING).contains(&v)), "{row:?}");
    }
    Rows { rows: good, absurd_readings: 0, ..rows }
}

fn said_rows(rows: &Rows) -> Value {
    harmless(&rows.coil_id);
    let good = || rows.rows.iter().flatten();
    let side = |from: usize| -> Vec<Vec<Option<f64>>> {
        good().map(|row| (from..from + SIDE_GAUGES).map(|column| row.readings.at(column)).collect()).collect()
    };
    let positions: Vec<f64> = good().map(|row| row.position.metres()).collect();
    json!({
        "coil_id": rows.coil_id, "position_m": positions, "top": side(0), "bottom": side(SIDE_GAUGES),
    })
}

fn checked_whole(coil: WholeCoil) -> WholeCoil {
    assert!(coil.absurd_cells <= CELLS as u64);
    assert!(coil.length_m.is_none_or(|m| m > 0.0 && m <= MAX_LENGTH_M));
    WholeCoil { absurd_cells: 0, ..coil }
}

fn said_whole(coil: &WholeCoil) -> Value {
    let mut said = said_start(&coil.start);
    said["length_m"] = coil.length_m.into();
    if let Ok(matrix) = &coil.matrix {
        let limit = coil.start.order.map_or(MAX_READING, |order| order.max_reading());
        (said["mean"], said["std"]) = cells(matrix, limit);
    }
    said
}

/// Means and spreads as a gateway says them; rounding has lifted no mean over its limit.
fn cells(matrix: &CoilMatrix, limit: f64) -> (Value, Value) {
    let grid = |values: &[u16]| -> Value {
        let cell = |i: usize| match matrix.mean()[i] {
            0 => Value::Null,
            _ => (f64::from(values[i]) / 100.0).min(limit.max(0.01)).into(),
        };
        (0..CHUNKS).map(|k| (k * GAUGES..(k + 1) * GAUGES).map(cell).collect::<Value>()).collect()
    };
    (grid(matrix.mean()), grid(matrix.std()))
}

fn said_feedback(feedback: &Feedback) -> Value {
    harmless(&feedback.coil_id);
    assert!(!feedback.operator.trim().is_empty() && feedback.operator.chars().count() <= 64);
    assert!(feedback.remark.as_ref().is_none_or(|remark| remark.chars().count() <= 1000));
    let texts = feedback.remark.iter().chain([&feedback.operator]);
    assert!(texts.into_iter().all(|text| !text.contains(char::is_control)));
    serde_json::to_value(feedback).expect("feedback becomes JSON")
}

/// A good payload of every kind, and some that are nearly good.
pub fn seeds() -> Vec<Vec<u8>> {
    let row = "[70.1,69.2,null,71,70,70,70,70,7e1]";
    let start = r#""coil_id":"GL2-1","at":"2026-01-05T06:00:00Z","nominal_g_m2":70,"tolerance_class":"B","width_mm":1250"#;
    let grid =
        |cell: &str| format!("[{}]", vec![format!("[{}]", vec![cell; GAUGES].join(",")); CHUNKS].join(","));
    let payloads = [
        (0, format!("{{{start}}}")),
        (0, r#"{"coil_id":"GL2-1","at":"2026-01-05T07:00:00+01:00","nominal_g_m2":-3}"#.to_string()),
        (1, format!(r#"{{"coil_id":"GL2-1","position_m":[0,0.5],"top":[{row},{row}],"bottom":[{row},{row}]}}"#)),
        (1, format!(r#"{{"coil_id":"GL2-1","position_m":[0,-1,"x"],"top":[{row},[1]],"bottom":[{row},[-1e9]]}}"#)),
        (2, r#"{"coil_id":"GL2-1","at":"2026-01-05T06:12:00Z","length_m":1782.5}"#.to_string()),
        (2, r#"{"coil_id":"GL2-1","length_m":1e308}"#.to_string()),
        (2, r#"{"coil_id":"GL2-1","length_m":-1}"#.to_string()),
        (3, format!(r#"{{{start},"length_m":132.5,"mean":{},"std":{}}}"#, grid("70.1"), grid("1"))),
        (3, format!(r#"{{{start},"length_m":132.5,"mean":[[70,null]],"std":[[1,1]]}}"#)),
        (4, r#"{"coil_id":"GL2-1","label":"NOK","operator":"Kim","at":"2026-01-05T09:00:00Z","remark":"edge"}"#.to_string()),
        (5, "\u{ff}JFIF".to_string()),
    ];
    payloads.into_iter().map(|(kind, payload)| [&[kind], payload.as_bytes()].concat()).collect()
}

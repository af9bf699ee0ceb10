//! What the plant says: payloads parsed with nothing trusted and everything bounded.
//!
//! One field that makes no sense does not cost the rest: order data out of sense leave a start without
//! an [`Order`], a narrow row leaves its neighbours, an absurd reading leaves its row.

use super::Kind;
use crate::chunk::{MAX_LENGTH_M, Position, Readings, Row};
use crate::coil::{CELLS, CHUNKS, CoilId, CoilMatrix, GAUGES, MAX_READING, Order, OrderFault, SIDE_GAUGES};
use crate::tally::Reason;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Most rows in one message that are looked at.
pub const MAX_ROWS_A_MESSAGE: usize = 2_000;

/// A message that could be read.
#[derive(Clone, Debug, PartialEq)]
pub enum Inbound {
    /// A coil begins.
    Start(Start),
    /// Rows across the strip.
    Rows(Rows),
    /// A coil ends.
    End(End),
    /// A whole coil at once.
    WholeCoil(WholeCoil),
    /// An inspector's word.
    Feedback(Feedback),
}

/// `coil/start`: a pass is its coil id and this `at`.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// The coil.
    pub coil_id: CoilId,
    /// When the pass began: with the id, the pass's name.
    pub at: Timestamp,
    /// What was ordered, if it makes sense.
    pub order: Result<Order, OrderFault>,
}

/// `gauge`: a batch of rows, each judged by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// The coil.
    pub coil_id: CoilId,
    /// The rows that came, good or set aside.
    pub rows: Vec<Result<Row, Reason>>,
    /// Readings inside good rows that were absurd in themselves and left out.
    pub absurd_readings: u64,
}

/// `coil/end`: only now is the length known.
#[derive(Clone, Debug, PartialEq)]
pub struct End {
    /// The coil.
    pub coil_id: CoilId,
    /// When it ended; nothing hangs on it.
    pub at: Option<Timestamp>,
    /// Length of the strip, m.
    pub length_m: f64,
}

/// `coil/matrix`: a coil that the gateway chunked by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct WholeCoil {
    /// As a `coil/start` would have said it.
    pub start: Start,
    /// Length of the strip, m, if it makes sense.
    pub length_m: Option<f64>,
    /// The matrix, unless its shape is wrong.
    pub matrix: Result<CoilMatrix, Reason>,
    /// Cells that were absurd and became gaps.
    pub absurd_cells: u64,
}

/// An inspector's label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Label {
    /// Good.
    Ok,
    /// Not good.
    Nok,
}

/// `feedback`: an inspector's word on a coil.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feedback {
    /// The coil.
    pub coil_id: CoilId,
    /// What the inspector says.
    pub label: Label,
    /// Who says it.
    pub operator: String,
    /// When it was said.
    pub at: Timestamp,
    /// Anything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
}

/// Reads a payload of `kind`, or says why it is set aside.
pub fn parse(kind: Kind, payload: &[u8]) -> Result<Inbound, Reason> {
    if payload.len() > kind.max_bytes() {
        return Err(Reason::Oversized);
    }
    if kind == Kind::Surface {
        return Err(Reason::NotHandled);
    }
    let value: Value = serde_json::from_slice(payload).map_err(|_| Reason::Malformed)?;
    let Value::Object(fields) = value else { return Err(Reason::Malformed) };
    match kind {
        Kind::Start => start(&fields).map(Inbound::Start),
        Kind::Gauge => rows(&fields).map(Inbound::Rows),
        Kind::End => end(&fields).map(Inbound::End),
        Kind::Matrix => whole_coil(&fields).map(Inbound::WholeCoil),
        Kind::Feedback => feedback(&fields).map(Inbound::Feedback),
        Kind::Surface => Err(Reason::NotHandled),
    }
}

fn coil_id(fields: &Map<String, Value>) -> Result<CoilId, Reason> {
    let text = fields.get("coil_id").ok_or(Reason::MissingField)?.as_str().ok_or(Reason::BadCoilId)?;
    CoilId::new(text).map_err(|_| Reason::BadCoilId)
}

fn time(fields: &Map<String, Value>) -> Result<Timestamp, Reason> {
    let text = fields.get("at").ok_or(Reason::MissingField)?.as_str().ok_or(Reason::BadTime)?;
    text.parse().map_err(|_| Reason::BadTime)
}

fn number(fields: &Map<String, Value>, name: &str) -> Option<f64> {
    fields.get(name).and_then(Value::as_f64)
}

fn length(fields: &Map<String, Value>) -> Option<f64> {
    number(fields, "length_m").filter(|m| *m > 0.0 && *m <= MAX_LENGTH_M)
}

fn start(fields: &Map<String, Value>) -> Result<Start, Reason> {
    let order = || {
        let nominal = number(fields, "nominal_g_m2").ok_or(OrderFault::NominalWeight)?;
        let class = fields.get("tolerance_class").and_then(Value::as_str).unwrap_or_default();
        let width = number(fields, "width_mm").ok_or(OrderFault::Width)?;
        Order::new(nominal, class.parse()?, width)
    };
    Ok(Start { coil_id: coil_id(fields)?, at: time(fields)?, order: order() })
}

fn end(fields: &Map<String, Value>) -> Result<End, Reason> {
    let coil_id = coil_id(fields)?;
    let length_m = length(fields).ok_or(Reason::BadLength)?;
    Ok(End { coil_id, at: time(fields).ok(), length_m })
}

fn rows(fields: &Map<String, Value>) -> Result<Rows, Reason> {
    let coil_id = coil_id(fields)?;
    let list = |name: &str| fields.get(name).and_then(Value::as_array).ok_or(Reason::MissingField);
    let (positions, top, bottom) = (list("position_m")?, list("top")?, list("bottom")?);
    let count = positions.len().max(top.len()).max(bottom.len());
    if count > MAX_ROWS_A_MESSAGE {
        return Err(Reason::TooManyRows);
    }
    let mut absurd_readings = 0;
    let rows = (0..count)
        .map(|i| {
            let (row, absurd) = row(positions.get(i), top.get(i), bottom.get(i))?;
            absurd_readings += absurd;
            Ok(row)
        })
        .collect();
    Ok(Rows { coil_id, rows, absurd_readings })
}

/// One row and how many of its readings were absurd; a row of nothing but absurd readings is set aside.
fn row(position: Option<&Value>, top: Option<&Value>, bottom: Option<&Value>) -> Result<(Row, u64), Reason> {
    let position_m = position.ok_or(Reason::WrongWidth)?.as_f64().ok_or(Reason::BadPosition)?;
    let position = Position::from_metres(position_m).ok_or(Reason::BadPosition)?;
    let mut readings = Readings::NONE;
    let (mut read, mut absurd) = (0, 0);
    for (side, values) in [top, bottom].into_iter().enumerate() {
        let values = values.and_then(Value::as_array).ok_or(Reason::WrongWidth)?;
        if values.len() != SIDE_GAUGES {
            return Err(Reason::WrongWidth);
        }
        for (gauge, value) in values.iter().enumerate() {
            match reading(value) {
                Ok(Some(v)) => {
                    readings.set(side * SIDE_GAUGES + gauge, v);
                    read += 1;
                }
                Ok(None) => {}
                Err(()) => absurd += 1,
            }
        }
    }
    if read == 0 && absurd > 0 {
        return Err(Reason::AbsurdValue);
    }
    Ok((Row { position, readings }, absurd))
}

/// `null` is no reading; what no coating weighs is an error.
fn reading(value: &Value) -> Result<Option<f64>, ()> {
    match value {
        Value::Null => Ok(None),
        Value::Number(n) => match n.as_f64() {
            Some(v) if (0.0..=MAX_READING).contains(&v) => Ok(Some(v)),
            _ => Err(()),
        },
        _ => Err(()),
    }
}

fn whole_coil(fields: &Map<String, Value>) -> Result<WholeCoil, Reason> {
    let start = start(fields)?;
    let limit = start.order.map_or(MAX_READING, |order| order.max_reading());
    let mut absurd_cells = 0;
    let matrix = cells(fields, limit, &mut absurd_cells);
    Ok(WholeCoil { start, length_m: length(fields), matrix, absurd_cells })
}

fn cells(fields: &Map<String, Value>, limit: f64, absurd: &mut u64) -> Result<CoilMatrix, Reason> {
    let grid = |name: &str| -> Result<Vec<&Value>, Reason> {
        let rows = fields.get(name).and_then(Value::as_array).ok_or(Reason::WrongShape)?;
        if rows.len() != CHUNKS {
            return Err(Reason::WrongShape);
        }
        let mut cells = Vec::with_capacity(CELLS);
        for row in rows {
            let row = row.as_array().filter(|r| r.len() == GAUGES).ok_or(Reason::WrongShape)?;
            cells.extend(row);
        }
        Ok(cells)
    };
    let (mean, std) = (grid("mean")?, grid("std")?);
    let cells: Vec<_> = mean
        .into_iter()
        .zip(std)
        .map(|(mean, std)| match (reading(mean), reading(std)) {
            (Ok(None), _) => None,
            (Ok(Some(m)), Ok(s)) if m <= limit => Some((m, s.unwrap_or(0.0))),
            _ => {
                *absurd += 1;
                None
            }
        })
        .collect();
    CoilMatrix::from_cells(&cells).map_err(|_| Reason::WrongShape)
}

fn feedback(fields: &Map<String, Value>) -> Result<Feedback, Reason> {
    let coil_id = coil_id(fields)?;
    let at = time(fields)?;
    let text = |name: &str, most: usize| match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(s)) if s.chars().count() <= most && !s.chars().any(char::is_control) => {
            Ok(Some(s.clone()))
        }
        Some(_) => Err(Reason::BadFeedback),
    };
    let label = match fields.get("label").and_then(Value::as_str) {
        Some("OK") => Label::Ok,
        Some("NOK") => Label::Nok,
        _ => return Err(Reason::BadFeedback),
    };
    let operator = text("operator", 64)?.filter(|s| !s.trim().is_empty()).ok_or(Reason::BadFeedback)?;
    Ok(Feedback { coil_id, label, operator, at, remark: text("remark", 1000)? })
}

#[cfg(test)]
mod tests;

//! Second call: a closed pass becomes a matrix, with what speaks against judging it without a person.

use super::pass::{Given, OpenPass, PassKey};
use super::{Line, Result};
use coilsight_models::chunk::{Chunked, Coverage};
use coilsight_models::coil::{CoilMatrix, Order};
use coilsight_models::tally::{Counts, Reason};
use coilsight_models::verdict::{Cause, coverage_causes};
use jiff::Timestamp;

/// A pass as it was seen.
#[derive(Debug)]
pub(super) struct Seen {
    pub key: PassKey,
    /// The set that judges it.
    pub bound: String,
    pub order: Option<Order>,
    /// `None` if nothing usable was seen.
    pub matrix: Option<CoilMatrix>,
    pub length_m: Option<f64>,
    pub coverage: Coverage,
    /// Where the pass's rows ended.
    pub rows: Counts,
    /// Where their readings ended.
    pub readings: Counts,
    /// When it ended, by its end.
    pub ended_at: Option<Timestamp>,
    /// What asks for a person.
    pub causes: Vec<Cause>,
}

impl Line {
    pub(super) fn normalise(&self, pass: &OpenPass) -> Result<Seen> {
        let key = self.key(pass)?;
        let mut causes = Vec::new();
        let order = match pass.order() {
            None => {
                causes.push(Cause::NoStart);
                None
            }
            Some(Err(fault)) => {
                causes.push(Cause::BadOrder { fault });
                None
            }
            Some(Ok(order)) => Some(order),
        };
        let max_reading = pass.max_reading();
        let length_m = pass.end.or_else(|| pass.strip.seen_length_m());
        if pass.end.is_none() && pass.given.is_none() {
            causes.push(Cause::NoEnd);
        }
        let mut rows = pass.rows.clone();
        let mut readings = pass.readings.clone();
        let matrix = match (&pass.given, length_m) {
            (Some(Given::Matrix(matrix)), _) => Some(matrix.clone()),
            (Some(Given::Unusable(reason)), _) => {
                causes.push(match reason {
                    Reason::WrongShape => Cause::WrongShape,
                    _ => Cause::NothingSeen,
                });
                None
            }
            (None, Some(length_m)) if !pass.strip.is_empty() => {
                let Chunked { matrix, rows: laid, readings: read } = pass.strip.chunk(length_m, max_reading);
                rows += &laid;
                readings += &read;
                Some(matrix)
            }
            (None, _) => None,
        };
        let coverage = matrix.as_ref().map_or_else(Coverage::nothing, Coverage::of);
        if !causes.contains(&Cause::WrongShape) {
            causes.extend(coverage_causes(&coverage, &self.config.coverage));
        }
        let lost_m = pass.lost_m();
        if lost_m > self.config.coverage.max_missing_m && coverage.cells > 0.0 {
            causes.push(Cause::RowsLost { metres: lost_m });
        }
        if pass.early {
            causes.push(Cause::ClosedEarly);
        }
        // What a flood of ids leaves is neither judged nor kept: it would take the room of coils that are.
        let worth_it = !(pass.early && pass.is_hardly_begun());
        let matrix = matrix.filter(|_| coverage.cells > 0.0 && worth_it);
        let ended_at = pass.ended_at;
        Ok(Seen {
            key,
            bound: pass.bound.clone(),
            order,
            matrix,
            length_m,
            coverage,
            rows,
            readings,
            ended_at,
            causes,
        })
    }

    /// The name of a pass.
    pub(super) fn key(&self, pass: &OpenPass) -> Result<PassKey> {
        let id = pass.coil_id.clone();
        if let Some(start) = &pass.start {
            return Ok(PassKey::Started(id, start.at));
        }
        let mut n = 0;
        while self.archive.pass(&PassKey::Unheard(id.clone(), n).to_string())?.is_some() {
            n += 1;
        }
        Ok(PassKey::Unheard(id, n))
    }
}

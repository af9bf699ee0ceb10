//! After a restart: passes that an earlier run left open are taken up from their journal.

use super::journal::Entry;
use super::pass::OpenPass;
use super::{Line, Result};
use crate::archive::OpenSegment;

impl Line {
    /// Takes up a pass that an earlier run left open, from its journal.
    pub(super) fn recover(&mut self, segment: &OpenSegment) -> Result<()> {
        let entries: Vec<Entry> = segment.records.iter().filter_map(|bytes| Entry::decode(bytes)).collect();
        if entries.len() < segment.records.len() {
            // Another version's, perhaps. What is missing sends the coil to a person: its start, its end or its rows.
            let skipped = segment.records.len() - entries.len();
            tracing::error!(segment = ?segment.id, skipped, "records of an open coil are passed over: not known here");
        }
        // The first record names the coil; where a disk has lost it, a start or a matrix does too.
        let Some(id) = entries.iter().find_map(Entry::coil_id).cloned() else {
            if !entries.is_empty() {
                tracing::error!(segment = ?segment.id, "rows are given up: the record that names their coil is lost");
            }
            // Begun, and cut off before anything was acknowledged.
            return Ok(self.archive.discard(segment.id)?);
        };
        // A coil has one open pass: an earlier one that a failing disk left behind is over.
        self.close(&id)?;
        self.step += 1;
        let active = self.judges.active().binding();
        let mut pass = OpenPass::new(id.clone(), Some(segment.id), active, self.now.elapsed, self.step);
        for entry in entries {
            match entry {
                Entry::Opened(_) => {}
                Entry::Bound(binding) => pass.bound = binding,
                Entry::Start(start) => pass.start = Some(start),
                Entry::Before(before) => pass.before = before,
                Entry::Rows(rows) => rows.iter().for_each(|row| {
                    pass.lay(row);
                }),
                Entry::End { length_m, at } => (pass.end, pass.ended_at) = (Some(length_m), at),
                Entry::Unreadable(sum) => pass.unreadable = sum,
                Entry::Whole(coil) => pass.take_whole(coil),
            }
        }
        self.open.insert(id.clone(), pass);
        self.close_if_complete(&id)
    }
}

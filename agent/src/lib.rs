//! The inspector at the line: gauge rows in, verdicts out, nothing lost, nothing decided twice.
//!
//! `line` is a coil's way from message to decision, `archive` what must outlive a power cut.

//! Whether this machine's clock is set, and kept right.

use super::Report;
use crate::app;
use std::path::Path;

/// systemd-timesyncd leaves this once it has set the clock.
const SYNCHRONISED: &str = "/run/systemd/timesync/synchronized";

pub(super) fn look(report: &mut Report) {
    let check = "clock";
    let Some(now) = app::wall_clock() else {
        report.fault(
            check,
            format!("not set: it says {}", jiff::Timestamp::now()),
            "set the clock, or give the machine a time server; certificates cannot be checked without",
        );
        return;
    };
    if Path::new(SYNCHRONISED).exists() {
        report.ok(check, format!("{now:.0}, synchronised by systemd-timesyncd"));
    } else {
        report.warn(
            check,
            format!("{now:.0}, and systemd-timesyncd has not set it"),
            "see `timedatectl`: if another service keeps the clock (chrony, PTP) ask that; else give the machine a time \
             server",
        );
    }
}

//! Whose models are believed, and whether the bundle is taken, exactly as `run` takes it.

use super::Report;
use crate::app;
use crate::config::Settings;
use crate::line::Judge;
use std::time::Instant;

pub(super) fn look(settings: &Settings, report: &mut Report) {
    let keys = match app::keys(settings) {
        Ok(keys) => keys,
        Err(error) => {
            report.fault(
                "keys",
                format!("{error:#}"),
                "without a key no bundle is believed, and every coil goes to a person: put the trainer's public key \
                 where bundle.trust points",
            );
            return;
        }
    };
    let names: Vec<&str> = keys.names().map(|(name, _)| name).collect();
    report.ok("keys", format!("bundles signed by {} are believed", names.join(", ")));
    let mut judge = match app::bundle(settings, &keys) {
        Ok(judge) => judge,
        Err(error) => {
            report.fault(
                "bundle",
                format!("{error:#}"),
                "give a bundle that this line accepts (bundle.file); until then every coil goes to a person",
            );
            return;
        }
    };
    let began = Instant::now();
    let proved = judge.prove();
    let took = began.elapsed();
    let model = judge.model();
    match proved {
        Ok(()) => report.ok(
            "bundle",
            format!(
                "{} release {} is accepted, its golden coils agree; a coil takes its models {:.1} ms",
                model.bundle,
                model.release,
                took.as_secs_f64() * 1e3
            ),
        ),
        Err(error) => report.fault(
            "bundle",
            crate::say::chain(&error),
            "the machine computes differently from one time to the next: check its memory and its cooling",
        ),
    }
}

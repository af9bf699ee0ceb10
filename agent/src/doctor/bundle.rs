//! Who is believed, and whether what decides is loaded exactly as `run` loads it.

use super::Report;
use crate::config::Settings;
use crate::line::{BundleJudge, Judge};
use crate::slots::{Provisioned, Release, State, Store, is_past, open_judge};
use crate::{app, manage, trust};
use coilsight_models::bundle::{KeyRole, TrustDocument, TrustedKeys};
use std::time::Instant;

pub(super) fn look(settings: &Settings, report: &mut Report) {
    let state = match manage::look(settings) {
        Ok((_, state)) => state,
        Err(error) => {
            report.fault("slots", format!("{error:#}"), "see to the disk; run this as the agent's user");
            return;
        }
    };
    let keys = whom(settings, &state, report);
    let judge = match (&state.active, keys) {
        (Some(active), _) => active_set(settings, active, &state, report),
        (None, Some(keys)) => first_set(settings, &keys, report),
        (None, None) => None,
    };
    if let Some(judge) = judge {
        prove(judge, report);
    }
}

fn whom(settings: &Settings, state: &State, report: &mut Report) -> Option<TrustedKeys> {
    let at_line = app::whom(settings);
    let in_force = match (&at_line, &state.trust) {
        (Ok(Provisioned::Document(document)), Some(kept)) if kept.version >= document.version => kept,
        (Ok(Provisioned::Document(document)), _) => document,
        (_, Some(kept)) => kept,
        (Ok(Provisioned::Keys(keys)), None) => {
            let names: Vec<&str> = keys.names().map(|(name, _)| name).collect();
            report.warn(
                "keys",
                format!("bundles signed by any one of {} are believed: keys without roles", names.join(", ")),
                "for a line that people release to, make a trust document (`coilsight-trainer trust new`) and name it in \
                 bundle.trust: then a set needs who builds and who releases",
            );
            return Some(keys.clone());
        }
        (Err(error), None) => {
            report.fault(
                "keys",
                format!("{error:#}"),
                "without keys no bundle is believed, and every coil goes to a person: put a trust document, or the \
                 trainer's public key, where bundle.trust points",
            );
            return None;
        }
    };
    report.ok("keys", told(in_force));
    TrustedKeys::of_document((**in_force).clone()).ok()
}

fn told(document: &TrustDocument) -> String {
    let role = |role: KeyRole| {
        let quorum = document.quorum(role);
        format!("{role}: {} of {}", quorum.required, quorum.keys.join(", "))
    };
    let roles: Vec<String> = document.roles().map(role).collect();
    format!("trust document {}; {}", document.version, roles.join("; "))
}

fn active_set(
    settings: &Settings,
    active: &Release,
    state: &State,
    report: &mut Report,
) -> Option<BundleJudge> {
    let loaded = manage::disk(settings).map(|disk| open_judge(&Store::over(disk), active));
    match loaded {
        Ok(Ok(judge)) => {
            if is_past(active, app::wall_clock(), state.signed_time) {
                report.warn(
                    "bundle",
                    format!("{active} was meant to be used until {}", active.not_after),
                    "it judges on; ask for a newer release",
                );
            }
            Some(judge)
        }
        Ok(Err(refusal)) => {
            report.fault(
                "bundle",
                crate::say::chain(&refusal),
                "push or install a bundle; at its next start the agent goes back to the last good set, if there is one",
            );
            None
        }
        Err(error) => {
            report.fault("bundle", format!("{error:#}"), "see to the disk");
            None
        }
    }
}

fn first_set(settings: &Settings, keys: &TrustedKeys, report: &mut Report) -> Option<BundleJudge> {
    let opened = trust::bundle(&settings.bundle.file, keys, Some(&settings.bundle.plant), &settings.line.id)
        .and_then(|bundle| Ok(BundleJudge::open(&bundle)?));
    opened
        .inspect_err(|error| {
            report.fault(
                "bundle",
                format!("{error:#}"),
                "push or install a bundle that this line accepts, or give one as bundle.file; until then every coil \
                 goes to a person",
            );
        })
        .ok()
}

fn prove(mut judge: BundleJudge, report: &mut Report) {
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

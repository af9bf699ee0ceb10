//! Other thresholds for a set that lines have already: a bundle without networks, which those who release may
//! bring without any trainer.

use crate::run::write_whole;
use anyhow::{Context, ensure};
use coilsight_models::bundle::manifest::{Content, FORMAT, Manifest, PolicyChange};
use coilsight_models::bundle::{Builder, Limits, OLDEST_AGENT, Sha256, Unverified};
use coilsight_models::verdict::{Policy, Threshold};
use jiff::Timestamp;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// Thresholds to be changed; what is `None` stays as the set has it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Thresholds {
    /// Class A.
    pub a: Option<Threshold>,
    /// Class B.
    pub b: Option<Threshold>,
    /// Class C.
    pub c: Option<Threshold>,
    /// Where the class is not known.
    pub unknown: Option<Threshold>,
}

/// What a bundle of thresholds says besides them.
#[derive(Clone, Debug)]
pub struct PolicyOptions {
    /// Its release counter, which sets and policies share.
    pub release: u64,
    /// Why, for the record.
    pub why: String,
    /// Now.
    pub now: Timestamp,
    /// Until when it is meant to be in use.
    pub not_after: Timestamp,
}

/// Writes a bundle that waits for its signatures: `thresholds` for the set in the file `set`, for the plant and lines
/// that the set is for. Returns its fingerprint and the whole policy.
pub fn lay_out_policy(
    set: &Path,
    thresholds: &Thresholds,
    options: &PolicyOptions,
    out: &Path,
) -> anyhow::Result<(Sha256, Policy)> {
    let file = File::open(set).with_context(|| format!("cannot open {}", set.display()))?;
    let bundle = Unverified::read(BufReader::new(file))?;
    let of = bundle.claimed();
    let old =
        &of.set().with_context(|| format!("give the set that judges: {} is none", set.display()))?.policy;
    let policy = Policy {
        a: thresholds.a.unwrap_or(old.a),
        b: thresholds.b.unwrap_or(old.b),
        c: thresholds.c.unwrap_or(old.c),
        unknown: thresholds.unknown.unwrap_or(old.unknown),
        miss_cost: old.miss_cost,
    };
    policy.check().context("give thresholds REVIEW_FROM,NOK_FROM,REVIEW_TO that rise from 0 to 1")?;
    ensure!(
        options.release > of.release,
        "give a release above {}, the set's: sets and policies count together",
        of.release
    );
    let change =
        PolicyChange { set: bundle.front().fingerprint(), policy: policy.clone(), why: options.why.clone() };
    let manifest = Manifest {
        format: FORMAT,
        release: options.release,
        floor: 0,
        created_at: options.now,
        not_after: options.not_after,
        requires_agent: OLDEST_AGENT,
        content: Content::Policy(change),
        files: Vec::new(),
        ..of.clone()
    };
    let layout = Builder::new(manifest).lay_out(&Limits::default())?;
    let (mut bytes, none): (Vec<u8>, [&str; 0]) = (Vec::new(), []);
    layout.write(&mut bytes, none)?;
    write_whole(out, &bytes)?;
    Ok((Sha256::of(layout.manifest_bytes()), policy))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SET: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/golden/pair.coilbundle");

    fn options(release: u64) -> PolicyOptions {
        PolicyOptions {
            release,
            why: "fewer false alarms".into(),
            now: "2026-11-22T08:00:00Z".parse().unwrap(),
            not_after: "2027-11-22T08:00:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn thresholds_change_and_everything_else_is_the_sets() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("policy.coilbundle");
        let b = Threshold { review_from: 0.5, nok_from: 0.6, review_to: 0.7 };
        let thresholds = Thresholds { b: Some(b), ..Thresholds::default() };
        let (fingerprint, policy) =
            lay_out_policy(Path::new(SET), &thresholds, &options(1000), &out).unwrap();
        let set = Unverified::read(File::open(SET).unwrap()).unwrap();
        let made = Unverified::read(File::open(&out).unwrap()).unwrap();
        assert_eq!(made.front().fingerprint(), fingerprint);
        assert_eq!((made.claimed().release, &made.claimed().lines), (1000, &set.claimed().lines));
        let Content::Policy(change) = &made.claimed().content else { panic!("a policy") };
        let old = &set.claimed().set().unwrap().policy;
        assert_eq!((change.set, &change.policy), (set.front().fingerprint(), &policy));
        assert_eq!((policy.b, policy.a, policy.miss_cost), (b, old.a, old.miss_cost));
        // Thresholds of thresholds there are none.
        assert!(
            lay_out_policy(&out, &thresholds, &options(1001), &out)
                .unwrap_err()
                .to_string()
                .contains("is none")
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused_and_nothing_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("policy.coilbundle");
        let try_it = |b: Threshold, release: u64| {
            let thresholds = Thresholds { b: Some(b), ..Thresholds::default() };
            lay_out_policy(Path::new(SET), &thresholds, &options(release), &out).unwrap_err().to_string()
        };
        let good = Threshold { review_from: 0.5, nok_from: 0.6, review_to: 0.7 };
        assert!(try_it(Threshold { nok_from: 0.4, ..good }, 1000).contains("rise from 0 to 1"));
        assert!(try_it(Threshold { review_to: f64::NAN, ..good }, 1000).contains("rise from 0 to 1"));
        assert!(try_it(good, 0).contains("count together"));
        assert!(!out.exists());
    }
}

//! Nothing has changed, and people err: nothing may come of it.

use crate::coils::Period;
use crate::works::{Inspector, Works, desk};
use serde_json::Value;

/// Coils of a month in which nothing changes: so many that enough are drawn in every month, or the rule would wait for
/// want of coils and show nothing.
const MONTH: usize = 400;

/// A candidate for a line on which nothing has changed and every twentieth word is wrong; what became of it.
fn month(test: &str, seed: u64) -> Option<Value> {
    let desk = desk();
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut works = Works::start(test, folder.path(), &desk.bundle, &desk.folder).await?;
        let name = "same";
        let coils =
            Period { name, coils: MONTH, seed: 1000 + seed, new_defect: false }.on_the_line(folder.path());
        works.shift(&coils, Inspector { wrong: 0.05, seed }).await;
        let report = works.retrain(&desk.folder, &desk.data, &folder.path().join("next"), &["--every", "0"]);
        works.stop();
        Some(report)
    })
}

#[test]
fn where_nothing_has_changed_no_candidate_is_promoted() {
    let test = "where_nothing_has_changed_no_candidate_is_promoted";
    let seeds = if std::env::var_os("COILSIGHT_FULL").is_some() { 20 } else { 1 };
    for seed in 0..seeds {
        let Some(report) = month(test, seed) else { return };
        let judgement = &report["judgement"];
        println!("{seed}: {judgement}");
        assert_eq!(judgement["outcome"], "waits", "seed {seed}: {report:#}");
        // Not for want of coils to judge by.
        let of =
            |what: &str| (judgement[what].as_u64(), judgement["rule"][&*format!("least_{what}")].as_u64());
        for (found, least) in [of("drawn"), of("nok")] {
            assert!(found >= least, "seed {seed}: {report:#}");
        }
        assert!(report["bundle"].is_null(), "seed {seed}");
    }
}

//! A defect that nobody knew: from the first missed coil to a set that sees it.

use crate::coils::Period;
use crate::works::{Inspector, Works, desk, sign, text};
use serde_json::Value;
use std::path::PathBuf;

/// How much comes over the line.
struct Size {
    /// Coils of a quiet shift.
    quiet: usize,
    /// Coils with the new defect, judged by the first set.
    changed: usize,
    /// Coils with it that the next set judges.
    after: usize,
}

const FEW: Size = Size { quiet: 40, changed: 200, after: 60 };
const MANY: Size = Size { quiet: 120, changed: 400, after: 200 };

/// An inspector who errs once in a hundred coils.
fn inspector(seed: u64) -> Inspector {
    Inspector { wrong: 0.01, seed }
}

/// The ensemble's newest figures of a set: coils, with a label, and the share judged right.
fn newest(works: &Works, set: &str) -> Option<(u64, u64, f64)> {
    let rows = works.of_line(&format!("performance?judge=ensemble&set={set}"));
    let row = rows["performance"]
        .as_array()?
        .iter()
        .find(|row| row["window"] == "200c" && row["tolerance_class"] == "")?
        .clone();
    Some((row["coils"].as_u64()?, row["labelled"].as_u64()?, row["score"].as_f64()?))
}

fn standing(works: &Works, set: &str) -> Vec<Value> {
    let triggers = works.of_line("triggers")["triggers"].as_array().expect("a list").clone();
    triggers.into_iter().filter(|one| one["set"] == set && one["holds"] == true).collect()
}

#[test]
fn a_defect_that_nobody_knew_is_learned_from_the_lines_own_words() {
    let test = "a_defect_that_nobody_knew_is_learned_from_the_lines_own_words";
    let size = if std::env::var_os("COILSIGHT_FULL").is_some() { MANY } else { FEW };
    let desk = desk();
    let folder = tempfile::tempdir().unwrap();
    let period =
        |name, coils, seed, new_defect| Period { name, coils, seed, new_defect }.on_the_line(folder.path());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let Some(mut works) = Works::start(test, folder.path(), &desk.bundle, &desk.folder).await else { return };
        let active = |works: &Works| works.serve.ask("/api/v1/lines")["lines"][0]["slots"]["active"].clone();
        let first = active(&works)["fingerprint"].as_str().unwrap().to_owned();

        // A quiet shift: the set does well, and nothing asks for another.
        works.shift(&period("quiet", size.quiet, 21, false), inspector(1)).await;
        works.serve.until("figures of the quiet shift", |_| {
            newest(&works, &first).is_some_and(|(coils, ..)| coils == size.quiet as u64)
        });
        let (_, _, quiet) = newest(&works, &first).unwrap();
        assert!(quiet > 0.75, "the first set judges {quiet} right");
        assert_eq!(standing(&works, &first), [] as [Value; 0]);

        // A defect that it has never seen: it says OK, people say NOK.
        works.shift(&period("changed", size.changed, 22, true), inspector(2)).await;
        works.serve.until("a trigger", |_| !standing(&works, &first).is_empty());
        let fallen = newest(&works, &first).unwrap().2;
        assert!(fallen < quiet, "{fallen} right, {quiet} before");

        // The trainer looks into it, for the trigger: no calendar.
        let out = folder.path().join("next");
        let report = works.retrain(&desk.folder, &desk.data, &out, &[]);
        println!("{report:#}");
        let judgement = &report["judgement"];
        assert_eq!(judgement["outcome"], "promoted", "{report:#}");
        let next = report["bundle"]["fingerprint"].as_str().unwrap().to_owned();
        assert_eq!(report["bundle"]["release"], 2);

        // An engineer releases it; it judges in shadow, then decides.
        let bundle = PathBuf::from(report["bundle"]["file"].as_str().unwrap());
        sign(&desk.folder, &bundle);
        works.push(&bundle);
        works.shift(&period("shadow", 20, 23, true), inspector(3)).await;
        works.serve.until("the next set decides", |_| active(&works)["fingerprint"] == *next);

        // It sees what the first one missed.
        works.shift(&period("after", size.after, 24, true), inspector(4)).await;
        works.serve.until("figures of the next set", |_| {
            newest(&works, &next).is_some_and(|(coils, ..)| coils >= size.after as u64)
        });
        let recovered = newest(&works, &next).unwrap().2;
        println!("right: {quiet:.3} before, {fallen:.3} with the new defect, {recovered:.3} by the next set");
        assert!(recovered > fallen + 0.1, "{recovered} right, {fallen} before");
        assert_eq!(standing(&works, &next), [] as [Value; 0]);

        // Every step stands in the record: over REST, by the command, on the page, in the database.
        let told = works.serve.ask(&format!("/api/v1/models/{next}"));
        assert_eq!(told["retrainings"][0]["candidate"], *next);
        assert_eq!(told["lines"][0]["slot"], "active");
        let history = works.history(["--model", &next[..12]]);
        for step in ["active now", "it was made", "retraining begins: ", "(promoted)", "(release 2) decides"] {
            assert!(history.contains(step), "{step}:\n{history}");
        }
        assert!(works.history(["--model", &first]).contains("asked for another"));
        let line = works.history(["--line", "gl2"]);
        for kind in ["trigger", "retraining", "candidate", "active"] {
            assert!(line.contains(kind), "{kind}:\n{line}");
        }
        match works.page() {
            Some(page) => {
                for seen in ["release 2", "retraining ends (promoted)", "retraining begins: "] {
                    assert!(page.contains(seen), "{seen}:\n{page}");
                }
            }
            None => coilsight_tests::skip::say(&format!("{test}: the page"), "chromium is not installed"),
        }
        let counts = "SELECT (SELECT COUNT(*) FROM model_trigger WHERE model_set = (SELECT model_set FROM retraining)), \
            (SELECT COUNT(*) FROM retraining WHERE outcome = 'promoted'), (SELECT COUNT(DISTINCT model_set) FROM coil)";
        if let Some(counts) = works.place.query(counts) {
            assert!(counts.ends_with("|1|2") && !counts.starts_with('0'), "{counts}");
        }
        works.stop();
    });
}

#[test]
fn a_set_released_without_a_person_decides_where_people_have_allowed_it() {
    let test = "a_set_released_without_a_person_decides_where_people_have_allowed_it";
    let desk = desk();
    let folder = tempfile::tempdir().unwrap();
    let period =
        |name, coils, seed, new_defect| Period { name, coils, seed, new_defect }.on_the_line(folder.path());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let Some(mut works) = Works::start(test, folder.path(), &desk.bundle, &desk.folder).await else {
            return;
        };
        let active = |works: &Works| works.serve.ask("/api/v1/lines")["lines"][0]["slots"]["active"].clone();
        works.shift(&period("changed", FEW.changed, 22, true), inspector(2)).await;
        let (robot, broker) = (desk.folder.join("keys/robot.key"), format!("--broker {}", works.broker()));
        let automatic = ["--automatic", text(&robot), "--policy-of", text(&desk.bundle), "--push", &broker];
        let calendar = ["--every", "0"];
        let more: Vec<&str> = automatic.into_iter().chain(calendar).collect();
        let report = works.retrain(&desk.folder, &desk.data, &folder.path().join("next"), &more);
        assert_eq!(report["judgement"]["outcome"], "promoted", "{report:#}");
        assert_eq!(report["bundle"]["released"], true);
        let next = report["bundle"]["fingerprint"].as_str().unwrap().to_owned();
        works.shift(&period("shadow", 20, 23, true), inspector(3)).await;
        works.serve.until("the next set decides", |_| active(&works)["fingerprint"] == *next);
        let history = works.history(["--model", &next]);
        assert!(history.contains("released without a person"), "{history}");
        works.stop();
    });
}

//! A whole stream of messages through the line, with power cuts, waits and full disks between them.
//!
//! Bytes are steps of a small grammar: a few coils, a few times, and now and then bytes as they come, so
//! that a fuzzer finds orders of events, not JSON.

mod bench;
mod grammar;

use bench::Bench;
use coilsight_models::message::assessment::Assessment;
use grammar::Step;
use std::collections::BTreeMap;

/// The sums add up after every message; at the end every pass that was taken up has one decision, and
/// nothing is open; and but for their timing, cuts and full disks have changed nothing.
pub fn run(data: &[u8]) {
    let steps = grammar::steps(data);
    let mut bench = Bench::new();
    for step in &steps {
        bench.take(step);
    }
    let unlike = bench.forgetful;
    let told = bench.end();

    let is_cut = |step: &&Step| matches!(step, Step::Cut | Step::Stop | Step::Full(_));
    // Where the line's clock begins anew, or what it forgets matters, a cut makes a difference.
    let timed = steps.iter().any(|step| matches!(step, Step::Wait(_)));
    if !timed && !unlike && steps.iter().any(|step| is_cut(&step)) {
        let mut uncut = Bench::new();
        for step in steps.iter().filter(|step| !is_cut(step)) {
            uncut.take(step);
        }
        assert_eq!(by_id(&told), by_id(&uncut.end()), "what is decided hangs on a cut or a full disk");
    }
}

/// Decisions without what a restart may change: times, and the count of what came again.
fn by_id(told: &[Assessment]) -> BTreeMap<&str, String> {
    let one = |a: &Assessment| {
        let what =
            (a.verdict, a.p_nok, a.length_m, &a.reasons, &a.coverage, a.order, a.rows.used, &a.evidence);
        format!("{} {:?} {what:?}", a.coil_id, a.pass)
    };
    told.iter().map(|a| (a.decision_id.as_str(), one(a))).collect()
}

/// Shifts with a weld, repetitions, a coil coated twice, line stops and cuts.
pub fn seeds() -> Vec<Vec<u8>> {
    grammar::seeds()
}

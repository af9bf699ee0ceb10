//! The record on `SQLite`, and on `PostgreSQL` where `COILSIGHT_TEST_DATABASE` names a database that may be filled.

mod schemas;
mod words;

use super::*;
use coilsight_models::chunk::Coverage;
use coilsight_models::coil::{CELLS, CoilId, CoilMatrix, Order, ToleranceClass};
use coilsight_models::message::assessment::{self, Assessment, ModelUsed, Timing};
use coilsight_models::message::inbound::{Feedback, Label};
use coilsight_models::message::model;
use coilsight_models::message::upload::{
    Batch, Matrix, Performance, Place, Record as Entry, Report, Trigger, VERSION,
};
use coilsight_models::message::word::{FeedbackRecord, Source};
use coilsight_models::tally::Counts;
use coilsight_models::verdict::Verdict;
use jiff::Timestamp;

const PREFIX: &str = "plant/gl2";

fn moment(second: i64) -> Timestamp {
    Timestamp::from_second(1_780_000_000 + second).unwrap()
}

fn matrix() -> CoilMatrix {
    CoilMatrix::from_bytes(&vec![1; 4 * CELLS]).unwrap()
}

fn decision(line: &str, n: u32) -> Entry {
    let assessment = Assessment {
        version: assessment::VERSION,
        decision_id: format!("{line}-{n}"),
        line: line.into(),
        coil_id: CoilId::new(format!("C{n}")).unwrap(),
        pass: Some(moment(n.into())),
        verdict: Verdict::Ok,
        by_score: Some(Verdict::Ok),
        p_nok: Some(0.25),
        confidence: Some(0.75),
        votes: Vec::new(),
        reasons: Vec::new(),
        evidence: Vec::new(),
        order: None,
        length_m: Some(1000.0),
        coverage: Coverage::of(&matrix()),
        rows: Counts::default(),
        model: ModelUsed {
            bundle: "set".into(),
            release: 1,
            fingerprint: "ab".repeat(32),
            policy: None,
            prepare: 1,
            agent: "0.1.0".into(),
        },
        drawn: None,
        timing: Timing { closed_at: Some(moment(n.into())), ended_at: None, judged_in_ms: 5.0 },
    };
    Entry::Decision { assessment: Box::new(assessment), matrix: Matrix::of(&matrix().to_bytes()) }
}

fn word(line: &str, key: &str, n: u32, label: Label, withdraws: Option<&str>) -> Entry {
    let feedback = Feedback {
        coil_id: CoilId::new(format!("C{n}")).unwrap(),
        label,
        operator: "Ada".into(),
        at: moment(1000),
        remark: None,
    };
    let word = FeedbackRecord {
        feedback,
        known: true,
        heard_at: None,
        source: Source::Page,
        quarantined: false,
        withdraws: withdraws.map(str::to_owned),
    };
    Entry::Word { key: key.into(), about: Some(format!("{line}-{n}")), word: Box::new(word) }
}

/// The same word, said by somebody else.
fn by(entry: Entry, operator: &str) -> Entry {
    match entry {
        Entry::Word { key, about, mut word } => {
            word.feedback.operator = operator.into();
            Entry::Word { key, about, word }
        }
        decision @ Entry::Decision { .. } => decision,
    }
}

fn place(offset: u64) -> Place {
    Place { file: 1, offset }
}

fn batch(line: &str, after: Place, upto: Place, records: Vec<Entry>) -> Batch {
    Batch { version: VERSION, line: line.into(), log: "L1".into(), after, upto, records }
}

/// A record in a file that is kept as long as the folder.
async fn record() -> (tempfile::TempDir, Record) {
    let folder = tempfile::tempdir().unwrap();
    let record = Record::in_file(&folder.path().join("record.sqlite")).await.unwrap();
    (folder, record)
}

fn on_a_runtime(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
}

/// Says that a test is skipped, in the way that `./test` repeats at its end.
fn skipped(what: &str) {
    use std::io::Write;
    let line = format!("SKIPPED {what}\n");
    eprint!("{line}");
    if let Some(path) = std::env::var_os("COILSIGHT_SKIPPED") {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
        file.and_then(|mut file| file.write_all(line.as_bytes())).expect("COILSIGHT_SKIPPED can be written");
    }
}

/// A `PostgreSQL` that may be filled.
fn database(test: &str) -> Option<String> {
    let url = std::env::var("COILSIGHT_TEST_DATABASE").ok();
    if url.is_none() {
        skipped(&format!(
            "{test}: COILSIGHT_TEST_DATABASE names no database; ./test starts one if Debian's is installed"
        ));
    }
    url
}

/// All that is asked of a database. `line` has a name of its own, for a database that other tests fill, too.
async fn holds(record: &Record, line: &str) {
    let prefix = format!("plant/{line}");
    let store = async |batch: &Batch| record.store(&prefix, batch, moment(0)).await.unwrap().upto;
    let begin = Place::default();
    let first = batch(line, begin, place(10), vec![decision(line, 1), decision(line, 2)]);
    let later = batch(line, place(10), place(20), vec![word(line, "w1", 1, Label::Nok, None)]);
    assert_eq!(store(&later).await, begin, "not before what comes before it");
    assert_eq!(store(&first).await, place(10));
    assert_eq!(store(&first).await, place(10), "twice is once");
    assert_eq!(store(&later).await, place(20));
    let coils = async || record.coils(&Query { line: Some(line.into()), ..Query::default() }).await.unwrap();
    let labels = |coils: &[Coil]| {
        coils.iter().map(|coil| (coil.coil_id.clone(), coil.label.clone())).collect::<Vec<_>>()
    };
    assert_eq!(labels(&coils().await), [("C2".into(), None), ("C1".into(), Some("NOK".into()))]);

    // The same from the log's begin, as after a backup, with more behind it.
    let more = vec![decision(line, 1), decision(line, 2), word(line, "w1", 1, Label::Nok, None)];
    let again = Batch { log: "L2".into(), ..batch(line, begin, place(40), more) };
    assert_eq!(store(&again).await, place(40));
    let back = Batch {
        log: "L2".into(),
        ..batch(line, place(40), place(50), vec![word(line, "w2", 1, Label::Nok, Some("w1"))])
    };
    assert_eq!(store(&back).await, place(50));
    let coils = coils().await;
    assert_eq!(labels(&coils), [("C2".into(), None), ("C1".into(), None)], "taken back");
    let told = record.coil(line, &format!("{line}-1")).await.unwrap().unwrap();
    assert_eq!((told.words.len(), told.words[0].withdrawn, &*told.matrix), (2, true, "kept"));
    assert_eq!(record.coil(line, "unheard of").await.unwrap(), None);

    // What is not known of one coil is known of the next, and the other way round.
    let with = |n: u32, known: bool| match decision(line, n) {
        Entry::Decision { mut assessment, matrix } => {
            let numbers = known.then_some(0.5);
            (assessment.p_nok, assessment.length_m) = (numbers, numbers);
            assessment.drawn = numbers.map(|share| assessment::Drawn { share });
            assessment.order = numbers.and_then(|_| Order::new(70.0, ToleranceClass::A, 1250.0).ok());
            (assessment.by_score, assessment.pass) = (None, assessment.pass.filter(|_| known));
            Entry::Decision { assessment, matrix }
        }
        word @ Entry::Word { .. } => word,
    };
    let odd = vec![with(3, false), with(4, true), with(5, false), with(6, true)];
    let odd = Batch { log: "L2".into(), ..batch(line, place(50), place(60), odd) };
    assert_eq!(store(&odd).await, place(60));
    let query = Query { line: Some(line.into()), ..Query::default() };
    let known: Vec<Option<f64>> =
        record.coils(&query).await.unwrap()[..4].iter().map(|coil| coil.p_nok).collect();
    assert_eq!(known, [Some(0.5), None, Some(0.5), None]);
    let figures = |at: i64, known: Option<f64>| Report {
        version: VERSION,
        line: line.into(),
        at: moment(at),
        set: "ab".into(),
        performance: vec![Performance {
            set: None,
            judge: "line".into(),
            tolerance_class: None,
            window: "200c".into(),
            coils: 4,
            labelled: 0,
            score: known,
            interval: known.map(|share| (share, share)),
            balanced_accuracy: known,
            mcc: known,
        }],
        triggers: Vec::new(),
    };
    for (at, known) in [(70, None), (71, Some(0.75)), (72, None)] {
        record.report(&prefix, &figures(at, known), moment(at)).await.unwrap();
    }
    let which = Which { line: Some(line.into()), ..Which::default() };
    let told: Vec<Option<f64>> =
        record.performance(&which).await.unwrap().iter().map(|row| row.mcc).collect();
    assert_eq!(told, [None, Some(0.75), None]);

    // Another line by this name.
    let stranger = record.store("plant/other", &first, moment(0)).await;
    assert!(matches!(stranger, Err(Error::Stranger { .. })), "{stranger:?}");
}

#[test]
fn what_comes_is_stored_once_and_in_order() {
    on_a_runtime(async {
        let (_folder, record) = record().await;
        holds(&record, "gl2").await;
    });
}

#[test]
fn the_same_on_postgresql() {
    let Some(url) = database("the_same_on_postgresql") else { return };
    on_a_runtime(async {
        let record = Record::open(&url).await.unwrap();
        holds(&record, &format!("pg{}", std::process::id())).await;
    });
}

#[test]
fn reports_triggers_and_slots_are_history_that_can_be_asked() {
    on_a_runtime(async {
        let (_folder, record) = record().await;
        let trigger = Trigger {
            rule: "misses".into(),
            model: None,
            set: "ab".into(),
            at: moment(5),
            holds: true,
            text: "it lets NOK coils pass".into(),
            to_do: "train again".into(),
        };
        let performance = Performance {
            set: Some("ab".into()),
            judge: "ensemble".into(),
            tolerance_class: None,
            window: "200c".into(),
            coils: 200,
            labelled: 20,
            score: Some(0.7),
            interval: Some((0.5, 0.85)),
            balanced_accuracy: Some(0.6),
            mcc: None,
        };
        let mut report = Report {
            version: VERSION,
            line: "gl2".into(),
            at: moment(6),
            set: "ab".into(),
            performance: vec![performance],
            triggers: vec![trigger],
        };
        record.report(PREFIX, &report, moment(6)).await.unwrap();
        record.report(PREFIX, &report, moment(7)).await.unwrap();
        assert_eq!(record.standing_triggers("gl2").await.unwrap().len(), 1);
        let figures: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM mperformance").fetch_one(&record.pool).await.unwrap();
        assert_eq!(figures, 1);
        report.triggers[0].holds = false;
        record.report(PREFIX, &report, moment(8)).await.unwrap();
        assert_eq!(record.standing_triggers("gl2").await.unwrap(), [], "taken back");

        let slots = r#"{"version": 1, "line": "gl2", "active": {"name": "gl2-set", "release": 3, "fingerprint": "FP"},
            "candidate": null, "last_good": null, "newest_release": 3, "newest_time": null, "trust_version": 0,
            "at": "2026-06-01T00:00:00Z"}"#
            .replace("FP", &"cd".repeat(32));
        let slots = model::State::parse(slots.as_bytes()).unwrap();
        record.slots(PREFIX, &slots, moment(9)).await.unwrap();
        record.slots(PREFIX, &slots, moment(10)).await.unwrap();
        let history = record.history(Some("gl2"), Some(&"cd".repeat(32))).await.unwrap();
        assert_eq!(history.len(), 1, "{history:?}");
        assert_eq!(history[0].what, "gl2-set (release 3) decides");
        assert_eq!(record.history(Some("gl2"), None).await.unwrap().len(), 2);
        let lines = record.lines().await.unwrap();
        assert_eq!((lines.len(), lines[0].slots.is_some(), lines[0].report.is_some()), (1, true, true));

        record.retraining_begins("r1", "gl2", moment(11), "misses", Some("ab")).await.unwrap();
        record
            .retraining_ends(
                ("r1", "gl2"),
                moment(12),
                ("waits", "no better"),
                None,
                &serde_json::json!({"p": 0.5}),
            )
            .await
            .unwrap();
        let done = record.retrainings("gl2").await.unwrap();
        assert_eq!((&*done[0].outcome, done[0].report.as_ref().unwrap()["p"].as_f64()), ("waits", Some(0.5)));
    });
}

#[test]
fn everything_about_a_set_is_one_question() {
    on_a_runtime(async {
        let (_folder, record) = record().await;
        let set = "ab".repeat(32);
        let records = vec![decision("gl2", 1), decision("gl2", 2), word("gl2", "a", 1, Label::Nok, None)];
        record.store(PREFIX, &batch("gl2", Place::default(), place(1), records), moment(0)).await.unwrap();
        record.retraining_begins("r1", "gl2", moment(11), "misses", Some(&set)).await.unwrap();
        let ended = ("promoted", "better");
        let candidate = "cd".repeat(32);
        let report = serde_json::json!({});
        record.retraining_ends(("r1", "gl2"), moment(12), ended, Some(&candidate), &report).await.unwrap();
        let slots = r#"{"version": 1, "line": "gl2", "active": {"name": "gl2-set", "release": 3, "fingerprint": "FP"},
            "candidate": null, "last_good": null, "newest_release": 3, "newest_time": null, "trust_version": 0,
            "at": "2026-06-01T00:00:00Z"}"#
            .replace("FP", &candidate);
        record.slots(PREFIX, &model::State::parse(slots.as_bytes()).unwrap(), moment(13)).await.unwrap();
        let old = record.model(&set).await.unwrap();
        assert_eq!((old.lines[0].coils, old.lines[0].labelled, old.lines[0].slot), (2, 1, None));
        let next = record.model(&candidate).await.unwrap();
        assert_eq!((next.lines[0].coils, next.lines[0].slot), (0, Some("active")));
        assert_eq!(next.retrainings[0].id, "r1");
        let kinds: Vec<_> = next.history.iter().map(|one| &*one.kind).collect();
        assert_eq!(kinds, ["active", "retraining", "retraining"], "{:?}", next.history);
        assert!(record.model("unheard of").await.unwrap().is_empty());
        assert_eq!(record.models(Some("gl3")).await.unwrap(), []);
    });
}

//! The record on `SQLite`, and on `PostgreSQL` where `COILSIGHT_TEST_DATABASE` names a database that may be filled.

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
fn a_record_from_a_backup_stands_where_it_stood() {
    on_a_runtime(async {
        let (folder, record) = record().await;
        let file = |name: &str| folder.path().join(name);
        let first = batch("gl2", Place::default(), place(10), vec![decision("gl2", 1)]);
        record.store(PREFIX, &first, moment(0)).await.unwrap();
        record.close().await;
        std::fs::copy(file("record.sqlite"), file("backup.sqlite")).unwrap();
        let record = Record::in_file(&file("record.sqlite")).await.unwrap();
        let second = batch("gl2", place(10), place(20), vec![decision("gl2", 2)]);
        record.store(PREFIX, &second, moment(0)).await.unwrap();
        record.close().await;
        let restored = Record::in_file(&file("backup.sqlite")).await.unwrap();
        let third = batch("gl2", place(20), place(30), vec![decision("gl2", 3)]);
        let stands = restored.store(PREFIX, &third, moment(0)).await.unwrap();
        assert_eq!(stands.upto, place(10), "and the line sends from there");
        assert_eq!(restored.store(PREFIX, &second, moment(0)).await.unwrap().upto, place(20));
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
fn labelled_coils_come_with_their_matrix_and_without_quarantined_words() {
    on_a_runtime(async {
        let (_folder, record) = record().await;
        let quarantined = match word("gl2", "q", 2, Label::Nok, None) {
            Entry::Word { key, about, word } => {
                Entry::Word { key, about, word: Box::new(FeedbackRecord { quarantined: true, ..*word }) }
            }
            decision @ Entry::Decision { .. } => decision,
        };
        let Entry::Decision { assessment, .. } = decision("gl2", 3) else { unreachable!() };
        let shed = Entry::Decision { assessment, matrix: Matrix::Shed };
        let records = vec![
            decision("gl2", 1),
            decision("gl2", 2),
            shed,
            word("gl2", "a", 1, Label::Nok, None),
            by(word("gl2", "b", 1, Label::Ok, None), "Ben"),
            quarantined,
            word("gl2", "c", 3, Label::Nok, None),
        ];
        record.store(PREFIX, &batch("gl2", Place::default(), place(1), records), moment(0)).await.unwrap();
        let known = record.labelled("gl2").await.unwrap();
        assert_eq!(known.len(), 1, "neither a quarantined word nor a coil without a matrix teaches");
        assert!(!known[0].coil.nok && known[0].disputed);
        assert_eq!(known[0].coil.matrix, matrix());
        assert_eq!(known[0].by_score, Some(Verdict::Ok));
    });
}

/// As the program of each earlier release left it, with something in it, in a database of its own.
async fn brought_up_to_date(url_of: impl AsyncFn(usize) -> String) {
    use sqlx::migrate::Migrator;
    let every = sqlx::migrate!("src/plant/migrations");
    for released in 1..every.iter().count() {
        let url = url_of(released).await;
        sqlx::any::install_default_drivers();
        let pool = sqlx::AnyPool::connect(&url).await.unwrap();
        let then = every.iter().take(released).cloned().collect::<Vec<_>>();
        Migrator { migrations: then.into(), ..Migrator::DEFAULT }.run(&pool).await.unwrap();
        let then = Record { pool };
        let said = vec![decision("gl2", 1), word("gl2", "w1", 1, Label::Nok, None)];
        let first = batch("gl2", Place::default(), place(10), said);
        then.store(PREFIX, &first, moment(0)).await.unwrap();
        let before = then.coils(&Query::default()).await.unwrap();
        let told = then.coil("gl2", "gl2-1").await.unwrap();
        then.close().await;
        let now = Record::open(&url).await.unwrap();
        assert_eq!(now.coils(&Query::default()).await.unwrap(), before, "schema {released}");
        assert_eq!(now.coil("gl2", "gl2-1").await.unwrap(), told, "schema {released}");
        assert_eq!(now.labelled("gl2").await.unwrap()[0].coil.matrix, matrix());
        let second = batch("gl2", place(10), place(20), vec![decision("gl2", 2)]);
        assert_eq!(now.store(PREFIX, &second, moment(0)).await.unwrap().upto, place(20));
        now.close().await;
    }
}

#[test]
fn a_record_of_every_released_schema_is_brought_up_to_date_and_keeps_what_it_has() {
    on_a_runtime(async {
        let folder = tempfile::tempdir().unwrap();
        brought_up_to_date(async |n| format!("sqlite://{}/{n}.sqlite?mode=rwc", folder.path().display()))
            .await;
    });
}

#[test]
fn and_on_postgresql() {
    let Some(url) = database("and_on_postgresql") else { return };
    on_a_runtime(async {
        sqlx::any::install_default_drivers();
        let pool = sqlx::AnyPool::connect(&url).await.unwrap();
        let schema = |n: usize| format!("released_{}_{n}", std::process::id());
        brought_up_to_date(async |n| {
            let sql = format!("CREATE SCHEMA {}", schema(n));
            sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&pool).await.unwrap();
            let join = if url.contains('?') { '&' } else { '?' };
            format!("{url}{join}options[search_path]={}", schema(n))
        })
        .await;
    });
}

#[test]
fn a_record_of_a_later_program_is_left_alone() {
    on_a_runtime(async {
        let (folder, record) = record().await;
        let sql = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
            VALUES (9999, 'of tomorrow', TRUE, x'00', 0)";
        sqlx::query(sql).execute(&record.pool).await.unwrap();
        record.close().await;
        let refused = Record::in_file(&folder.path().join("record.sqlite")).await.unwrap_err();
        assert!(refused.to_string().contains("update the older of the two"), "{refused}");
    });
}

#[test]
fn a_line_neither_takes_another_lines_decision_nor_speaks_about_its_coils() {
    on_a_runtime(async {
        let (_folder, record) = record().await;
        // A box that somebody has taken over knows how its neighbour will name a decision, and is first.
        let Entry::Decision { mut assessment, matrix } = decision("gl2", 1) else { unreachable!() };
        (assessment.line, assessment.verdict) = ("gl3".into(), Verdict::Nok);
        let forged = vec![Entry::Decision { assessment, matrix }];
        record
            .store("plant/gl3", &batch("gl3", Place::default(), place(1), forged), moment(0))
            .await
            .unwrap();
        let own = vec![decision("gl2", 1), word("gl2", "a", 1, Label::Nok, None)];
        record.store(PREFIX, &batch("gl2", Place::default(), place(1), own), moment(0)).await.unwrap();
        let words = vec![
            by(word("gl2", "b", 1, Label::Ok, None), "Ben"),
            by(word("gl2", "c", 1, Label::Nok, Some("a")), "Ada"),
        ];
        record.store("plant/gl3", &batch("gl3", place(1), place(2), words), moment(0)).await.unwrap();
        let told = record.coil("gl2", "gl2-1").await.unwrap().unwrap();
        assert_eq!((told.words.len(), told.label.as_deref()), (1, Some("NOK")));
        assert_eq!(told.assessment["verdict"], "OK");
        let known = record.labelled("gl2").await.unwrap();
        let known: Vec<_> = known.iter().map(|one| (one.coil.nok, one.disputed, &*one.by)).collect();
        assert_eq!(known, [(true, false, "Ada")]);
    });
}

#[test]
fn who_corrects_himself_contradicts_nobody() {
    on_a_runtime(async {
        let (_folder, record) = record().await;
        let records = vec![
            decision("gl2", 1),
            decision("gl2", 2),
            decision("gl2", 3),
            word("gl2", "a", 1, Label::Nok, None),
            word("gl2", "b", 1, Label::Ok, None),
            word("gl2", "c", 2, Label::Nok, None),
            by(word("gl2", "d", 2, Label::Ok, None), "Ben"),
            by(word("gl2", "e", 3, Label::Ok, None), "Ben"),
            by(word("gl2", "f", 3, Label::Ok, Some("e")), "Ben"),
            word("gl2", "g", 3, Label::Nok, None),
        ];
        record.store(PREFIX, &batch("gl2", Place::default(), place(1), records), moment(0)).await.unwrap();
        let known = record.labelled("gl2").await.unwrap();
        let told: Vec<_> = known.iter().map(|one| (&*one.decision_id, one.disputed, &*one.by)).collect();
        assert_eq!(told, [("gl2-1", false, "Ada"), ("gl2-2", true, "Ben"), ("gl2-3", false, "Ada")]);
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

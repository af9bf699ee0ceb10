//! When rules fire, and when they are silent.

use super::{coil, panel};
use crate::score::{Config, CoolDown, Facts, Judged, Panels, Paper, Rule, Sequential, Trigger, Triggers};
use coilsight_models::message::inbound::Label::{Nok, Ok};
use coilsight_models::verdict::Verdict;
use jiff::{SignedDuration, Timestamp};

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn names(triggers: &[Trigger]) -> Vec<(&'static str, Option<&str>)> {
    let name = |rule: &Rule| match rule {
        Rule::Score { .. } => "score",
        Rule::Misses { .. } => "misses",
        Rule::FalseAlarms { .. } => "false alarms",
    };
    triggers.iter().map(|t| (name(&t.rule), t.model.as_deref())).collect()
}

/// So many OK coils that were drawn with share 1 and are NOK in truth, after so many that are OK.
fn always_ok(good: u64, missed: u64) -> Vec<Judged> {
    let panel = panel();
    let label = |i| Some(if i < good { Ok } else { Nok });
    (0..good + missed).map(|i| coil(i, Verdict::Ok, Some(1.0), label(i), &panel)).collect()
}

#[test]
fn the_papers_rule_needs_more_than_ten_coils_and_less_than_its_bound() {
    let paper = Config { sequential: Sequential { on: false, ..Sequential::default() }, ..Config::default() };
    let fired = |good, missed| Triggers::new(paper).evaluate(&always_ok(good, missed), &[], now());
    assert_eq!(names(&fired(0, 10)), []);
    assert_eq!(names(&fired(9, 3)), []);
    assert_eq!(names(&fired(8, 3)), [("score", None), ("score", Some("a")), ("score", Some("b"))]);
    let trigger = &fired(8, 3)[0];
    assert_eq!((trigger.coils, trigger.place, trigger.at), (11, 10, now()));
    assert!(
        trigger.text.starts_with("The ensemble judges 72.7 % of coils right, by 11 labelled"),
        "{}",
        trigger.text
    );
    assert!(trigger.text.ends_with("under 75 %.") && trigger.to_do.contains("train again"));
    let off = Config { paper: Paper { on: false, ..Paper::default() }, ..paper };
    assert_eq!(names(&Triggers::new(off).evaluate(&always_ok(0, 50), &[], now())), []);
}

#[test]
fn one_that_says_ok_to_everything_is_caught_by_its_misses_alone() {
    // 97 % good: the score is 97 %.
    let mut coils = always_ok(970, 30);
    let triggers = Triggers::new(Config::default());
    let fired = triggers.evaluate(&coils, &[], now());
    assert_eq!(names(&fired), [("misses", None), ("misses", Some("a")), ("misses", Some("b"))]);
    assert!(
        fired[1].text.contains("Model a misses too many NOK coils: it said OK of 30"),
        "{}",
        fired[1].text
    );
    // Superseded words leave no trace.
    for (i, judged) in coils.iter_mut().enumerate() {
        *judged = coil(i as u64, Verdict::Ok, Some(1.0), Some(Ok), &panel());
    }
    assert_eq!(names(&triggers.evaluate(&coils, &[], now())), []);
    // Those that people chose do not stand for others, and are no evidence.
    let chosen: Vec<_> = (0..500).map(|i| coil(i, Verdict::Ok, None, Some(Nok), &panel())).collect();
    assert_eq!(names(&triggers.evaluate(&chosen, &[], now())), []);
}

#[test]
fn false_alarms_are_seen_whoever_labels() {
    let panel = panel();
    let coils: Vec<_> = (0..100)
        .map(|i| {
            let nok = i % 2 == 0;
            coil(i, if nok { Verdict::Nok } else { Verdict::Ok }, None, nok.then_some(Ok), &panel)
        })
        .collect();
    let fired = Triggers::new(Config::default()).evaluate(&coils, &[], now());
    assert_eq!(
        names(&fired),
        [("false alarms", None), ("false alarms", Some("a")), ("false alarms", Some("b"))]
    );
    assert!(fired[0].text.contains("50 that inspectors call OK, beside 50"), "{}", fired[0].text);
    // Unlabelled ones are no evidence of anything.
    let silent: Vec<_> = (0..1000).map(|i| coil(i, Verdict::Nok, None, None, &panel)).collect();
    assert_eq!(names(&Triggers::new(Config::default()).evaluate(&silent, &[], now())), []);
}

#[test]
fn a_rule_is_silent_until_coils_and_days_have_passed_and_a_new_set_begins_anew() {
    let cool_down = CoolDown { coils: 20, days: 2 };
    let triggers = Triggers::new(Config { cool_down, ..Config::default() });
    let mut coils = always_ok(10, 40);
    let past = triggers.evaluate(&coils, &[], now());
    assert_eq!(past.len(), 6);
    let later = |hours| now() + SignedDuration::from_hours(hours);
    assert_eq!(triggers.evaluate(&coils, &past, later(1000)), []);
    coils.extend((50..70).map(|i| coil(i, Verdict::Ok, Some(1.0), Some(Nok), &panel())));
    assert_eq!(triggers.evaluate(&coils, &past, later(47)), []);
    assert_eq!(triggers.evaluate(&coils, &past, later(48)).len(), 6);
    // Places that began anew: by the coils' time then, which here lies long before.
    let higher: Vec<_> = past.iter().cloned().map(|past| Trigger { place: 900, ..past }).collect();
    assert_eq!(triggers.evaluate(&coils, &higher, later(48)), []);
    let earlier = Timestamp::from_second(50 * 3600 - 1).unwrap();
    let higher: Vec<_> = higher.into_iter().map(|past| Trigger { at: earlier, ..past }).collect();
    assert_eq!(triggers.evaluate(&coils, &higher, later(48)).len(), 6);
    // Only what fired is silent.
    let others: Vec<_> = past.iter().filter(|t| t.model.is_some()).cloned().collect();
    assert_eq!(names(&triggers.evaluate(&coils, &others, later(1))), [("score", None), ("misses", None)]);
    let again = serde_json::to_string(&past).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Trigger>>(&again).unwrap(), past);
    let fresh = Panels::default().of("f01", ["a", "b"].into_iter());
    coils.push(coil(70, Verdict::Ok, Some(1.0), Some(Nok), &fresh));
    assert_eq!(triggers.evaluate(&coils, &[], now()), []);
    assert_eq!(triggers.evaluate(&[], &[], now()), []);
}

#[test]
fn coils_that_a_judge_said_nothing_of_are_not_its() {
    let panel = panel();
    let silent = |i| {
        let facts = Facts {
            place: i,
            at: None,
            class: None,
            verdict: Verdict::Review,
            by_score: None,
            drawn: None,
            label: Some(Nok),
            panel: &panel,
            votes: &[Some(Verdict::Ok), None],
        };
        Judged::new(&facts)
    };
    let coils: Vec<_> = (0..50).map(silent).collect();
    let fired = Triggers::new(Config::default()).evaluate(&coils, &[], now());
    assert_eq!(names(&fired), [("score", Some("a")), ("misses", Some("a"))]);
}

//! How the models do and what asks for new ones, told to the plant's record: retained, so that it has the newest whenever it
//! begins to listen.

use crate::score::{Figures, Rule, Scores, Who};
use crate::watch::Asking;
use coilsight_models::message::upload::{MAX_ROWS, Performance, Report, Trigger, VERSION};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// Name of all models together, and of what went out.
const ENSEMBLE: &str = "ensemble";
const LINE: &str = "line";

/// Says when it is time for a report: at once when a rule begins or ends to ask for new models and when there is a new
/// connection, else so often, if anything has happened.
#[derive(Debug)]
pub struct Reporter {
    every: Duration,
    connection: Option<u64>,
    last: Option<Last>,
}

#[derive(Debug)]
struct Last {
    at: Duration,
    connection: u64,
    /// The book's revision.
    revision: u64,
    asking: Arc<[Asking]>,
}

impl Reporter {
    /// So often at most.
    pub fn new(every: Duration) -> Self {
        Self { every, connection: None, last: None }
    }

    /// There is a connection of this number, or none.
    pub fn connected(&mut self, generation: Option<u64>) {
        self.connection = generation;
    }

    /// The connection to report on now, if it is time. `revision`: the book's; `asking`: the rules' word, the same value as
    /// long as nothing about it is new.
    pub fn due(&mut self, now: Duration, revision: u64, asking: &Arc<[Asking]>) -> Option<u64> {
        let connection = self.connection?;
        let due = self.last.as_ref().is_none_or(|last| {
            last.connection != connection
                || !Arc::ptr_eq(&last.asking, asking)
                || (last.revision != revision && now >= last.at + self.every)
        });
        if !due {
            return None;
        }
        self.last = Some(Last { at: now, connection, revision, asking: Arc::clone(asking) });
        Some(connection)
    }
}

/// The report; `None` before the first decision. Rows that would be too many are those of classes and of the last models.
pub fn report(line: &str, now: Timestamp, scores: &[Scores], asking: &[Asking]) -> Option<Report> {
    let set = scores.iter().find_map(|scores| scores.set.clone())?;
    let mut performance = Vec::new();
    for with_classes in [false, true] {
        for scores in scores {
            performance.extend(rows(scores, &set, with_classes));
        }
    }
    performance.truncate(MAX_ROWS);
    let triggers = asking.iter().map(trigger).collect();
    Some(Report { version: VERSION, line: line.to_owned(), at: now, set, performance, triggers })
}

/// A row for each judge of the set that decides; or, of each, one for each tolerance class.
fn rows(scores: &Scores, set: &str, classes: bool) -> Vec<Performance> {
    let window = scores.window.to_string();
    let mut rows = Vec::new();
    for judge in &scores.judges {
        let (of, name) = match &judge.who {
            Who::Ensemble => (Some(set), ENSEMBLE),
            Who::Line => (None, LINE),
            Who::Model { model, set: of } if of == set => (Some(set), &**model),
            Who::Model { .. } => continue,
        };
        let mut row = |class: Option<String>, figures: &Figures| {
            rows.push(Performance {
                set: of.map(Into::into),
                judge: name.to_owned(),
                tolerance_class: class,
                window: window.clone(),
                coils: figures.n,
                labelled: figures.labelled,
                score: figures.accuracy.map(|share| share.value),
                interval: figures.accuracy.map(|share| (share.low, share.high)),
                balanced_accuracy: figures.balanced_accuracy.map(|share| share.value),
                mcc: figures.mcc.map(|mcc| mcc.value),
            });
        };
        if classes {
            for of in &judge.classes {
                // Coils whose class is not known are in the whole.
                if let Some(class) = of.class {
                    row(Some(class.letter().to_owned()), &of.figures);
                }
            }
        } else {
            row(None, &judge.overall);
        }
    }
    rows
}

fn trigger(Asking { trigger, holds }: &Asking) -> Trigger {
    let rule = match trigger.rule {
        Rule::Score { .. } => "score",
        Rule::Misses { .. } => "misses",
        Rule::FalseAlarms { .. } => "false_alarms",
    };
    Trigger {
        rule: rule.to_owned(),
        model: trigger.model.clone(),
        set: trigger.set.clone(),
        at: trigger.at,
        holds: *holds,
        text: trigger.text.clone(),
        to_do: trigger.to_do.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::{Facts, Judged, Panels, Window, scores};
    use coilsight_models::coil::ToleranceClass;
    use coilsight_models::message::inbound::Label;
    use coilsight_models::message::upload::{Way, payload};
    use coilsight_models::verdict::Verdict;

    const LONG: &str = "a-model-whose-name-is-as-long-as-a-manifest-lets-it-become";

    /// Coils of a set of `models`, every second one NOK and found, all labelled.
    fn judged(models: usize) -> Vec<Judged> {
        let names: Vec<String> = (0..models).map(|n| format!("{LONG}{n}")).collect();
        let panel = Panels::default().of("set-1", names.iter().map(String::as_str));
        let of = |place: u64| {
            let nok = place.is_multiple_of(2);
            let verdict = if nok { Verdict::Nok } else { Verdict::Ok };
            Judged::new(&Facts {
                place,
                at: Timestamp::from_second(1_772_431_200 + place as i64).ok(),
                class: Some(ToleranceClass::ALL[(place / 2 % 3) as usize]),
                order: Some((70.0, 1250.0)),
                verdict,
                by_score: Some(verdict),
                drawn: (!nok).then_some(0.5),
                label: Some(if nok { Label::Nok } else { Label::Ok }),
                panel: &panel,
                votes: &vec![Some(verdict); models],
            })
        };
        (0..60).map(of).collect()
    }

    fn asking(text: &str, holds: bool) -> Asking {
        let rule =
            Rule::Misses { evidence: 900.0, needed: 80.0, recall: 0.8, missed: 7, stand_for: 14.0, found: 3 };
        let (text, to_do) = (text.to_owned(), "look".to_owned());
        let at = Timestamp::from_second(1_772_431_300).unwrap();
        let trigger = crate::score::Trigger {
            rule,
            model: None,
            set: "set-1".into(),
            at,
            place: 9,
            coils: 10,
            text,
            to_do,
        };
        Asking { trigger, holds }
    }

    #[test]
    fn a_report_says_who_does_how_and_is_one_that_the_record_takes() {
        let now = Timestamp::from_second(1_772_440_000).unwrap();
        let judged = judged(2);
        let told: Vec<Scores> =
            [Window::Coils(20), Window::All].map(|window| scores(&judged, window, now)).into();
        let found = report("gl2", now, &told, &[asking("seven missed", true)]).unwrap();
        let row = &found.performance[0];
        assert_eq!(
            (row.judge.as_str(), row.set.as_deref(), row.tolerance_class.as_deref()),
            (ENSEMBLE, Some("set-1"), None)
        );
        assert_eq!((row.window.as_str(), row.coils, row.labelled, row.score), ("20c", 20, 20, Some(1.0)));
        let by_class = found.performance.iter().filter(|row| row.judge == LINE && row.window == "all");
        let classes: Vec<_> = by_class.map(|row| (row.tolerance_class.as_deref(), row.coils)).collect();
        assert_eq!(classes, [(None, 60), (Some("A"), 20), (Some("B"), 20), (Some("C"), 20)]);
        assert_eq!((found.triggers[0].rule.as_str(), found.triggers[0].holds), ("misses", true));
        assert_eq!(Report::parse(&payload(&found)).unwrap(), found);
    }

    #[test]
    fn the_largest_report_is_one_that_the_record_takes() {
        let now = Timestamp::from_second(1_772_440_000).unwrap();
        let judged = judged(64);
        let told = [Window::Coils(20), Window::All].map(|window| scores(&judged, window, now));
        let many: Vec<Asking> = (0..32).map(|_| asking(&"x".repeat(1500), false)).collect();
        let bytes = payload(&report("gl2", now, &told, &many).unwrap());
        assert!(bytes.len() <= Way::Report.max_bytes(), "{}", bytes.len());
        Report::parse(&bytes).unwrap();
        assert_eq!(report("gl2", now, &told.map(|told| Scores { set: None, ..told }), &many), None);
    }

    #[test]
    fn it_is_time_at_once_for_triggers_and_connections_and_else_now_and_then() {
        let mut reporter = Reporter::new(Duration::from_mins(1));
        let at = Duration::from_secs;
        let (quiet, fired): (Arc<[Asking]>, Arc<[Asking]>) = ([].into(), [asking("", true)].into());
        assert_eq!(reporter.due(at(0), 1, &quiet), None, "there is no connection");
        reporter.connected(Some(4));
        assert_eq!(reporter.due(at(1), 1, &quiet), Some(4));
        assert_eq!(reporter.due(at(30), 2, &quiet), None, "not yet");
        assert_eq!(reporter.due(at(31), 2, &fired), Some(4));
        assert_eq!(reporter.due(at(91), 2, &fired), None, "nothing has happened");
        assert_eq!(reporter.due(at(92), 3, &fired), Some(4));
        reporter.connected(None);
        assert_eq!(reporter.due(at(200), 4, &quiet), None);
        reporter.connected(Some(5));
        assert_eq!(reporter.due(at(201), 4, &quiet), Some(5));
    }
}

//! Drawn coils that nobody looks at.

use super::*;
use crate::archive::{Decision, Feedback, Followed};
use crate::score::Draws;
use crate::words::{FeedbackRecord, Source};
use coilsight_models::coil::CoilId;
use coilsight_models::message::assessment::{Assessment, Drawn};
use coilsight_models::message::inbound::Feedback as Said;
use jiff::SignedDuration;

/// A book that is written by hand.
struct Line {
    book: Book,
    model: Assessment,
    n: u64,
}

impl Line {
    fn new() -> Self {
        Self { book: Book::default(), model: crate::line::tests::assessment(), n: 0 }
    }

    /// An OK coil, so many days after the first; its decision.
    fn passes(&mut self, day: i64, drawn: bool) -> String {
        let mut a = self.model.clone();
        a.coil_id = CoilId::new(format!("GL2-{}", self.n)).unwrap();
        a.decision_id = format!("{:032x}", self.n);
        (a.verdict, a.drawn) = (Verdict::Ok, drawn.then_some(Drawn { share: 0.5 }));
        let first: Timestamp = "2026-01-05T07:00:00Z".parse().unwrap();
        a.timing.closed_at = Some(first + SignedDuration::from_hours(24 * day));
        self.n += 1;
        self.book.take(&Followed::Decision(Decision {
            decision_id: a.decision_id.clone(),
            coil_id: a.coil_id.to_string(),
            pass_key: format!("p{}", self.n),
            json: serde_json::to_vec(&a).unwrap(),
        }));
        a.decision_id
    }

    fn said(&mut self, about: &str) {
        let feedback = Said {
            coil_id: CoilId::new("GL2-0").unwrap(),
            label: Label::Ok,
            operator: "Ada".into(),
            at: "2026-01-05T07:00:00Z".parse().unwrap(),
            remark: None,
        };
        let (source, about) = (Source::Page, about.to_owned());
        let record = FeedbackRecord {
            feedback,
            known: true,
            heard_at: None,
            source,
            quarantined: false,
            withdraws: None,
        };
        let (key, json) = (format!("w {about}"), serde_json::to_vec(&record).unwrap());
        self.book.take(&Followed::Feedback(Feedback { key, about: Some(about), json }));
    }
}

fn code(trouble: Option<&Trouble>) -> Option<&str> {
    trouble.and_then(|trouble| trouble.why.as_ref()).map(|why| why.code.as_str())
}

const RULES: Draws = Draws { waiting: 3, days: 7 };

#[test]
fn that_nobody_looks_at_drawn_coils_is_a_trouble() {
    let (mut line, mut drawing) = (Line::new(), Drawing::new(RULES, 0.5));
    let ids: Vec<String> = (0..2).map(|_| line.passes(0, true)).collect();
    assert_eq!(drawing.trouble(&line.book), None, "two wait");
    line.passes(0, true);
    let told = drawing.trouble(&line.book).unwrap();
    assert!(told.text.contains("3 wait, since coil GL2-0"), "{}", told.text);
    assert!(told.to_do.contains("queue \"Drawn\""), "{}", told.to_do);
    // More of the same is no news.
    let fourth = line.passes(0, true);
    assert_eq!(drawing.trouble(&line.book), Some(told));
    // Somebody looks at an old one, and the others wait on.
    line.said(&ids[0]);
    assert_eq!(code(drawing.trouble(&line.book).as_ref()), Some("drawn_unseen"));
    line.said(&fourth);
    assert_eq!(drawing.trouble(&line.book), None, "it is looked at again");
    // One alone, for as long as it is: by the line's time, in which nothing passes while the line stands.
    line.passes(1, true);
    line.passes(7, false);
    assert_eq!(drawing.trouble(&line.book), None);
    line.passes(8, false);
    assert_eq!(code(drawing.trouble(&line.book).as_ref()), Some("drawn_unseen"));
}

#[test]
fn that_no_coil_is_drawn_is_a_trouble() {
    let told = |share: f64, coils: usize| {
        let mut line = Line::new();
        for _ in 0..coils {
            line.passes(0, false);
        }
        let trouble = Drawing::new(RULES, share).trouble(&line.book);
        (code(trouble.as_ref()).map(str::to_owned), line)
    };
    assert_eq!(told(0.0, 99).0, None, "it has only just begun");
    assert_eq!(told(0.0, 100).0.as_deref(), Some("draws_off"));
    // One of two is to be drawn: twenty without are no chance.
    assert_eq!(told(0.5, 19).0, None);
    let (none_drawn, mut line) = told(0.5, 20);
    assert_eq!(none_drawn.as_deref(), Some("none_drawn"));
    line.passes(0, true);
    assert_eq!(Drawing::new(RULES, 0.5).trouble(&line.book), None);
    assert_eq!(told(0.02, 499).0, None);
}

/// On the board it is a trouble, and with it in the status and a notification; once it is over it is taken back.
#[test]
fn draws_that_nobody_looks_at_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut parts = parts(folder.path());
    parts.score.drawn = RULES;
    let mut round = round(parts);
    let mut line = Line::new();
    let last = (0..3).map(|_| line.passes(0, true)).last().unwrap();
    let tell = |round: &mut Round, line: &mut Line| {
        // The line's book for the watch, and back.
        std::mem::swap(&mut *round.parts.book.write().unwrap(), &mut line.book);
        round.tell();
        std::mem::swap(&mut *round.parts.book.write().unwrap(), &mut line.book);
        round.parts.board.told()
    };
    let told = tell(&mut round, &mut line);
    assert_eq!(code(told["drawn"].first()), Some("drawn_unseen"));
    assert!(tell(&mut round, &mut line).is_empty(), "no news");
    line.said(&last);
    assert_eq!(tell(&mut round, &mut line)["drawn"], []);
}

//! Lists and queues over decisions and words as the archive hands them out.

use super::*;
use crate::words::Source;
use coilsight_models::coil::{CELLS, CoilId, CoilMatrix, GAUGES};
use coilsight_models::message::assessment::Drawn;
use coilsight_models::message::inbound::{Feedback as Said, Label};

/// A book, and a decision to vary.
struct Desk {
    book: Book,
    model: Assessment,
}

impl Desk {
    fn new() -> Self {
        Self { book: Book::default(), model: crate::line::tests::assessment() }
    }

    fn decide(&mut self, n: u64, verdict: Verdict, drawn: bool) -> String {
        let mut a = self.model.clone();
        a.coil_id = CoilId::new(format!("GL2-{n}")).unwrap();
        a.decision_id = format!("{n:032x}");
        (a.verdict, a.drawn) = (verdict, drawn.then_some(Drawn { share: 0.02 }));
        self.book.take(&Followed::Decision(Decision {
            decision_id: a.decision_id.clone(),
            coil_id: a.coil_id.to_string(),
            pass_key: format!("p{n}"),
            json: serde_json::to_vec(&a).unwrap(),
        }));
        a.decision_id
    }

    fn say(&mut self, key: &str, about: &str, label: Label, withdraws: Option<&str>) {
        let feedback = Said {
            coil_id: CoilId::new("GL2-1").unwrap(),
            label,
            operator: "Ada".into(),
            at: "2026-01-05T07:00:00Z".parse().unwrap(),
            remark: None,
        };
        let withdraws = withdraws.map(str::to_owned);
        let record = FeedbackRecord {
            feedback,
            known: true,
            heard_at: None,
            source: Source::Page,
            quarantined: false,
            withdraws,
        };
        let json = serde_json::to_vec(&record).unwrap();
        self.book.take(&Followed::Feedback(Feedback { key: key.into(), about: Some(about.into()), json }));
    }

    fn ids(&self, query: &Query<'_>) -> (Vec<String>, Option<Seq>) {
        let page = self.book.list(query);
        (page.coils.iter().map(|coil| coil.coil_id.to_string()).collect(), page.next)
    }
}

#[test]
fn queues_follow_what_people_say_and_take_back() {
    let mut desk = Desk::new();
    let first = desk.decide(1, Verdict::Review, false);
    desk.decide(2, Verdict::Ok, false);
    let third = desk.decide(3, Verdict::Ok, true);
    desk.decide(4, Verdict::Review, false);
    let review = Query { queue: Queue::Review, limit: 10, ..Query::default() };
    assert_eq!(desk.ids(&review).0, ["GL2-1", "GL2-4"], "who waits longest is first");
    assert_eq!(desk.book.counts(), Counts { all: 4, review: 2, drawn: 1 });
    desk.say("w1", &first, Label::Nok, None);
    desk.say("w2", &third, Label::Ok, None);
    assert_eq!(desk.book.counts(), Counts { all: 4, review: 1, drawn: 0 });
    desk.say("w3", &first, Label::Nok, Some("w1"));
    assert_eq!(desk.ids(&review).0, ["GL2-1", "GL2-4"]);
    assert_eq!(desk.book.revision(), 7);
}

#[test]
fn a_word_said_before_the_decision_is_heard_with_it() {
    let mut desk = Desk::new();
    let second = format!("{:032x}", 2);
    desk.say("w1", &second, Label::Ok, None);
    desk.say("w2", &second, Label::Nok, None);
    desk.decide(1, Verdict::Review, false);
    desk.decide(2, Verdict::Review, true);
    assert_eq!(desk.book.counts(), Counts { all: 2, review: 1, drawn: 0 });
    let coil = desk.book.get(desk.book.place(&second).unwrap()).unwrap();
    assert_eq!((coil.words.label(), coil.words.all().len()), (Some(Label::Nok), 2));
    assert!(desk.book.early.on(&second).is_empty(), "heard once");
}

#[test]
fn words_that_wait_for_a_decision_are_bounded() {
    let mut desk = Desk::new();
    let id = |n: u64| format!("{n:032x}");
    for n in 0..1_001 {
        desk.say(&n.to_string(), &id(n), Label::Ok, None);
    }
    assert!(desk.book.early.on(&id(0)).is_empty(), "the oldest goes");
    assert_eq!(desk.book.early.on(&id(1)).len(), 1);
}

#[test]
fn a_list_goes_on_where_its_last_page_ended_whatever_came_meanwhile() {
    let mut desk = Desk::new();
    for n in 0..7 {
        desk.decide(n, if n % 2 == 0 { Verdict::Ok } else { Verdict::Nok }, false);
    }
    let all = Query { limit: 3, ..Query::default() };
    let (page, next) = desk.ids(&all);
    assert_eq!(page, ["GL2-6", "GL2-5", "GL2-4"]);
    desk.decide(7, Verdict::Ok, false);
    let (page, next) = desk.ids(&Query { after: next, ..all.clone() });
    assert_eq!(page, ["GL2-3", "GL2-2", "GL2-1"]);
    let (page, next) = desk.ids(&Query { after: next, ..all.clone() });
    assert_eq!((page.len(), next), (1, None));
    let nok = Query { verdict: Some(Verdict::Nok), text: "gl2-5", limit: 3, ..Query::default() };
    assert_eq!(desk.ids(&nok).0, ["GL2-5"]);
}

#[test]
fn the_oldest_are_let_go_and_leave_nothing_behind() {
    let mut desk = Desk::new();
    let first = desk.decide(1, Verdict::Review, true);
    desk.decide(2, Verdict::Ok, false);
    desk.book.drop_oldest();
    assert_eq!(desk.book.counts(), Counts { all: 1, review: 0, drawn: 0 });
    assert_eq!(desk.book.place(&first), None);
    desk.say("w1", &first, Label::Nok, None);
    assert_eq!(desk.ids(&Query { limit: 9, ..Query::default() }), (vec!["GL2-2".to_owned()], None));
}

#[test]
fn coils_that_look_alike_are_near() {
    let mut desk = Desk::new();
    let picture = |thin: Option<usize>| {
        let cell = |i| Some((if thin == Some(i / GAUGES / 8) { 80.0 } else { 100.0 }, 1.0));
        let cells: Vec<_> = (0..CELLS).map(cell).collect();
        Signature::of(&CoilMatrix::from_cells(&cells).unwrap(), None)
    };
    for (n, thin) in [None, Some(5), Some(20), Some(5)].into_iter().enumerate() {
        let id = desk.decide(n as u64, Verdict::Ok, false);
        desk.book.sign(&id, picture(thin));
    }
    let found = desk.book.similar(&picture(Some(5)), Some(1), 2);
    assert_eq!(&*found[0].coil.coil_id, "GL2-3");
    assert!(found[0].distance < 0.01 && found[1].distance > 1.0, "{found:?}");
}

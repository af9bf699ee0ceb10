//! People and models, of blind re-judging.

use super::*;
use crate::archive::{Decision, Followed};
use crate::web::Rejudging;
use coilsight_models::coil::CoilId;
use coilsight_models::message::assessment::Vote;

/// Models of another set are other models, even of the same name: they are not held against what these people said.
#[test]
fn agreement_is_with_the_newest_sets_answers() {
    let mut book = Book::default();
    let mut decide = |n: usize, set: &str, by_model: Verdict| {
        let mut a = crate::line::tests::assessment();
        a.coil_id = CoilId::new(format!("GL2-{n}")).unwrap();
        a.decision_id = format!("d{n}");
        (a.verdict, a.by_score) = (Verdict::Review, Some(by_model));
        a.model.fingerprint = set.into();
        a.votes =
            vec![Vote { model: "net".into(), verdict: by_model, p_nok: 0.5, confidence: 0.5, weight: 1.0 }];
        book.take(&Followed::Decision(Decision {
            decision_id: a.decision_id.clone(),
            coil_id: a.coil_id.to_string(),
            pass_key: format!("p{n}"),
            json: serde_json::to_vec(&a).unwrap(),
        }));
    };
    // Every other coil is NOK. The old set says the opposite of all, the newest is right but for one.
    let nok = |n: usize| n % 2 == 1;
    let says = |nok: bool| if nok { Verdict::Nok } else { Verdict::Ok };
    for n in 0..6 {
        decide(n, "old", says(!nok(n)));
    }
    for n in 6..14 {
        decide(n, "new", says(nok(n) && n != 13));
    }
    let mut session = Rejudging::begin("Ada".into(), Timestamp::UNIX_EPOCH);
    session.decisions = (0..14).map(|n| format!("d{n}")).collect();
    for round in [1, 2] {
        let labels = (0..14).map(|n| (format!("d{n}"), if nok(n) { Label::Nok } else { Label::Ok }));
        session.labels.insert(("Ada".into(), round), labels.collect());
    }
    let agreement = scores::agreement(&session, &book).unwrap();
    let with: Vec<_> =
        agreement.models.iter().map(|pair| (pair.b.as_str(), pair.agreed.coils, pair.agreed.alike)).collect();
    assert_eq!(with, [("ensemble", 8, 7), ("net", 8, 7)]);
    let kappa = agreement.models[0].agreed.kappa.unwrap();
    // 7 of 8 alike, half of which chance would do: Ada 4 NOK of 8, the models 3.
    assert!((kappa.value - 0.75).abs() < 1e-12, "{}", kappa.value);
    assert_eq!(agreement.within[0].agreed.coils, 14, "people with themselves on all");
}

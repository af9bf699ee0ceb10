//! Agreement on small sessions.

use crate::score::{Agreement, Answer, JudgeSaid, agreement};
use coilsight_models::message::inbound::Label;

const ITEMS: [&str; 6] = ["i0", "i1", "i2", "i3", "i4", "i5"];

fn answers(inspector: &'static str, round: u8, labels: &str) -> Vec<Answer<'static>> {
    let label = |c| if c == 'n' { Label::Nok } else { Label::Ok };
    let given = ITEMS.iter().zip(labels.chars()).filter(|(_, c)| *c != '-');
    given.map(|(item, c)| Answer { item, inspector, round, label: label(c) }).collect()
}

fn said(judge: &'static str, labels: &str) -> Vec<JudgeSaid<'static>> {
    answers(judge, 1, labels).iter().map(|a| JudgeSaid { item: a.item, judge, label: a.label }).collect()
}

#[test]
fn everybody_with_everybody_and_with_the_models() {
    let all = [
        answers("ann", 1, "nnoooo"),
        answers("ann", 2, "nnooo-"),
        answers("bob", 1, "nooooo"),
        answers("cyd", 1, "nnoon-"),
        answers("cyd", 3, "oooooo"),
    ]
    .concat();
    let models = [said("m", "nooooo"), said("ensemble", "nnoooo")].concat();
    let agreement = agreement(&all, &models).unwrap();
    assert_eq!(agreement.inspectors, ["ann", "bob", "cyd"]);
    let pairs: Vec<_> =
        agreement.between.iter().map(|p| (&*p.a, &*p.b, p.agreed.alike, p.agreed.coils)).collect();
    assert_eq!(pairs, [("ann", "bob", 5, 6), ("ann", "cyd", 4, 5), ("bob", "cyd", 3, 5)]);
    let among = agreement.among.unwrap();
    assert_eq!((among.agreed.coils, among.agreed.alike, among.agreed.all_nok), (5, 3, 1));
    assert_eq!(agreement.within.len(), 1);
    assert_eq!((agreement.within[0].agreed.coils, agreement.within[0].agreed.kappa.unwrap().value), (5, 1.0));
    // Five of five: perfect agreement, and not known to be.
    assert!(agreement.within[0].agreed.kappa.unwrap().low < 0.5);
    let models: Vec<_> = agreement.models.iter().map(|p| (&*p.a, &*p.b, p.agreed.alike)).collect();
    assert_eq!(models[..3], [("ann", "ensemble", 6), ("bob", "ensemble", 5), ("cyd", "ensemble", 4)]);
    assert_eq!(models[3..], [("ann", "m", 5), ("bob", "m", 6), ("cyd", "m", 3)]);
    assert!(
        agreement.between[0].text.contains("ann and bob said the same of 5 of 6 coils"),
        "{}",
        agreement.between[0].text
    );
    assert!(agreement.text.contains("two inspectors say the same of 74 %"), "{}", agreement.text);
    assert!(agreement.text.contains("agrees with the two on at most 87 %"), "{}", agreement.text);
}

/// What is told of a model's limits holds for one that is always right.
#[test]
fn a_model_may_agree_with_people_more_than_they_with_each_other() {
    let pair = [answers("ann", 1, "nnnooo"), answers("bob", 1, "onnoon")].concat();
    let Agreement { summary, .. } = agreement(&pair, &said("ensemble", "nnnoon")).unwrap();
    assert_eq!((summary.between, summary.within), (Some(4.0 / 6.0), None));
    let (most, ensemble) = (summary.at_most.unwrap(), summary.ensemble.unwrap());
    assert!((most - 5.0 / 6.0).abs() < 1e-12 && (ensemble - most).abs() < 1e-12);
    assert!(ensemble > summary.between.unwrap());
}

#[test]
fn the_last_answer_counts_and_nobody_is_nothing() {
    assert!(agreement(&[], &said("m", "nnnnnn")).is_none());
    assert!(agreement(&answers("ann", 0, "nnn"), &[]).is_none());
    let changed = [answers("ann", 1, "n"), answers("ann", 1, "o"), answers("bob", 1, "o")].concat();
    let both = agreement(&changed, &[]).unwrap();
    assert_eq!(both.between[0].agreed.alike, 1);
    // All OK: chance would do that, too.
    assert_eq!((both.between[0].agreed.kappa, both.among), (None, None));
    assert!(both.between[0].text.contains("every one of them OK"), "{}", both.between[0].text);
    let alone = agreement(&answers("ann", 2, "nno"), &[]).unwrap();
    assert_eq!((alone.inspectors.len(), alone.within.len(), alone.models.len()), (1, 0, 0));
    assert!(alone.text.contains("Nobody else"));
}

#[test]
fn what_nearly_all_ok_does_to_kappa_is_told() {
    let (mut ann, mut bob) = (Vec::new(), Vec::new());
    let items: Vec<String> = (0..40).map(|i| i.to_string()).collect();
    for (i, item) in items.iter().enumerate() {
        let label = |nok| if nok { Label::Nok } else { Label::Ok };
        ann.push(Answer { item, inspector: "ann", round: 1, label: label(i < 2) });
        bob.push(Answer { item, inspector: "bob", round: 1, label: label(i == 1 || i == 2) });
    }
    let agreement = agreement(&[ann, bob].concat(), &[]).unwrap();
    let pair = &agreement.between[0];
    assert!(pair.agreed.kappa.unwrap().value < 0.5 && pair.agreed.ac1.unwrap().value > 0.9, "{pair:?}");
    assert!(pair.text.contains("presses kappa down"), "{}", pair.text);
}

//! What holds of any list of coils.

use super::{coil, panel};
use crate::score::{
    Config, Facts, Figures, Judged, Panel, Panels, Scores, Triggers, Window, ensemble, scores,
};
use coilsight_models::coil::ToleranceClass;
use coilsight_models::message::inbound::Label;
use coilsight_models::verdict::Verdict;
use jiff::Timestamp;
use proptest::prelude::*;
use std::sync::Arc;

/// Verdict, score, class, drawn share, label, votes: anything, sensible or not.
type Any = (u8, u8, u8, Option<f64>, Option<bool>, [u8; 2]);

fn any_coil() -> impl Strategy<Value = Any> {
    let share = prop_oneof![Just(0.02), Just(0.1), Just(1.0), any::<f64>()];
    let share = prop::option::of(share);
    (0..3_u8, 0..4_u8, 0..4_u8, share, prop::option::weighted(0.7, any::<bool>()), [0..4_u8, 0..4_u8])
}

fn verdict(n: u8) -> Option<Verdict> {
    [Some(Verdict::Ok), Some(Verdict::Nok), Some(Verdict::Review), None][usize::from(n)]
}

fn judged(place: usize, (v, by_score, class, drawn, label, votes): Any, panel: &Arc<Panel>) -> Judged {
    Judged::new(&Facts {
        place: place as u64,
        at: Timestamp::from_second(place as i64 * 3600).ok(),
        class: ToleranceClass::ALL.get(usize::from(class)).copied(),
        order: None,
        verdict: verdict(v).unwrap_or(Verdict::Review),
        by_score: verdict(by_score),
        drawn,
        label: label.map(|nok| if nok { Label::Nok } else { Label::Ok }),
        panel,
        votes: &votes.map(verdict),
    })
}

fn all(judged: &[Judged]) -> Scores {
    scores(judged, Window::All, Timestamp::UNIX_EPOCH)
}

fn every(scores: &Scores) -> impl Iterator<Item = &Figures> {
    scores.judges.iter().flat_map(|judge| {
        std::iter::once(&judge.overall).chain(judge.classes.iter().map(|class| &class.figures))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn figures_are_numbers_inside_their_ranges_and_weights_sum_to_the_coils(
        coils in prop::collection::vec(any_coil(), 0..150),
    ) {
        let panel = panel();
        let coils: Vec<_> = coils.into_iter().enumerate().map(|(i, any)| judged(i, any, &panel)).collect();
        let scores = all(&coils);
        prop_assert_eq!(&ensemble(&coils, Window::All, Timestamp::UNIX_EPOCH), &scores.judges[0].overall);
        for f in every(&scores) {
            for (estimate, least) in [
                (f.score, 0.0), (f.accuracy, 0.0), (f.balanced_accuracy, 0.0), (f.recall, 0.0), (f.specificity, 0.0), (f.mcc, -1.0),
            ] {
                let Some(e) = estimate else { continue };
                prop_assert!(least <= e.low && e.low <= e.value && e.value <= e.high && e.high <= 1.0, "{e:?}");
            }
            prop_assert!(f.labelled <= f.n && f.counted.total() == f.labelled as f64);
            prop_assert!(f.labelled > 0 || (f.score.is_none() && f.accuracy.is_none() && f.note.is_some()));
            prop_assert_eq!(f.weighted.is_some(), f.accuracy.is_some());
            if let Some(weighted) = f.weighted {
                let sum = weighted.total() + f.left_out as f64;
                prop_assert!((sum - f.n as f64).abs() < 1e-6 * f.n as f64, "{sum} {}", f.n);
            }
        }
        // A number that is none would be written as null where none may be.
        let triggers = Triggers::new(Config::default()).evaluate(&coils, &[], Timestamp::UNIX_EPOCH);
        let text = serde_json::to_string(&triggers).unwrap();
        prop_assert_eq!(serde_json::from_str::<Vec<crate::score::Trigger>>(&text).unwrap(), triggers);
    }

    #[test]
    fn the_order_of_coils_does_not_matter(
        (straight, mixed) in prop::collection::vec(any_coil(), 0..100)
            .prop_flat_map(|coils| (Just(coils.clone()), Just(coils).prop_shuffle())),
    ) {
        let panel = panel();
        let list = |coils: Vec<Any>| coils.into_iter().map(|any| judged(0, any, &panel)).collect::<Vec<_>>();
        let (a, b) = (all(&list(straight)), all(&list(mixed)));
        for (a, b) in every(&a).zip(every(&b)) {
            // Sums in another order: the last digits may differ.
            let close = |a: Option<f64>, b: Option<f64>| a.zip(b).map_or(a.is_none() && b.is_none(), |(a, b)| (a - b).abs() < 1e-6);
            let low = |f: &Figures| f.balanced_accuracy.map(|e| e.low);
            prop_assert!(close(low(a), low(b)));
            prop_assert!(close(a.mcc.map(|e| e.value), b.mcc.map(|e| e.value)));
            prop_assert_eq!((a.counted, a.n, &a.note), (b.counted, b.n, &b.note));
        }
    }
}

#[test]
fn nothing_labelled_is_nothing_known() {
    let panel = panel();
    let coils: Vec<_> = (0..300).map(|i| coil(i, Verdict::Ok, Some(0.5), None, &panel)).collect();
    let scores = all(&coils);
    assert_eq!((scores.judges.len(), scores.drawn.n, scores.drawn.share_nok), (4, 300, None));
    assert!(
        every(&scores)
            .all(|f| f.accuracy.is_none() && f.score.is_none() && f.mcc.is_none() && f.note.is_some())
    );
    let nobody = all(&[]);
    assert_eq!((nobody.coils, nobody.from, nobody.set, nobody.judges.len()), (0, None, None, 2));
}

#[test]
fn a_superseded_word_changes_the_scores_and_a_withdrawn_one_leaves_them_as_before() {
    let panel = panel();
    let with = |label| {
        let mut coils: Vec<_> =
            (0..10).map(|i| coil(i, Verdict::Ok, Some(0.5), Some(Label::Ok), &panel)).collect();
        coils.push(coil(10, Verdict::Nok, None, label, &panel));
        all(&coils)
    };
    let (before, nok, ok) = (with(None), with(Some(Label::Nok)), with(Some(Label::Ok)));
    assert_eq!(nok.judges[0].overall.accuracy.unwrap().value, 1.0);
    assert_eq!(ok.judges[0].overall.accuracy.unwrap().value, 10.0 / 11.0);
    assert_eq!(before.judges[0].overall.accuracy, None);
    assert!(before.judges[0].overall.note.as_ref().unwrap().contains("No NOK coil is labelled"));
    assert_eq!(with(None), before);
}

#[test]
fn drawn_coils_stand_for_the_others_by_hand() {
    let panel = panel();
    let drawn = |i: u64, label| coil(i, Verdict::Ok, Some(0.1), Some(label), &panel);
    let mut coils: Vec<_> = (0..180).map(|i| coil(i, Verdict::Ok, None, None, &panel)).collect();
    coils.extend((180..198).map(|i| drawn(i, Label::Ok)));
    coils.extend((198..200).map(|i| drawn(i, Label::Nok)));
    // Labelled unasked: in the counts, and standing for nobody.
    coils.extend((200..250).map(|i| coil(i, Verdict::Ok, None, Some(Label::Nok), &panel)));
    coils.extend((250..270).map(|i| coil(i, Verdict::Nok, None, Some(Label::Nok), &panel)));
    // One in five REVIEW coils has no word yet.
    coils.extend((270..280).map(|i| {
        let label =
            [Some(Label::Nok), Some(Label::Ok), None, Some(Label::Ok), Some(Label::Ok)][i as usize % 5];
        coil(i, Verdict::Review, None, label, &panel)
    }));
    let scores = all(&coils);
    let [ensemble, line] = [&scores.judges[0].overall, &scores.judges[1].overall];
    let weighted = ensemble.weighted.unwrap();
    // 250 OK coils, a tenth of the drawn ones NOK; 10 REVIEW coils, a quarter NOK, all NOK by score.
    for (ours, hand) in [
        (weighted.false_ok, 25.0),
        (weighted.true_ok, 225.0),
        (weighted.true_nok, 22.5),
        (weighted.false_nok, 7.5),
    ] {
        assert!((ours - hand).abs() < 1e-9, "{weighted:?}");
    }
    assert_eq!((ensemble.volunteered.false_ok, ensemble.volunteered.total()), (50.0, 50.0));
    assert_eq!((ensemble.labelled, ensemble.score.unwrap().value), (98, 40.0 / 98.0));
    // A REVIEW coil is what it turned out to be.
    assert!((line.accuracy.unwrap().value - 255.0 / 280.0).abs() < 1e-12);
    assert_eq!((scores.reviews.n, scores.reviews.ok, scores.reviews.nok, scores.reviews.open), (10, 6, 2, 2));
    assert_eq!((scores.drawn.of, scores.drawn.n, scores.drawn.nok), (250, 20, 2));
}

#[test]
fn one_fresh_coil_without_a_word_leaves_the_figures() {
    let panel = panel();
    let mut coils: Vec<_> =
        (0..40).map(|i| coil(i, Verdict::Ok, Some(0.5), Some(Label::Ok), &panel)).collect();
    coils.push(coil(40, Verdict::Nok, None, None, &panel));
    coils.push(coil(41, Verdict::Review, None, None, &panel));
    let ensemble = &all(&coils).judges[0].overall;
    assert_eq!((ensemble.accuracy.unwrap().value, ensemble.left_out), (1.0, 2));
    // More than one in twenty is too many, of both together.
    coils.push(coil(42, Verdict::Review, None, None, &panel));
    let ensemble = &all(&coils).judges[0].overall;
    assert_eq!((ensemble.accuracy, ensemble.left_out), (None, 0));
}

#[test]
fn coils_drawn_with_unlike_shares_count_by_their_share() {
    let panel = panel();
    let mut coils: Vec<_> =
        (0..10).map(|i| coil(i, Verdict::Ok, Some(0.5), Some(Label::Ok), &panel)).collect();
    coils.push(coil(10, Verdict::Ok, Some(0.05), Some(Label::Nok), &panel));
    let share = all(&coils).judges[0].overall.weighted.unwrap().false_ok / 11.0;
    assert!((share - 0.5).abs() < 1e-6, "{share}");
}

#[test]
fn windows_and_sets() {
    let (one, two) = (panel(), Panels::default().of("f01", ["a"].into_iter()));
    let coils: Vec<_> = (0..100)
        .map(|i| coil(i, Verdict::Nok, None, Some(Label::Nok), if i < 60 { &one } else { &two }))
        .collect();
    let now = Timestamp::from_second(3600 * 100).unwrap();
    let of = |window: &str| scores(&coils, window.parse().unwrap(), now);
    assert_eq!((of("all").coils, of("30c").coils, of("5000c").coils, of("1d").coils), (100, 30, 100, 24));
    assert_eq!(of("1d").from, coils[76].at());
    let named = |scores: &Scores| serde_json::to_value(&scores.judges).unwrap();
    assert_eq!(named(&of("30c"))[2]["set"], "f01");
    assert_eq!(named(&of("30c"))[2]["model"], "a");
    assert_eq!(named(&of("30c"))[0]["kind"], "ensemble");
    assert_eq!(of("30c").judges.len(), 3);
    // The newest set first; each model on its own set's coils.
    let all = of("all");
    assert_eq!(all.judges.iter().map(|judge| judge.overall.n).collect::<Vec<_>>(), [40, 40, 40, 60, 60]);
    assert_eq!((all.coils, all.of_set, all.set.as_deref()), (100, 40, Some("f01")));
    assert_eq!(ensemble(&coils, Window::All, now), all.judges[0].overall);
    assert_eq!(serde_json::to_value(&all).unwrap()["window"], "all");
}

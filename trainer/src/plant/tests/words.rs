//! Whose words count, and about what.

use super::*;

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

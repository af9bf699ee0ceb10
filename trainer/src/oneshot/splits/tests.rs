use super::*;
use crate::export::folded::GlobalPool;
use crate::oneshot::episodes::Measure;
use crate::oneshot::turns::TURNS;

fn made(classes: usize, each: usize, apart: f32) -> Features {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let labels: Vec<usize> = (0..classes * each).map(|p| p / each).collect();
    let row = |label: usize| {
        let mut row: Vec<f32> = (0..2 * classes).map(|_| rng.random_range(-1.0..1.0)).collect();
        row[label] += apart;
        row
    };
    let mut row = row;
    let rows: Vec<Vec<f32>> =
        labels.iter().flat_map(|label| (0..TURNS).map(|_| row(*label)).collect::<Vec<_>>()).collect();
    Features::new(labels, &rows, &[(5, classes)]).expect("features")
}

fn recipe() -> Recipe {
    Recipe {
        stages: vec![5],
        kinds: vec![GlobalPool::Avg],
        shrinkage: 0.1,
        measure: Measure::Euclidean,
        turned_queries: true,
    }
}

#[test]
fn halves_are_all_and_each_once() {
    let all = halves(6);
    assert_eq!((all.len(), all[0].clone()), (20, vec![0, 1, 2]));
    let distinct: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(distinct.len(), 20);
}

#[test]
fn unseen_classes_have_no_part_in_what_is_chosen() {
    let features = made(6, 20, 6.0);
    let episodes = Episodes { ways: 6, count: 40, ..Episodes::default() };
    let tried = [recipe(), Recipe { turned_queries: false, ..recipe() }];
    let outcome = split(&features, None, &[0, 2, 4], &tried, &episodes, |_| ()).expect("an outcome");
    assert!(outcome.unseen.mean > 0.95 && outcome.all.mean > 0.9, "{outcome:?}");
    assert_eq!((outcome.unseen.by_class.len(), outcome.all.by_class.len()), (3, 6));
    // With the unseen classes' pictures replaced, the scores stay what they were.
    let mut other = features.clone();
    other.scramble(&[1, 3, 5]);
    let again = split(&other, None, &[0, 2, 4], &tried, &episodes, |_| ()).expect("an outcome");
    assert_eq!(again.scores, outcome.scores);
    assert!(again.unseen.mean < 0.6, "{:?}", again.unseen);
    let over = over_splits(&[outcome.clone(), again]).expect("two splits");
    assert!(over.unseen.low < over.unseen.high && over_splits(&[outcome]).is_none());
}

#[test]
fn all_classes_are_told_apart_where_they_lie_apart() {
    let features = made(4, 20, 8.0);
    let found = all_classes(&features, None, &recipe(), 0).expect("all");
    assert_eq!((found.right, found.asked, found.wrong.len()), (80, 80, 0));
    let mixed = made(4, 20, 0.0);
    let found = all_classes(&mixed, None, &recipe(), 0).expect("all");
    assert!(found.right < 50, "{found:?}");
    let other = all_classes(&features, Some(&mixed), &recipe(), 0).expect("all");
    assert!(other.right < 50 && other.asked == 80);
}

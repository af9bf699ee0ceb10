use super::*;
use proptest::prelude::*;

fn line(at: &[f32]) -> Vec<Views> {
    at.iter().map(|x| Views { reference: vec![*x, 1.0], query: vec![*x, 1.0] }).collect()
}

#[test]
fn classes_apart_are_recognised_and_mixed_ones_are_not() {
    let apart: Vec<f32> = (0..60).map(|i| (i / 20) as f32 * 100.0 + (i % 20) as f32).collect();
    let members: Vec<Vec<usize>> = (0..3).map(|c| (20 * c..20 * c + 20).collect()).collect();
    let episodes = Episodes { count: 200, ..Episodes::default() };
    let found =
        episodes.accuracy(&members, &Prepared::of(line(&apart), Measure::Euclidean)).expect("accuracy");
    assert_eq!((found.mean, found.half_width, found.fifth_percentile), (1.0, 0.0, 1.0));
    assert_eq!(found.by_class, [1.0; 3]);
    let mixed: Vec<f32> = (0..60).map(|i| (i * 37 % 60) as f32).collect();
    let found =
        episodes.accuracy(&members, &Prepared::of(line(&mixed), Measure::Euclidean)).expect("accuracy");
    assert!((found.mean - 1.0 / 3.0).abs() < 0.1 && found.half_width > 0.0, "{found:?}");
}

#[test]
fn the_cosine_knows_directions_alone() {
    let mut views = line(&[1.0, 5.0]);
    views[0].reference = vec![10.0, 0.0];
    views[1].reference = vec![0.0, 0.1];
    views[0].query = vec![0.5, 0.4];
    let known = |p: &Prepared| [p.mean(&[0]), p.mean(&[1])];
    let cosine = Prepared::of(views.clone(), Measure::Cosine);
    let euclidean = Prepared::of(views, Measure::Euclidean);
    assert_eq!(cosine.nearest(0, &known(&cosine)), 0);
    assert_eq!(euclidean.nearest(0, &known(&euclidean)), 1);
}

#[test]
fn too_few_classes_or_pictures_are_refused() {
    let episodes = Episodes { ways: 3, shots: 2, ..Episodes::default() };
    let few = episodes.draw(&[vec![0, 1, 2], vec![3, 4, 5]], 0).expect_err("two classes");
    assert_eq!(
        few.to_string(),
        "3-way 2-shot episodes need 3 classes of at least 3 pictures; there are 2 classes"
    );
    assert!(episodes.draw(&[vec![0, 1, 2], vec![3, 4, 5], vec![6, 7]], 0).is_err());
}

proptest! {
    #[test]
    fn no_picture_is_both_known_and_asked_about(ways in 2usize..4, shots in 1usize..4, queries in 1usize..20, number in 0usize..50) {
        let members: Vec<Vec<usize>> = (0..5).map(|c| (10 * c..10 * c + 10).collect()).collect();
        let episodes = Episodes { ways, shots, queries, count: 1, seed: 3 };
        let episode = episodes.draw(&members, number).expect("an episode");
        prop_assert_eq!(&episode, &episodes.draw(&members, number).expect("the same"));
        prop_assert_eq!(episode.classes.len(), ways);
        for (k, class) in episode.classes.iter().enumerate() {
            prop_assert_eq!((episode.references[k].len(), episode.queries[k].len()), (shots, queries.min(10 - shots)));
            for query in &episode.queries[k] {
                prop_assert!(members[*class].contains(query) && !episode.references[k].contains(query));
            }
        }
    }
}

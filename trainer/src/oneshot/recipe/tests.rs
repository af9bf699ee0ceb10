use super::*;
use crate::oneshot::episodes::Episodes;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Pictures of classes that differ in two columns of stage 3 by less than they scatter along another; stage 4 is noise.
fn made(classes: usize, each: usize) -> Features {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let labels: Vec<usize> = (0..classes * each).map(|p| p / each).collect();
    let mut rows = Vec::new();
    for label in &labels {
        let angle = *label as f32 * std::f32::consts::TAU / classes as f32;
        let wide: f32 = rng.random_range(-20.0..20.0);
        for _ in 0..TURNS {
            let mut noise = || rng.random_range(-0.3..0.3f32);
            let three = [angle.cos() + wide + noise(), angle.sin() + noise(), wide + noise()];
            let four = [10.0 * noise()];
            rows.push([&three[..], &three, &four, &four].concat());
        }
    }
    Features::new(labels, &rows, &[(3, 3), (4, 1)]).expect("features")
}

fn recipe(stage: usize, shrinkage: f64) -> Recipe {
    Recipe {
        stages: vec![stage],
        kinds: vec![GlobalPool::Avg],
        shrinkage,
        measure: Measure::Euclidean,
        turned_queries: true,
    }
}

fn members(classes: std::ops::Range<usize>, each: usize) -> Vec<Vec<usize>> {
    classes.map(|class| (class * each..(class + 1) * each).collect()).collect()
}

#[test]
fn columns_are_found_by_stage_and_pool() {
    let features = made(2, 2);
    assert_eq!(features.columns(&[4], &[GlobalPool::Max]), [7]);
    assert_eq!(features.columns(&[3, 4], &[GlobalPool::Avg]), [0, 1, 2, 6]);
    let columns = [0, 7];
    let rows: Vec<Vec<f32>> = (0..TURNS).map(|turn| features.row(1, turn, &columns)).collect();
    let mean = rows.iter().map(|row| row[1]).sum::<f32>() / TURNS as f32;
    assert!((features.mean(1, &columns)[1] - mean).abs() < 1e-6);
    assert!(Features::new(vec![0], &[vec![0.0]], &[(3, 1)]).is_err());
}

#[test]
fn what_is_best_on_the_seen_classes_is_chosen_and_serves_unseen_ones() {
    let features = made(6, 40);
    let episodes = Episodes { count: 60, ..Episodes::default() };
    let tried = [recipe(4, 0.1), recipe(3, 1.0), recipe(3, 0.0001)];
    let mut steps = 0;
    let scored = choose(&features, &members(0..3, 40), &tried, |n| steps += n).expect("scores");
    assert_eq!(steps, 9);
    assert_eq!(scored[0].recipe, recipe(3, 0.0001), "{scored:?}");
    assert!(scored[0].accuracy > scored[1].accuracy + 0.1, "{scored:?}");
    let seen: Vec<usize> = (0..120).collect();
    let best = &scored[0].recipe;
    let whitening =
        best.within(&features, &seen).and_then(|w| w.whitening(best.shrinkage)).expect("whitening");
    let all: Vec<usize> = (0..240).collect();
    let prepared = best.prepare(&features, &all, &whitening);
    let found = episodes.accuracy(&members(3..6, 40), &prepared).expect("accuracy");
    assert!(found.mean > 0.95, "{found:?}");
}

#[test]
fn a_recipe_says_itself() {
    let text = recipe(3, 0.1).to_string();
    assert_eq!(
        text,
        "stages 3, mean; shrinkage 0.1; Euclidean; the picture asked about looked at in eight ways"
    );
}

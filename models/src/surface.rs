//! Surface pictures that are known from one picture of each class: how a picture lies, how embeddings are compared.
//!
//! [`crate::session::surface`] runs the encoder of a bundle; what is here is also what the trainer counts with.

use crate::bundle::manifest::Measure;
use serde::Serialize;

/// A picture has so many pixels a side.
pub const SIDE: usize = 200;
/// How many ways there are in which a square picture can lie: quarter turns, each also mirrored.
pub const TURNS: usize = 8;

/// What a picture was recognised as.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recognised {
    /// The nearest class; none where it is like nothing that is known.
    pub class: Option<String>,
    /// Its distance, and those of the others, the nearest first.
    pub distances: Vec<(String, f64)>,
    /// A picture further than this from every class is like nothing that is known.
    pub limit: f64,
}

/// A grey picture `[SIDE, SIDE]`, row-major, in way `turn`, as the encoder's input `[1, 3, SIDE, SIDE]`: (x - 127) / 128 in all
/// three channels.
pub fn plane(pixels: &[u8], turn: usize) -> Vec<f32> {
    let plane: Vec<f32> =
        turned(pixels, SIDE, turn).iter().map(|p| (f32::from(*p) - 127.0) / 128.0).collect();
    plane.repeat(3)
}

/// What a picture is by its embedding: the class whose references' mean is nearest. `classes` are names with embeddings, at least
/// one each and all as long as `query`.
pub fn recognised<'a, R>(
    measure: Measure,
    limit: f64,
    mut query: Vec<f32>,
    classes: impl IntoIterator<Item = (&'a str, R)>,
) -> Recognised
where
    R: ExactSizeIterator<Item = &'a [f32]>,
{
    let ready = |v: &mut [f32]| {
        if measure == Measure::Cosine {
            direct(v);
        }
    };
    ready(&mut query);
    let distance = |known: R| {
        let (mut mean, many) = (vec![0.0; query.len()], known.len() as f32);
        for reference in known {
            let mut one = reference.to_vec();
            ready(&mut one);
            mean.iter_mut().zip(one).for_each(|(m, v)| *m += v / many);
        }
        ready(&mut mean);
        f64::from(squared(&query, &mean)).sqrt()
    };
    let mut distances: Vec<(String, f64)> =
        classes.into_iter().map(|(name, known)| (name.to_owned(), distance(known))).collect();
    distances.sort_by(|a, b| a.1.total_cmp(&b.1));
    let nearest = distances.first().filter(|(_, distance)| *distance <= limit);
    Recognised { class: nearest.map(|(name, _)| name.clone()), limit, distances }
}

/// Makes a vector its direction; nothing has none and stays.
pub fn direct(vector: &mut [f32]) {
    let length = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
    if length > 0.0 {
        for v in vector {
            *v /= length;
        }
    }
}

/// The squared Euclidean distance.
pub fn squared(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// The picture `side` x `side` turned `turn % 4` quarters clockwise; from the fifth way on, mirrored left to right before.
/// Way 0 leaves it as it is.
pub fn turned<T: Copy>(pixels: &[T], side: usize, turn: usize) -> Vec<T> {
    let last = side - 1;
    let from = |row: usize, column: usize| {
        let (row, column) = match turn % 4 {
            0 => (row, column),
            1 => (last - column, row),
            2 => (last - row, last - column),
            _ => (column, last - row),
        };
        if turn >= 4 { (row, last - column) } else { (row, column) }
    };
    let at = |(row, column): (usize, usize)| pixels[row * side + column];
    (0..side * side).map(|to| at(from(to / side, to % side))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn quarters_turn_clockwise_and_all_ways_differ() {
        let picture = [1, 2, 3, 4];
        assert_eq!(turned(&picture, 2, 0), [1, 2, 3, 4]);
        assert_eq!(turned(&picture, 2, 1), [3, 1, 4, 2]);
        assert_eq!(turned(&picture, 2, 2), [4, 3, 2, 1]);
        assert_eq!(turned(&picture, 2, 4), [2, 1, 4, 3]);
        let ways: BTreeSet<Vec<i32>> = (0..TURNS).map(|turn| turned(&picture, 2, turn)).collect();
        assert_eq!(ways.len(), TURNS);
        let four = (0..4).fold(picture.to_vec(), |picture, _| turned(&picture, 2, 1));
        assert_eq!(four, picture);
    }
}

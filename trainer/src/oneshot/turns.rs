//! The eight ways in which a square picture can lie: quarter turns, each also mirrored.

/// How many ways there are.
pub const TURNS: usize = 8;

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

//! The accuracy that one-shot episodes come to on average over every choice of references, without drawing any.
//!
//! Good candidates are right in nearly all episodes; a few hundred drawn ones cannot tell them apart.

use super::episodes::{Prepared, squared};
use super::error::OneShotError;

impl Prepared {
    /// Mean over the classes of `members`: a picture is right where its own class' reference is nearer than that of every other
    /// class; a tie is wrong. References are all equally likely, and no picture is its own.
    pub fn expected(&self, members: &[Vec<usize>]) -> Result<f64, OneShotError> {
        if members.len() < 2 || members.iter().any(|of| of.len() < 2) {
            let found = format!("there are {} classes", members.len());
            return Err(OneShotError::Episodes { ways: members.len().max(2), shots: 1, found });
        }
        let far = |query: usize, of: &[usize]| -> Vec<f32> {
            of.iter().map(|r| squared(&self.views[query].query, &self.views[*r].reference)).collect()
        };
        let of_class = |class: usize| {
            let right = |query: &usize| {
                let others = members.iter().enumerate().filter(|(other, _)| *other != class);
                let others: Vec<Vec<f32>> = others
                    .map(|(_, of)| {
                        let mut sorted = far(*query, of);
                        sorted.sort_unstable_by(f32::total_cmp);
                        sorted
                    })
                    .collect();
                let own: Vec<usize> = members[class].iter().copied().filter(|r| r != query).collect();
                let chance = |distance: f32| {
                    let further = |sorted: &Vec<f32>| {
                        let nearer = sorted.partition_point(|other| *other <= distance);
                        1.0 - nearer as f64 / sorted.len() as f64
                    };
                    others.iter().map(further).product::<f64>()
                };
                far(*query, &own).into_iter().map(chance).sum::<f64>() / own.len() as f64
            };
            members[class].iter().map(right).sum::<f64>() / members[class].len() as f64
        };
        Ok((0..members.len()).map(of_class).sum::<f64>() / members.len() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oneshot::episodes::{Episodes, Measure, Views};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn at(places: &[f32]) -> Prepared {
        let view = |x: &f32| Views { reference: vec![*x], query: vec![*x] };
        Prepared::of(places.iter().map(view).collect(), Measure::Euclidean)
    }

    #[test]
    fn by_hand() {
        // Classes {0, 3} and {1, 10}. Picture 0: its reference 3 is nearer than 10, not than 1: 1/2. Picture 3: reference 0 at 3 is
        // nearer than 10 alone: 1/2. Picture 1: reference 10 at 9, none further: 0. Picture 10: reference 1 at 9, 0 further: 1/2.
        let found = at(&[0.0, 3.0, 1.0, 10.0]).expected(&[vec![0, 1], vec![2, 3]]).expect("accuracy");
        assert!((found - 0.375).abs() < 1e-12, "{found}");
        assert!(at(&[0.0, 1.0]).expected(&[vec![0], vec![1]]).is_err());
    }

    #[test]
    fn it_is_what_many_episodes_come_to() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let places: Vec<f32> = (0..60).map(|k| (k / 20) as f32 * 1.5 + rng.random_range(-1.0..1.0)).collect();
        let members: Vec<Vec<usize>> = (0..3).map(|c| (20 * c..20 * c + 20).collect()).collect();
        let found = at(&places).expected(&members).expect("accuracy");
        let episodes = Episodes { count: 4000, ..Episodes::default() };
        let drawn = episodes.accuracy(&members, &at(&places)).expect("accuracy");
        assert!((found - drawn.mean).abs() < 2.0 * drawn.half_width, "{found} {drawn:?}");
    }
}

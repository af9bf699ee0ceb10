//! Several comparisons at once: of twenty between models that do not differ, one has p < 0.05.
//!
//! S. Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6 (1979). It holds
//! the chance of even one false finding at the level, whatever the tests have in common.

/// The p-values adjusted by Holm's step-down, in the order given: compare each with the level itself. The smallest of n is
/// multiplied by n, the next by n − 1 and so on; none falls below one before it, none exceeds 1.
///
/// `None` where one is not between 0 and 1.
pub fn holm(p: &[f64]) -> Option<Vec<f64>> {
    if !p.iter().all(|p| (0.0..=1.0).contains(p)) {
        return None;
    }
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let mut adjusted = vec![0.0; p.len()];
    let mut before: f64 = 0.0;
    for (rank, &i) in order.iter().enumerate() {
        before = before.max(((p.len() - rank) as f64 * p[i]).min(1.0));
        adjusted[i] = before;
    }
    Some(adjusted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::golden::{self, close};

    #[test]
    fn by_hand() {
        // 0.01 · 4; 0.02 · 3; 0.03 · 2 = 0.06, as the one before; 0.5 · 1.
        let found = holm(&[0.5, 0.01, 0.03, 0.02]).unwrap();
        found
            .iter()
            .zip([0.5, 0.04, 0.06, 0.06])
            .for_each(|(a, b)| assert!((a - b).abs() < 1e-15, "{found:?}"));
        assert_eq!(holm(&[0.9, 0.6]), Some(vec![1.0, 1.0]));
        assert_eq!(holm(&[]), Some(Vec::new()));
        assert_eq!(holm(&[0.1, f64::NAN]), None);
        assert_eq!(holm(&[1.1]), None);
    }

    #[test]
    fn as_statsmodels_has_it() {
        for case in golden::cases("holm") {
            let found = holm(&case.list("p")).unwrap();
            found.iter().zip(case.list("adjusted")).for_each(|(a, b)| close(*a, b));
        }
    }
}

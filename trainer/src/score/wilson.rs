//! Intervals of shares that few coils decide.
//!
//! Where all of seven NOK coils are found, every redrawn sample finds all of them too: the bootstrap's interval is a point.
//! Wilson's is not; it is right for few and for many (E. B. Wilson, Probable inference, the law of succession, and
//! statistical inference, Journal of the American Statistical Association 22 (1927)).

use super::Interval;

/// Standard deviations of a 95 % interval.
const Z: f64 = 1.959964;

/// The 95 % interval of a share of which `hits` of `of` were seen; `None` of nothing.
pub fn wilson(hits: u64, of: u64) -> Option<Interval> {
    if of == 0 || hits > of {
        return None;
    }
    let (k, n) = (hits as f64, of as f64);
    let centre = k + 0.5 * Z * Z;
    let half = Z * (k * (n - k) / n + 0.25 * Z * Z).sqrt();
    let share = |x: f64| (x / (n + Z * Z)).clamp(0.0, 1.0);
    Some(Interval { low: share(centre - half), high: share(centre + half) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        // None of 7: from 0 to z² / (7 + z²) = 3.8415 / 10.8415.
        let none = wilson(0, 7).unwrap();
        assert!(none.low.abs() < 1e-12 && (none.high - 0.35433).abs() < 1e-5, "{none:?}");
        let all = wilson(7, 7).unwrap();
        assert!((all.low - (1.0 - none.high)).abs() < 1e-12 && (all.high - 1.0).abs() < 1e-12, "{all:?}");
        // 5 of 10: 1/2 ± z·sqrt(2.5 + z²/4) / (10 + z²) = 1/2 ± 0.26341.
        let half = wilson(5, 10).unwrap();
        assert!((half.low - 0.23659).abs() < 1e-4 && (half.high - 0.76341).abs() < 1e-4, "{half:?}");
        assert_eq!(wilson(0, 0), None);
    }
}

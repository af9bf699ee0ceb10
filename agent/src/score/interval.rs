//! 95 % intervals of plain shares. Two, for two uses: Wilson's for a share that describes (right on average, for few
//! and for many), Clopper and Pearson's for one that is read as a promise (never covers less than 95 %).
//!
//! The incomplete beta function is our own: a statistics crate brings a linear algebra library with it for these sixty
//! lines. `golden.json` holds them against `SciPy` and statsmodels.

use serde::{Deserialize, Serialize};

/// Standard deviations of a 95 % interval.
pub const Z: f64 = 1.959_963_984_540_054;
/// What a 95 % interval leaves on either side.
const TAIL: f64 = 0.025;

/// An estimate with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// A share with Wilson's interval (E. B. Wilson, Probable inference, the law of succession, and statistical inference,
/// Journal of the American Statistical Association 22 (1927)). `None` of nothing.
pub fn wilson(hits: u64, of: u64) -> Option<Estimate> {
    if of == 0 || hits > of {
        return None;
    }
    let (n, p) = (of as f64, hits as f64 / of as f64);
    let scale = 1.0 + Z * Z / n;
    let centre = (p + Z * Z / (2.0 * n)) / scale;
    let half = Z / scale * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    // The ends are exact where rounding would let them miss the estimate.
    let low = if hits == 0 { 0.0 } else { (centre - half).clamp(0.0, p) };
    let high = if hits == of { 1.0 } else { (centre + half).clamp(p, 1.0) };
    Some(Estimate { value: p, low, high })
}

/// A share with the exact interval (C. J. Clopper, E. S. Pearson, The use of confidence or fiducial limits illustrated
/// in the case of the binomial, Biometrika 26 (1934)). `None` of nothing.
pub fn clopper_pearson(hits: u64, of: u64) -> Option<Estimate> {
    if of == 0 || hits > of {
        return None;
    }
    let (k, n) = (hits as f64, of as f64);
    let low = if hits == 0 { 0.0 } else { beta_quantile(TAIL, k, n - k + 1.0) };
    let high = if hits == of { 1.0 } else { beta_quantile(1.0 - TAIL, k + 1.0, n - k) };
    Some(Estimate { value: k / n, low, high })
}

/// The quantile of a beta distribution, by bisection down to neighbouring numbers.
fn beta_quantile(q: f64, a: f64, b: f64) -> f64 {
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    loop {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            return middle;
        }
        if incomplete_beta(middle, a, b) < q {
            low = middle;
        } else {
            high = middle;
        }
    }
}

/// The regularised incomplete beta function by its continued fraction (NIST Handbook of Mathematical Functions,
/// 8.17.22), by Lentz's method.
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(1.0 - x, b, a);
    }
    let front = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p();
    let floor = |v: f64| if v.abs() < 1e-300 { 1e-300 } else { v };
    let mut d = 1.0 / floor(1.0 - (a + b) * x / (a + 1.0));
    let (mut c, mut fraction) = (1.0, d);
    for m in 1..100_000 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut step = 1.0;
        for term in [even, odd] {
            d = 1.0 / floor(1.0 + term * d);
            c = floor(1.0 + term / c);
            step = c * d;
            fraction *= step;
        }
        if (step - 1.0).abs() < 1e-15 {
            break;
        }
    }
    front.exp() * fraction / a
}

/// The logarithm of the gamma function for arguments above 0: Stirling's series (NIST 5.11.1) from 15 on, and the
/// recurrence below.
fn ln_gamma(x: f64) -> f64 {
    let mut shift = 0.0;
    let mut y = x;
    while y < 15.0 {
        shift += y.ln();
        y += 1.0;
    }
    let z = 1.0 / (y * y);
    let series = 1.0 / 12.0
        - z * (1.0 / 360.0
            - z * (1.0 / 1260.0 - z * (1.0 / 1680.0 - z * (1.0 / 1188.0 - z * 691.0 / 360_360.0))));
    (y - 0.5) * y.ln() - y + 0.5 * (2.0 * std::f64::consts::PI).ln() + series / y - shift
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_nothing_there_is_no_share() {
        assert_eq!((wilson(0, 0), clopper_pearson(0, 0)), (None, None));
        assert_eq!((wilson(2, 1), clopper_pearson(2, 1)), (None, None));
    }

    #[test]
    fn few_and_many() {
        // By hand: none of three, 1 - 0.025^(1/3).
        let none = clopper_pearson(0, 3).unwrap();
        assert!((none.high - (1.0 - 0.025_f64.cbrt())).abs() < 1e-14 && none.low == 0.0, "{none:?}");
        for (hits, of) in
            [(0, 1), (1, 1), (1, 2), (3, 7), (0, 200_000), (199_999, 200_000), (100_000, 200_000)]
        {
            for e in [wilson(hits, of), clopper_pearson(hits, of)].map(Option::unwrap) {
                assert!(
                    0.0 <= e.low && e.low <= e.value && e.value <= e.high && e.high <= 1.0,
                    "{hits}/{of}: {e:?}"
                );
                assert!(e.low < e.high);
            }
        }
    }
}

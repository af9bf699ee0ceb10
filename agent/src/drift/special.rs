//! The two distributions that the tests need: Smirnov's for two samples, and chi-square's upper tail.

/// P(D >= d) of the two-sided two-sample Kolmogorov-Smirnov statistic for samples of `n` and `m` values, both above 0.
///
/// Hodges, The significance probability of the Smirnov two-sample test, Arkiv för Matematik 3 (1958), as SciPy's
/// `ks_2samp` does it: over the paths from (0, 0) to (n, m), the share that comes as far as `d` from the diagonal.
pub fn ks_exact(n: usize, m: usize, d: f64) -> f64 {
    let (n, m) = (n.max(m), n.min(m));
    let g = gcd(n, m);
    let (ng, mg) = ((n / g) as i64, (m / g) as i64);
    // A path is out where |x·mg - y·ng| >= h.
    let h = (d * (ng * m as i64) as f64).round_ties_even() as i64;
    if h == 0 {
        return 1.0;
    }
    // Of the paths to (x, y), the share that was out, column by column; only rows within the band are kept.
    let mut column = vec![1.0_f64; m + 1];
    let (mut low, mut high) = (0, ceil_div(h, ng).min(m as i64 + 1));
    column[..high as usize].fill(0.0);
    for x in 1..=n as i64 {
        let (old_low, old_high) = (low, high);
        low = ((mg * x - h).div_euclid(ng) + 1).clamp(0, m as i64);
        high = ceil_div(mg * x + h, ng).min(m as i64 + 1);
        if high <= low {
            return 1.0;
        }
        let mut below = if low == 0 { 0.0 } else { 1.0 };
        for y in low..high {
            let left = if (old_low..old_high).contains(&y) { column[y as usize] } else { 1.0 };
            below = (left * x as f64 + below * y as f64) / (x + y) as f64;
            column[y as usize] = below;
        }
    }
    column[high as usize - 1].clamp(0.0, 1.0)
}

/// P(X >= `statistic`) of chi-square with `freedom` degrees of freedom, at least 1.
///
/// Upwards from 1 or 2 degrees by Q(a + 1, x) = Q(a, x) + x^a e^-x / Γ(a + 1) (Abramowitz & Stegun 26.4.4, 26.4.5).
pub fn chi_square_tail(statistic: f64, freedom: usize) -> f64 {
    if !statistic.is_finite() {
        return 0.0;
    }
    let x = 0.5 * statistic;
    if x <= 0.0 {
        return 1.0;
    }
    let (mut a, mut tail) = if freedom % 2 == 1 { (0.5, libm::erfc(x.sqrt())) } else { (1.0, (-x).exp()) };
    while a < 0.5 * freedom as f64 {
        tail += (a * x.ln() - x - libm::lgamma(a + 1.0)).exp();
        a += 1.0;
    }
    tail.min(1.0)
}

/// Kolmogorov's limit: P(√n·D >= `root_n_d`), by Stephens' correction for `n` values (Journal of the Royal Statistical
/// Society B 32, 1970).
pub fn kolmogorov_tail(n: f64, d: f64) -> f64 {
    let x = (n.sqrt() + 0.12 + 0.11 / n.sqrt()) * d;
    if x < 0.2 {
        return 1.0;
    }
    let term = |k: i32| 2.0 * (-2.0 * (f64::from(k) * x).powi(2)).exp() * if k % 2 == 1 { 1.0 } else { -1.0 };
    (1..=40).map(term).sum::<f64>().clamp(0.0, 1.0)
}

fn gcd(mut a: usize, mut b: usize) -> usize {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn ceil_div(a: i64, b: i64) -> i64 {
    -(-a).div_euclid(b)
}

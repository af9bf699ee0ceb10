//! How far people agree beyond chance, on two classes.
//!
//! Intervals are value -+ 1.96 standard errors by the large-sample formulae that each figure names. With few coils
//! they are rough, and where all agree the standard error is 0: then the lower end is that of Wilson's interval of the
//! observed agreement, with the chance agreement held.

use super::interval::{Estimate, Z, wilson};
use serde::Serialize;

/// Agreement on coils that all of the raters labelled. A figure that is not defined is `null`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Agreed {
    /// Coils that all of them labelled.
    pub coils: u64,
    /// Coils that all of them labelled alike.
    pub alike: u64,
    /// Coils that all of them called NOK.
    pub all_nok: u64,
    /// The share of coils labelled alike by two of them (the mean over pairs), with Wilson's interval if they are two.
    pub observed: Option<Estimate>,
    /// Cohen's kappa of two, Fleiss' of more. `null` where everybody says the same of every coil: chance alone would
    /// do that.
    pub kappa: Option<Estimate>,
    /// The kappa that the same observed agreement would give if OK and NOK were equally frequent: 2 observed - 1
    /// (T. Byrt, J. Bishop, J. B. Carlin, Bias, prevalence and kappa, Journal of Clinical Epidemiology 46 (1993)). Of
    /// two alone.
    pub pabak: Option<Estimate>,
    /// Gwet's AC1, which does not fall because nearly all coils are OK (K. L. Gwet, Computing inter-rater reliability
    /// and its variance in the presence of high agreement, British Journal of Mathematical and Statistical Psychology
    /// 61 (2008), whose variance it has).
    pub ac1: Option<Estimate>,
}

/// Two raters, or one twice: whether each said NOK, coil by coil. Cohen's kappa (J. Cohen, A coefficient of agreement
/// for nominal scales, Educational and Psychological Measurement 20 (1960)) with the variance of J. L. Fleiss, J.
/// Cohen, B. S. Everitt, Large sample standard errors of kappa and weighted kappa, Psychological Bulletin 72 (1969).
pub fn two(coils: &[(bool, bool)]) -> Agreed {
    let count = |a, b| coils.iter().filter(|&&coil| coil == (a, b)).count() as f64;
    let n = coils.len() as f64;
    let p =
        [[count(false, false) / n, count(false, true) / n], [count(true, false) / n, count(true, true) / n]];
    let alike = coils.iter().filter(|(a, b)| a == b).count() as u64;
    let observed = wilson(alike, coils.len() as u64);
    let kappa = observed.and_then(|observed| {
        let row = [p[0][0] + p[0][1], p[1][0] + p[1][1]];
        let column = [p[0][0] + p[1][0], p[0][1] + p[1][1]];
        let chance = row[0] * column[0] + row[1] * column[1];
        let kappa = beyond(observed.value, chance)?;
        let agreeing: f64 =
            (0..2).map(|i| p[i][i] * (1.0 - (row[i] + column[i]) * (1.0 - kappa)).powi(2)).sum();
        let other = [(0, 1), (1, 0)];
        let other: f64 = other.iter().map(|&(i, j)| p[i][j] * (column[i] + row[j]).powi(2)).sum();
        let variance = (agreeing + (1.0 - kappa).powi(2) * other - (kappa - chance * (1.0 - kappa)).powi(2))
            / (n * (1.0 - chance).powi(2));
        Some(interval(kappa, variance, &observed, chance))
    });
    let counts: Vec<(u64, u64)> = coils.iter().map(|&(a, b)| (u64::from(a) + u64::from(b), 2)).collect();
    let doubled = |e: Estimate| Estimate {
        value: 2.0 * e.value - 1.0,
        low: 2.0 * e.low - 1.0,
        high: 2.0 * e.high - 1.0,
    };
    Agreed {
        coils: coils.len() as u64,
        alike,
        all_nok: coils.iter().filter(|&&coil| coil == (true, true)).count() as u64,
        observed,
        kappa,
        pabak: observed.map(doubled),
        ac1: of_many(&counts).and_then(|many| many.ac1),
    }
}

/// Three raters or more: of each coil, how many of the `raters` said NOK. Fleiss' kappa (J. L. Fleiss, Measuring
/// nominal scale agreement among many raters, Psychological Bulletin 76 (1971)) with the variance of K. L. Gwet,
/// Large-sample variance of Fleiss generalized kappa, Educational and Psychological Measurement 81 (2021).
pub fn many(nok: &[u64], raters: u64) -> Agreed {
    let counts: Vec<(u64, u64)> = nok.iter().map(|&nok| (nok.min(raters), raters)).collect();
    let figures = of_many(&counts);
    Agreed {
        coils: counts.len() as u64,
        alike: counts.iter().filter(|(nok, raters)| *nok == 0 || nok == raters).count() as u64,
        all_nok: counts.iter().filter(|(nok, raters)| nok == raters).count() as u64,
        observed: figures.as_ref().map(|figures| figures.observed),
        kappa: figures.as_ref().and_then(|figures| figures.kappa),
        pabak: None,
        ac1: figures.as_ref().and_then(|figures| figures.ac1),
    }
}

struct Many {
    observed: Estimate,
    kappa: Option<Estimate>,
    ac1: Option<Estimate>,
}

fn of_many(counts: &[(u64, u64)]) -> Option<Many> {
    if counts.is_empty() || counts.iter().any(|(_, raters)| *raters < 2) {
        return None;
    }
    let n = counts.len() as f64;
    // Of each coil: the share of pairs of raters that agree, and the share of raters that say NOK.
    let coils: Vec<(f64, f64)> = counts
        .iter()
        .map(|&(nok, raters)| {
            let (nok, raters) = (nok as f64, raters as f64);
            let ok = raters - nok;
            ((nok * (nok - 1.0) + ok * (ok - 1.0)) / (raters * (raters - 1.0)), nok / raters)
        })
        .collect();
    let observed = coils.iter().map(|(agree, _)| agree).sum::<f64>() / n;
    let nok = coils.iter().map(|(_, nok)| nok).sum::<f64>() / n;
    // The range of a mean of shares: as if each coil were one answer, which is cautious.
    let range = wilson((observed * n).round() as u64, counts.len() as u64)?;
    let observed = Estimate { value: observed, low: range.low.min(observed), high: range.high.max(observed) };
    let figure = |chance: f64, chance_of: &dyn Fn(f64) -> f64| {
        let value = beyond(observed.value, chance)?;
        let squares = coils.iter().map(|&(agree, share)| {
            let own = (agree - chance) / (1.0 - chance);
            own - 2.0 * (1.0 - value) * (chance_of(share) - chance) / (1.0 - chance) - value
        });
        let variance = squares.map(|d| d * d).sum::<f64>() / (n * (n - 1.0));
        Some(interval(value, variance, &observed, chance))
    };
    Some(Many {
        observed,
        kappa: figure(nok * nok + (1.0 - nok) * (1.0 - nok), &|share| {
            nok * share + (1.0 - nok) * (1.0 - share)
        }),
        ac1: figure(2.0 * nok * (1.0 - nok), &|share| share * (1.0 - nok) + (1.0 - share) * nok),
    })
}

/// Agreement beyond chance; `None` where chance alone gives all of it.
fn beyond(observed: f64, chance: f64) -> Option<f64> {
    (chance < 1.0 - 1e-12).then(|| (observed - chance) / (1.0 - chance))
}

fn interval(value: f64, variance: f64, observed: &Estimate, chance: f64) -> Estimate {
    // A rounding error is no variance.
    if variance.is_nan() || variance < 1e-15 {
        let of = |p: f64| (p - chance) / (1.0 - chance);
        return Estimate {
            value,
            low: of(observed.low).clamp(-1.0, value),
            high: of(observed.high).clamp(value, 1.0),
        };
    }
    let half = Z * variance.sqrt();
    Estimate { value, low: (value - half).max(-1.0), high: (value + half).min(1.0) }
}

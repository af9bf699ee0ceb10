//! Two models on the same coils: the difference of a metric, with the coils that both judged redrawn together.
//!
//! Two models find the same coils easy, so their metrics move together from draw to draw, and the difference is known far
//! better than either. Intervals of the two side by side say less: they may overlap where the difference is plain.

use super::Bootstrap;
use super::report::Estimate;

/// `metric` of the model minus that of the baseline, each given rows by index; strata as [`Bootstrap::interval_within`]
/// takes them. Undefined where either is.
pub fn difference(
    bootstrap: &Bootstrap,
    strata: &[Vec<usize>],
    model: impl Fn(&[usize]) -> Option<f64> + Sync,
    baseline: impl Fn(&[usize]) -> Option<f64> + Sync,
) -> Estimate {
    let difference = |rows: &[usize]| Some(model(rows)? - baseline(rows)?);
    Estimate { value: difference(&strata.concat()), interval: bootstrap.interval_within(strata, difference) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::roc_auc;

    /// 100 OK coils, then 100 NOK coils; both models are fooled by the same coils, the first by every second of them only.
    fn both() -> (Vec<Vec<usize>>, Vec<bool>, Vec<f64>, Vec<f64>) {
        let nok: Vec<bool> = (0..200).map(|i| i >= 100).collect();
        let score = |i: usize, each: usize| {
            f64::from(u8::from(i >= 100)) * f64::from(u8::from(!i.is_multiple_of(each)))
        };
        let model = (0..200).map(|i| score(i, 10)).collect();
        let baseline = (0..200).map(|i| score(i, 5)).collect();
        (vec![(0..100).collect(), (100..200).collect()], nok, model, baseline)
    }

    fn auc<'a>(nok: &'a [bool], scores: &'a [f64]) -> impl Fn(&[usize]) -> Option<f64> + Sync + 'a {
        |rows| {
            let (nok, scores): (Vec<bool>, Vec<f64>) = rows.iter().map(|i| (nok[*i], scores[*i])).unzip();
            roc_auc(&nok, &scores)
        }
    }

    #[test]
    fn by_hand() {
        // 10 of 100 NOK coils tie with all OK coils, against 20 of 100: AUC 0.95 against 0.90.
        let (strata, nok, model, baseline) = both();
        let bootstrap = Bootstrap { draws: 500, ..Bootstrap::default() };
        let found = difference(&bootstrap, &strata, auc(&nok, &model), auc(&nok, &baseline));
        assert!((found.value.unwrap() - 0.05).abs() < 1e-12, "{found:?}");
        // It is half the share of coils that only the baseline is fooled by: Binomial(100, 0.1) / 200, so 0.05 -+ 1.96 * 0.015.
        let interval = found.interval.unwrap();
        assert!(
            (interval.low - 0.021).abs() < 0.007 && (interval.high - 0.079).abs() < 0.007,
            "{interval:?}"
        );
        // Apart, the two intervals overlap.
        let model = bootstrap.interval_within(&strata, auc(&nok, &model)).unwrap();
        let baseline = bootstrap.interval_within(&strata, auc(&nok, &baseline)).unwrap();
        assert!(model.low < baseline.high, "{model:?} {baseline:?}");
    }

    #[test]
    fn a_model_does_not_differ_from_itself() {
        let (strata, nok, model, _) = both();
        let found = difference(&Bootstrap::default(), &strata, auc(&nok, &model), auc(&nok, &model));
        assert_eq!(found.value, Some(0.0));
        assert!(found.interval.is_some_and(|i| i.low == 0.0 && i.high == 0.0));
        let none = difference(&Bootstrap::default(), &strata[..1], auc(&nok, &model), auc(&nok, &model));
        assert_eq!((none.value, none.interval), (None, None));
    }
}

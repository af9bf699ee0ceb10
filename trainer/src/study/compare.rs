//! Two configurations on the same coils, by every test that somebody will ask for.

use super::assess::{Assessed, Resampling};
use super::plan::Plan;
use super::results::{Comparison, Test};
use crate::score::corrected_t::{TTest, corrected_t, naive_t};
use crate::score::delong::TwoAucs;
use crate::score::holm::holm;
use crate::score::mcnemar::McNemar;
use crate::score::permutation::permutation;
use crate::score::{Class, Confusion, f1};

/// Of intervals that come with tests.
const LEVEL: f64 = 0.95;

/// A configuration by its name, `experiment/configuration`.
pub type Named<'a> = (String, &'a Assessed);

/// The first less the second.
pub fn compare(
    plan: &Plan,
    (of, first): Named,
    (with, second): Named,
    nok: &[bool],
    resampling: &Resampling,
) -> Comparison {
    let differences = differences(plan, first, second, nok.len());
    let mean = differences.iter().sum::<f64>() / differences.len().max(1) as f64;
    let plain = |statistic: Option<f64>, p: f64| Test { statistic, p, holm: None };
    let of_t = |found: TTest| plain(Some(found.t), found.p);
    let right = |a: &Assessed| -> Vec<bool> {
        a.repeats()[0].called_nok.iter().zip(nok).map(|(called, nok)| called == nok).collect()
    };
    let mcnemar = McNemar::of(&right(first), &right(second));
    let decisions = |a: &Assessed| -> Vec<(bool, u64)> {
        // Bit r: what repeat r decided.
        let bits =
            |i| a.repeats().iter().take(64).enumerate().map(move |(r, x)| u64::from(x.called_nok[i]) << r);
        nok.iter().enumerate().map(|(i, nok)| (*nok, bits(i).sum())).collect()
    };
    let repeats = plan.repeats.min(64);
    let mean_f1 = |coils: &[(bool, u64)]| {
        let of = |r| {
            f1::f1(&Confusion::count(coils.iter().map(|(nok, bits)| (*nok, bits >> r & 1 == 1))), Class::Nok)
        };
        let all: Option<Vec<f64>> = (0..repeats).map(of).collect();
        Some(all?.iter().sum::<f64>() / repeats as f64)
    };
    let swapped =
        permutation(&resampling.bootstrap, &resampling.coils, &decisions(first), &decisions(second), mean_f1);
    let areas = TwoAucs::new(nok, &first.mean_p(), &second.mean_p()).and_then(|both| both.test(LEVEL));
    Comparison {
        of,
        with,
        difference: (!differences.is_empty()).then_some(mean),
        corrected_t: corrected_t(&differences, 1.0 / (plan.folds as f64 - 1.0), LEVEL).map(of_t),
        naive_t: naive_t(&differences, LEVEL).map(of_t),
        mcnemar: Some(plain(None, mcnemar.p)),
        permutation: swapped.map(|found| plain(Some(found.difference), found.p)),
        delong: areas.map(|found| plain(Some(found.z), found.p)),
    }
}

/// Of the metric that selects, cell by cell; cells in which either is undefined are left out.
fn differences(plan: &Plan, first: &Assessed, second: &Assessed, coils: usize) -> Vec<f64> {
    let cells = (0..plan.repeats).flat_map(|r| (0..plan.folds).map(move |f| (r, f)));
    let difference = |(repeat, fold): (usize, usize)| {
        let own = &first.repeats()[repeat].fold;
        let rows: Vec<usize> = (0..coils).filter(|i| own[*i] == fold).collect();
        Some(first.of_repeat(plan.select, repeat, &rows)? - second.of_repeat(plan.select, repeat, &rows)?)
    };
    cells.filter_map(difference).collect()
}

/// Corrects the p values of comparisons that stand beside each other, each kind of test by itself.
pub fn correct(comparisons: &mut [Comparison]) {
    let kinds: [fn(&mut Comparison) -> &mut Option<Test>; 5] = [
        |c| &mut c.corrected_t,
        |c| &mut c.naive_t,
        |c| &mut c.mcnemar,
        |c| &mut c.permutation,
        |c| &mut c.delong,
    ];
    for kind in kinds {
        let mut tests: Vec<&mut Test> =
            comparisons.iter_mut().filter_map(|c: &mut Comparison| kind(c).as_mut()).collect();
        let p: Vec<f64> = tests.iter().map(|test| test.p).collect();
        for (test, corrected) in tests.iter_mut().zip(holm(&p).unwrap_or_default()) {
            test.holm = Some(corrected);
        }
    }
}

/// What selects where two configurations are alike: the larger mean over cells; of equal ones the first.
pub fn best<'a, T>(of: impl IntoIterator<Item = (Option<f64>, &'a T)>) -> Option<&'a T> {
    let mut found: Option<(f64, &T)> = None;
    for (mean, item) in of {
        let Some(mean) = mean else { continue };
        if found.is_none_or(|(best, _)| mean > best) {
            found = Some((mean, item));
        }
    }
    found.map(|(_, item)| item)
}

//! Four numbers and what is made of them. NOK is the class to be found.

use serde::{Deserialize, Serialize};

/// What was said against what it was; counts, or coils that labelled ones stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Confusion {
    /// NOK, and said so.
    pub true_nok: f64,
    /// OK, but said NOK: a false alarm.
    pub false_nok: f64,
    /// NOK, but said OK: a miss.
    pub false_ok: f64,
    /// OK, and said so.
    pub true_ok: f64,
}

impl Confusion {
    /// Adds so many coils.
    pub fn add(&mut self, said_nok: bool, is_nok: bool, coils: f64) {
        *match (said_nok, is_nok) {
            (true, true) => &mut self.true_nok,
            (true, false) => &mut self.false_nok,
            (false, true) => &mut self.false_ok,
            (false, false) => &mut self.true_ok,
        } += coils;
    }

    /// All coils.
    pub fn total(&self) -> f64 {
        self.true_nok + self.false_nok + self.false_ok + self.true_ok
    }

    /// The share that was judged right.
    pub fn accuracy(&self) -> Option<f64> {
        ratio(self.true_nok + self.true_ok, self.total())
    }

    /// The share of NOK coils that was found.
    pub fn recall(&self) -> Option<f64> {
        ratio(self.true_nok, self.true_nok + self.false_ok)
    }

    /// The share of OK coils that was passed.
    pub fn specificity(&self) -> Option<f64> {
        ratio(self.true_ok, self.true_ok + self.false_nok)
    }

    /// The mean of recall and specificity (K. H. Brodersen et al., The balanced accuracy and its posterior
    /// distribution, ICPR 2010): 0.5 for a model that says the same of every coil. `None` unless there are both kinds
    /// of coil.
    pub fn balanced_accuracy(&self) -> Option<f64> {
        Some(f64::midpoint(self.recall()?, self.specificity()?))
    }

    /// Matthews' correlation coefficient (B. W. Matthews, Biochimica et Biophysica Acta 405 (1975)): 0 for one that
    /// says the same of every coil (scikit-learn's convention). `None` unless there are both kinds of coil.
    pub fn mcc(&self) -> Option<f64> {
        let (recall, specificity) = (self.recall()?, self.specificity()?);
        // By shares of the total: products of four counts would leave what f64 holds exactly.
        let n = self.total();
        let said = (self.true_nok + self.false_nok) / n;
        let are = (self.true_nok + self.false_ok) / n;
        let scale = (said * (1.0 - said) * are * (1.0 - are)).sqrt();
        let covariance = are * (1.0 - are) * (recall + specificity - 1.0);
        let mcc = if scale > 0.0 { covariance / scale } else { 0.0 };
        mcc.is_finite().then(|| mcc.clamp(-1.0, 1.0))
    }
}

fn ratio(part: f64, of: f64) -> Option<f64> {
    (of > 0.0).then(|| (part / of).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let c = Confusion { true_nok: 2.0, false_nok: 1.0, false_ok: 2.0, true_ok: 15.0 };
        assert_eq!(c.accuracy(), Some(17.0 / 20.0));
        assert_eq!(c.balanced_accuracy(), Some(f64::midpoint(0.5, 15.0 / 16.0)));
        let mcc = (2.0 * 15.0 - 1.0 * 2.0) / (3.0_f64 * 4.0 * 16.0 * 17.0).sqrt();
        assert!((c.mcc().unwrap() - mcc).abs() < 1e-15);
    }

    #[test]
    fn one_who_says_ok_to_everything_is_no_good_and_nothing_is_nothing() {
        let always_ok = Confusion { false_ok: 3.0, true_ok: 97.0, ..Confusion::default() };
        assert_eq!(always_ok.accuracy(), Some(0.97));
        assert_eq!((always_ok.balanced_accuracy(), always_ok.mcc()), (Some(0.5), Some(0.0)));
        let no_nok = Confusion { true_ok: 97.0, ..Confusion::default() };
        assert_eq!((no_nok.accuracy(), no_nok.balanced_accuracy(), no_nok.mcc()), (Some(1.0), None, None));
        assert_eq!(Confusion::default().accuracy(), None);
    }
}

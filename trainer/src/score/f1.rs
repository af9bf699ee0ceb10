//! F1 of a class, and the mean of both (macro F1).

use super::{Class, Confusion};

/// Harmonic mean of precision and recall: 2 TP / (2 TP + FP + FN). A class that occurs but is never called has 0;
/// `None` only where the class neither occurs nor is called.
pub fn f1(confusion: &Confusion, class: Class) -> Option<f64> {
    let hits = match class {
        Class::Nok => confusion.true_nok,
        Class::Ok => confusion.true_ok,
    };
    let touched = 2 * hits + confusion.false_nok + confusion.false_ok;
    (touched > 0).then(|| 2.0 * hits as f64 / touched as f64)
}

/// The plain mean of both classes' F1: the rare class weighs as much as the common one.
pub fn macro_f1(confusion: &Confusion) -> Option<f64> {
    Some(0.5 * (f1(confusion, Class::Nok)? + f1(confusion, Class::Ok)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn by_hand() {
        let c = Confusion { true_nok: 3, false_nok: 2, false_ok: 1, true_ok: 4 };
        assert_eq!(f1(&c, Class::Nok), Some(6.0 / 9.0));
        assert_eq!(f1(&c, Class::Ok), Some(8.0 / 11.0));
        assert_eq!(macro_f1(&c), Some(0.5 * (6.0 / 9.0 + 8.0 / 11.0)));
    }

    #[test]
    fn always_saying_ok_has_no_f1_for_nok() {
        let c = Confusion { true_nok: 0, false_nok: 0, false_ok: 3, true_ok: 97 };
        assert_eq!(f1(&c, Class::Nok), Some(0.0));
        assert!(macro_f1(&c).unwrap() < 0.5, "97 % accuracy must not look good here");
        assert_eq!(f1(&Confusion { true_ok: 5, ..Confusion::default() }, Class::Nok), None);
    }

    proptest! {
        #[test]
        fn is_the_harmonic_mean(tp in 1_u64..200, fp in 0_u64..200, fal in 0_u64..200, tn in 0_u64..200) {
            let c = Confusion { true_nok: tp, false_nok: fp, false_ok: fal, true_ok: tn };
            let (p, r) = (c.precision(Class::Nok).unwrap(), c.recall(Class::Nok).unwrap());
            prop_assert!((f1(&c, Class::Nok).unwrap() - 2.0 * p * r / (p + r)).abs() < 1e-12);
        }
    }
}

//! Matthews' correlation coefficient: the correlation of labels and decisions, fair under imbalance.

use super::Confusion;

/// (TP·TN − FP·FN) / √((TP+FP)(TP+FN)(TN+FP)(TN+FN)), between −1 and 1. Where labels or decisions are all alike the
/// quotient is 0/0 and the convention is 0; `None` without coils. B. W. Matthews, Biochim. Biophys. Acta 405 (1975).
pub fn mcc(confusion: &Confusion) -> Option<f64> {
    if confusion.coils() == 0 {
        return None;
    }
    let (tp, fp) = (confusion.true_nok as f64, confusion.false_nok as f64);
    let (fal, tn) = (confusion.false_ok as f64, confusion.true_ok as f64);
    let spread = ((tp + fp) * (tp + fal) * (tn + fp) * (tn + fal)).sqrt();
    Some(if spread == 0.0 { 0.0 } else { (tp * tn - fp * fal) / spread })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn by_hand() {
        // (3*4 - 2*1) / sqrt(5 * 4 * 6 * 5) = 10 / sqrt(600)
        let c = Confusion { true_nok: 3, false_nok: 2, false_ok: 1, true_ok: 4 };
        assert!((mcc(&c).unwrap() - 10.0 / 600.0_f64.sqrt()).abs() < 1e-15);
        assert_eq!(mcc(&Confusion { true_nok: 5, true_ok: 9, ..Confusion::default() }), Some(1.0));
        assert_eq!(mcc(&Confusion { false_nok: 5, false_ok: 9, ..Confusion::default() }), Some(-1.0));
        assert_eq!(mcc(&Confusion { false_ok: 3, true_ok: 97, ..Confusion::default() }), Some(0.0));
        assert_eq!(mcc(&Confusion::default()), None);
    }

    proptest! {
        #[test]
        fn is_pearsons_correlation(tp in 1_u64..50, fp in 1_u64..50, fal in 1_u64..50, tn in 1_u64..50) {
            let c = Confusion { true_nok: tp, false_nok: fp, false_ok: fal, true_ok: tn };
            let n = c.coils() as f64;
            let (x, y, xy) = ((tp + fal) as f64 / n, (tp + fp) as f64 / n, tp as f64 / n);
            let pearson = (xy - x * y) / (x * (1.0 - x) * y * (1.0 - y)).sqrt();
            prop_assert!((mcc(&c).unwrap() - pearson).abs() < 1e-9);
        }
    }
}

use super::*;
use crate::run::PolicyConfig;
use crate::run::policy;
use crate::score::Judged;

/// 4 NOK and 16 OK coils; `good` of the NOK coils score high.
fn contender(name: &str, good: usize) -> Contender {
    let nok: Vec<bool> = (0..20).map(|i| i < 4).collect();
    let p_nok: Vec<f64> =
        (0..20).map(|i| if i < good { 0.9 } else { 0.01 + 0.001 * f64::from(i as u32) }).collect();
    let judged: Vec<Judged> = nok
        .iter()
        .zip(&p_nok)
        .map(|(nok, p)| Judged { nok: *nok, p_nok: *p, called_nok: *p > 0.5, review: false, class: 'A' })
        .collect();
    let mut even = policy(&judged, &PolicyConfig::default()).unwrap();
    even.a.nok_from = 0.5;
    Contender {
        name: name.into(),
        network: "cnn".into(),
        weight_origin: "random".into(),
        parameters: 10,
        data_sha256: "ab".repeat(32),
        prevalence: 0.03,
        policy: even,
        scores: ScoreTable {
            coil_id: (0..20).map(|i| format!("X-{i}")).collect(),
            class: vec!['A'; 20],
            fold: (0..20).map(|i| i % 2).collect(),
            margins: vec![vec![0.0]; 20],
            nok,
            p_nok,
        },
        out_of_fold: Report::new(&judged, 0.03, Bootstrap { draws: 20, ..Bootstrap::default() }),
        forward: None,
        cost: None,
    }
}

fn bootstrap() -> Bootstrap {
    Bootstrap { draws: 200, ..Bootstrap::default() }
}

#[test]
fn figures_and_differences_by_hand() {
    let (all, half) = (contender("all", 4), contender("half", 2));
    let found = Comparison::of(&[all.clone(), half.clone()], Some(&half), bootstrap()).unwrap();
    assert_eq!((found.coils, found.nok), (20, 4));
    // Half of the NOK coils found and no OK coil stopped: F1 = 2 · 0.5 / (2 · 0.5 + 0.5) at any share of NOK.
    assert!((found.rows[1].out_of_fold.f1_nok_even.value.unwrap() - 2.0 / 3.0).abs() < 1e-12);
    let more = found.rows[0].difference.as_ref().unwrap();
    assert!((more.out_of_fold.f1_nok_even.value.unwrap() - 1.0 / 3.0).abs() < 1e-12);
    // `half` puts coils 2 and 3 below the 16 OK coils: AUC 1/2.
    assert!((more.out_of_fold.roc_auc.value.unwrap() - 0.5).abs() < 1e-12);
    // Its precisions are 1, 1, 3/19 and 4/20.
    let ap = 1.0 - (2.0 + 3.0 / 19.0 + 4.0 / 20.0) / 4.0;
    assert!((more.out_of_fold.average_precision.value.unwrap() - ap).abs() < 1e-12);
    let none = found.rows[1].difference.as_ref().unwrap();
    assert_eq!(none.out_of_fold.average_precision.value, Some(0.0));
    assert_eq!(found.rows[1].out_of_fold.alarms[0].misses_per_1000.value, Some(15.0));
}

#[test]
fn the_table_can_be_read_and_json_holds_all() {
    let (all, half) = (contender("all", 4), contender("half", 2));
    let found = Comparison::of(&[all, half.clone()], Some(&half), bootstrap()).unwrap();
    let table = found.to_string();
    assert!(table.contains("| all | out of fold | 0.0 [0.0, 14.7] / 0.0 [0.0, 187.8] (4) |"), "{table}");
    assert!(table.contains("| all | out of fold | +0.411 ["), "{table}");
    assert!(!table.contains("Forward in time"), "{table}");
    let widths: Vec<usize> =
        table.lines().filter(|l| l.starts_with("| run")).map(|l| l.matches('|').count()).collect();
    assert_eq!(widths, [7, 5, 10, 6]);
    let json = serde_json::to_value(&found).unwrap();
    assert_eq!(json["rows"][0]["difference"]["out_of_fold"]["roc_auc"]["value"], 0.5);
}

#[test]
fn runs_of_other_data_are_refused() {
    let one = contender("one", 4);
    let other = Contender { data_sha256: "cd".repeat(32), name: "other".into(), ..contender("x", 4) };
    let error = Comparison::of(&[one.clone(), other.clone()], None, bootstrap()).unwrap_err().to_string();
    assert!(error.contains("one and other") && error.contains("abababababab"), "{error}");
    assert!(Comparison::of(&[one], Some(&other), bootstrap()).is_err());
    assert!(Comparison::of(&[], None, bootstrap()).is_err());
}

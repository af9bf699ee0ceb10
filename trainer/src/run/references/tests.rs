use super::*;
use coilsight_models::coil::{CELLS, CoilId, CoilMatrix};

fn coil(id: &str) -> LabelledCoil {
    LabelledCoil {
        id: CoilId::new(id).expect("id"),
        produced_at: String::new(),
        matrix: CoilMatrix::from_hundredths(vec![7000; CELLS], vec![100; CELLS]).expect("matrix"),
        order: None,
        length_m: 1000.0,
        nok: false,
    }
}

#[test]
fn one_setting_is_changed_at_a_time_and_none_comes_twice() {
    let config = SiameseConfig::default();
    let found = variants(config);
    // As trained; 1, 3, 5, 10; two more methods; one more average; two more distances.
    assert_eq!(found.len(), 1 + 4 + 2 + 1 + 2);
    let changes = |variant: &Variant| match variant {
        Variant::AsTrained => 0,
        Variant::References { references, distance } => {
            let base = config.references;
            usize::from(references.per_class != base.per_class)
                + usize::from(references.method != base.method)
                + usize::from(references.average != base.average)
                + usize::from(*distance != config.distance)
        }
    };
    assert!(found.iter().all(|v| changes(v) <= 1));
    assert_eq!(found.iter().filter(|v| changes(v) == 0).count(), 2, "as trained, and its settings");
    assert_eq!(found[2].to_string(), "3 kmeans, mean, euclidean");
}

#[test]
fn folds_of_another_set_are_refused() {
    let [a, b] = ["GL2-1", "GL2-2"];
    let coils = CoilSet { name: "train".into(), coils: vec![coil(a), coil(b)] };
    let good = format!("coil_id,fold\n{a},1\n{b},0\n");
    assert_eq!(parse_splits(&good, &coils).expect("folds"), [1, 0]);
    for bad in [
        String::new(),
        format!("coil_id,fold\n{a},1\n"),
        format!("coil_id,fold\n{b},1\n{a},0\n"),
        format!("coil_id,fold\n{a},x\n{b},0\n"),
        format!("coil,fold\n{a},1\n{b},0\n"),
    ] {
        assert!(parse_splits(&bad, &coils).is_err(), "{bad}");
    }
}

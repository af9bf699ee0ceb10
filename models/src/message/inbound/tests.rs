use super::*;
use proptest::prelude::*;

fn gauge(json: &str) -> Result<Inbound, Reason> {
    parse(Kind::Gauge, json.as_bytes())
}

const NINE: &str = "[1,2,3,4,5,6,7,8,9]";

#[test]
fn a_good_batch_is_read() {
    let text =
        format!(r#"{{"coil_id":"X","position_m":[0.5],"top":[{NINE}],"bottom":[[null,2,3,4,5,6,7,8,9]]}}"#);
    let Inbound::Rows(batch) = gauge(&text).unwrap() else { panic!("rows") };
    let row = batch.rows[0].as_ref().unwrap();
    assert_eq!(row.position.metres(), 0.5);
    assert_eq!(row.readings.at(0), Some(1.0));
    assert_eq!(row.readings.at(9), None);
    assert_eq!(row.readings.at(17), Some(9.0));
}

#[test]
fn one_bad_row_or_reading_does_not_cost_the_others() {
    let text = format!(
        r#"{{"coil_id":"X","position_m":[0,0.5,-7e9,1.5,2],
            "top":[{NINE},[1,2,3],{NINE},[-40,"NaN",1e30,4,5,6,7,8,9],["x","x","x","x","x","x","x","x","x"]],
            "bottom":[{NINE},{NINE},{NINE},{NINE},["x","x","x","x","x","x","x","x","x"]]}}"#
    );
    let Inbound::Rows(batch) = gauge(&text).unwrap() else { panic!("rows") };
    assert!(batch.rows[0].is_ok());
    assert_eq!(batch.rows[1], Err(Reason::WrongWidth));
    assert_eq!(batch.rows[2], Err(Reason::BadPosition));
    assert_eq!(batch.rows[3].as_ref().unwrap().readings.at(1), None);
    assert_eq!(batch.rows[4], Err(Reason::AbsurdValue));
    assert_eq!(batch.absurd_readings, 3);
}

#[test]
fn lists_of_unlike_length_lose_only_what_lacks_a_part() {
    let text =
        format!(r#"{{"coil_id":"X","position_m":[0,0.5],"top":[{NINE}],"bottom":[{NINE},{NINE},{NINE}]}}"#);
    let Inbound::Rows(batch) = gauge(&text).unwrap() else { panic!("rows") };
    assert!(batch.rows[0].is_ok());
    assert_eq!(batch.rows[1..], [Err(Reason::WrongWidth), Err(Reason::WrongWidth)]);
}

#[test]
fn each_refusal_has_its_reason() {
    assert_eq!(gauge("{"), Err(Reason::Malformed));
    assert_eq!(gauge("[]"), Err(Reason::Malformed));
    assert_eq!(gauge(r#"{"coil_id":"X"}"#), Err(Reason::MissingField));
    assert_eq!(gauge(r#"{"coil_id":"../x","position_m":[],"top":[],"bottom":[]}"#), Err(Reason::BadCoilId));
    assert_eq!(parse(Kind::Gauge, &vec![b' '; 300_000]), Err(Reason::Oversized));
    assert_eq!(parse(Kind::Gauge, &[0xff, 0xfe]), Err(Reason::Malformed));
    assert_eq!(parse(Kind::Start, br#"{"coil_id":"X","at":"yesterday"}"#), Err(Reason::BadTime));
    for length in ["0", "-1", "1e9", "\"12\""] {
        let text = format!(r#"{{"coil_id":"X","at":"2026-01-05T06:00:00Z","length_m":{length}}}"#);
        assert_eq!(parse(Kind::End, text.as_bytes()), Err(Reason::BadLength));
    }
    let deep = "[".repeat(100_000);
    assert_eq!(gauge(&deep), Err(Reason::Malformed));
}

#[test]
fn a_start_survives_absurd_order_data() {
    let text = br#"{"coil_id":"X","at":"2026-01-05T06:00:00Z","nominal_g_m2":-3.0,"tolerance_class":"Z","width_mm":1}"#;
    let Inbound::Start(start) = parse(Kind::Start, text).unwrap() else { panic!("start") };
    assert_eq!(start.order, Err(OrderFault::ToleranceClass));
}

#[test]
fn a_matrix_of_the_wrong_shape_still_names_its_coil() {
    let text = br#"{"coil_id":"X","at":"2026-01-05T06:00:00Z","nominal_g_m2":70,"tolerance_class":"A",
        "width_mm":1000,"length_m":900,"mean":[[1,2]],"std":[[1,2]]}"#;
    let Inbound::WholeCoil(coil) = parse(Kind::Matrix, text).unwrap() else { panic!("matrix") };
    assert_eq!(coil.matrix, Err(Reason::WrongShape));
    assert!(coil.start.order.is_ok());
}

#[test]
fn feedback_needs_a_label_and_a_person() {
    let say = |label: &str, who: &str| {
        let text =
            format!(r#"{{"coil_id":"X","label":"{label}","operator":"{who}","at":"2026-01-05T06:00:00Z"}}"#);
        parse(Kind::Feedback, text.as_bytes())
    };
    assert!(matches!(say("NOK", "op-1"), Ok(Inbound::Feedback(f)) if f.label == Label::Nok));
    assert_eq!(say("MAYBE", "op-1"), Err(Reason::BadFeedback));
    assert_eq!(say("OK", " "), Err(Reason::BadFeedback));
    assert_eq!(say("OK", &"x".repeat(65)), Err(Reason::BadFeedback));
}

fn any_kind() -> impl Strategy<Value = Kind> {
    prop::sample::select(vec![
        Kind::Start,
        Kind::Gauge,
        Kind::End,
        Kind::Matrix,
        Kind::Feedback,
        Kind::Surface,
    ])
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(kind in any_kind(), bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse(kind, &bytes);
    }

    /// Good messages with one stretch of bytes overwritten: the likelier kind of damage.
    #[test]
    fn no_damage_makes_it_panic(at in 0usize..150, new in prop::collection::vec(any::<u8>(), 0..8)) {
        let good = format!(r#"{{"coil_id":"X","position_m":[0,0.5],"top":[{NINE},{NINE}],"bottom":[{NINE},{NINE}]}}"#);
        let mut bytes = good.into_bytes();
        for (i, b) in new.iter().enumerate() {
            if let Some(slot) = bytes.get_mut(at + i) { *slot = *b; }
        }
        if let Ok(Inbound::Rows(batch)) = parse(Kind::Gauge, &bytes) {
            for row in batch.rows.iter().flatten() {
                for column in 0..GAUGES {
                    if let Some(v) = row.readings.at(column) { prop_assert!((0.0..=MAX_READING).contains(&v)); }
                }
            }
        }
    }
}

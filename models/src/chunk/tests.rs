use super::*;
use crate::coil::MAX_READING;
use proptest::prelude::*;

fn row(metres: f64, value: f64) -> Row {
    let mut readings = Readings::NONE;
    (0..GAUGES).for_each(|g| readings.set(g, value + g as f64));
    Row { position: Position::from_metres(metres).unwrap(), readings }
}

#[test]
fn a_chunk_is_the_mean_and_population_spread_of_its_rows() {
    let mut strip = Strip::default();
    // 264 m: a chunk a metre, two rows each.
    for i in 0..528 {
        assert_eq!(strip.add(&row(f64::from(i) * 0.5, if i % 2 == 0 { 50.0 } else { 54.0 })), Fate::Used);
    }
    let chunked = strip.chunk(264.0, MAX_READING);
    assert_eq!(chunked.matrix.at(0, 0), Some(52.0));
    assert_eq!(chunked.matrix.at(263, 17), Some(69.0));
    assert_eq!(chunked.matrix.std()[0], 200);
    assert_eq!(chunked.rows.used, 528);
    assert!(strip.covers(264.0));
    assert_eq!(strip.seen_length_m(), Some(264.0));
}

#[test]
fn the_first_reading_of_a_place_stands() {
    let mut strip = Strip::default();
    assert_eq!(strip.add(&row(1.0, 50.0)), Fate::Used);
    assert_eq!(strip.add(&row(1.0, 50.0)), Fate::Duplicate);
    assert_eq!(strip.add(&row(1.0, 51.0)), Fate::SetAside(Reason::Conflicting));
    assert_eq!(strip.at(Position::from_metres(1.0).unwrap()).unwrap().at(0), Some(50.0));
}

#[test]
fn rows_at_and_past_the_end_are_set_aside() {
    let mut strip = Strip::default();
    for metres in [0.0, 9.5, 10.0, 12.0] {
        strip.add(&row(metres, 50.0));
    }
    let chunked = strip.chunk(10.0, MAX_READING);
    assert_eq!(chunked.rows.used, 2);
    assert_eq!(chunked.rows.set_aside[&Reason::BeyondLength], 2);
    assert!(chunked.rows.adds_up());
}

#[test]
fn readings_beyond_twice_the_order_are_left_out_and_counted() {
    let mut strip = Strip::default();
    strip.add(&row(0.0, 95.0)); // gauges read 95 .. 112
    let chunked = strip.chunk(264.0, 100.0);
    assert_eq!(chunked.readings.used, 6);
    assert_eq!(chunked.readings.set_aside[&Reason::AbsurdValue], 12);
    assert_eq!(chunked.matrix.at(0, 6), None);
}

#[test]
fn coverage_names_the_blind_gauge() {
    let mut cells = vec![Some((50.0, 1.0)); CELLS];
    (0..CHUNKS).for_each(|k| cells[k * GAUGES + 12] = None);
    (0..66 * GAUGES).for_each(|i| cells[i] = None);
    let coverage = Coverage::of(&CoilMatrix::from_cells(&cells).unwrap());
    assert_eq!(coverage.chunks, 0.75);
    assert_eq!(coverage.blind_gauges, [Gauge::of_column(12)]);
    let none = CoilMatrix::from_cells(&vec![None; CELLS]).unwrap();
    assert_eq!(Coverage::of(&none), Coverage::nothing());
}

#[test]
fn too_many_rows_are_refused_and_known_ones_still_told() {
    let mut strip = Strip::default();
    for i in 0..MAX_ROWS as u32 {
        let position = Position::from_millimetres(i);
        assert_eq!(strip.add(&Row { position, readings: Readings::NONE }), Fate::Used);
    }
    let late = Row { position: Position::from_millimetres(99_999), readings: Readings::NONE };
    assert_eq!(strip.add(&late), Fate::SetAside(Reason::TooManyRows));
    let known = Row { position: Position::from_millimetres(5), readings: Readings::NONE };
    assert_eq!(strip.add(&known), Fate::Duplicate);
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    prop::collection::vec((0u32..400_000, 0.0f64..500.0), 1..200)
        .prop_map(|rows| rows.into_iter().map(|(mm, v)| row(f64::from(mm) / 1000.0, v)).collect())
}

proptest! {
    /// However rows arrive, repeated or in any order, the matrix is the same to the bit.
    #[test]
    fn order_and_repetition_do_not_matter(rows in rows(), seed in any::<u64>(), length in 1.0f64..500.0) {
        let mut unique = rows.clone();
        unique.sort_by_key(|r| r.position);
        unique.dedup_by_key(|r| r.position);
        let mut shuffled: Vec<Row> = unique.iter().chain(&unique).copied().collect();
        let n = shuffled.len();
        for i in 0..n { shuffled.swap(i, (seed.wrapping_mul(i as u64 + 7) % n as u64) as usize); }
        let (mut a, mut b) = (Strip::default(), Strip::default());
        for r in &unique { a.add(r); }
        for r in &shuffled { b.add(r); }
        prop_assert_eq!(a.chunk(length, MAX_READING).matrix, b.chunk(length, MAX_READING).matrix);
    }

    /// Every row taken ends in exactly one place, and every chunk mean lies between its readings.
    #[test]
    fn every_row_ends_somewhere(rows in rows(), length in 1.0f64..500.0) {
        let mut strip = Strip::default();
        let mut fates = Counts::default();
        for r in &rows { fates.add(strip.add(r)); }
        prop_assert!(fates.adds_up());
        prop_assert_eq!(fates.used as usize, strip.len());
        let chunked = strip.chunk(length, MAX_READING);
        prop_assert_eq!(chunked.rows.received as usize, strip.len());
        prop_assert!(chunked.rows.adds_up() && chunked.readings.adds_up());
        for k in 0..CHUNKS {
            let inside: Vec<f64> = rows.iter().filter(|r| r.position.chunk(length) == Some(k))
                .filter_map(|r| r.readings.at(0)).collect();
            if let Some(mean) = chunked.matrix.at(k, 0) {
                let low = inside.iter().copied().fold(f64::MAX, f64::min);
                let high = inside.iter().copied().fold(f64::MIN, f64::max);
                prop_assert!(mean >= low - 0.011 && mean <= high + 0.011);
            } else { prop_assert!(inside.is_empty()); }
        }
    }
}

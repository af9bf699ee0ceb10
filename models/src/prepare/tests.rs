use super::*;
use proptest::prelude::*;

fn spec() -> PrepareSpec {
    let channel = |signal, shift, scale, low, high| Channel { signal, shift, scale, low, high };
    PrepareSpec {
        version: VERSION,
        layout: Layout::Beside,
        channels: vec![
            Channel::grey(30.0, 180.0),
            channel(Signal::Deviation, 0.1, 10.0, -3.0, 3.0),
            channel(Signal::GaugeDeviation, 0.0, 15.0, -4.0, 4.0),
            channel(Signal::ProfileDeviation, 0.0, 15.0, -4.0, 4.0),
            channel(Signal::Spread, 0.018, 80.0, -1.0, 4.0),
            channel(Signal::Gap, 0.0, 1.0, 0.0, 1.0),
            channel(Signal::ClassA, 0.0, 1.0, 0.0, 1.0),
            channel(Signal::ClassB, 0.0, 1.0, 0.0, 1.0),
            channel(Signal::ClassC, 0.0, 1.0, 0.0, 1.0),
        ],
        side: vec![
            SideValue::Nominal,
            SideValue::ClassA,
            SideValue::ClassB,
            SideValue::ClassC,
            SideValue::Width,
            SideValue::Known,
        ],
    }
}

fn order() -> Order {
    Order::new(70.0, ToleranceClass::B, 1250.0).unwrap()
}

/// A strip of 70 g/m2 with a ripple, a thin patch, gaps and a blind gauge: plain integer arithmetic.
fn coil() -> CoilMatrix {
    let mut mean = vec![0u16; CELLS];
    let mut std = vec![0u16; CELLS];
    for k in 0..CHUNKS {
        for g in 0..GAUGES {
            let i = k * GAUGES + g;
            mean[i] = 7000 + ((k * 37 + g * 101) % 160) as u16 + 12 * g as u16;
            std[i] = 150 + ((k * 13 + g * 7) % 60) as u16;
            if (100..110).contains(&k) && (3..5).contains(&g) {
                mean[i] -= 1500;
            }
            if g == 12 || (k < 4 && g == 2) || (200..203).contains(&k) {
                mean[i] = 0;
            }
        }
    }
    CoilMatrix::from_hundredths(mean, std).unwrap()
}

/// The contract's golden file: bits of a few cells of every channel, and a digest of all of them.
#[test]
fn version_1_gives_these_bits() {
    let describe = |order: Option<&Order>| {
        let prepared = spec().prepare(&coil(), order);
        let channels: Vec<_> = spec()
            .channels
            .iter()
            .zip(prepared.image.chunks_exact(CELLS))
            .map(|(channel, cells)| {
                let bytes: Vec<u8> = cells.iter().flat_map(|v| v.to_le_bytes()).collect();
                let digest = crate::bundle::Sha256::of(&bytes).to_string();
                let bits = |k: usize, g: usize| format!("{:08x}", cells[k * GAUGES + g].to_bits());
                serde_json::json!({
                    "signal": channel.signal, "sha256": digest,
                    "bits": [bits(0, 0), bits(1, 2), bits(105, 3), bits(201, 17), bits(263, 12)],
                })
            })
            .collect();
        let side: Vec<String> = prepared.side.iter().map(|v| format!("{:08x}", v.to_bits())).collect();
        serde_json::json!({ "channels": channels, "side": side })
    };
    let golden = serde_json::json!({
        "with_order": describe(Some(&order())), "without_order": describe(None),
    });
    insta::assert_json_snapshot!("prepare_v1", golden);
}

#[test]
fn gaps_lie_between_their_neighbours() {
    let filled = fill(&coil(), Some(70.0));
    let at = |k: usize, g: usize| filled[k * GAUGES + g];
    assert_eq!(at(0, 2), at(4, 2), "before the first reading its value is repeated");
    let middle = at(199, 5) + (at(203, 5) - at(199, 5)) * 0.5;
    assert!((at(201, 5) - middle).abs() < 1e-4, "a gap along the strip lies on the line");
    assert_eq!(at(50, 12), 0.5 * (at(50, 11) + at(50, 13)), "a blind gauge is the mean of its neighbours");
}

#[test]
fn a_blind_side_is_as_ordered_and_a_blind_coil_is_nothing() {
    let mut mean = coil().mean().to_vec();
    mean.chunks_exact_mut(GAUGES).for_each(|row| row[9..].fill(0));
    let blind = CoilMatrix::from_hundredths(mean, coil().std().to_vec()).unwrap();
    assert_eq!(fill(&blind, Some(70.0))[GAUGES + 10], 70.0);
    let without = fill(&blind, None);
    assert_eq!(without[GAUGES + 10], without[GAUGES + 1]);
    let nothing = CoilMatrix::from_hundredths(vec![0; CELLS], vec![0; CELLS]).unwrap();
    assert!(fill(&nothing, None).iter().all(|v| *v == 0.0));
}

#[test]
fn specs_of_another_kind_are_refused() {
    assert_eq!(spec().check(), Ok(()));
    let newer = PrepareSpec { version: 2, ..spec() };
    assert_eq!(newer.check(), Err(BadSpec::Version { theirs: 2 }));
    let none = PrepareSpec { channels: vec![], ..spec() };
    assert_eq!(none.check(), Err(BadSpec::Channels(0)));
    let side = PrepareSpec { side: vec![SideValue::Known; 17], ..spec() };
    assert_eq!(side.check(), Err(BadSpec::Side(17)));
    for channel in [Channel::grey(5.0, 5.0), Channel::grey(f32::NAN, 5.0)] {
        let flat = PrepareSpec { channels: vec![channel], ..spec() };
        assert!(matches!(flat.check(), Err(BadSpec::Channel(_))));
    }
}

#[test]
fn stacked_sides_lie_on_top_of_each_other() {
    let beside = spec().prepare(&coil(), Some(&order())).image;
    let stacked = PrepareSpec { layout: Layout::Stacked, ..spec() };
    assert_eq!(stacked.image_shape(), [18, CHUNKS, SIDE_GAUGES]);
    let image = stacked.prepare(&coil(), Some(&order())).image;
    let (channel, chunk, gauge) = (1, 105, 3);
    let at = |plane: usize| image[(plane * CHUNKS + chunk) * SIDE_GAUGES + gauge];
    assert_eq!(at(channel), beside[channel * CELLS + chunk * GAUGES + gauge]);
    assert_eq!(at(9 + channel), beside[channel * CELLS + chunk * GAUGES + SIDE_GAUGES + gauge]);
}

proptest! {
    /// Whatever was read, the network gets finite numbers of a known size.
    #[test]
    fn everything_is_finite_and_bounded(
        mean in prop::collection::vec(prop_oneof![Just(0u16), any::<u16>()], CELLS),
        nominal in prop::option::of(5.0f64..300.0),
    ) {
        let matrix = CoilMatrix::from_hundredths(mean, vec![500; CELLS]).unwrap();
        let order = nominal.map(|n| Order::new(n, ToleranceClass::A, 1000.0).unwrap());
        let prepared = spec().prepare(&matrix, order.as_ref());
        prop_assert_eq!(prepared.image.len(), spec().channels.len() * CELLS);
        prop_assert!(prepared.image.iter().all(|v| v.is_finite() && v.abs() <= 4.0));
        prop_assert!(prepared.side.iter().all(|v| v.is_finite()));
    }
}

#[test]
fn the_square_goes_linearly_from_gauge_to_gauge() {
    let spec = |layout| PrepareSpec { layout, channels: vec![spec().channels[1]], ..spec() };
    assert_eq!(spec(Layout::Square).image_shape(), [1, CHUNKS, CHUNKS]);
    let order = order();
    let plain = spec(Layout::Beside).prepare(&coil(), Some(&order)).image;
    let square = spec(Layout::Square).prepare(&coil(), Some(&order)).image;
    assert_eq!(square.len(), CHUNKS * CHUNKS);
    for (row, columns) in plain.chunks_exact(GAUGES).zip(square.chunks_exact(CHUNKS)) {
        for (column, found) in columns.iter().enumerate() {
            let at =
                ((column as f64 + 0.5) * GAUGES as f64 / CHUNKS as f64 - 0.5).clamp(0.0, GAUGES as f64 - 1.0);
            let (gauge, share) = (at.floor() as usize, at.fract());
            let next = row[(gauge + 1).min(GAUGES - 1)];
            let want = f64::from(row[gauge]) * (1.0 - share) + f64::from(next) * share;
            assert!((f64::from(*found) - want).abs() < 1e-5, "{column}: {found} {want}");
        }
        assert_eq!((columns[0], columns[CHUNKS - 1]), (row[0], row[GAUGES - 1]));
    }
}

//! Writes f32 and int8 exports of random networks with coils and tract's P(NOK) of each, for
//! `trainer/tests/onnxruntime_parity.py` to compare with ONNX Runtime; says how long tract takes.
//!
//! `cargo run -p coilsight-trainer --example export_probe -- FOLDER [COILS]`

use anyhow::Context;
use coilsight_trainer::export::folded::{self, Activation, FoldedNet, Sides};
use coilsight_trainer::export::{calibrate, float, parity, quantise, runtime::Runtime};
use std::path::Path;
use std::time::Instant;

#[path = "../src/export/tests/nets.rs"]
#[allow(dead_code)] // The tests use all of it.
mod nets;

/// Coils that ranges are taken from, apart from those compared.
const CALIBRATION: u64 = 100;

/// What the script reads, beside `NAME.f32.onnx`, `NAME.int8.onnx`, `NAME.images` and `NAME.sides` (f32, little-endian).
#[derive(serde::Serialize)]
struct Case {
    name: &'static str,
    image: [usize; 3],
    side: usize,
    p_f32: Vec<f64>,
    p_int8: Vec<f64>,
}

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().context("name a folder to write to")?;
    let coils = arguments.next().map_or(Ok(200), |n| n.parse()).context("COILS is a number")?;
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder)?;
    let nets = [
        ("default", default_net(1, Sides::Image, 0)),
        ("default_shared_side", default_net(2, Sides::Shared, 6)),
        ("one_channel_each", one_channel_each()),
        ("without_relu", without_relu()),
        ("yolov8n_like", yolov8n_like(5, Sides::Image, 0)),
        ("yolov8n_like_shared_side", yolov8n_like(6, Sides::Shared, 6)),
        ("efficientnet_lite0_like", efficientnet_lite0_like()),
        ("siamese", siamese()),
    ];
    let cases = nets
        .into_iter()
        .map(|(name, net)| probe(name, net, folder, coils).with_context(|| format!("network {name}")))
        .collect::<anyhow::Result<Vec<_>>>()?;
    std::fs::write(folder.join("cases.json"), serde_json::to_vec(&cases)?)?;
    Ok(())
}

/// The default encoder: ten 3 x 3 convolutions, an average pool after each second one.
fn default_net(seed: u64, sides: Sides, side: usize) -> FoldedNet {
    let mut builder = nets::Builder::new(seed, [3, 264, 18], sides, side);
    let narrow = if sides == Sides::Shared { 3 } else { 4 };
    for (i, filters) in [16, 24, 32, 48, 64].into_iter().enumerate() {
        builder = builder.conv(filters, (3, 3), (1, 1), true).conv(filters, (3, 3), (1, 1), true);
        if i < 4 {
            builder = builder.pool(if i < narrow { (2, 2) } else { (2, 1) });
        }
    }
    builder.head(&[])
}

fn one_channel_each() -> FoldedNet {
    nets::Builder::new(3, [1, 264, 18], Sides::Image, 2)
        .conv(1, (3, 3), (1, 1), true)
        .conv(1, (3, 3), (2, 1), true)
        .pool((2, 2))
        .conv(1, (3, 3), (1, 1), true)
        .head(&[4])
}

fn without_relu() -> FoldedNet {
    nets::Builder::new(4, [2, 264, 18], Sides::Shared, 0)
        .conv(8, (7, 3), (2, 1), false)
        .pool((3, 1))
        .conv(12, (1, 1), (1, 1), false)
        .pool((2, 3))
        .conv(12, (3, 3), (1, 1), false)
        .pool((2, 1))
        .head(&[])
}

/// The sizes of YOLOv8n-cls: five convolutions of stride 2, a C2f block after each but the first.
fn yolov8n_like(seed: u64, sides: Sides, side: usize) -> FoldedNet {
    let (three, two) = ((3, 3), (2, 2));
    let mut builder = nets::Builder::new(seed, [3, 264, 18], sides, side)
        .pools(&[folded::GlobalPool::Avg])
        .conv_to(16, three, two, Activation::Silu);
    for (filters, pairs) in [(32, 1), (64, 2), (128, 2), (256, 1)] {
        builder = builder.conv_to(filters, three, two, Activation::Silu).c2f(filters, pairs, true);
    }
    builder.conv_to(1280, (1, 1), (1, 1), Activation::Silu).head(&[])
}

/// The sizes of EfficientNet-Lite0.
fn efficientnet_lite0_like() -> FoldedNet {
    let (one, two) = ((1, 1), (2, 2));
    let mut builder = nets::Builder::new(7, [3, 264, 18], Sides::Image, 6)
        .pools(&[folded::GlobalPool::Avg])
        .conv_to(32, (3, 3), two, Activation::Relu6)
        .inverted(16, 1, 3, one);
    let stages = [
        (24, 2, 3, two),
        (40, 2, 5, two),
        (80, 3, 3, two),
        (112, 3, 5, one),
        (192, 4, 5, two),
        (320, 1, 3, one),
    ];
    for (filters, blocks, kernel, stride) in stages {
        for block in 0..blocks {
            builder = builder.inverted(filters, 6, kernel, if block == 0 { stride } else { one });
        }
    }
    builder.conv_to(1280, one, one, Activation::Relu6).head(&[])
}

/// The default encoder on each side, an embedding of 64, three references of each class.
fn siamese() -> FoldedNet {
    let mut builder = nets::Builder::new(8, [3, 264, 18], Sides::Shared, 6);
    for (i, filters) in [16, 24, 32, 48, 64].into_iter().enumerate() {
        builder = builder.conv(filters, (3, 3), (1, 1), true).conv(filters, (3, 3), (1, 1), true);
        if i < 3 {
            builder = builder.pool((2, 2));
        }
    }
    builder.siamese(64, folded::Distance::Euclidean, folded::Average::Mean)
}

fn probe(name: &'static str, mut net: FoldedNet, folder: &Path, coils: u64) -> anyhow::Result<Case> {
    let coil = |net: &FoldedNet, seed| (nets::coil(seed, net.image), nets::side(seed, net.side));
    let calibration: Vec<_> = (0..CALIBRATION).map(|s| coil(&net, s)).collect();
    let coils: Vec<_> = (1000..1000 + coils).map(|s| coil(&net, s)).collect();
    let mut rough = Runtime::load(&float::to_onnx(&net))?;
    let logits =
        calibration.iter().map(|(i, s)| Ok(rough.run(i, s)?.concat())).collect::<anyhow::Result<Vec<_>>>()?;
    nets::spread_logits(&mut net, &logits);

    let started = Instant::now();
    let ranges = calibrate::observe(&net, calibration.iter().map(|(i, s)| (i, s)))?;
    let calibrated = started.elapsed();
    let quantised = quantise::quantise(&net, &ranges)?;
    let (float, int8) = (float::to_onnx(&net), quantised.to_onnx());
    let parity = parity::compare(&float, &int8, coils.iter().map(|(i, s)| (i, s)))?;
    println!("{name}: {CALIBRATION} coils calibrated in {calibrated:.1?}; {parity:?}");

    for kept in quantised.kept_float() {
        println!("{name}: f32: {kept}");
    }

    let write = |kind: &str, bytes: &[u8]| std::fs::write(folder.join(format!("{name}.{kind}")), bytes);
    let (images, sides): (Vec<_>, Vec<_>) = coils.iter().map(|(i, s)| (i.as_slice(), s.as_slice())).unzip();
    let bytes = |values: &[&[f32]]| {
        values.iter().copied().flatten().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>()
    };
    write("f32.onnx", &float)?;
    write("int8.onnx", &int8)?;
    write("images", &bytes(&images))?;
    write("sides", &bytes(&sides))?;
    let run = |kind: &str, onnx: &[u8]| -> anyhow::Result<Vec<f64>> {
        let mut tract = Runtime::load(onnx)?;
        let (mut p, mut times) = (Vec::new(), Vec::new());
        for (image, side) in &coils {
            let started = Instant::now();
            p.push(tract.p_nok(image, side)?);
            times.push(started.elapsed());
        }
        times.sort();
        println!(
            "{name}: tract {kind}: {:.2?} a coil (median), {} bytes",
            times[times.len() / 2],
            onnx.len()
        );
        Ok(p)
    };
    let (p_f32, p_int8) = (run("f32", &float)?, run("int8", &int8)?);
    Ok(Case { name, image: net.image, side: net.side, p_f32, p_int8 })
}

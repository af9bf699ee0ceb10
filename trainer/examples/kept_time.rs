//! What keeping the features of frozen stages is worth: `kept_time [COILS] [EPOCHS]`.
//!
//! Five folds (and the final network) of YOLOv8s, frozen to stage 7 and frozen whole, on simulated coils, from one file of weights:
//! the plain way, with kept features from an empty store, with a full store, and the frozen pass alone. Prints the ratios and how
//! far out-of-fold scores of the plain and the kept way are apart.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use coilsight_trainer::data::coils::{CoilSet, LabelledCoil};
use coilsight_trainer::kept::{AS_IT_IS, Draws, KeepConfig, Key, Store, fill, row_length};
use coilsight_trainer::nets::{Input, Model, Network};
use coilsight_trainer::nn::params::to_safetensors;
use coilsight_trainer::run::{Augmentation, CoilSource, RunConfig, RunFolder, train};
use coilsight_trainer::simulate::{self, Plan};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

/// Augmentations of each coil.
const DRAWS: u32 = 2;

fn settings(freeze: usize, epochs: usize, items: usize, weights: &Path) -> String {
    format!(
        "
name: kept
folds: 5
prepare:
  layout: beside
  channels:
    - {{ signal: deviation, shift: 0.05, scale: 10, low: -3, high: 3 }}
    - {{ signal: gauge_deviation, shift: 0, scale: 15, low: -4, high: 4 }}
    - {{ signal: spread, shift: 0.018, scale: 80, low: -1, high: 4 }}
  side: [nominal, class_a, class_b, class_c]
network: {{ freeze: {freeze}, weights: {}, backbone: {{ kind: yolov8-cls, size: s }} }}
keep: {{ draws: {DRAWS} }}
fit: {{ epochs: {epochs}, epoch_items: {items}, batch: 32, sampler: {{ kind: shuffled }}, early_stop: null }}
augment: {{ flip_length: 0.5, flip_width: 0.5, swap_sides: 0.5, gauge_gain: 0.015 }}
",
        weights.display()
    )
}

fn main() -> anyhow::Result<()> {
    let numbers: Vec<u64> = std::env::args().skip(1).map(|a| a.parse()).collect::<Result<_, _>>()?;
    let coils = numbers.first().copied().unwrap_or(640);
    let epochs = numbers.get(1).copied().unwrap_or(4) as usize;
    let folder = tempfile::tempdir()?;
    let plan = Plan { count: coils, nok_share: 0.3, short: true, seed: 7, ..Plan::default() };
    simulate::coils(&plan, folder.path(), "train", &|_| {})?;
    let set = CoilSet::load(folder.path(), "train")?;
    let weights = folder.path().join("weights.safetensors");
    write_weights(&weights)?;
    println!("{coils} coils, {epochs} epochs a network, {} threads", rayon::current_num_threads());
    for (freeze, what) in [(7, "frozen to stage 7"), (10, "head only")] {
        let config = settings(freeze, epochs, coils as usize, &weights);
        let at = |name: &str| folder.path().join(format!("{name}-{freeze}"));
        let (plain, exact) = run(&set, &config, &at("plain"), 0, &at("none"))?;
        let (kept, scores) = run(&set, &config, &at("first"), 4096, &at("kept"))?;
        let (full, _) = run(&set, &config, &at("second"), 4096, &at("kept"))?;
        let frozen = frozen_pass(&set, &config, &at("alone"))?;
        let off = exact.iter().zip(&scores).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        println!(
            "{what}: plain {plain:.1} s; kept from nothing {kept:.1} s, from a full store {full:.1} s, frozen pass alone {frozen:.1} s\n  \
             kept / (last stages + frozen pass) {:.2}; full store / plain {:.3}; kept / plain {:.2}; P(NOK) {off:.1e} apart at most",
            kept / (full + frozen),
            full / plain,
            kept / plain,
        );
    }
    Ok(())
}

/// A checkpoint of fresh weights, axes in PyTorch's order.
fn write_weights(path: &Path) -> anyhow::Result<()> {
    let config = serde_json::from_str(r#"{"backbone": {"kind": "yolov8-cls", "size": "s"}}"#)?;
    let network = Network::new(config, Input { height: 264, width: 18, channels: 3, side: 0 }, 1)?;
    let mut tensors = std::collections::BTreeMap::new();
    for (name, var) in network.params().all() {
        let t = var.as_detached_tensor();
        let t = if t.rank() == 4 { t.permute((3, 2, 0, 1))?.contiguous()? } else { t };
        tensors.insert(name.clone(), t);
    }
    std::fs::write(path, to_safetensors(&tensors, None)?)?;
    Ok(())
}

/// Seconds, and the out-of-fold scores.
fn run(
    set: &CoilSet,
    text: &str,
    out: &Path,
    budget_mib: u64,
    kept: &Path,
) -> anyhow::Result<(f64, Vec<f64>)> {
    std::fs::create_dir_all(kept)?;
    let mut config = RunConfig::parse(text)?;
    config.keep = Some(KeepConfig { draws: DRAWS, budget_mib, folder: Some(kept.to_owned()) });
    let folder = RunFolder::begin(out, &config)?;
    let start = Instant::now();
    train(set, &config, &folder, &mut |_, _| ControlFlow::Continue(()))?;
    let seconds = start.elapsed().as_secs_f64();
    let mut table = csv::Reader::from_path(out.join("oof.csv"))?;
    let scores =
        table.records().map(|r| Ok(r?.get(6).unwrap_or("").parse()?)).collect::<anyhow::Result<_>>()?;
    Ok((seconds, scores))
}

/// Seconds of one pass of all coils in all their ways through the frozen stages.
fn frozen_pass(set: &CoilSet, text: &str, folder: &Path) -> anyhow::Result<f64> {
    let config = RunConfig::parse(text)?;
    let spec = config.prepare.resolve(&set.coils)?;
    let network = Network::new(config.network.clone(), RunConfig::input(&spec), 1)?;
    let coils: Vec<&LabelledCoil> = set.coils.iter().collect();
    let draws = Some(Draws { count: DRAWS, seed: 1 });
    let source =
        CoilSource::new(coils, &spec, Some(Augmentation { config: &config.augment, draws, seed: 1 }));
    let keep = KeepConfig { draws: DRAWS, budget_mib: 4096, folder: None };
    std::fs::create_dir_all(folder)?;
    let mut store = Store::open(&keep, folder, Key::of(&[b"alone"]), row_length(&network))?;
    let needed: Vec<(usize, u32)> =
        (0..set.coils.len()).flat_map(|i| [0, 1, AS_IT_IS].map(|draw| (i, draw))).collect();
    let start = Instant::now();
    fill(&mut store, &network, &source, &needed, &mut |_, _| {})?;
    Ok(start.elapsed().as_secs_f64())
}

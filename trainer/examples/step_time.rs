//! A training step of the benchmark's workloads in our networks, one JSON line: `step_time WORKLOAD [STEPS] [SECONDS]`.
//!
//! `trainer/bench/run` calls it beside candle and PyTorch. `COILSIGHT_DEVICE=cuda` runs it on a GPU, in a program built with
//! feature `cuda`.

#[path = "step/measure.rs"]
mod measure;

use candle_core::{Device, Tensor};
use coilsight_trainer::device;
use coilsight_trainer::export::folded::{GlobalPool, Sides};
use coilsight_trainer::fit::{AdamW, AdamWConfig, LossConfig};
use coilsight_trainer::nets::cnn::CnnConfig;
use coilsight_trainer::nets::config::{BackboneConfig, NetworkConfig, SiameseConfig};
use coilsight_trainer::nets::head::HeadConfig;
use coilsight_trainer::nets::yolov8_cls::Scale;
use coilsight_trainer::nets::{Input, Kept, Model, Network};
use coilsight_trainer::nn::Pass;
use coilsight_trainer::nn::params::Place;
use coilsight_trainer::nn::seed::{Purpose, generator};
use measure::BATCH;

/// As the trainer itself has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const WORKLOADS: [&str; 5] = ["siamese", "cnn", "yolov8s-7", "yolov8n", "efficientnet-lite0"];

/// Values between -1 and 1 that repeat.
fn noise(shape: &[usize]) -> candle_core::Result<Tensor> {
    let count: usize = shape.iter().product();
    let values = (0..count).map(|i| ((i * 7919) % 1000) as f32 / 500.0 - 1.0).collect();
    Tensor::from_vec::<_, f32>(values, shape, &Device::Cpu)
}

fn yolo(size: Scale, freeze: usize) -> NetworkConfig {
    let backbone = BackboneConfig::Yolov8Cls { size, sides: Sides::Image, head: HeadConfig::default() };
    NetworkConfig { backbone, freeze, ..NetworkConfig::default() }
}

/// The network of a workload and what it is given, as in `trainer/bench/steps.py`.
fn network(workload: &str, place: &Place) -> anyhow::Result<Network> {
    let coil = Input { height: 264, width: 18, channels: 3, side: 0 };
    let (config, input) = match workload {
        "siamese" => {
            let head =
                HeadConfig { features: vec![GlobalPool::Avg, GlobalPool::Max], ..HeadConfig::default() };
            let backbone = BackboneConfig::Cnn(CnnConfig { head, ..CnnConfig::default() });
            let siamese = Some(SiameseConfig::default());
            (NetworkConfig { backbone, siamese, ..NetworkConfig::default() }, Input { channels: 1, ..coil })
        }
        "cnn" => (CnnConfig::default().into(), Input { side: 4, ..coil }),
        "yolov8s-7" => (yolo(Scale::S, 7), coil),
        "yolov8n" => (yolo(Scale::N, 0), coil),
        _ => {
            let head = HeadConfig::default();
            let backbone = BackboneConfig::EfficientnetLite { size: 0, sides: Sides::Image, head };
            (NetworkConfig { backbone, ..NetworkConfig::default() }, coil)
        }
    };
    Ok(Network::at(place.clone(), config, input, 2, 1)?)
}

#[allow(unsafe_code)]
fn main() -> anyhow::Result<()> {
    // SAFETY: this is the only thread.
    unsafe { coilsight_trainer::threads::leave_out_candle() };
    let arguments = measure::arguments(&WORKLOADS)?;
    let base = measure::base_mib()?;
    let device = std::env::var("COILSIGHT_DEVICE").unwrap_or_else(|_| "cpu".into());
    let place = Place { device: device::open(device.parse()?)?, ..Place::default() };
    let whole = network(&arguments.workload, &place)?;
    let kept = Kept(&whole);
    let net: &dyn Model = if arguments.workload == "yolov8s-7" { &kept } else { &whole };
    let (batch, note) = match arguments.workload.as_str() {
        "siamese" => (2 * BATCH, "the loss is over all pairs of the 64 images"),
        _ => (BATCH, ""),
    };
    let Input { height, width, channels, side } = net.input();
    let (image, side) = (noise(&[batch, height, width, channels])?, noise(&[batch, side])?);
    let (image, side) = (place.take(&image)?, place.take(&side)?);
    let labels: Vec<usize> = (0..batch).map(|i| i % 2).collect();
    let mut adam = AdamW::new(AdamWConfig::default(), net.params())?;
    let (mut rng, config) = (generator(1, Purpose::Dropout, 0, 0), LossConfig::default());
    measure::report("ours", &arguments, base, note, || {
        let loss = net.loss((&image, &side), &labels, &config, &mut Pass::Train(&mut rng))?;
        let grads = loss.backward()?;
        adam.step(net.params(), &grads, 1.0)?;
        Ok(loss.to_scalar::<f32>()?)
    })
}

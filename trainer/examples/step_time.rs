//! Milliseconds per training step of the default network on coils: `step_time [BATCH] [THREADS]...`.

use candle_core::{Device, Tensor};
use coilsight_trainer::fit::{AdamW, AdamWConfig, cross_entropy};
use coilsight_trainer::nets::cnn::CnnConfig;
use coilsight_trainer::nets::{Input, Model, Network};
use coilsight_trainer::nn::Pass;
use coilsight_trainer::nn::seed::{Purpose, generator};
use std::time::Instant;

/// Steps measured.
const STEPS: usize = 20;

/// Processor time of this process so far, in steps of 10 ms: what a busy machine does not distort as much as the clock.
fn processor_seconds() -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
    Ok((ticks(11) + ticks(12)) / 100.0)
}

fn main() -> anyhow::Result<()> {
    let numbers: Vec<usize> = std::env::args().skip(1).map(|a| a.parse()).collect::<Result<_, _>>()?;
    let batch = numbers.first().copied().unwrap_or(64);
    let threads = if numbers.len() > 1 { &numbers[1..] } else { &[1, 2] };
    for &threads in threads {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        pool.install(|| measure(batch, threads))?;
    }
    Ok(())
}

fn measure(batch: usize, threads: usize) -> anyhow::Result<()> {
    let input = Input { height: 264, width: 18, channels: 3, side: 4 };
    let net = Network::new(CnnConfig::default().into(), input, 1)?;
    let mut adam = AdamW::new(AdamWConfig::default(), net.params())?;
    let count = batch * input.height * input.width * input.channels;
    let values = (0..count).map(|i| ((i * 7919) % 1000) as f32 / 500.0 - 1.0).collect();
    let shape = (batch, input.height, input.width, input.channels);
    let image = Tensor::from_vec::<_, f32>(values, shape, &Device::Cpu)?;
    let side = Tensor::zeros((batch, 4), candle_core::DType::F32, &Device::Cpu)?;
    let labels: Vec<usize> = (0..batch).map(|i| i % 2).collect();
    let mut rng = generator(1, Purpose::Dropout, 0, 0);
    let (mut forward, mut backward, mut update, mut evaluate) = (f64::MAX, f64::MAX, f64::MAX, f64::MAX);
    let mut whole = Vec::new();
    let mut processor = 0.0;
    for _ in 0..STEPS {
        let before = processor_seconds()?;
        let start = Instant::now();
        let loss = cross_entropy(
            &net.forward(&image, &side, &mut Pass::Train(&mut rng))?,
            &labels,
            &[1.0, 1.0],
            0.0,
        )?;
        let after_forward = start.elapsed().as_secs_f64();
        let grads = loss.backward()?;
        let after_backward = start.elapsed().as_secs_f64();
        adam.step(net.params(), &grads, 1.0)?;
        drop((loss, grads));
        let total = start.elapsed().as_secs_f64();
        forward = forward.min(after_forward);
        backward = backward.min(after_backward - after_forward);
        update = update.min(total - after_backward);
        whole.push(total);
        processor += processor_seconds()? - before;
        let start = Instant::now();
        net.forward(&image, &side, &mut Pass::Eval)?;
        evaluate = evaluate.min(start.elapsed().as_secs_f64());
    }
    whole.sort_by(f64::total_cmp);
    println!(
        "{threads} threads, batch {batch}: step {:.1} ms at best, {:.1} in the middle, {:.1} of processor time (forward {:.1}, backward {:.1}, update {:.1}); evaluation {:.1}",
        whole[0] * 1e3,
        whole[whole.len() / 2] * 1e3,
        processor / STEPS as f64 * 1e3,
        forward * 1e3,
        backward * 1e3,
        update * 1e3,
        evaluate * 1e3
    );
    Ok(())
}

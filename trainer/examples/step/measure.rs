//! What the step examples share: arguments, the clock, peak memory, one JSON line.

use std::time::Instant;

/// Images of a step (pairs, for the Siamese network), as in `trainer/bench/steps.py`.
pub const BATCH: usize = 32;

/// What to run.
pub struct Arguments {
    /// Name of the workload.
    pub workload: String,
    /// Steps that are timed.
    pub steps: usize,
    /// No further step begins after so many seconds.
    pub seconds: f64,
}

/// Reads `WORKLOAD [STEPS] [SECONDS]`; threads are `RAYON_NUM_THREADS`, which ours and candle both go by.
pub fn arguments(workloads: &[&str]) -> anyhow::Result<Arguments> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let usage = || {
        let names = workloads.join(", ");
        anyhow::anyhow!("usage: WORKLOAD [STEPS] [SECONDS], RAYON_NUM_THREADS set; workloads: {names}")
    };
    let workload = arguments.first().filter(|w| workloads.contains(&w.as_str())).ok_or_else(usage)?.clone();
    let steps = arguments.get(1).map_or(Ok(20), |s| s.parse())?;
    let seconds = arguments.get(2).map_or(Ok(f64::INFINITY), |s| s.parse())?;
    if steps == 0 || arguments.len() > 3 {
        return Err(usage());
    }
    Ok(Arguments { workload, steps, seconds })
}

/// A number of `/proc/self/status`, in MiB.
fn status_mib(field: &str) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|l| l.starts_with(field));
    let kib = line.and_then(|l| l.split_whitespace().nth(1)).and_then(|v| v.parse::<f64>().ok());
    Ok(kib.ok_or_else(|| anyhow::anyhow!("/proc/self/status has no {field}"))? / 1024.0)
}

/// Processor time of this process so far, in steps of 10 ms: what a busy machine does not distort as much as the clock.
fn processor_seconds() -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
    Ok((ticks(11) + ticks(12)) / 100.0)
}

/// Memory held before a network is built.
pub fn base_mib() -> anyhow::Result<f64> {
    status_mib("VmRSS")
}

/// Warms up, times steps (each gives its loss), prints the line.
pub fn report(
    engine: &str,
    arguments: &Arguments,
    base: f64,
    note: &str,
    mut step: impl FnMut() -> anyhow::Result<f32>,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    for _ in 0..3 {
        step()?;
        if begun.elapsed().as_secs_f64() > arguments.seconds / 4.0 {
            break;
        }
    }
    let (mut times, mut loss) = (Vec::new(), 0.0);
    let processor = processor_seconds()?;
    while times.len() < arguments.steps
        && (times.is_empty() || begun.elapsed().as_secs_f64() < arguments.seconds)
    {
        let start = Instant::now();
        loss = step()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    let processor = (processor_seconds()? - processor) * 1e3 / times.len() as f64;
    times.sort_by(f64::total_cmp);
    let round = |v: f64| (v * 1e3).round() / 1e3;
    let line = serde_json::json!({
        "workload": arguments.workload, "engine": engine, "threads": rayon::current_num_threads(), "batch": BATCH,
        "steps": times.len(), "least_ms": round(times[0]), "median_ms": round(times[times.len() / 2]),
        "processor_ms": round(processor), "base_mib": round(base), "peak_mib": round(status_mib("VmHWM")?),
        "loss": loss, "note": note,
    });
    println!("{line}");
    Ok(())
}

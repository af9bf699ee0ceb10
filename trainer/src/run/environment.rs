//! What a run ran on.

use serde::Serialize;

/// Program, machine and threads. Equal settings, data and seed give equal bits where these are equal.
#[derive(Debug, Serialize)]
pub struct Environment {
    /// The trainer's version.
    trainer: &'static str,
    /// When it began, or went on.
    started_at: String,
    /// The processor's name, as the kernel tells it.
    processor: Option<String>,
    /// Whether the kernels for AVX-512 run.
    avx512: bool,
    /// Threads.
    pub threads: usize,
    /// Operating system and architecture.
    system: String,
    /// Its kernel.
    kernel: Option<String>,
    /// Where networks live.
    pub device: String,
}

impl Environment {
    /// This one.
    pub fn of(device: &candle_core::Device) -> Self {
        let read = |path| std::fs::read_to_string(path).ok();
        let processor = read("/proc/cpuinfo").and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("model name"))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        });
        Self {
            trainer: env!("CARGO_PKG_VERSION"),
            started_at: jiff::Timestamp::now().to_string(),
            processor,
            avx512: crate::nn::has_avx512(),
            threads: rayon::current_num_threads(),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            kernel: read("/proc/sys/kernel/osrelease").map(|text| text.trim().to_owned()),
            device: format!("{:?}", device.location()),
        }
    }
}

//! What training costs: time and memory, measured where it happens and kept through interruptions.

use super::folder::write_whole;
use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The kernel's clock ticks a second in `/proc/PID/stat`: part of Linux's interface, 100 on every architecture that this
/// program is built for.
const TICKS: f64 = 100.0;

/// The file in a network's folder.
const FILE: &str = "cost.json";

/// What some networks cost to train, reading, augmenting and validating included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spent {
    /// Time that went by, s. What else the machine did counts in.
    pub wall_s: f64,
    /// Time of processor cores, s.
    pub processor_s: f64,
    /// Most memory that the program has had (`VmHWM`), MiB; 0 where the system does not say.
    pub peak_mib: f64,
}

/// What a run cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// Networks that the figures are of.
    pub networks: usize,
    /// Time and memory of all of them together.
    #[serde(flatten)]
    pub spent: Spent,
    /// Where they live.
    pub device: String,
    /// Threads.
    pub threads: usize,
}

impl Spent {
    /// Both, one after the other.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            wall_s: self.wall_s + other.wall_s,
            processor_s: self.processor_s + other.processor_s,
            peak_mib: self.peak_mib.max(other.peak_mib),
        }
    }

    /// Of a network that was trained, if it was measured.
    pub fn found(folder: &Path) -> anyhow::Result<Option<Self>> {
        let file = folder.join(FILE);
        if !file.exists() {
            return Ok(None);
        }
        let text = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        serde_json::from_slice(&text).map(Some).with_context(|| format!("{} is damaged", file.display()))
    }
}

/// Measures the training of a network from here on.
pub struct Meter {
    file: PathBuf,
    before: Spent,
    began: Instant,
    processor_s: f64,
}

impl Meter {
    /// On top of what the network of this folder has cost so far.
    pub fn start(folder: &Path) -> anyhow::Result<Self> {
        let before = Spent::found(folder)?.unwrap_or_default();
        let (began, processor_s) = (Instant::now(), processor_seconds());
        Ok(Self { file: folder.join(FILE), before, began, processor_s })
    }

    /// Writes down what it has cost until now.
    pub fn note(&self) -> anyhow::Result<()> {
        let since = Spent {
            wall_s: self.began.elapsed().as_secs_f64(),
            processor_s: processor_seconds() - self.processor_s,
            peak_mib: peak_mib(),
        };
        write_whole(&self.file, &serde_json::to_vec(&self.before.and(since))?)
    }
}

fn processor_seconds() -> f64 {
    std::fs::read_to_string("/proc/self/stat").ok().and_then(|text| ticks(&text)).unwrap_or(0) as f64 / TICKS
}

/// User and system time of `/proc/PID/stat`. The second field is the program's name in brackets, which may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some(next()? + next()?)
}

fn peak_mib() -> f64 {
    std::fs::read_to_string("/proc/self/status").ok().and_then(|text| high_water(&text)).unwrap_or(0) as f64
        / 1024.0
}

/// `VmHWM` of `/proc/PID/status`, KiB.
fn high_water(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says_is_read() {
        let stat = "4242 (a) b (c) R 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 3 0 99 0";
        assert_eq!(ticks(stat), Some(200));
        assert_eq!(ticks("4242 (x) R 1 2"), None);
        assert_eq!(
            high_water("Name:\tx\nVmPeak:\t  9999 kB\nVmHWM:\t    2048 kB\nVmRSS:\t 7 kB\n"),
            Some(2048)
        );
        assert_eq!(high_water("Name:\tx\n"), None);
        assert!(peak_mib() > 1.0, "this very program");
    }

    #[test]
    fn what_was_spent_before_an_interruption_counts() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Spent::found(folder.path()).unwrap(), None);
        let before = Spent { wall_s: 100.0, processor_s: 200.0, peak_mib: 1e9 };
        std::fs::write(folder.path().join(FILE), serde_json::to_vec(&before).unwrap()).unwrap();
        Meter::start(folder.path()).unwrap().note().unwrap();
        let now = Spent::found(folder.path()).unwrap().unwrap();
        assert!(now.wall_s > 100.0 && now.wall_s < 110.0 && now.processor_s >= 200.0, "{now:?}");
        assert_eq!(now.peak_mib, 1e9);
    }
}

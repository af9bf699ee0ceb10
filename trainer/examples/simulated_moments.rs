//! First moments of a line's own coils beside those of simulated ones, to see by eye that the simulator is no caricature.
//!
//! `cargo run --release --example simulated_moments -- DATA` reads the set `train` of the folder `DATA`.

use anyhow::Context;
use coilsight_models::coil::{CELLS, GAUGES};
use coilsight_trainer::data::coils::CoilSet;
use coilsight_trainer::simulate::{Plan, coils};
use std::collections::BTreeMap;
use std::path::Path;

fn main() -> anyhow::Result<()> {
    let data = std::env::args_os().nth(1).context("name the folder with the line's coils")?;
    print(&CoilSet::load(Path::new(&data), "train")?);
    let folder = tempfile::tempdir()?;
    coils(&Plan { count: 2000, ..Plan::default() }, folder.path(), "simulated", &|_| ())?;
    print(&CoilSet::load(folder.path(), "simulated")?);
    Ok(())
}

/// Coils with order data alone: the others have no ordered weight to be measured by.
fn print(set: &CoilSet) {
    let (mut shares, mut profiles, mut alongs, mut noises, mut gaps) = (vec![], vec![], vec![], vec![], 0);
    let mut by_class: BTreeMap<char, (f64, f64)> = BTreeMap::new();
    let mut count = 0;
    for coil in &set.coils {
        let Some(order) = &coil.order else { continue };
        count += 1;
        let nominal = 100.0 * order.nominal_g_m2();
        let class = by_class.entry(coil.class()).or_default();
        *class = (class.0 + 1.0, class.1 + f64::from(u8::from(coil.nok)));
        let cells = coil.matrix.mean();
        gaps += cells.iter().filter(|&&cell| cell == 0).count();
        let of = |cells: &mut dyn Iterator<Item = &u16>| {
            let read = cells.filter(|&&cell| cell > 0).map(|&cell| f64::from(cell) / nominal);
            moments(&read.collect::<Vec<_>>()).0
        };
        shares.push(of(&mut cells.iter()));
        let gauges: Vec<f64> = (0..GAUGES).map(|g| of(&mut cells[g..].iter().step_by(GAUGES))).collect();
        profiles.push(moments(&gauges.into_iter().filter(|g| g.is_finite()).collect::<Vec<_>>()).1);
        let chunks = cells.chunks(GAUGES).map(|row| of(&mut row.iter())).filter(|chunk| chunk.is_finite());
        alongs.push(moments(&chunks.collect::<Vec<_>>()).1);
        let read = coil.matrix.std().iter().zip(cells).filter(|(_, cell)| **cell > 0);
        noises.push(moments(&read.map(|(s, m)| f64::from(*s) / f64::from(*m)).collect::<Vec<_>>()).0);
    }
    println!("{}: {count} coils", set.name);
    println!("  weight over ordered weight: {:.4} +- {:.4}", moments(&shares).0, moments(&shares).1);
    println!("  spread across the gauges of a coil: {:.4}", moments(&profiles).0);
    println!("  spread along a coil: {:.4}", moments(&alongs).0);
    println!("  relative deviation inside a chunk: {:.4}", moments(&noises).0);
    println!("  cells without a reading: {:.5}", f64::from(gaps as u32) / (count * CELLS) as f64);
    for (class, (all, nok)) in by_class {
        println!(
            "  class {class}: {:.3} of the coils, {:.4} of them NOK",
            all / f64::from(count as u32),
            nok / all
        );
    }
}

/// Mean and standard deviation.
fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt())
}

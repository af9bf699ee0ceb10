//! First moments beside those of a line's own coils, to see by eye that the simulator is no caricature.

use super::*;
use crate::data::npy;

/// Prints the moments of set `NAME` in a folder.
fn print(folder: &std::path::Path, name: &str) {
    let shape = [None, Some(CHUNKS as u64), Some(GAUGES as u64)];
    let read = |end: &str| npy::read_u16(&folder.join(format!("{name}-{end}.npy")), &shape).unwrap();
    let (mean, std) = (read("mean"), read("std"));
    let mut table = csv::Reader::from_path(folder.join(format!("{name}.csv"))).unwrap();
    let rows: Vec<BTreeMap<String, String>> = table.deserialize().map(Result::unwrap).collect();
    let (mut shares, mut profiles, mut alongs, mut noises, mut gaps) = (vec![], vec![], vec![], vec![], 0);
    let mut by_class: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for (i, row) in rows.iter().enumerate() {
        let nominal: f64 = row["nominal_g_m2"].parse().unwrap();
        let class = by_class.entry(&row["tolerance_class"]).or_default();
        *class = (class.0 + 1.0, class.1 + f64::from(u8::from(row["label"] == "NOK")));
        let cells = &mean[i * CELLS..(i + 1) * CELLS];
        gaps += cells.iter().filter(|&&cell| cell == 0).count();
        let share = |cell: u16| f64::from(cell) / 100.0 / nominal;
        let of = |cells: &mut dyn Iterator<Item = &u16>| {
            moments(&cells.filter(|&&cell| cell > 0).map(|&cell| share(cell)).collect::<Vec<_>>()).0
        };
        shares.push(of(&mut cells.iter()));
        let gauges: Vec<f64> = (0..GAUGES).map(|g| of(&mut cells[g..].iter().step_by(GAUGES))).collect();
        profiles.push(moments(&gauges.into_iter().filter(|g| g.is_finite()).collect::<Vec<_>>()).1);
        alongs.push(moments(&cells.chunks(GAUGES).map(|row| of(&mut row.iter())).collect::<Vec<_>>()).1);
        let stds = &std[i * CELLS..(i + 1) * CELLS];
        let noise = stds.iter().zip(cells).filter(|(_, cell)| **cell > 0);
        noises.push(moments(&noise.map(|(s, m)| f64::from(*s) / f64::from(*m)).collect::<Vec<_>>()).0);
    }
    println!("{name}: {} coils", rows.len());
    println!("  weight over ordered weight: {:.4} +- {:.4}", moments(&shares).0, moments(&shares).1);
    println!("  spread across the gauges of a coil: {:.4}", moments(&profiles).0);
    println!("  spread along a coil: {:.4}", moments(&alongs).0);
    println!("  relative deviation inside a chunk: {:.4}", moments(&noises).0);
    println!("  cells without a reading: {:.5}", gaps as f64 / mean.len() as f64);
    for (class, (all, nok)) in by_class {
        println!(
            "  class {class}: {:.3} of the coils, {:.4} of them NOK",
            all / rows.len() as f64,
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

/// `COILSIGHT_DATA=../shared/data cargo test --lib -- --ignored --nocapture moments_beside`
#[test]
#[ignore = "reads a line's own coils from $COILSIGHT_DATA and prints figures for people"]
fn moments_beside_those_of_a_lines_own_coils() {
    let Some(data) = std::env::var_os("COILSIGHT_DATA") else {
        println!("skipped: COILSIGHT_DATA names no folder");
        return;
    };
    print(&std::path::Path::new(&data).join("coils"), "train");
    let folder = tempfile::tempdir().unwrap();
    coils(&Plan { count: 2000, ..Plan::default() }, folder.path(), "simulated", &|_| ()).unwrap();
    print(folder.path(), "simulated");
}

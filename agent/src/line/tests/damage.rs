//! Journals that a disk or an earlier fault has left in disorder: every coil gets its decision all the same.

use super::*;
use std::path::Path;

/// Stops as a power cut would, changes what lies in `open/`, and starts again.
fn restarted(bench: Bench, change: impl FnOnce(&Path)) -> Bench {
    let Bench { line, heard, folder, .. } = bench;
    drop(line);
    change(&folder.path().join("archive/open"));
    let line = open(folder.path(), Config::default());
    Bench { line, heard, now: Duration::ZERO, folder }
}

fn finished(mut bench: Bench) -> Vec<Assessment> {
    bench.line.finish().unwrap();
    bench.line.publish(&mut bench.heard).unwrap();
    let bench = bench.restart();
    assert_eq!(bench.line.open_coils().count(), 0);
    bench.heard.0
}

#[test]
fn a_coil_whose_first_record_is_lost_is_known_by_its_start() {
    let mut bench = Bench::new();
    bench.start("A", SIX);
    bench.rows("A", 0, 66, 70.0);
    let bench = restarted(bench, |open| {
        let file = open.join("00000001.rows");
        let mut bytes = std::fs::read(&file).unwrap();
        bytes[10] ^= 1;
        std::fs::write(file, bytes).unwrap();
    });
    let [told] = &finished(bench)[..] else { panic!("one decision") };
    assert_eq!((told.coil_id.as_str(), told.pass), ("A", SIX.parse().ok()));
    assert_eq!(told.rows.used, 4 * 66);
}

#[test]
fn a_coil_that_lies_open_twice_has_two_passes() {
    let mut bench = Bench::new();
    bench.rows("A", 0, 20, 70.0);
    bench.rows("B", 0, 30, 70.0);
    // The archive has the rows of A in a second segment, as if its first had been left behind.
    let Bench { line, folder, heard, .. } = bench;
    drop(line);
    let disk = RealDisk::new(folder.path().join("archive")).unwrap();
    let (archive, recovery) =
        Archive::open(Arc::new(disk), folder.path().join("views"), Limits::default()).unwrap();
    let again = archive.begin().unwrap();
    for record in &recovery.open[0].records {
        archive.append(again, record).unwrap();
    }
    archive.sync().unwrap();
    drop(archive);
    let line = open(folder.path(), Config::default());
    let told = finished(Bench { line, heard, now: Duration::ZERO, folder });
    let used: Vec<_> = told.iter().map(|a| (a.coil_id.as_str(), a.rows.used)).collect();
    assert_eq!(used, [("A", 80), ("A", 80), ("B", 120)]);
}

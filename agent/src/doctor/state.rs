//! The state folder: whose it is, how fast its disk is, how much room there is, whether an agent is at work.

use super::Report;
use crate::config::Settings;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// A disk that needs longer for a small write keeps the line waiting.
const SLOW: Duration = Duration::from_millis(200);
/// With less room than this on the disk, rows are refused soon, bytes.
const NEARLY_FULL: u64 = 64 << 20;
const CHECK: &str = "state folder";

pub(super) fn look(settings: &Settings, report: &mut Report) {
    let (check, folder) = (CHECK, settings.state.as_path());
    let shown = folder.display();
    let owner = match fs::metadata(folder) {
        Ok(metadata) => metadata.uid(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            report.warn(
                check,
                format!("{shown} does not exist yet"),
                "nothing if the agent has never run: systemd, or the agent itself, makes it; else check `state`",
            );
            return;
        }
        Err(error) => {
            report.fault(
                check,
                format!("{shown} cannot be looked at: {error}"),
                "run this as the agent's user",
            );
            return;
        }
    };
    let own = fs::metadata("/proc/self").map_or(owner, |process| process.uid());
    if own != owner {
        report.warn(
            check,
            format!("{shown} belongs to user {owner}, and this runs as user {own}: what the agent may read and write is not told"),
            format!("run this as the agent's user: sudo -u '#{owner}' coilsight-agent doctor"),
        );
    }
    written(&shown.to_string(), write(folder), report);
    room(settings, report);
    agent(&folder.join("archive/lock"), report);
}

/// What a small write to the folder says of its disk.
fn written(shown: &str, took: io::Result<Duration>, report: &mut Report) {
    match took {
        Ok(took) if took < SLOW => {
            report.ok(CHECK, format!("{shown} can be written; a small write is on disk after {}", ms(took)));
        }
        Ok(took) => report.warn(
            CHECK,
            format!("a small write to {shown} is on disk only after {}", ms(took)),
            "rows are acknowledged when they are on disk: see what else uses the disk, or give the agent a faster one",
        ),
        Err(error) => report.fault(
            CHECK,
            format!("{shown} cannot be written: {error}"),
            "make it the agent's user's (chown), and see that the disk is neither full nor mounted read-only",
        ),
    }
}

/// How long a small write takes until it is on disk.
fn write(folder: &Path) -> io::Result<Duration> {
    let mut file = tempfile::Builder::new().prefix(".doctor-").tempfile_in(folder)?;
    let began = Instant::now();
    file.write_all(&[0; 4096])?;
    file.as_file().sync_all()?;
    Ok(began.elapsed())
}

fn room(settings: &Settings, report: &mut Report) {
    let (check, folder) = ("room", &settings.state);
    let free = match rustix::fs::statvfs(folder) {
        Ok(disk) => disk.f_bavail * disk.f_frsize,
        Err(error) => {
            report.warn(check, format!("cannot be told: {error}"), "run this as the agent's user");
            return;
        }
    };
    let used = used(folder);
    let cap = settings.limits().cap;
    let found = format!(
        "{} MiB used, {} MiB free on this disk, {} MiB allowed (archive.cap_mib)",
        used >> 20,
        free >> 20,
        cap >> 20
    );
    if used + free >= cap {
        report.ok(check, found);
    } else if free < NEARLY_FULL {
        report.fault(check, found, "make room on the disk: rows are refused when it is full");
    } else {
        report.warn(
            check,
            found,
            "the disk is full before the archive reaches its cap: lower archive.cap_mib, or give a larger disk",
        );
    }
}

/// What the files in a folder take on disk, bytes. What vanishes meanwhile does not count.
fn used(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let sizes = entries.flatten().filter_map(|entry| {
        let metadata = entry.metadata().ok()?;
        Some(if metadata.is_dir() { used(&entry.path()) } else { metadata.blocks() * 512 })
    });
    sizes.sum()
}

/// Whether an agent is at work: it holds the archive's lock.
fn agent(lock: &Path, report: &mut Report) {
    let check = "agent";
    match File::open(lock).map(|file| file.try_lock_shared()) {
        Ok(Err(TryLockError::WouldBlock)) => {
            report.ok(check, "an agent runs on this state folder; its archive is left alone");
        }
        Ok(_) => report.ok(check, "no agent runs on this state folder"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            report.ok(check, "no agent has run on this state folder yet");
        }
        Err(error) => report.warn(
            check,
            format!("whether an agent runs cannot be told: {}: {error}", lock.display()),
            "run this as the agent's user",
        ),
    }
}

fn ms(took: Duration) -> String {
    format!("{:.1} ms", took.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::super::Grade;
    use super::*;

    fn looked(settings: &Settings) -> Report {
        let mut report = Report { json: true, ..Report::default() };
        look(settings, &mut report);
        report
    }

    #[test]
    fn a_folder_a_lock_and_too_small_a_disk() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings { state: folder.path().join("state"), ..Settings::default() };
        settings.archive.cap_mib = 300;
        assert_eq!(looked(&settings).findings[0].grade, Grade::Warning, "it does not exist yet");
        fs::create_dir_all(settings.state.join("archive")).unwrap();
        let lock = File::create(settings.state.join("archive/lock")).unwrap();
        let said = |settings: &Settings| {
            looked(settings).findings.iter().map(|f| f.found.clone() + "\n").collect::<String>()
        };
        // How fast this machine's disk is today, is no matter of a test.
        assert!(said(&settings).contains("on disk") && said(&settings).contains("no agent runs"));
        lock.lock().unwrap();
        assert!(said(&settings).contains("an agent runs"), "{}", said(&settings));
        settings.archive.cap_mib = 1 << 40;
        let report = looked(&settings);
        let room = report.findings.iter().find(|finding| finding.check == "room").unwrap();
        assert_ne!(room.grade, Grade::Ok, "{room:?}");
        assert!(fs::read_dir(&settings.state).unwrap().count() == 1, "nothing is left behind");
    }

    #[test]
    fn a_slow_disk_is_warned_of() {
        let told = |took| {
            let mut report = Report { json: true, ..Report::default() };
            written("/state", took, &mut report);
            (report.findings[0].grade, report.findings[0].found.clone())
        };
        assert_eq!(told(Ok(SLOW / 2)).0, Grade::Ok);
        let (grade, slow) = told(Ok(SLOW));
        assert!(grade == Grade::Warning && slow.contains("only after"), "{slow}");
        assert_eq!(told(Err(io::ErrorKind::PermissionDenied.into())).0, Grade::Fault);
    }

    #[test]
    fn a_file_in_its_place_is_a_fault() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state");
        fs::write(&file, "").unwrap();
        let report = looked(&Settings { state: file, ..Settings::default() });
        assert!(report.count(Grade::Fault) >= 1, "{:?}", report.findings);
    }
}

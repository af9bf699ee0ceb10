//! The log's own name: drawn once and kept beside it, so that the record tells this machine's log from its successor's.

use crate::archive::Disk;
use std::io;

const FILE: &str = "log-name";
/// As it is written.
const NEW: &str = "log-name.new";
/// Hexadecimal digits.
const LENGTH: usize = 32;

/// The name; `drawn` becomes it, durably, if there is none. One that cannot be read is drawn anew: the record then takes the log
/// from its begin, and knows what it has.
pub fn name(disk: &dyn Disk, drawn: impl FnOnce() -> [u8; 16]) -> io::Result<String> {
    match read(disk) {
        Ok(Some(name)) => return Ok(name),
        Ok(None) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let name = format!("{:032x}", u128::from_be_bytes(drawn()));
    let file = match disk.create(NEW) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => disk.open(NEW)?,
        other => other?,
    };
    file.set_len(0)?;
    file.write_at(name.as_bytes(), 0)?;
    file.sync_data()?;
    disk.rename(NEW, FILE)?;
    disk.sync_dir("")?;
    Ok(name)
}

fn read(disk: &dyn Disk) -> io::Result<Option<String>> {
    let file = disk.open(FILE)?;
    let mut bytes = [0; LENGTH];
    let whole = file.size()? == LENGTH as u64 && file.read_at(&mut bytes, 0)? == LENGTH;
    let fine = whole && bytes.iter().all(u8::is_ascii_hexdigit);
    Ok(fine.then(|| bytes.iter().map(|&byte| char::from(byte)).collect()))
}

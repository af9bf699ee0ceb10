//! A picture as PNG (W3C Recommendation, third edition): 8 bits a colour, each row filtered as the difference from the row above.
//!
//! Deflate and CRC are libraries that the trainer has for other reasons; what is left to do for PNG is this file.

use super::Picture;
use crc32fast::Hasher;
use flate2::{Compression, write::ZlibEncoder};
use std::io::{self, Write};

/// Filter "up" (section 9.2): cells are several rows high, so most differences are zero.
const UP: u8 = 2;

/// The file's bytes.
pub fn encode(picture: &Picture) -> io::Result<Vec<u8>> {
    let stride = 3 * picture.width as usize;
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::best());
    let mut above = vec![0; stride];
    for row in picture.rgb.chunks_exact(stride) {
        packed.write_all(&[UP])?;
        let differences: Vec<u8> =
            row.iter().zip(&above).map(|(v, up): (&u8, &u8)| v.wrapping_sub(*up)).collect();
        packed.write_all(&differences)?;
        above.copy_from_slice(row);
    }
    let mut header = Vec::new();
    header.extend(picture.width.to_be_bytes());
    header.extend(picture.height.to_be_bytes());
    // 8 bits a sample, colour type 2 (RGB), the only compression and filter methods, not interlaced.
    header.extend([8, 2, 0, 0, 0]);
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [(b"IHDR", &header), (b"IDAT", &packed.finish()?), (b"IEND", &Vec::new())] {
        file.extend((data.len() as u32).to_be_bytes());
        let mut crc = Hasher::new();
        crc.update(kind);
        crc.update(data);
        file.extend(kind);
        file.extend(data);
        file.extend(crc.finalize().to_be_bytes());
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::ZlibDecoder;
    use std::io::Read;

    #[test]
    fn a_file_holds_its_pixels() {
        let rgb: Vec<u8> = (0..3 * 5 * 4).map(|i| (i * 41 % 256) as u8).collect();
        let file = encode(&Picture { width: 5, height: 4, rgb: rgb.clone() }).unwrap();
        assert_eq!(&file[..16], b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR");
        assert_eq!(&file[16..29], [0, 0, 0, 5, 0, 0, 0, 4, 8, 2, 0, 0, 0]);
        // The whole of an empty IEND chunk, its CRC as every PNG file has it.
        assert_eq!(&file[file.len() - 12..], b"\0\0\0\0IEND\xae\x42\x60\x82");
        let length = u32::from_be_bytes(file[33..37].try_into().unwrap()) as usize;
        let mut rows = Vec::new();
        ZlibDecoder::new(&file[41..41 + length]).read_to_end(&mut rows).unwrap();
        let mut found: Vec<u8> = Vec::new();
        let mut above = vec![0_u8; 15];
        for row in rows.chunks_exact(16) {
            assert_eq!(row[0], UP);
            above = row[1..].iter().zip(&above).map(|(v, up)| v.wrapping_add(*up)).collect();
            found.extend(&above);
        }
        assert_eq!(found, rgb);
    }
}

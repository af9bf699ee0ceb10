//! From the bytes of a JPEG or PNG file to a grey square of one size.

use super::error::OneShotError;
use super::pictures::SIDE;
use std::path::Path;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_png::PngDecoder;

/// The longest side of a picture, pixels.
pub const MAX_SIDE: usize = 4096;
/// The shortest side of a picture, pixels.
pub const MIN_SIDE: usize = 32;

/// Grey pixels `[height][width]`, 0 to 255.
struct Grey {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

/// The middle square of a picture, grey, [`SIDE`] x [`SIDE`]; `path` is for messages.
pub fn decode(bytes: &[u8], path: &Path) -> Result<Vec<u8>, OneShotError> {
    let found = if bytes.starts_with(&[0xff, 0xd8]) { jpeg(bytes) } else { png(bytes) };
    let unread = |why| OneShotError::Picture { path: path.to_owned(), most: MAX_SIDE, why };
    let picture = found.map_err(unread)?;
    let (width, height) = (picture.width, picture.height);
    if picture.pixels.len() != width * height {
        return Err(unread(format!("{} pixels for {width} x {height}", picture.pixels.len())));
    }
    if width.min(height) < MIN_SIDE {
        return Err(OneShotError::Small { path: path.to_owned(), width, height, least: MIN_SIDE });
    }
    Ok(middle_square(picture))
}

fn options() -> DecoderOptions {
    DecoderOptions::new_safe()
        .set_max_width(MAX_SIDE)
        .set_max_height(MAX_SIDE)
        .set_strict_mode(true)
        .png_set_strip_to_8bit(true)
        .jpeg_set_out_colorspace(ColorSpace::Luma)
}

fn check((width, height): (usize, usize)) -> Result<(), String> {
    if width.max(height) <= MAX_SIDE {
        return Ok(());
    }
    Err(format!("it is {width} x {height}"))
}

fn jpeg(bytes: &[u8]) -> Result<Grey, String> {
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options());
    decoder.decode_headers().map_err(|e| e.to_string())?;
    let (width, height) = decoder.dimensions().ok_or("it has no size")?;
    check((width, height))?;
    let values = decoder.decode().map_err(|e| e.to_string())?;
    let channels = decoder.output_colorspace().map_or(1, |space| space.num_components());
    Ok(Grey { width, height, pixels: grey(&values, channels) })
}

fn png(bytes: &[u8]) -> Result<Grey, String> {
    let mut decoder = PngDecoder::new_with_options(ZCursor::new(bytes), options());
    decoder.decode_headers().map_err(|e| e.to_string())?;
    let (width, height) = decoder.dimensions().ok_or("it has no size")?;
    check((width, height))?;
    let values = decoder.decode_raw().map_err(|e| e.to_string())?;
    let channels = decoder.colorspace().map_or(1, |space| space.num_components());
    Ok(Grey { width, height, pixels: grey(&values, channels) })
}

/// Brightness (ITU-R BT.601) of pixels of one to four values; a last value beside one or three is transparency.
fn grey(values: &[u8], channels: usize) -> Vec<u8> {
    let brightness = |pixel: &[u8]| match *pixel {
        [r, g, b, ..] => ((299 * u32::from(r) + 587 * u32::from(g) + 114 * u32::from(b) + 500) / 1000) as u8,
        [y, ..] => y,
        [] => 0,
    };
    values.chunks_exact(channels.max(1)).map(brightness).collect()
}

fn middle_square(picture: Grey) -> Vec<u8> {
    let Grey { width, height, pixels } = picture;
    if (width, height) == (SIDE, SIDE) {
        return pixels;
    }
    let side = width.min(height);
    let (left, top) = ((width - side) / 2, (height - side) / 2);
    let rows: Vec<&[u8]> =
        (top..top + side).map(|row| &pixels[row * width + left..row * width + left + side]).collect();
    let shares = shares(side);
    let mean = |row: usize, column: usize| {
        let of = |(y, share): &(usize, f32)| {
            share * shares[column].iter().map(|(x, share)| share * f32::from(rows[*y][*x])).sum::<f32>()
        };
        shares[row].iter().map(of).sum::<f32>()
    };
    (0..SIDE * SIDE).map(|at| (mean(at / SIDE, at % SIDE) + 0.5) as u8).collect()
}

/// Which of `side` pixels in a row lie under each of [`SIDE`], with their shares, which make 1: a mean over the area.
fn shares(side: usize) -> Vec<Vec<(usize, f32)>> {
    let step = side as f32 / SIDE as f32;
    let under = |to: usize| {
        let (from, until) = (to as f32 * step, ((to + 1) as f32 * step).min(side as f32));
        let pixels = from as usize..(until.ceil() as usize).min(side);
        let overlap = |x: usize| (until.min((x + 1) as f32) - from.max(x as f32)) / (until - from);
        pixels.map(|x| (x, overlap(x))).collect()
    };
    (0..SIDE).map(under).collect()
}

#[cfg(test)]
#[path = "decode/tests.rs"]
mod tests;

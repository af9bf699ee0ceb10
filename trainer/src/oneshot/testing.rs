//! Pictures made in tests: textures that differ as surfaces do, and files of them.

use super::pictures::{Picture, Pictures, SIDE};
use crc32fast::Hasher;
use flate2::{Compression, write::ZlibEncoder};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::io::Write;

/// A grey PNG.
pub fn png(width: u32, height: u32, value: impl Fn(u32, u32) -> u8) -> Vec<u8> {
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::fast());
    for y in 0..height {
        let row: Vec<u8> = std::iter::once(0).chain((0..width).map(|x| value(x, y))).collect();
        packed.write_all(&row).expect("packed");
    }
    let mut header = Vec::new();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([8, 0, 0, 0, 0]);
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [(b"IHDR", header), (b"IDAT", packed.finish().expect("packed")), (b"IEND", vec![])] {
        file.extend((data.len() as u32).to_be_bytes());
        file.extend(kind);
        file.extend(&data);
        let mut crc = Hasher::new();
        crc.update(kind);
        crc.update(&data);
        file.extend(crc.finalize().to_be_bytes());
    }
    file
}

/// A texture: waves of a wavelength of its class (pixels) in a direction, phase and brightness of its own, with noise.
pub fn texture(class: usize, number: u64) -> Vec<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(number * 1000 + class as u64);
    let wave = [8.0, 16.0, 32.0, 64.0, 5.0, 24.0][class % 6];
    let (phase, level): (f32, f32) = (rng.random_range(0.0..6.3), rng.random_range(90.0..160.0));
    let direction: f32 = rng.random_range(0.0..6.3);
    let (sin, cos) = direction.sin_cos();
    let mut value = |at: usize| {
        let along = (at % SIDE) as f32 * cos + (at / SIDE) as f32 * sin;
        let wave = 40.0 * (along * std::f32::consts::TAU / wave + phase).sin();
        (level + wave + rng.random_range(-8.0..8.0)).clamp(0.0, 255.0) as u8
    };
    (0..SIDE * SIDE).map(&mut value).collect()
}

/// Some pictures of some classes, `class-0` and so on.
pub fn textures(classes: usize, each: usize) -> Pictures {
    let picture = |at: usize| {
        let (class, number) = (at / each, at % each);
        let name = format!("class-{class}/{number}");
        Picture { class, name, pixels: texture(class, number as u64) }
    };
    Pictures {
        classes: (0..classes).map(|class| format!("class-{class}")).collect(),
        all: (0..classes * each).map(picture).collect(),
    }
}

use super::*;
use crate::oneshot::testing::png as written;
use proptest::prelude::*;

/// 40 x 36 pixels, (3 x + y) mod 256; made by golden/grey.py.
const JPEG: &[u8] = include_bytes!("../../../golden/grey.jpg");

fn read(bytes: &[u8]) -> Result<Vec<u8>, OneShotError> {
    decode(bytes, Path::new("x"))
}

#[test]
fn pixels_come_as_they_were_written() {
    let file = written(200, 200, |x, y| (x * 3 + y) as u8);
    let pixels = read(&file).expect("a picture");
    assert!((0..SIDE * SIDE).all(|at| pixels[at] == (at % SIDE * 3 + at / SIDE) as u8));
    let picture = jpeg(JPEG).expect("a picture");
    assert_eq!((picture.width, picture.height), (40, 36));
    let off = |at: usize| i32::from(picture.pixels[at]) - (at % 40 * 3 + at / 40) as i32;
    assert!((0..40 * 36).all(|at| off(at).abs() <= 4), "a JPEG of quality 90");
}

#[test]
fn colours_become_brightness() {
    assert_eq!(grey(&[10, 20, 30, 255, 255, 255], 3), [18, 255]);
    assert_eq!(grey(&[10, 20, 30, 0], 4), [18]);
    assert_eq!(grey(&[7, 0, 9, 255], 2), [7, 9]);
}

#[test]
fn other_sizes_become_the_mean_over_the_middle_square() {
    let double = read(&written(400, 400, |x, _| if x % 2 == 0 { 100 } else { 50 })).expect("a picture");
    assert!(double.iter().all(|v| *v == 75));
    let wide = read(&written(640, 200, |x, _| if (220..420).contains(&x) { 200 } else { 0 }));
    assert!(wide.expect("a picture").iter().all(|v| *v == 200));
    let ramp = read(&written(50, 333, |x, _| x as u8 * 4)).expect("a picture");
    assert_eq!((ramp[0], ramp[3], ramp[4], ramp[199]), (0, 0, 4, 196));
    let small = read(&written(31, 500, |_, _| 0));
    assert!(matches!(small, Err(OneShotError::Small { width: 31, .. })));
    for side in [32, 199, 333, 4096] {
        assert!(
            shares(side).iter().all(|s| (s.iter().map(|(_, share)| share).sum::<f32>() - 1.0).abs() < 1e-3)
        );
    }
}

#[test]
fn pictures_of_too_many_pixels_are_not_decoded() {
    let mut file = written(200, 200, |_, _| 0);
    file[16..20].copy_from_slice(&60_000u32.to_be_bytes());
    file[20..24].copy_from_slice(&60_000u32.to_be_bytes());
    let mut crc = crc32fast::Hasher::new();
    crc.update(&file[12..29]);
    file[29..33].copy_from_slice(&crc.finalize().to_be_bytes());
    assert!(matches!(read(&file), Err(OneShotError::Picture { .. })));
    let mut jpeg = JPEG.to_vec();
    let frame = jpeg.windows(2).position(|w| w == [0xff, 0xc0]).expect("a frame");
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xff, 0xff, 0xff]);
    assert!(matches!(read(&jpeg), Err(OneShotError::Picture { .. })));
}

#[test]
fn a_cut_picture_is_refused() {
    let file = written(200, 200, |x, y| (x ^ y) as u8);
    assert!(matches!(read(&file[..file.len() / 2]), Err(OneShotError::Picture { .. })));
    assert!(matches!(read(b"text"), Err(OneShotError::Picture { .. })));
    assert!(matches!(read(b""), Err(OneShotError::Picture { .. })));
    assert!(matches!(read(&JPEG[..JPEG.len() / 2]), Err(OneShotError::Picture { .. })));
}

proptest! {
    #[test]
    fn any_bytes_are_a_picture_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..400), start in 0usize..3) {
        let start: &[u8] = [&b""[..], b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"][start];
        let _ = read(&[start, &bytes].concat());
    }

    #[test]
    fn damaged_files_are_a_picture_or_an_error(
        places in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..4), cut: usize, which: bool,
    ) {
        let mut bytes = if which { JPEG.to_vec() } else { written(40, 36, |x, y| (x * 3 + y) as u8) };
        let length = bytes.len();
        for (at, value) in places {
            bytes[at % length] = value;
        }
        bytes.truncate(length - cut % (length / 4));
        if let Ok(pixels) = read(&bytes) {
            prop_assert_eq!(pixels.len(), SIDE * SIDE);
        }
    }
}

//! Pictures as the paper's networks take them: 100 x 100, in \[-1, 1\], augmented as section 4 says.

use crate::oneshot::pictures;
use crate::oneshot::turns::turned;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Side of a picture, pixels (section 3: N = 100 x 100).
pub const SIDE: usize = 100;
/// Pixels of a picture.
pub const PIXELS: usize = SIDE * SIDE;
/// The most that is added to all pixels of a picture (equation 3).
const BRIGHTNESS: f32 = 10.0;

/// A picture of [`pictures::SIDE`] at half the size, 0 to 255: means of 2 x 2 pixels.
pub fn halved(pixels: &[u8]) -> Vec<f32> {
    let row = pictures::SIDE;
    let mean = |at: usize| {
        let first = at / SIDE * 2 * row + at % SIDE * 2;
        [first, first + 1, first + row, first + row + 1].map(|i| f32::from(pixels[i])).iter().sum::<f32>()
            / 4.0
    };
    (0..PIXELS).map(mean).collect()
}

/// From 0 to 255 to \[-1, 1\].
pub fn normalised(value: f32) -> f32 {
    value / 127.5 - 1.0
}

/// A draw of a picture: any quarter turn, mirrored each way with probability 1/2, brighter or darker (equations 3 and 4).
pub fn augmented(pixels: &[f32], rng: &mut ChaCha8Rng) -> Vec<f32> {
    let quarter = rng.random_range(0..4);
    let (across, down): (bool, bool) = (rng.random(), rng.random());
    let brightness = rng.random_range(-BRIGHTNESS..=BRIGHTNESS);
    // Mirrored both ways is half a turn.
    let turn = (quarter + if down { 2 } else { 0 }) % 4 + if across == down { 0 } else { 4 };
    turned(pixels, SIDE, turn).into_iter().map(|v| (v + brightness).clamp(0.0, 255.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn half_the_size_is_the_mean_of_four() {
        let mut pixels = vec![0; pictures::SIDE * pictures::SIDE];
        (pixels[2], pixels[3], pixels[202], pixels[203]) = (10, 20, 30, 60);
        let half = halved(&pixels);
        assert_eq!((half.len(), half[0], half[1], half[2]), (PIXELS, 0.0, 30.0, 0.0));
        assert_eq!((normalised(0.0), normalised(255.0)), (-1.0, 1.0));
    }

    #[test]
    fn draws_reach_all_eight_ways_and_stay_in_range() {
        let mut picture = vec![100.0; PIXELS];
        (picture[1], picture[50 * SIDE]) = (255.0, 0.0);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut places = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let draw = augmented(&picture, &mut rng);
            assert!(draw.iter().all(|v| (0.0..=255.0).contains(v)));
            let off = draw[PIXELS / 2 + SIDE / 2] - 100.0;
            assert!(off.abs() <= BRIGHTNESS);
            places.insert(draw.iter().position(|v| *v > 200.0));
        }
        assert_eq!(places.len(), 8);
    }
}

use super::*;
use crate::nn::gradcheck::{check64, values};
use crate::oneshot::paper::picture::PIXELS;
use rand::SeedableRng;

#[test]
fn pairs_are_half_of_one_class_and_never_of_one_picture() {
    let pictures: Vec<Vec<f32>> = (0..9).map(|i| vec![i as f32; PIXELS]).collect();
    let pairs = Pairs::of(&pictures, vec![vec![0, 1], vec![2, 3, 4], vec![5, 6, 7, 8]]);
    assert_eq!((pairs.len(), (0..8).map(|i| pairs.label(i)).sum::<usize>()), (8, 4));
    let class = |picture: usize| [0, 0, 1, 1, 1, 2, 2, 2, 2][picture];
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut seen = std::collections::BTreeSet::new();
    for draw in 0..2000 {
        let [a, b] = pairs.pick(draw % 2 == 1, &mut rng);
        assert!(a != b && (class(a) == class(b)) == (draw % 2 == 1));
        seen.insert([a, b]);
    }
    assert_eq!(seen.len(), 9 * 8, "every ordered pair comes");
}

#[test]
fn both_pictures_of_a_pair_are_normalised_and_changed_apart() {
    let pictures = vec![vec![100.0; PIXELS], vec![200.0; PIXELS]];
    let pairs = Pairs::of(&pictures, vec![vec![0], vec![1]]);
    let mut image = vec![0.0; 2 * PIXELS];
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    pairs.draw(0, 0, &mut rng, &mut image, &mut []).expect("a draw");
    let (least, most) = (image[0].min(image[1]), image[0].max(image[1]));
    assert!((least - normalised(100.0)).abs() < 0.08 && (most - normalised(200.0)).abs() < 0.08);
    assert!(image.chunks_exact(2).all(|pixel| pixel == &image[..2]));
}

#[test]
fn the_loss_is_equation_1() {
    let distances = Tensor::new(&[0.5f32, 3.0, 0.5, 3.0], &Device::Cpu).expect("distances");
    // Of one class: 0.25 / 2 and 9 / 2; of two: 1.5^2 / 2 and 0.
    let loss = contrastive(&distances, &[1, 1, 0, 0]).and_then(|l| l.to_scalar::<f32>()).expect("loss");
    assert!((loss - (0.125 + 4.5 + 1.125) / 4.0).abs() < 1e-6, "{loss}");
    let near = (values((6,), 1) + 1.5).expect("distances");
    check64("contrastive", &[&near], |v| contrastive(&v[0], &[1, 0, 1, 0, 0, 1]));
}

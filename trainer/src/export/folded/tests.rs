//! Nodes against numbers worked by hand.

use super::forward::activated;
use super::*;

fn conv(weight: Vec<f32>, kernel: (usize, usize)) -> FoldedConv {
    FoldedConv {
        bias: vec![0.0],
        out: 1,
        input: weight.len() / (kernel.0 * kernel.1),
        groups: 1,
        kernel,
        stride: (1, 1),
        pads: Pads::NONE,
        activation: Activation::Identity,
        weight,
    }
}

fn identity(n: usize, bias: f32) -> Dense {
    let weight = (0..n * n).map(|i| f32::from(u8::from(i % (n + 1) == 0))).collect();
    Dense { weight, bias: vec![bias; n], activation: Activation::Identity }
}

/// The network without its promise to give two logits.
fn forward(builder: &Builder, image: &[f32], side: &[f32]) -> Vec<f32> {
    builder.net.forward(image, side)
}

fn strip(sides: Sides) -> Builder {
    let mut net = FoldedNet::builder([1, 3, 4], 1, sides);
    let conv = FoldedConv {
        stride: (2, 1),
        pads: Pads::both((1, 0)),
        bias: vec![-1.0],
        ..conv(vec![1.0; 3], (3, 1))
    };
    let x = net.conv("conv", Port::Image, conv.activated(Activation::Relu));
    let x = net.avg_pool("pool", x, (2, 1));
    let x = net.features("features", x, &[GlobalPool::Avg, GlobalPool::Max]);
    let x = net.with_side("with_side", x);
    net.dense("dense", x, identity(if sides == Sides::Shared { 5 } else { 3 }, 0.5));
    net
}

// Columns 1,2,3 / 0,0,0 / -1,-1,-1 / 4,0,2. Rows 0 and 2 of the convolution see two values each:
// 1+2-1, 2+3-1 | 0 | 0 | 4-1, 2-1; the mean of the two rows: 3, 0, 0, 2.
const STRIP: [f32; 12] = [1., 0., -1., 4., 2., 0., -1., 0., 3., 0., -1., 2.];

#[test]
fn one_image_gives_average_maximum_and_side_vector() {
    assert_eq!(forward(&strip(Sides::Image), &STRIP, &[7.0]), [1.25 + 0.5, 3.5, 7.5]);
}

#[test]
fn two_sides_give_maximum_then_mean_for_each_pool() {
    // Averages 1.5 and 1; maxima 3 and 2.
    assert_eq!(forward(&strip(Sides::Shared), &STRIP, &[7.0]), [2.0, 1.75, 3.5, 3.0, 7.5]);
}

#[test]
fn padding_after_differs_from_padding_before_and_groups_see_their_own_channels() {
    let mut net = FoldedNet::builder([2, 1, 3], 0, Sides::Image);
    let pads = Pads { before: (0, 0), after: (0, 1) };
    let conv = FoldedConv {
        bias: vec![0.0, 10.0],
        out: 2,
        input: 2,
        groups: 2,
        stride: (1, 2),
        pads,
        ..conv(vec![1.0, 2.0, 3.0, 4.0], (1, 2))
    };
    let x = net.conv("conv", Port::Image, conv);
    net.flatten("flat", x);
    assert_eq!(net.map(x), [2, 1, 2]);
    assert_eq!(
        forward(&net, &[1., 2., 3., 4., 5., 6.], &[]),
        [1. + 2. * 2., 3., 10. + 3. * 4. + 4. * 5., 10. + 3. * 6.]
    );
}

#[test]
fn activations_are_what_their_names_say() {
    let of = |a: Activation| [-20.0, -1.0, 0.0, 2.0, 7.0].map(|x| activated(a, x));
    assert_eq!(of(Activation::Identity), [-20.0, -1.0, 0.0, 2.0, 7.0]);
    assert_eq!(of(Activation::Relu), [0.0, 0.0, 0.0, 2.0, 7.0]);
    assert_eq!(of(Activation::Relu6), [0.0, 0.0, 0.0, 2.0, 6.0]);
    let wanted = [
        -20.0 * 2.061_153_618_190_203_7e-9,
        -0.268_941_421_369_995_1,
        0.0,
        1.761_594_155_955_765,
        6.993_622_641_639_196,
    ];
    for (found, wanted) in of(Activation::Silu).iter().zip(wanted) {
        assert!((found - wanted).abs() < 1e-12, "{found} {wanted}");
    }
}

#[test]
fn maps_are_split_joined_added_and_pooled_by_channel() {
    let mut net = FoldedNet::builder([2, 2, 2], 0, Sides::Image);
    let second = net.channels("second", Port::Image, 1..2);
    let first = net.channels("first", Port::Image, 0..1);
    let sum = net.add("sum", first, second);
    let all = net.concat("all", &[second, sum]);
    let kernel = (2, 2);
    let pads = Pads::both((1, 1));
    let x = net.node("max", Op::MaxPool { kernel, stride: (2, 2), pads }, &[all]);
    net.flatten("flat", x);
    let image = [1., 2., 3., 4., -5., -6., -7., -8.];
    assert_eq!(forward(&net, &image, &[]), [-5., -6., -7., -8., -4., -4., -4., -4.]);
}

#[test]
fn references_give_each_class_its_mean_similarity() {
    let references = |scale| References {
        ok: vec![vec![0.0, 0.0], vec![3.0, 4.0]],
        nok: vec![vec![1.0, 0.0]],
        distance: Distance::Euclidean,
        average: Average::Mean,
        scale,
        bias: 2.0,
    };
    let sigmoid = |t: f64| 1.0 / (1.0 + (-t).exp());
    let logits = |scale, embedding: &[f32]| {
        let mut net = FoldedNet::builder([1, 1, 2], 0, Sides::Image);
        let x = net.flatten("flat", Port::Image);
        net.references("references", x, references(scale));
        net.finish().forward(embedding, &[])
    };
    let near = logits(0.5, &[1.0, 0.0]);
    let ok = f64::midpoint(sigmoid(2.0 - 0.5), sigmoid(2.0 - 0.5 * 20.0));
    assert!((f64::from(near[0]) - ok.ln()).abs() < 1e-6, "{near:?}");
    assert!((f64::from(near[1]) - sigmoid(2.0).ln()).abs() < 1e-6, "{near:?}");
    // Where every similarity is 0 in f32 the nearest reference still decides.
    let far = logits(100.0, &[-30.0, 0.0]);
    let wanted = [2.0 - 90_000.0 - 2.0_f32.ln(), 2.0 - 96_100.0];
    assert!(far.iter().zip(wanted).all(|(f, w)| (f - w).abs() < 0.01), "{far:?}");
    let nearest = References { average: Average::Nearest, ..references(0.5) };
    assert!((f64::from(nearest.apply(&[1.0, 0.0])[0]) - sigmoid(2.0 - 0.5).ln()).abs() < 1e-6);
}

#[test]
fn distances_are_those_of_their_names() {
    let (a, b) = ([3.0, 4.0], [-4.0, 3.0]);
    for (distance, wanted) in
        [(Distance::Euclidean, 50.0), (Distance::Manhattan, 8.0), (Distance::Cosine, 1.0)]
    {
        assert!((distance.between(&a, &b) - wanted).abs() < 1e-9, "{distance:?}");
    }
    // Lengths do not count; what has no direction is half way to every one.
    assert!(Distance::Cosine.between(&a, &[6.0, 8.0]).abs() < 1e-9);
    assert!((Distance::Cosine.between(&[0.0, 0.0], &a) - 0.5).abs() < 1e-9);
}

#[test]
fn a_layer_with_a_norm_gives_what_the_norm_makes_of_it() {
    let norm = Norm {
        gamma: vec![2.0, -1.0],
        beta: vec![0.5, 1.0],
        mean: vec![1.0, 3.0],
        variance: vec![3.0, 8.0],
        epsilon: 1.0,
    };
    assert_eq!(norm.affine(), (vec![1.0, -1.0 / 3.0], vec![-0.5, 2.0]));
    // The engine's [1, 2, 1, 2]: taps 0 and 1 of outputs 0 and 1.
    let shape =
        crate::nn::conv::ConvShape { stride: (1, 2), ..crate::nn::conv::ConvShape::same(1, 2, (1, 2)) };
    let conv = FoldedConv::new(&shape, (1, 4), &[1.0, 3.0, 2.0, 6.0]).biased(&[1.0, -3.0]).normed(&norm);
    assert_eq!((conv.weight, conv.bias), (vec![1.0, 2.0, -1.0, -2.0], vec![0.5, 3.0]));
    let dense = Dense::new(&[1.0, 2.0, 3.0, 6.0, 5.0, 7.0], &[1.0, 0.0]).after(&norm);
    assert_eq!(
        (dense.weight, dense.bias),
        (vec![1.0, -1.0, 5.0, 2.0, -2.0, 7.0], vec![1.0 - 0.5 + 6.0, -1.0 + 12.0])
    );
}

#[test]
#[should_panic(expected = "cannot read")]
fn maps_of_unlike_sizes_are_not_added() {
    let mut net = FoldedNet::builder([2, 2, 2], 0, Sides::Image);
    let half = net.channels("half", Port::Image, 0..1);
    net.add("sum", half, Port::Image);
}

#[test]
#[should_panic(expected = "is taken")]
fn names_are_given_once() {
    let mut net = FoldedNet::builder([2, 2, 2], 0, Sides::Image);
    net.channels("half", Port::Image, 0..1);
    net.channels("half", Port::Image, 1..2);
}

#[test]
#[should_panic(expected = "two logits")]
fn two_sides_must_become_one() {
    let mut net = FoldedNet::builder([1, 2, 4], 0, Sides::Shared);
    let x = net.global_pool("pool", Port::Image, GlobalPool::Avg);
    let dense = Dense { weight: vec![1.0, 2.0], bias: vec![0.0, 0.0], activation: Activation::Identity };
    net.dense("dense", x, dense);
    net.finish();
}

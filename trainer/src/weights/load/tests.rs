use super::*;
use crate::nn::params::Builder;
use crate::nn::seed::{Purpose, generator};
use crate::weights::tests::{checkpoint, fixture};
use candle_core::{Device, Tensor};

const HEAD: Rules = Rules { heads: &["fc."], stem: None };

/// The network of the fixtures, as ours: with so many classes.
fn network(classes: usize) -> Params {
    let mut params = Params::default();
    let mut rng = generator(1, Purpose::Weights, 0, 0);
    let mut builder = Builder::new(&mut params, &mut rng);
    builder.he("stem.conv.weight", &[3, 3, 2, 3], 18).expect("weight");
    for (name, value) in [("weight", 1.0), ("bias", 0.0)] {
        builder.constant(&format!("stem.bn.{name}"), 3, value).expect("constant");
    }
    for (name, value) in [("running_mean", 0.5), ("running_var", 0.5)] {
        builder.buffer(&format!("stem.bn.{name}"), 3, value).expect("buffer");
    }
    builder.he("fc.weight", &[1, 1, 3, classes], 3).expect("weight");
    builder.constant("fc.bias", classes, 0.25).expect("bias");
    params
}

fn theirs() -> Checkpoint {
    Checkpoint::parse(&fixture("state-dict.pth")).expect("read")
}

#[test]
fn every_tensor_finds_its_place_and_every_value_its_own() {
    let (params, theirs) = (network(5), theirs());
    let loaded = load(&params, &theirs, &HEAD).expect("loaded");
    assert_eq!(loaded, Loaded { tensors: 7, values: 86, ..Loaded::default() });
    assert_eq!(loaded.to_string(), "7 tensors, 86 values");
    let conv =
        theirs.tensors["stem.conv.weight"].flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("conv");
    let ours =
        params.vars()["stem.conv.weight"].flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("ours");
    for (o, i, y, x) in (0..54).map(|n| (n / 18, n / 9 % 2, n / 3 % 3, n % 3)) {
        assert_eq!(ours[((y * 3 + x) * 2 + i) * 3 + o], conv[((o * 2 + i) * 3 + y) * 3 + x]);
    }
    let dense = theirs.tensors["fc.weight"].to_vec2::<f32>().expect("dense");
    let ours = params.vars()["fc.weight"].flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("ours");
    for (o, row) in dense.iter().enumerate() {
        for (i, value) in row.iter().enumerate() {
            assert_eq!(ours[i * 5 + o], *value);
        }
    }
    assert_eq!(params.buffers()["stem.bn.running_mean"].to_vec1::<f32>().expect("mean"), [0.0; 3]);
}

#[test]
fn a_head_of_another_size_keeps_its_own_values_and_is_told() {
    let params = network(2);
    let before = params.snapshot().expect("snapshot");
    let loaded = load(&params, &theirs(), &HEAD).expect("loaded");
    assert_eq!((loaded.tensors, loaded.missing.len(), loaded.unused.len()), (5, 0, 0));
    assert_eq!(
        loaded.replaced,
        [
            Replaced { name: "fc.bias".into(), theirs: Some(vec![5]), ours: vec![2] },
            Replaced { name: "fc.weight".into(), theirs: Some(vec![1, 1, 3, 5]), ours: vec![1, 1, 3, 2] },
        ]
    );
    assert_eq!(
        loaded.to_string(),
        "5 tensors, 66 values; the head starts anew: fc.bias is [5] there, [2] here"
    );
    let after = params.snapshot().expect("snapshot");
    let values = |t: &Tensor| t.flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("values");
    assert_eq!(values(&before["fc.weight"]), values(&after["fc.weight"]));
    assert_ne!(values(&before["stem.conv.weight"]), values(&after["stem.conv.weight"]));
    let json = serde_json::to_string(&loaded).expect("json");
    assert_eq!(serde_json::from_str::<Loaded>(&json).expect("back"), loaded);
}

#[test]
fn a_head_is_replaced_whole_or_not_at_all() {
    let (params, mut theirs) = (network(5), theirs());
    theirs.tensors.remove("fc.bias");
    let loaded = load(&params, &theirs, &HEAD).expect("loaded");
    let names: Vec<_> = loaded.replaced.iter().map(|r| (r.name.as_str(), r.theirs.is_some())).collect();
    assert_eq!(names, [("fc.bias", false), ("fc.weight", true)]);
    assert_eq!(loaded.tensors, 5);
}

#[test]
fn a_checkpoint_of_another_network_is_refused_and_nothing_is_changed() {
    let params = network(2);
    let before = params.to_bytes().expect("bytes");
    let refused = |theirs: &Checkpoint, rules: &Rules| {
        let refused = load(&params, theirs, rules).expect_err("refused");
        assert_eq!(params.to_bytes().expect("bytes"), before);
        refused
    };
    // The head's size counts where nobody said that it is the head.
    assert!(
        matches!(refused(&theirs(), &Rules::default()), WeightsError::Shape { name, .. } if name == "fc.bias")
    );
    let mut less = theirs();
    less.tensors.remove("stem.bn.bias");
    assert!(
        matches!(refused(&less, &HEAD), WeightsError::OtherNetwork { matched: 4, of: 5, missing } if missing == "stem.bn.bias")
    );
    let none = checkpoint(vec![]);
    assert!(matches!(refused(&none, &HEAD), WeightsError::OtherNetwork { matched: 0, of: 5, .. }));
    let mut nan = theirs();
    let broken = Tensor::new(&[1.0f32, f32::NAN, 0.0], &Device::Cpu).expect("tensor");
    nan.tensors.insert("stem.bn.bias".into(), broken);
    assert!(matches!(refused(&nan, &HEAD), WeightsError::NotFinite { name } if name == "stem.bn.bias"));
}

#[test]
fn a_few_tensors_may_be_missing_or_too_many() {
    let mut params = Params::default();
    let mut rng = generator(1, Purpose::Weights, 0, 0);
    let mut builder = Builder::new(&mut params, &mut rng);
    let one = || Tensor::new(&[1.0f32], &Device::Cpu).expect("tensor");
    let names: Vec<String> = (0..20).map(|i| format!("layer.{i:02}")).collect();
    for name in &names {
        builder.constant(name, 1, 0.0).expect("constant");
    }
    let some = |count: usize| {
        let extra = ["x.0", "x.1", "x.2", "x.3", "x.4"];
        checkpoint(names[..count].iter().map(String::as_str).chain(extra).map(|name| (name, one())).collect())
    };
    assert!(matches!(load(&params, &some(17), &HEAD), Err(WeightsError::OtherNetwork { matched: 17, .. })));
    let loaded = load(&params, &some(18), &HEAD).expect("nine in ten");
    assert_eq!(
        loaded.to_string(),
        "18 tensors, 18 values; not in the file: layer.18, layer.19; of the file not used: x.0, x.1, x.2 and 2 more"
    );
}

#[test]
fn the_first_convolution_is_dealt_out_over_other_channels() {
    // Three channels with weights 1, 10 and 100.
    let stem = Tensor::new(&[1.0f32, 10.0, 100.0], &Device::Cpu).and_then(|t| t.reshape((1, 3, 1, 1)));
    let theirs = checkpoint(vec![("stem", stem.expect("tensor"))]);
    let rules = Rules { heads: &[], stem: Some("stem") };
    for (channels, want) in
        [(2, vec![101.0, 10.0]), (3, vec![1.0, 10.0, 100.0]), (5, vec![0.5, 5.0, 100.0, 0.5, 5.0])]
    {
        let mut params = Params::default();
        let mut rng = generator(1, Purpose::Weights, 0, 0);
        let ours = Builder::new(&mut params, &mut rng).he("stem", &[1, 1, channels, 1], 1).expect("stem");
        let loaded = load(&params, &theirs, &rules).expect("loaded");
        assert_eq!(ours.flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("values"), want);
        assert_eq!(loaded.stem, (channels != 3).then_some((3, channels)));
        if channels != 3 {
            let refused = load(&params, &theirs, &Rules::default());
            assert!(matches!(refused, Err(WeightsError::Shape { .. })), "it was not called a stem");
        }
    }
}

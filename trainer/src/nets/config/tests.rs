use super::*;
use crate::export::folded::GlobalPool;
use crate::nets::cnn::PoolAfter;

const INPUT: Input = Input { height: 264, width: 18, channels: 3, side: 4 };

fn parse(text: &str) -> serde_json::Result<NetworkConfig> {
    serde_json::from_str(text)
}

#[test]
fn settings_are_read_and_unknown_ones_refused() {
    assert_eq!(parse("{}").expect("default"), NetworkConfig::default());
    for text in [
        r#"{"backbone": {"kind": "yolov8-cls", "size": "s", "head": {"stages": [4, 6, 8], "features": ["avg", "max"]}},
            "weights": "yolov8s-cls.pt", "freeze": 7}"#,
        r#"{"backbone": {"kind": "efficientnet-lite", "size": 0}, "weights": "efficientnet-lite0", "freeze": 9}"#,
        r#"{"backbone": {"kind": "cnn", "filters": [4, 4], "pools": []}, "siamese": {"embedding": 8}}"#,
        r#"{"backbone": {"kind": "surface"}, "siamese": {}}"#,
    ] {
        parse(text).expect("settings").check(INPUT).expect("can be built");
    }
    for text in [
        r#"{"backbone": {"kind": "resnet"}}"#,
        r#"{"backbone": {"kind": "yolov8-cls"}}"#,
        r#"{"backbone": {"kind": "yolov8-cls", "size": "s", "heads": {}}}"#,
        r#"{"backbone": {"kind": "cnn", "filtres": [4]}}"#,
        r#"{"freezing": 3}"#,
    ] {
        assert!(parse(text).is_err(), "{text}");
    }
}

#[test]
fn networks_that_cannot_be_built_are_refused() {
    NetworkConfig::default().check(INPUT).expect("the default fits");
    let refused = |change: fn(&mut CnnConfig, &mut Input)| {
        let (mut config, mut input) = (CnnConfig::default(), INPUT);
        change(&mut config, &mut input);
        NetworkConfig::from(config).check(input).expect_err("refused")
    };
    assert!(matches!(refused(|_, i| i.channels = 0), NetworkError::Range { .. }));
    assert!(matches!(
        refused(|c, _| c.pools = vec![PoolAfter { after: 11, kernel: [1, 1] }]),
        NetworkError::Place { .. }
    ));
    assert!(matches!(
        refused(|c, i| (c.sides, i.width) = (Sides::Shared, 17)),
        NetworkError::OddWidth { width: 17 }
    ));
    assert!(matches!(refused(|c, _| c.head.hidden = Some(0)), NetworkError::Range { .. }));
    assert!(matches!(refused(|c, _| c.head.features.clear()), NetworkError::Features));
    assert!(matches!(refused(|c, _| c.head.features = vec![GlobalPool::Max; 2]), NetworkError::Features));
    assert!(matches!(refused(|c, _| c.head.stages = vec![3, 3]), NetworkError::Stages { .. }));
    assert!(matches!(refused(|c, _| c.head.stages = vec![10]), NetworkError::Stages { last: 9, .. }));
    assert!(matches!(refused(|c, _| c.head.dropout = 1.0), NetworkError::Share { .. }));
    assert!(matches!(refused(|c, _| c.head.dropout = f32::NAN), NetworkError::Share { .. }));
    let network = |text: &str| parse(text).expect("settings").check(INPUT).expect_err("refused");
    for text in [
        r#"{"freeze": 11}"#,
        r#"{"backbone": {"kind": "efficientnet-lite", "size": 5}}"#,
        r#"{"siamese": {"embedding": 0}}"#,
        r#"{"siamese": {"references": {"per_class": 65}}}"#,
    ] {
        assert!(matches!(network(text), NetworkError::Range { .. }), "{text}");
    }
}

#[test]
fn stages_that_no_head_reads_are_not_built() {
    let count = |head: &str| {
        let text = format!(r#"{{"backbone": {{"kind": "efficientnet-lite", "size": 0, "head": {head}}}}}"#);
        let config: NetworkConfig = serde_json::from_str(&text).expect("settings");
        let input = Input { height: 264, width: 18, channels: 3, side: 0 };
        let network = crate::nets::Network::new(config.clone(), input, 1).expect("a network");
        let last_convolution = network.params().all().any(|(name, _)| name.starts_with("_conv_head"));
        (config.backbone.stage_count(), last_convolution)
    };
    assert_eq!(count("{}"), (9, true));
    assert_eq!(count(r#"{"stages": [2, 8]}"#), (9, true));
    assert_eq!(count(r#"{"stages": [1, 3]}"#), (4, false));
}

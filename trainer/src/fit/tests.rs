use super::*;
use crate::fit::{AdamWConfig, EarlyStopConfig, SamplerConfig, Schedule};
use crate::nets::cnn::{CnnConfig, PerLayer, PoolAfter};
use crate::nets::head::HeadConfig;
use crate::nets::{Input, Network};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

const INPUT: Input = Input { height: 10, width: 6, channels: 2, side: 1 };

/// Noise; a NOK item has a bright spot somewhere.
struct Blobs {
    labels: Vec<usize>,
    offset: u64,
}

impl Blobs {
    fn new(n: usize, offset: u64) -> Self {
        Self { labels: (0..n).map(|i| usize::from(i % 3 == 0)).collect(), offset }
    }
}

impl Source for Blobs {
    fn len(&self) -> usize {
        self.labels.len()
    }
    fn label(&self, item: usize) -> usize {
        self.labels[item]
    }
    fn draw(
        &self,
        item: usize,
        _: usize,
        rng: &mut ChaCha8Rng,
        image: &mut [f32],
        side: &mut [f32],
    ) -> candle_core::Result<()> {
        let mut own = generator(self.offset, Purpose::Draw, 0, item as u64);
        for v in image.iter_mut() {
            *v = own.random_range(-0.5..0.5) + 0.1 * rng.random::<f32>();
        }
        if self.labels[item] == 1 {
            let at = own.random_range(0..INPUT.height * INPUT.width - 1) * INPUT.channels;
            image[at] += 2.0;
            image[at + INPUT.channels] += 2.0;
        }
        side[0] = 0.5;
        Ok(())
    }
}

fn net() -> Network {
    let config = CnnConfig {
        filters: vec![6, 8],
        kernel: PerLayer::Common([3, 3]),
        pools: vec![PoolAfter { after: 1, kernel: [2, 2] }],
        head: HeadConfig { hidden: Some(8), dropout: 0.1, ..CnnConfig::default().head },
        ..CnnConfig::default()
    };
    Network::new(config.into(), INPUT, 3).expect("net")
}

fn config() -> FitConfig {
    FitConfig {
        epochs: 5,
        batch: 16,
        epoch_items: Some(80),
        sampler: SamplerConfig::Balanced { nok_share: 0.4 },
        optimizer: AdamWConfig { learning_rate: 0.01, ..AdamWConfig::default() },
        ema: Some(0.8),
        ..FitConfig::default()
    }
}

/// Accuracy at one half, less a little of the loss so that no two epochs are equal.
fn measure(v: &Validation) -> f64 {
    let right = v.scores().iter().zip(&v.labels).filter(|(s, l)| (**s > 0.5) == (**l == 1)).count();
    right as f64 / v.labels.len() as f64 - 0.001 * v.loss().expect("loss")
}

fn train(config: &FitConfig, folder: Option<&Path>, epochs: usize) -> Result<(Outcome, Vec<u8>), FitError> {
    let (model, train, validation) = (net(), Blobs::new(60, 1), Blobs::new(45, 2));
    let mut seen = 0;
    let mut observer = |_: &EpochReport| {
        seen += 1;
        if seen == epochs { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let run = Fit {
        config,
        train: &train,
        validation: Some(&validation),
        measure: &measure,
        folder,
        observer: &mut observer,
    };
    let outcome = run.run(&model)?;
    Ok((outcome, model.params().to_bytes().expect("bytes")))
}

#[test]
fn learns_to_tell_blobs_and_keeps_the_best_epoch() {
    let (outcome, bytes) = train(&FitConfig { epochs: 12, ..config() }, None, usize::MAX).expect("trained");
    let (best, epoch) = outcome.best.expect("best");
    assert!(best > 0.9, "{:?}", outcome.history);
    assert!(outcome.history[0].train_loss > 1.5 * outcome.history.last().expect("history").train_loss);
    assert!(outcome.history[epoch].best && !outcome.broken_off);
    let model = net();
    model.params().load(&bytes).expect("loaded");
    let again = measure(&predict(&model, &Blobs::new(45, 2), 1).expect("predicted"));
    assert_eq!(again, best, "the weights are those of the best epoch");
}

#[test]
fn the_same_seed_gives_the_same_bits_with_one_thread_or_two() {
    let run = |threads, config: &FitConfig| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("pool");
        pool.install(|| train(config, None, usize::MAX)).expect("trained")
    };
    let one = run(1, &config());
    assert_eq!(one, run(1, &config()));
    assert_eq!(one, run(2, &config()));
    assert_ne!(one.1, run(2, &FitConfig { seed: 2, ..config() }).1);
}

#[test]
fn a_resumed_run_ends_with_the_bits_of_an_uninterrupted_one() {
    for config in [config(), FitConfig { ema: None, sampler: SamplerConfig::Shuffled, ..config() }] {
        let whole = train(&config, None, usize::MAX).expect("trained");
        let folder = tempfile::tempdir().expect("folder");
        for stop in [2, 1, usize::MAX] {
            let part = train(&config, Some(folder.path()), stop).expect("trained");
            assert_eq!(part.0.broken_off, stop != usize::MAX);
            if stop == usize::MAX {
                assert_eq!(part, whole);
            }
        }
        assert_eq!(train(&config, Some(folder.path()), 1).expect("nothing left to do"), whole);
        let files = std::fs::read_dir(folder.path()).expect("folder").map(|f| f.expect("entry").file_name());
        let files: std::collections::BTreeSet<_> = files.collect();
        let wanted = ["last.safetensors", "state.safetensors"].map(Into::into);
        assert_eq!(files, std::collections::BTreeSet::from(wanted), "no temporary file is left");
    }
}

#[test]
fn states_of_other_runs_and_damaged_states_are_refused() {
    let folder = tempfile::tempdir().expect("folder");
    train(&config(), Some(folder.path()), 1).expect("trained");
    let other = FitConfig { batch: 8, ..config() };
    assert!(matches!(train(&other, Some(folder.path()), 1), Err(FitError::OtherRun { .. })));
    let path = folder.path().join("state.safetensors");
    let bytes = std::fs::read(&path).expect("state");
    for length in [0, 7, 100, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..length]).expect("cut");
        assert!(
            matches!(train(&config(), Some(folder.path()), 1), Err(FitError::Damaged { .. })),
            "{length}"
        );
    }
    let plain = net().params().to_bytes().expect("bytes");
    std::fs::write(&path, plain).expect("another file");
    assert!(matches!(train(&config(), Some(folder.path()), 1), Err(FitError::Damaged { .. })));
    let missing = folder.path().join("nowhere");
    assert!(matches!(train(&config(), Some(&missing), 1), Err(FitError::Io { .. })));
}

#[test]
fn stops_when_patience_runs_out() {
    let early_stop = Some(EarlyStopConfig { patience: 2, margin: 10.0 });
    let config = FitConfig { early_stop, ..config() };
    let (outcome, _) = train(&config, None, usize::MAX).expect("trained");
    assert_eq!((outcome.history.len(), outcome.best.map(|b| b.1)), (3, Some(0)));
}

#[test]
fn bad_items_and_a_diverging_loss_are_told() {
    let model = net();
    let run = |config: &FitConfig, train: &dyn Source| {
        let observer = &mut |_: &EpochReport| ControlFlow::Continue(());
        Fit { config, train, validation: None, measure: &measure, folder: None, observer }.run(&model)
    };
    let mut blobs = Blobs::new(9, 1);
    blobs.labels[4] = 2;
    assert!(matches!(run(&config(), &blobs), Err(FitError::Label { item: 4, label: 2, classes: 2 })));
    assert!(matches!(run(&config(), &Blobs::new(0, 1)), Err(FitError::Source { which: "training", .. })));
    let wild = FitConfig {
        optimizer: AdamWConfig { learning_rate: 1e30, ..AdamWConfig::default() },
        schedule: Schedule::Constant,
        ..config()
    };
    assert!(matches!(run(&wild, &Blobs::new(60, 1)), Err(FitError::Diverged { .. })));
}

#[test]
fn without_validation_the_last_epoch_is_taken() {
    let model = net();
    let config = FitConfig { ema: None, epochs: 1, ..config() };
    let before = model.params().to_bytes().expect("bytes");
    let observer = &mut |_: &EpochReport| ControlFlow::Continue(());
    let train = Blobs::new(30, 1);
    let run =
        Fit { config: &config, train: &train, validation: None, measure: &measure, folder: None, observer };
    let outcome = run.run(&model).expect("trained");
    assert_eq!((outcome.best, outcome.history.len()), (None, 1));
    assert_ne!(before, model.params().to_bytes().expect("bytes"));
}

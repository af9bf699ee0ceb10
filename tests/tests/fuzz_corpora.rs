//! The short run of the fuzzers, without one: every target over all that fuzzing has found so far, over its
//! seeds, and over small changes to both. `tests/fuzz` is the long run.

use coilsight_tests::fuzz::mutate::{Rng, mutate};
use coilsight_tests::fuzz::{TARGETS, Target};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Inputs are short so that corpora stay small; a longer one says the same as a shorter.
const LONGEST: u64 = 64 << 10;

fn fuzz_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// The committed corpus of a target, in order of names.
fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let folder = fuzz_folder().join("corpus").join(target.name);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// Runs one input, and says which it was before it lets a panic go on.
fn run(target: &Target, input: &[u8]) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| (target.run)(input))) {
        let kept = std::env::temp_dir().join(format!("coilsight-fuzz-{}", target.name));
        std::fs::write(&kept, input).unwrap();
        eprintln!("target {}: an input of {} bytes, kept as {}", target.name, input.len(), kept.display());
        std::panic::resume_unwind(panic);
    }
}

fn short_run(name: &str, mutations: usize) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target");
    let mut inputs = (target.seeds)();
    inputs.extend(corpus(target));
    run(target, &[]);
    for input in &inputs {
        run(target, input);
    }
    let mut rng = Rng::new(1);
    for _ in 0..mutations {
        let [one, other] = [rng.below(inputs.len()), rng.below(inputs.len())];
        run(target, &mutate(&inputs[one], &inputs[other], &mut rng));
    }
}

/// Targets and how many changed inputs each gets: what takes a second or less.
macro_rules! short_runs {
    ($($name:ident $mutations:literal)*) => {
        $(#[test]
        fn $name() {
            short_run(stringify!($name), $mutations);
        })*

        const RUN: &[&str] = &[$(stringify!($name)),*];
    };
}

short_runs! {
    archive 5_000
    bundle 5_000
    coil 10_000
    config 500
    guard 10_000
    inbound 10_000
    journal 3_000
    keys 5_000
    line 300
    model 10_000
    recording 10_000
    upload 10_000
}

/// A target that is missing somewhere would be fuzzed by nobody.
#[test]
fn every_target_has_its_fuzzer_its_corpus_and_its_short_run() {
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(names, RUN, "TARGETS and short_runs! name the same targets in the same order");
    let manifest = std::fs::read_to_string(fuzz_folder().join("Cargo.toml")).unwrap();
    for name in names {
        let source = std::fs::read_to_string(fuzz_folder().join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(source.contains(&format!("coilsight_tests::fuzz::{name}::run")), "{name}: {source}");
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is no binary of tests/fuzz");
    }
}

#[test]
fn corpora_stay_small() {
    let mut total = 0;
    for target in TARGETS {
        let inputs = corpus(target);
        assert!(!inputs.is_empty(), "{} has no corpus", target.name);
        let longest = inputs.iter().map(Vec::len).max().unwrap_or(0) as u64;
        assert!(longest <= LONGEST, "{}: an input of {longest} bytes", target.name);
        total += inputs.iter().map(Vec::len).sum::<usize>();
    }
    assert!(total < 1 << 20, "{total} bytes");
}

/// `cargo test --test fuzz_corpora -- --ignored write_seeds` gives fuzzers what they begin with.
#[test]
#[ignore = "writes into tests/fuzz/corpus"]
fn write_seeds() {
    for target in TARGETS {
        let folder = fuzz_folder().join("corpus").join(target.name);
        std::fs::create_dir_all(&folder).unwrap();
        for (i, seed) in (target.seeds)().into_iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{i:02}")), seed).unwrap();
        }
    }
}

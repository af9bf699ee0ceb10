//! `parity`: whether the numbers agree on the way from the training engine to the line.

use crate::data::coils::{CoilSet, LabelledCoil};
use crate::data::gold::load_for_training;
use crate::export::runtime::{Runtime, p_nok};
use crate::export::{calibrate, float, quantise};
use crate::fit::predict;
use crate::run::{CoilSource, Fold, Member, RunFolder, RunRecord};
use crate::score::f1::f1;
use crate::score::{Class, Confusion};
use anyhow::Context;
use coilsight_models::verdict::{Verdict, judge};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Compare training engine, f32 export and int8 export of a run's fold networks, out of fold.
///
/// Every coil is judged by the networks that have not seen it: in the training engine, by the f32 ONNX
/// and by the int8 ONNX (both in the line's runtime). With `--probe` the first fold's files, inputs and
/// scores are written for another runtime to check (`trainer/tests/onnxruntime_parity.py`).
#[derive(Debug, clap::Args)]
pub struct ParityArgs {
    /// The run's folder.
    run: PathBuf,
    /// The folder with the set it was trained on.
    #[arg(long)]
    data: PathBuf,
    /// Write the first fold's ONNX files, 200 inputs and their scores here.
    #[arg(long, value_name = "DIR")]
    probe: Option<PathBuf>,
    /// Print everything as JSON.
    #[arg(long)]
    json: bool,
}

/// Coils in a probe.
const PROBE_COILS: usize = 200;

#[derive(Debug, Default, Serialize)]
struct Found {
    coils: usize,
    /// Greatest |logit of engine - logit of f32 ONNX|, of the logit where that is more than 1.
    engine_to_f32_logit: f64,
    /// Greatest difference of P(NOK).
    engine_to_f32_p: f64,
    f32_to_int8_p_mean: f64,
    f32_to_int8_p_max: f64,
    f32_f1_nok: Option<f64>,
    int8_f1_nok: Option<f64>,
    f32_nok_decisions: usize,
    /// NOK decisions of f32 that int8 calls OK.
    lost: usize,
    /// Of these, coils that inspectors called NOK.
    lost_true: usize,
    /// NOK decisions of int8 that f32 calls OK.
    gained: usize,
}

/// Carries the subcommand out.
pub fn run(args: &ParityArgs) -> anyhow::Result<()> {
    let folder = RunFolder::open(&args.run)?;
    let record = folder.record()?;
    let set = load_for_training(&args.data, &record.config.set)?;
    let calibration = CoilSet::load(folder.path(), "calibration")?;
    let nok: Vec<bool> = set.coils.iter().map(|coil| coil.nok).collect();
    let folds = record.config.split(&nok);
    let bar = ProgressBar::new(set.coils.len() as u64)
        .with_style(ProgressStyle::with_template("{bar:30} {pos}/{len} coils, {eta} to go")?);
    let mut found = Found::default();
    let (mut by_f32, mut by_int8) = (vec![false; nok.len()], vec![false; nok.len()]);
    for fold in 0..record.config.folds {
        let held: Vec<usize> = (0..folds.len()).filter(|i| folds[*i] == fold).collect();
        let mut f32_p = vec![0.0; held.len()];
        let mut int8_p = vec![0.0; held.len()];
        for number in 0..record.config.members {
            let coils: Vec<&LabelledCoil> = held.iter().map(|i| &set.coils[*i]).collect();
            let network =
                folder.network(Member { fold: Some(Fold::Stratified(fold)), number }, &record.prepare)?;
            let engine = predict(&network, &CoilSource::new(coils.clone(), &record.prepare, None), 0)?.logits;
            let files = export(&network.fold()?, &record, &calibration)?;
            let mut runtimes = [Runtime::load(&files[0])?, Runtime::load(&files[1])?];
            let mut probe = Probe::default();
            for (k, coil) in coils.iter().enumerate() {
                let prepared = record.prepare.prepare(&coil.matrix, coil.order.as_ref());
                let mut logits = [[0.0f32; 2]; 2];
                for (runtime, out) in runtimes.iter_mut().zip(&mut logits) {
                    *out = runtime.logits(&prepared.image, &prepared.side)?;
                }
                let p = |l: [f32; 2]| record.calibration.p_nok(f64::from(l[1]) - f64::from(l[0]));
                for (a, b) in engine[k].iter().zip(&logits[0]) {
                    let off = f64::from((a - b).abs() / a.abs().max(1.0));
                    found.engine_to_f32_logit = found.engine_to_f32_logit.max(off);
                }
                found.engine_to_f32_p = found.engine_to_f32_p.max((p(engine[k]) - p(logits[0])).abs());
                f32_p[k] += p(logits[0]) / record.config.members as f64;
                int8_p[k] += p(logits[1]) / record.config.members as f64;
                if k < PROBE_COILS {
                    probe.add(&prepared.image, &prepared.side, logits);
                }
                bar.inc(u64::from(number == 0));
            }
            if let Some(out) = args.probe.as_deref().filter(|_| fold == 0 && number == 0) {
                probe.write(out, &files, &record)?;
            }
        }
        for (k, item) in held.iter().enumerate() {
            let off = (f32_p[k] - int8_p[k]).abs();
            found.f32_to_int8_p_mean += off / nok.len() as f64;
            found.f32_to_int8_p_max = found.f32_to_int8_p_max.max(off);
            let order = set.coils[*item].order;
            let is_nok =
                |p| judge(Some(p), order.as_ref(), vec![], &record.policy).by_score == Some(Verdict::Nok);
            (by_f32[*item], by_int8[*item]) = (is_nok(f32_p[k]), is_nok(int8_p[k]));
        }
    }
    bar.finish_and_clear();
    let score =
        |called: &[bool]| f1(&Confusion::count(nok.iter().copied().zip(called.iter().copied())), Class::Nok);
    found.coils = nok.len();
    (found.f32_f1_nok, found.int8_f1_nok) = (score(&by_f32), score(&by_int8));
    for ((f, i), nok) in by_f32.iter().zip(&by_int8).zip(&nok) {
        found.f32_nok_decisions += usize::from(*f);
        found.lost += usize::from(*f && !*i);
        found.lost_true += usize::from(*f && !*i && *nok);
        found.gained += usize::from(!*f && *i);
    }
    tell(&found, args.json)
}

fn tell(found: &Found, json: bool) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(found)?);
        return Ok(());
    }
    let f1 = |v: Option<f64>| v.map_or_else(|| "-".into(), |v| format!("{v:.4}"));
    println!("{} coils, each judged by networks that have not seen it", found.coils);
    println!(
        "training engine to f32 ONNX: logits within {:.1e}, P(NOK) within {:.1e}",
        found.engine_to_f32_logit, found.engine_to_f32_p
    );
    println!(
        "f32 to int8: P(NOK) {:.4} off in the mean, {:.4} at most",
        found.f32_to_int8_p_mean, found.f32_to_int8_p_max
    );
    println!("F1(NOK): f32 {}, int8 {}", f1(found.f32_f1_nok), f1(found.int8_f1_nok));
    println!(
        "NOK decisions of f32: {}; int8 lost {} of them ({} truly NOK) and made {} others",
        found.f32_nok_decisions, found.lost, found.lost_true, found.gained
    );
    Ok(())
}

/// f32 and int8 ONNX of a network.
fn export(
    net: &crate::export::folded::FoldedNet,
    record: &RunRecord,
    calibration: &CoilSet,
) -> anyhow::Result<[Vec<u8>; 2]> {
    let prepared = calibration.coils.iter().map(|coil| {
        let prepared = record.prepare.prepare(&coil.matrix, coil.order.as_ref());
        (prepared.image, prepared.side)
    });
    Ok([float::to_onnx(net), quantise::to_onnx(net, &calibrate::observe(net, prepared)?)?])
}

/// Inputs and scores for another runtime to check, in the form of `trainer/examples/export_probe.rs`.
#[derive(Default)]
struct Probe {
    image: Vec<f32>,
    side: Vec<f32>,
    p_f32: Vec<f64>,
    p_int8: Vec<f64>,
}

impl Probe {
    fn add(&mut self, image: &[f32], side: &[f32], logits: [[f32; 2]; 2]) {
        self.image.extend(image);
        self.side.extend(side);
        self.p_f32.push(p_nok(logits[0][0], logits[0][1]));
        self.p_int8.push(p_nok(logits[1][0], logits[1][1]));
    }

    fn write(&self, folder: &Path, files: &[Vec<u8>; 2], record: &RunRecord) -> anyhow::Result<()> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let write = |name: &str, bytes: &[u8]| {
            let file = folder.join(name);
            std::fs::write(&file, bytes).with_context(|| format!("cannot write {}", file.display()))
        };
        let raw = |v: &[f32]| v.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
        write("run.f32.onnx", &files[0])?;
        write("run.int8.onnx", &files[1])?;
        write("run.images", &raw(&self.image))?;
        write("run.sides", &raw(&self.side))?;
        let case = serde_json::json!({
            "name": "run", "image": record.prepare.image_shape(), "side": record.prepare.side.len(),
            "p_f32": self.p_f32, "p_int8": self.p_int8,
        });
        write("cases.json", &serde_json::to_vec_pretty(&[case])?)
    }
}

//! What other references would have made of a trained Siamese network: its folds judged again, nothing trained.

use super::{CoilSource, Fold, Member, PolicyConfig, RunFolder};
use crate::data::coils::{CoilSet, LabelledCoil};
use crate::export::folded::{Average, Distance};
use crate::fit::{Source, embeddings, predict, settled_items};
use crate::nets::Network;
use crate::nets::siamese::config::{MAX_REFERENCES, Method, ReferencesConfig, SiameseConfig};
use crate::nets::siamese::references::settle;
use crate::score::report::Estimate;
use crate::score::{
    Bootstrap, Class, Confusion, Judged, OnTheLine, Platt, Thresholds, average_precision, f1, roc_auc,
};
use anyhow::{Context, ensure};
use serde::Serialize;
use std::fmt;
use std::path::Path;

/// Largest `splits.csv` that is read.
const MAX_SPLITS: u64 = 256 << 20;

/// A way to judge embeddings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "judge", rename_all = "snake_case")]
pub enum Variant {
    /// As the run judges.
    AsTrained,
    /// By other references.
    References {
        /// How they are chosen.
        #[serde(flatten)]
        references: ReferencesConfig,
        /// What is small between alike coils.
        distance: Distance,
    },
}

/// How good a way is, out of fold.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// Which way.
    #[serde(flatten)]
    pub variant: Variant,
    /// Average precision of NOK.
    pub average_precision: Estimate,
    /// Area under the ROC curve.
    pub roc_auc: Estimate,
    /// F1 of NOK under the run's costs, thresholds chosen on these scores as the run chooses its own.
    pub f1_nok: Estimate,
    /// The same as if half of the coils were NOK.
    pub f1_nok_balanced: Estimate,
}

/// The ways that are compared: as trained, then numbers, methods, averages and distances, one changed at a time.
pub fn variants(config: SiameseConfig) -> Vec<Variant> {
    let (base, distance) = (config.references, config.distance);
    let with = |references, distance| Variant::References { references, distance };
    let numbers = [1, 3, 5, 10].map(|per_class| with(ReferencesConfig { per_class, ..base }, distance));
    let methods = [Method::Kmeans, Method::Medoids, Method::Random];
    let methods = methods.map(|method| with(ReferencesConfig { method, ..base }, distance));
    let averages = [Average::Mean, Average::Nearest];
    let averages = averages.map(|average| with(ReferencesConfig { average, ..base }, distance));
    let distances = [Distance::Euclidean, Distance::Cosine, Distance::Manhattan];
    let distances = distances.map(|distance| with(base, distance));
    let mut all = vec![Variant::AsTrained];
    for variant in numbers.into_iter().chain(methods).chain(averages).chain(distances) {
        if !all.contains(&variant) {
            all.push(variant);
        }
    }
    all
}

/// Judges every coil of `set`, the one that the run was trained on, by the networks that have not seen it, in each of the ways.
/// Members of a fold are averaged; coils of folds that are not trained yet are left out.
pub fn compare(folder: &RunFolder, set: &CoilSet, variants: &[Variant]) -> anyhow::Result<Vec<Row>> {
    let config = folder.config()?;
    ensure!(
        config.network.siamese.is_some(),
        "{} is a run of a classifier: only a Siamese network compares with references",
        folder.path().display()
    );
    for variant in variants {
        if let Variant::References { references, .. } = variant {
            let n = references.per_class;
            ensure!(
                (1..=MAX_REFERENCES).contains(&n),
                "{n} references of each class: give 1 to {MAX_REFERENCES}"
            );
        }
    }
    let spec = config.prepare.resolve(&set.coils)?;
    let folds = splits(&folder.path().join("splits.csv"), set)?;
    let trained = |fold: usize| -> anyhow::Result<bool> {
        let last = Member { fold: Some(Fold::Stratified(fold)), number: config.members - 1 };
        Ok(folder.member(last)?.join("best.safetensors").exists())
    };
    let mut judged = Vec::new();
    let mut margins = vec![Vec::new(); variants.len()];
    for fold in 0..config.folds {
        if !trained(fold)? {
            continue;
        }
        let (held, seen): (Vec<usize>, Vec<usize>) = (0..folds.len()).partition(|i| folds[*i] == fold);
        let source = |of: &[usize]| CoilSource::new(of.iter().map(|i| &set.coils[*i]).collect(), &spec, None);
        let (held_source, seen) = (source(&held), source(&seen));
        let mut sums = vec![vec![0.0; held.len()]; variants.len()];
        for number in 0..config.members {
            let network = folder.network(Member { fold: Some(Fold::Stratified(fold)), number }, &spec)?;
            let found = judge(&network, &seen, &held_source, variants)
                .with_context(|| format!("fold {fold}, member {number}"))?;
            for (sum, margin) in sums.iter_mut().flatten().zip(found.iter().flatten()) {
                *sum += margin / config.members as f64;
            }
        }
        judged.extend(held.iter().map(|i| &set.coils[*i]));
        margins.iter_mut().zip(sums).for_each(|(all, fold)| all.extend(fold));
    }
    ensure!(!judged.is_empty(), "no fold of {} is trained: go on with `train`", folder.path().display());
    let rows = variants.iter().zip(margins);
    rows.map(|(variant, margins)| row(*variant, &judged, &margins, &config.policy)).collect()
}

/// Margins of the coils held back, in each of the ways.
fn judge(
    network: &Network,
    seen: &CoilSource,
    held: &CoilSource,
    variants: &[Variant],
) -> anyhow::Result<Vec<Vec<f64>>> {
    let items = settled_items(seen);
    let labels: Vec<usize> = items.iter().map(|i| seen.label(*i)).collect();
    let (Some(known), Some(asked)) = (
        embeddings(network, seen, &items, 0)?,
        embeddings(network, held, &(0..held.len()).collect::<Vec<_>>(), 0)?,
    ) else {
        anyhow::bail!("the network gives no embeddings");
    };
    let margin = |[ok, nok]: [f32; 2]| f64::from(nok) - f64::from(ok);
    variants
        .iter()
        .map(|variant| match variant {
            Variant::AsTrained => Ok(predict(network, held, 0)?.logits.into_iter().map(margin).collect()),
            Variant::References { references, distance } => {
                let plain = settle(&known, &labels, (*references, *distance), 1)
                    .context("references need training coils of both classes")?;
                Ok(asked.iter().map(|e| margin(plain.apply(e))).collect())
            }
        })
        .collect()
}

fn row(
    variant: Variant,
    coils: &[&LabelledCoil],
    margins: &[f64],
    config: &PolicyConfig,
) -> anyhow::Result<Row> {
    let nok: Vec<bool> = coils.iter().map(|coil| coil.nok).collect();
    let calibration = Platt::fit(&nok, margins, None)?;
    let mut judged: Vec<Judged> = coils
        .iter()
        .zip(margins)
        .map(|(coil, m)| Judged {
            nok: coil.nok,
            p_nok: calibration.p_nok(*m),
            called_nok: false,
            review: false,
            class: coil.class(),
        })
        .collect();
    let thresholds = Thresholds::choose(&judged, &config.costs)?;
    for coil in &mut judged {
        coil.called_nok = thresholds.is_nok(coil.class, coil.p_nok);
    }
    let bootstrap = Bootstrap { draws: 500, ..Bootstrap::default() };
    let all: Vec<usize> = (0..judged.len()).collect();
    let estimate = |metric: &(dyn Fn(&[usize]) -> Option<f64> + Sync)| Estimate {
        value: metric(&all),
        interval: bootstrap.interval(&nok, metric),
    };
    let ranked = |metric: fn(&[bool], &[f64]) -> Option<f64>| {
        estimate(&|rows: &[usize]| {
            let (nok, margins): (Vec<bool>, Vec<f64>) = rows.iter().map(|i| (nok[*i], margins[*i])).unzip();
            metric(&nok, &margins)
        })
    };
    let decided = |metric: &(dyn Fn(&Confusion) -> Option<f64> + Sync)| {
        estimate(&|rows: &[usize]| {
            metric(&Confusion::count(rows.iter().map(|i| (judged[*i].nok, judged[*i].called_nok))))
        })
    };
    Ok(Row {
        variant,
        average_precision: ranked(average_precision),
        roc_auc: ranked(roc_auc),
        f1_nok: decided(&|c| f1::f1(c, Class::Nok)),
        f1_nok_balanced: decided(&|c| OnTheLine::at(0.5, c).map(|line| line.f1)),
    })
}

/// The fold of each coil of the set, as the run wrote it.
fn splits(file: &Path, set: &CoilSet) -> anyhow::Result<Vec<usize>> {
    let unreadable = || format!("cannot read {}", file.display());
    let size = std::fs::metadata(file).with_context(unreadable)?.len();
    ensure!(size <= MAX_SPLITS, "{} is too large for a list of folds", file.display());
    parse_splits(&std::fs::read_to_string(file).with_context(unreadable)?, set)
        .with_context(|| format!("{} does not belong to this set", file.display()))
}

fn parse_splits(text: &str, set: &CoilSet) -> anyhow::Result<Vec<usize>> {
    let mut lines = text.lines();
    ensure!(lines.next() == Some("coil_id,fold"), "it does not begin with coil_id,fold");
    let folds: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(',')).collect();
    ensure!(folds.len() == set.coils.len(), "it has {} coils, the set {}", folds.len(), set.coils.len());
    let fold = |((id, fold), coil): (&(&str, &str), &LabelledCoil)| {
        ensure!(*id == coil.id.as_str(), "it has coil {id} where the set has {}", coil.id);
        fold.parse().with_context(|| format!("the fold of {id} is {fold:?}"))
    };
    folds.iter().zip(&set.coils).map(fold).collect()
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::References { references: ReferencesConfig { per_class, method, average }, distance } = self
        else {
            return f.write_str("as trained");
        };
        let name = |value: &dyn fmt::Debug| format!("{value:?}").to_lowercase();
        write!(f, "{per_class} {}, {}, {}", name(method), name(average), name(distance))
    }
}

/// A table in Markdown.
pub fn table(rows: &[Row]) -> String {
    let head = ["references of each class", "average precision", "ROC AUC", "F1 NOK", "F1 NOK at 50 %"];
    let cells = rows.iter().map(|row| {
        let Row { variant, average_precision: ap, roc_auc: auc, f1_nok: f1, f1_nok_balanced: half } = row;
        [variant.to_string(), ap.to_string(), auc.to_string(), f1.to_string(), half.to_string()]
    });
    let line = |cells: [String; 5]| format!("| {} |\n", cells.join(" | "));
    let rule = ["---"; 5].map(String::from);
    [head.map(String::from), rule].into_iter().chain(cells).map(line).collect()
}

#[cfg(test)]
#[path = "references/tests.rs"]
mod tests;

//! `preview`: what augmentation makes of a coil, as a picture.

use crate::data::augment::AugmentConfig;
use crate::data::augment::made::{Made, make};
use crate::data::coils::{CoilSet, LabelledCoil};
use crate::data::gold::load_for_training;
use crate::kept::Draws;
use crate::nn::seed::{Purpose, generator};
use crate::plot::{Heatmap, Page, Section};
use crate::run::{RunConfig, content};
use anyhow::{Context, ensure};
use coilsight_models::coil::{CoilMatrix, Order};
use rand_chacha::ChaCha8Rng;
use std::path::PathBuf;

/// Most coils of each kind of made ones that are shown.
const MADE: usize = 6;
/// Draws in search of one in which a rare change happens.
const PATIENCE: u64 = 10_000;

/// Draw what augmentation makes of a coil: a picture to look at before training.
///
/// The first part has the coil as it is and in some draws, with the names of what was changed in each; the second, each
/// kind of change by itself, in the first draw in which it happens; the third, NOK coils that were made of OK ones, if the
/// settings make any. Change `augment` in the settings and look again: an inspector should still say of each draw what was said of
/// the coil.
#[derive(Debug, clap::Args)]
pub struct PreviewArgs {
    /// The settings of a run; of them, `augment` and `seed`
    #[arg(value_name = "CONFIG.yaml")]
    config: PathBuf,
    /// The folder with the set (SET-mean.npy, SET-std.npy, SET.csv)
    #[arg(long)]
    data: PathBuf,
    /// The set; that of the settings when absent
    #[arg(long)]
    set: Option<String>,
    /// The coil, by its id; the first NOK one when absent
    #[arg(long, value_name = "ID")]
    coil: Option<String>,
    /// How many draws
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=60))]
    draws: u32,
    /// The picture, a PNG file
    #[arg(long, value_name = "PICTURE.png")]
    out: PathBuf,
}

/// Carries the subcommand out.
pub fn run(args: &PreviewArgs) -> anyhow::Result<()> {
    let config = RunConfig::read(&args.config)?;
    let name = args.set.as_ref().unwrap_or(&config.set);
    let set = load_for_training(&args.data, name)
        .with_context(|| format!("set {name} of {} is not shown", args.data.display()))?;
    let coil = choose(&set, args.coil.as_deref())?;
    let mut sections = vec![draws(coil, &config, args.draws)];
    for section in [alone(coil, &config), made(&set, &config)] {
        sections.extend((!section.maps.is_empty()).then_some(section));
    }
    let page = Page { heading: format!("Augmentation of {} by {}", coil.id, config.name), sections };
    page.draw()?.write(&args.out)?;
    println!("{} of coil {}, {} draws", args.out.display(), coil.id, args.draws);
    Ok(())
}

fn choose<'a>(set: &'a CoilSet, id: Option<&str>) -> anyhow::Result<&'a LabelledCoil> {
    let Some(id) = id else {
        let coil = set.coils.iter().find(|coil| coil.nok).or(set.coils.first());
        return coil.with_context(|| format!("set {} has no coils", set.name));
    };
    let coil = set.coils.iter().find(|coil| coil.id.to_string() == id);
    ensure!(coil.is_some(), "set {} has no coil {id:?}: its table {0}.csv names those it has", set.name);
    Ok(coil.expect("found"))
}

/// The coil as it is, and draws of it: those that frozen stages are kept for, or others of the same seed.
fn draws(coil: &LabelledCoil, config: &RunConfig, count: u32) -> Section {
    let mut maps = vec![map("as it is", String::new(), &coil.matrix, coil.order, coil)];
    for draw in 0..count {
        let mut rng = match &config.keep {
            Some(keep) => Draws { count: keep.draws, seed: config.seed }.generator(&content(coil), draw),
            None => generator(config.seed, Purpose::Draw, u64::from(draw), 0),
        };
        maps.push(drawn(&format!("draw {}", draw + 1), coil, &config.augment, &mut rng));
    }
    Section { heading: format!("The coil, and {count} draws of it"), maps }
}

fn alone(coil: &LabelledCoil, config: &RunConfig) -> Section {
    let of = |(name, alone): (&str, AugmentConfig)| {
        let rng = |draw| generator(config.seed, Purpose::Draw, draw, 1);
        let happens =
            |draw: &u64| !alone.draw(&coil.matrix, coil.order, coil.nok, &mut rng(*draw)).changes.is_empty();
        let draw = (0..PATIENCE).find(happens)?;
        Some(drawn(name, coil, &alone, &mut rng(draw)))
    };
    let maps = config.augment.alone().into_iter().filter_map(of).collect();
    Section { heading: "Each kind of change by itself, where it happens".into(), maps }
}

fn made(set: &CoilSet, config: &RunConfig) -> Section {
    let made = make(&set.coils.iter().collect::<Vec<_>>(), &config.augment, config.seed);
    let of = |kind: &str| {
        let one =
            |made: &Made| map("made NOK", made.how.clone(), &made.coil.matrix, made.coil.order, &made.coil);
        made.iter().filter(|made| made.how.starts_with(kind)).take(MADE).map(one).collect::<Vec<_>>()
    };
    let maps = [of("drawn_defects"), of("borrowed_defects")].concat();
    Section { heading: format!("NOK coils made of OK ones, {} of {}", maps.len(), made.len()), maps }
}

fn drawn(title: &str, coil: &LabelledCoil, config: &AugmentConfig, rng: &mut ChaCha8Rng) -> Heatmap {
    let drawn = config.draw(&coil.matrix, coil.order, coil.nok, rng);
    let note = if drawn.changes.is_empty() { "nothing changed".into() } else { drawn.changes.join(", ") };
    map(title, note, &drawn.matrix, drawn.order, coil)
}

fn map(title: &str, note: String, matrix: &CoilMatrix, order: Option<Order>, coil: &LabelledCoil) -> Heatmap {
    let label = if coil.nok { "NOK" } else { "OK" };
    let ordered = order.map_or("no order".into(), |order| {
        format!("class {}, {} g/m² ordered", order.tolerance_class(), order.nominal_g_m2())
    });
    // Without an order, what is usual here takes its place.
    let usual = || {
        let mut read: Vec<u16> = matrix.mean().iter().copied().filter(|m| *m > 0).collect();
        read.sort_unstable();
        read.get(read.len() / 2).map_or(1.0, |m| f64::from(*m) / 100.0)
    };
    Heatmap {
        title: format!("{title}: {}, {label}, {ordered}", coil.id),
        note,
        matrix: matrix.clone(),
        nominal_g_m2: order.map_or_else(usual, |order| order.nominal_g_m2()),
        length_m: coil.length_m,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::heatmap::SIZE;
    use crate::simulate::{self, Plan};
    use clap::Parser;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        args: PreviewArgs,
    }

    fn preview(folder: &std::path::Path, more: &[&str]) -> anyhow::Result<Vec<u8>> {
        let base = include_str!("../../configs/cnn.yaml");
        let config = base.replace("  other_class: 0.5", "  gap_dropout: 0.01\n  drawn_defects: 0.2");
        assert_ne!(config, base);
        std::fs::write(folder.join("run.yaml"), config)?;
        let out = folder.join("picture.png");
        let (config, data, to) =
            (folder.join("run.yaml"), folder.display().to_string(), out.display().to_string());
        let line = ["x", config.to_str().unwrap_or(""), "--set", "simulated", "--data", &data, "--out", &to];
        run(&Program::try_parse_from(line.into_iter().chain(more.iter().copied()))?.args)?;
        Ok(std::fs::read(out)?)
    }

    #[test]
    fn draws_a_picture_of_the_right_size() {
        let folder = tempfile::tempdir().unwrap();
        let plan = Plan { count: 20, nok_share: 0.4, short: true, ..Plan::default() };
        simulate::coils(&plan, folder.path(), "simulated", &|_| ()).unwrap();
        let picture = preview(folder.path(), &["--draws", "3"]).unwrap();
        let size = |at: usize| u32::from_be_bytes(picture[at..at + 4].try_into().unwrap());
        // The coil and 3 draws take two rows, six kinds by themselves two, what was made one.
        let (width, height) = (3 * SIZE.0 + 32, 84 + 32 + 3 * 42 + 5 * SIZE.1);
        assert_eq!((size(16), size(20)), (width, height));
        assert_eq!(
            picture,
            preview(folder.path(), &["--draws", "3"]).unwrap(),
            "equal seeds, equal pictures"
        );
        let none = preview(folder.path(), &["--coil", "nobody"]).unwrap_err().to_string();
        assert!(none.contains("no coil \"nobody\""), "{none}");
        assert!(preview(folder.path(), &["--draws", "0"]).is_err());
    }
}

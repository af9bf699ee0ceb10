//! Scores of coils by networks that have not seen them: from margins to probabilities, decisions and tables.

use crate::data::coils::{LabelledCoil, MAX_COILS};
use crate::score::{Judged, Platt};
use anyhow::{Context, bail, ensure};
use coilsight_models::coil::ToleranceClass;
use coilsight_models::verdict::{Policy, Verdict, judge};
use serde::Deserialize;
use std::fmt::Write;
use std::path::Path;

/// One calibration for all members: each coil counts once a member.
pub fn calibrate(nok: &[bool], margins: &[Vec<f64>]) -> anyhow::Result<Platt> {
    let labels: Vec<bool> = nok.iter().zip(margins).flat_map(|(n, m)| vec![*n; m.len()]).collect();
    let calibration = Platt::fit(&labels, &margins.concat(), None)?;
    if calibration.slope <= 0.0 {
        bail!(
            "the networks have learned nothing: on coils that they have not seen, a higher score does not mean NOK \
             (slope {:.3}); look at the labels and the settings",
            calibration.slope
        );
    }
    Ok(calibration)
}

/// The mean P(NOK) of a coil's members.
pub fn p_nok(calibration: &Platt, margins: &[f64]) -> f64 {
    margins.iter().map(|margin| calibration.p_nok(*margin)).sum::<f64>() / margins.len() as f64
}

/// A coil with its score, undecided.
pub fn plain(coil: &LabelledCoil, p_nok: f64) -> Judged {
    Judged { nok: coil.nok, p_nok, called_nok: false, review: false, class: coil.class() }
}

/// A coil as the policy judges it by its score.
pub fn judged(coil: &LabelledCoil, p_nok: f64, policy: &Policy) -> Judged {
    let judgement = judge(Some(p_nok), coil.order.as_ref(), Vec::new(), policy);
    Judged {
        called_nok: judgement.by_score == Some(Verdict::Nok),
        review: judgement.verdict == Verdict::Review,
        ..plain(coil, p_nok)
    }
}

/// Decisions as [`judged`] makes them, where only the class is known.
pub fn called_nok(class: char, p_nok: f64, policy: &Policy) -> bool {
    let class = class.to_string().parse::<ToleranceClass>().ok();
    p_nok >= policy.threshold(class).nok_from
}

/// A coil as a table tells it.
pub struct Scored<'a> {
    /// The coil.
    pub coil: &'a LabelledCoil,
    /// Its fold, or its stretch of time.
    pub fold: usize,
    /// Its margins, a member each.
    pub margins: &'a [f64],
    /// P(NOK).
    pub p_nok: f64,
}

/// `oof.csv` and `forward.csv`.
pub fn table<'a>(rows: impl IntoIterator<Item = Scored<'a>>) -> anyhow::Result<String> {
    let mut text = String::from("coil_id,produced_at,label,tolerance_class,fold,margins,p_nok\n");
    for Scored { coil, fold, margins, p_nok } in rows {
        let margins: Vec<String> = margins.iter().map(ToString::to_string).collect();
        let label = if coil.nok { "NOK" } else { "OK" };
        let (id, at, class) = (&coil.id, &coil.produced_at, coil.class());
        writeln!(text, "{id},{at},{label},{class},{fold},{},{p_nok}", margins.join(" "))?;
    }
    Ok(text)
}

/// A table read again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScoreTable {
    /// Which coil.
    pub coil_id: Vec<String>,
    /// Its label.
    pub nok: Vec<bool>,
    /// Its tolerance class, `?` if it is not known.
    pub class: Vec<char>,
    /// Its fold, or its stretch of time.
    pub fold: Vec<usize>,
    /// Its margins, a member each.
    pub margins: Vec<Vec<f64>>,
    /// P(NOK).
    pub p_nok: Vec<f64>,
}

#[derive(Deserialize)]
struct Row {
    coil_id: String,
    label: String,
    tolerance_class: char,
    fold: usize,
    margins: String,
    p_nok: f64,
}

/// Reads `oof.csv` or `forward.csv`.
pub fn read_table(file: &Path) -> anyhow::Result<ScoreTable> {
    let unreadable = || format!("{} cannot be read; train the run again", file.display());
    let mut found = ScoreTable::default();
    for (i, row) in csv::Reader::from_path(file).with_context(unreadable)?.deserialize().enumerate() {
        let row: Row = row.with_context(unreadable)?;
        ensure!(i < MAX_COILS, "{} has more than {MAX_COILS} coils", file.display());
        let margins: Result<Vec<f64>, _> = row.margins.split_whitespace().map(str::parse).collect();
        let margins = margins.with_context(unreadable)?;
        let sound = row.fold < MAX_COILS
            && (0.0..=1.0).contains(&row.p_nok)
            && margins.iter().all(|margin| margin.is_finite())
            && ["OK", "NOK"].contains(&row.label.as_str());
        ensure!(sound, "{}: row {} ({}) makes no sense", file.display(), i + 1, row.coil_id);
        found.coil_id.push(row.coil_id);
        found.nok.push(row.label == "NOK");
        found.class.push(row.tolerance_class);
        found.fold.push(row.fold);
        found.margins.push(margins);
        found.p_nok.push(row.p_nok);
    }
    ensure!(!found.nok.is_empty(), "{} has no coils", file.display());
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_come_back_and_damaged_ones_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("oof.csv");
        let text = "coil_id,produced_at,label,tolerance_class,fold,margins,p_nok\n\
                    X-1,2026-01-01T00:00:00Z,NOK,A,0,1.5 -0.25,0.75\nX-2,2026-01-02T00:00:00Z,OK,?,1,-2 -3,0.01\n";
        std::fs::write(&file, text).unwrap();
        let table = read_table(&file).unwrap();
        assert_eq!((table.nok.as_slice(), table.class.as_slice()), (&[true, false][..], &['A', '?'][..]));
        assert_eq!(table.margins, [[1.5, -0.25], [-2.0, -3.0]]);
        assert_eq!((table.fold.as_slice(), table.p_nok.as_slice()), (&[0, 1][..], &[0.75, 0.01][..]));
        for (from, to) in [
            ("0.75", "1.75"),
            ("NOK,", "BAD,"),
            ("-0.25", "inf"),
            ("1.5 ", "x "),
            (",A,", ",AA,"),
            ("p_nok", "p"),
        ] {
            assert!(text.contains(from));
            std::fs::write(&file, text.replacen(from, to, 1)).unwrap();
            assert!(read_table(&file).is_err(), "{to}");
        }
        assert!(read_table(&folder.path().join("none.csv")).is_err());
    }
}

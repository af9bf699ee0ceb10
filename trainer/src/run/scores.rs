//! Scores of coils by networks that have not seen them: from margins to probabilities, decisions and tables.

use crate::data::coils::LabelledCoil;
use crate::score::{Judged, Platt};
use anyhow::bail;
use coilsight_models::verdict::{Policy, Verdict, judge};
use std::fmt::Write;

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

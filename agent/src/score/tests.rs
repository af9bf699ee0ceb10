//! The figures against scikit-learn, SciPy, statsmodels and irrCAC (golden.py), and what holds of any list of coils.

mod agreement;
mod golden;
mod properties;
mod triggers;

use super::{Facts, Judged, Panel, Panels};
use coilsight_models::coil::ToleranceClass;
use coilsight_models::message::inbound::Label;
use coilsight_models::verdict::Verdict;
use std::sync::Arc;

/// A set of two models.
fn panel() -> Arc<Panel> {
    Panels::default().of("f00", ["a", "b"].into_iter())
}

/// A coil of class B and an order of its own, closed so many hours after 1970; its models say what the ensemble's score does.
fn coil(
    place: u64,
    verdict: Verdict,
    drawn: Option<f64>,
    label: Option<Label>,
    panel: &Arc<Panel>,
) -> Judged {
    let by_score = Some(if verdict == Verdict::Review { Verdict::Nok } else { verdict });
    Judged::new(&Facts {
        place,
        at: jiff::Timestamp::from_second(3600 * place as i64).ok(),
        class: Some(ToleranceClass::B),
        order: Some((60.0, (place % 3000) as f64)),
        verdict,
        by_score,
        drawn,
        label,
        panel,
        votes: &[by_score; 2],
    })
}

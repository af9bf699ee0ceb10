//! A coil of every kind of defect, as a picture for people.

use super::kind::Kind;
use super::period::Period;
use super::{Coil, Plan, coil};
use crate::plot::{Heatmap, Page, Section};

/// Coils of a kind among which the plainest one is chosen.
const CANDIDATES: u64 = 8;

/// A page with a refused coil of every kind of defect, under its name.
pub fn picture(seed: u64) -> Page {
    let maps = Kind::ALL.map(|kind| map(kind, &specimen(kind, seed))).to_vec();
    let heading = "Each kind by itself, bad enough to be refused".to_owned();
    Page {
        heading: "Defects of a galvanizing line, simulated".to_owned(),
        sections: vec![Section { heading, maps }],
    }
}

/// A coil with a flaw of this kind and no other: the one with most to complain about among a few.
fn specimen(kind: Kind, seed: u64) -> Coil {
    let flaws = Kind::ALL.map(|other| (other, if other == kind { 1.0 } else { 0.0 })).into();
    let plan = Plan {
        seed,
        count: CANDIDATES,
        nok_share: 1.0,
        flaws_per_coil: 0.3,
        short: true,
        line_stop: false,
        campaign: 1,
        periods: vec![Period { coils: CANDIDATES, flaws, ..Period::default() }],
        ..Plan::default()
    };
    let plainest = |coil: &Coil| if coil.flaws.len() == 1 { coil.complaint } else { 0.0 };
    let coils = (0..CANDIDATES).map(|index| coil(&plan, index));
    coils.max_by(|a, b| plainest(a).total_cmp(&plainest(b))).expect("there are some")
}

fn map(kind: Kind, coil: &Coil) -> Heatmap {
    let class = coil.order.tolerance_class();
    let places = coil.flaws.iter().map(|flaw| {
        let side = ["top", "bottom"][flaw.side];
        format!("{side}, {:.0} to {:.0} m, severity {:.2}", flaw.from_m, flaw.to_m, flaw.severity)
    });
    let title = format!("{}: class {class}, {} g/m2 ordered", kind.name(), coil.order.nominal_g_m2());
    let note = format!("{}; complaint {:.1}", places.collect::<Vec<_>>().join("; "), coil.complaint);
    Heatmap {
        title,
        note,
        matrix: coil.chunked().matrix,
        nominal_g_m2: coil.order.nominal_g_m2(),
        length_m: coil.length_m,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_coil_and_no_other_flaw() {
        let page = picture(1);
        let titles: Vec<&str> = page.sections[0].maps.iter().map(|map| map.title.as_str()).collect();
        assert_eq!(titles.len(), Kind::ALL.len());
        for kind in Kind::ALL {
            assert!(titles.iter().any(|title| title.starts_with(kind.name())), "{titles:?}");
            assert!(specimen(kind, 1).flaws.iter().all(|flaw| flaw.kind == kind));
            assert!(specimen(kind, 1).complaint > 0.5);
        }
    }
}

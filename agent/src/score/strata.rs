//! Coils by how they came to be labelled, and what the labelled ones say of all of them.
//!
//! Inspectors label nearly every NOK and REVIEW coil, but of the OK coils only those drawn at random, a few in a
//! hundred. So labelled coils are no sample of all coils; within a stratum they are. A stratum is what went out (OK,
//! NOK, REVIEW) x what the judge in question said x the tolerance class; classes are merged where one has fewer than
//! [`ENOUGH`] labelled coils. In stratum h with `N_h` coils, of which the labelled ones are NOK in the share `p_h =
//! sum(w_i y_i) / sum(w_i)`, `N_h p_h` coils count as NOK (W. G. Cochran, Sampling Techniques, 3rd ed. 1977, 5A.9,
//! post-stratification; `p_h` is Hajek's ratio form of the estimator of D. G. Horvitz and D. J. Thompson, A
//! generalization of sampling without replacement from a finite universe, Journal of the American Statistical
//! Association 47 (1952)). `w_i` is 1 for NOK and REVIEW, and 1 / share for OK coils drawn with that share. OK coils
//! that somebody labelled unasked were chosen by people: they have no `w_i`, and are counted apart.
//!
//! What is assumed: coils of a stratum that nobody has labelled (yet) are like those that somebody has.

use super::confusion::Confusion;
use super::estimated::{Estimated, Group};
use super::judged::Judged;
use coilsight_models::coil::ToleranceClass;
use coilsight_models::verdict::Verdict;

/// A class with fewer labelled coils is merged with others.
pub const ENOUGH: u64 = 10;
/// Up to this share of coils, those that went to REVIEW or NOK may be left out of the estimate when nobody has labelled one yet.
const LEFT_OUT: f64 = 0.05;

/// What a judge said of a coil.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// OK.
    Ok,
    /// NOK.
    Nok,
    /// It asked a person: what the person said.
    WhatItIs,
}

impl Said {
    const ALL: [Self; 3] = [Self::Ok, Self::Nok, Self::WhatItIs];

    pub(super) fn nok(self, is_nok: bool) -> bool {
        match self {
            Self::Ok => false,
            Self::Nok => true,
            Self::WhatItIs => is_nok,
        }
    }
}

/// Coils of one stratum.
#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    /// All coils.
    coils: u64,
    /// Labelled ones that stand for others, and their weights: NOK, OK, squares.
    labelled: u64,
    nok: f64,
    ok: f64,
    squares: f64,
    /// Labelled ones, OK and NOK, whoever chose them.
    counted: [u64; 2],
    /// Of these, the ones that people chose.
    volunteered: [u64; 2],
}

impl Cell {
    fn with(mut self, other: &Self) -> Self {
        self.coils += other.coils;
        self.labelled += other.labelled;
        self.nok += other.nok;
        self.ok += other.ok;
        self.squares += other.squares;
        self
    }

    fn sum(cells: &[Self]) -> Self {
        cells.iter().fold(Self::default(), Self::with)
    }

    /// The effective numbers of NOK and of OK coils.
    fn effective(&self) -> (f64, f64) {
        let scale = if self.squares > 0.0 { (self.nok + self.ok) / self.squares } else { 0.0 };
        (self.nok * scale, self.ok * scale)
    }

    fn share_nok(&self) -> f64 {
        self.nok / (self.nok + self.ok)
    }
}

/// Coils that a judge judged, by stratum.
#[derive(Clone, Debug, Default)]
pub struct Strata {
    /// By verdict, what was said, and class (the last: unknown).
    cells: [[[Cell; 4]; 3]; 3],
}

/// Why there is no estimate for all coils.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// No coil at all.
    Coils,
    /// No labelled coil.
    Labels,
    /// Of the coils with this verdict, none is labelled (for OK: none of those drawn).
    LabelsOf(Verdict),
}

impl Strata {
    /// Counts a coil of which the judge said something.
    pub fn take(&mut self, coil: &Judged, said: Said) {
        let class = coil.class().map_or(3, |class| class as usize);
        let cell = &mut self.cells[coil.verdict() as usize][said as usize][class];
        cell.coils += 1;
        let Some(nok) = coil.label_nok() else { return };
        cell.counted[usize::from(nok)] += 1;
        if coil.volunteered() {
            cell.volunteered[usize::from(nok)] += 1;
            return;
        }
        let weight = coil.drawn().map_or(1.0, f64::recip);
        *if nok { &mut cell.nok } else { &mut cell.ok } += weight;
        cell.squares += weight * weight;
        cell.labelled += 1;
    }

    /// Those of one class alone (`None`: of coils whose class is not known).
    pub fn of_class(&self, class: Option<ToleranceClass>) -> Self {
        let keep = class.map_or(3, |class| class as usize);
        let mut out = Self::default();
        for (verdict, by_said) in self.cells.iter().enumerate() {
            for (said, by_class) in by_said.iter().enumerate() {
                out.cells[verdict][said][keep] = by_class[keep];
            }
        }
        out
    }

    /// All coils.
    pub fn coils(&self) -> u64 {
        self.flat().map(|(_, cell)| cell.coils).sum()
    }

    /// Coils with a label, whoever chose them.
    pub fn labelled(&self) -> u64 {
        self.flat().map(|(_, cell)| cell.counted.iter().sum::<u64>()).sum()
    }

    /// Labelled coils as they are, each counting once, whoever chose them.
    pub fn counted(&self) -> Confusion {
        self.confusion(|cell| cell.counted)
    }

    /// OK coils that somebody labelled unasked.
    pub fn volunteered(&self) -> Confusion {
        self.confusion(|cell| cell.volunteered)
    }

    /// OK coils that were drawn, with a label.
    pub fn drawn(&self) -> u64 {
        self.cells[Verdict::Ok as usize].iter().flatten().map(|cell| cell.labelled).sum()
    }

    /// Coils that went out as OK.
    pub fn passed(&self) -> u64 {
        self.cells[Verdict::Ok as usize].iter().flatten().map(|cell| cell.coils).sum()
    }

    /// Those alone that somebody is to look at: that went to NOK or REVIEW.
    pub fn looked_at(&self) -> Self {
        let mut out = self.clone();
        out.cells[Verdict::Ok as usize] = Default::default();
        out
    }

    fn confusion(&self, of: impl Fn(&Cell) -> [u64; 2]) -> Confusion {
        let mut confusion = Confusion::default();
        for (said, cell) in self.flat() {
            let [ok, nok] = of(cell);
            confusion.add(said.nok(false), false, ok as f64);
            confusion.add(said.nok(true), true, nok as f64);
        }
        confusion
    }

    fn flat(&self) -> impl Iterator<Item = (Said, &Cell)> {
        let by_said = self.cells.iter().flat_map(|by_said| Said::ALL.into_iter().zip(by_said));
        by_said.flat_map(|(said, by_class)| by_class.iter().map(move |cell| (said, cell)))
    }

    /// What the labelled coils say of all.
    pub fn estimate(&self) -> Result<Estimated, Missing> {
        let all = self.coils();
        if all == 0 {
            return Err(Missing::Coils);
        }
        if self.labelled() == 0 {
            return Err(Missing::Labels);
        }
        let mut estimated = Estimated { groups: Vec::new(), left_out: 0 };
        for (verdict, by_said) in [Verdict::Ok, Verdict::Nok, Verdict::Review].into_iter().zip(&self.cells) {
            let whole = Cell::sum(&by_said.map(|by_class| Cell::sum(&by_class)));
            if whole.coils == 0 {
                continue;
            }
            if whole.labelled == 0 {
                let left_out = estimated.left_out + whole.coils;
                if verdict == Verdict::Ok || left_out as f64 > LEFT_OUT * all as f64 {
                    return Err(Missing::LabelsOf(verdict));
                }
                estimated.left_out = left_out;
                continue;
            }
            for (said, by_class) in Said::ALL.into_iter().zip(by_said) {
                let coin = 3 * verdict as usize + said as usize;
                estimated.groups.extend(groups(said, by_class, &whole, coin));
            }
        }
        Ok(estimated)
    }
}

/// Classes with enough labelled coils apart, the others together.
fn groups(said: Said, by_class: &[Cell; 4], whole: &Cell, coin: usize) -> Vec<Group> {
    let all = Cell::sum(by_class);
    if all.coils == 0 {
        return Vec::new();
    }
    if all.labelled == 0 {
        // Nobody has labelled one of which the judge said this: taken to be like the others of this verdict, and as
        // uncertain as one coil leaves it.
        let (nok, ok) = whole.effective();
        let centre = (nok + 0.5) / (nok + ok + 1.0);
        let (share_nok, seen) = (whole.share_nok(), (centre, 1.0 - centre));
        return vec![Group { said, coils: all.coils as f64, share_nok, seen, either: 0.0, coin }];
    }
    let (enough, few): (Vec<Cell>, Vec<Cell>) = by_class.iter().partition(|cell| cell.labelled >= ENOUGH);
    let few = Cell::sum(&few);
    let mut cells = enough;
    if few.coils > 0 && few.labelled < ENOUGH {
        cells = vec![all];
    } else if few.coils > 0 {
        cells.push(few);
    }
    let group = |cell: &Cell| Group {
        said,
        coils: cell.coils as f64,
        share_nok: cell.share_nok(),
        seen: cell.effective(),
        either: cell.coils as f64 / all.coils as f64,
        coin,
    };
    cells.iter().map(group).collect()
}

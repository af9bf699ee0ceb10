//! What is redrawn, left out or swapped as a whole: single coils, or everything a day produced.
//!
//! Coils of one day share a zinc bath, a set of rolls and a crew. Where their errors go together, coils taken one by one
//! make a sample look larger than it is; whole days do not (A. C. Davison, D. V. Hinkley, Bootstrap Methods and their
//! Application, 1997, section 3.8, redrawing clusters with replacement).

use std::collections::BTreeMap;
use std::ops::Range;

/// The rows of a sample, in units, the units in strata that are redrawn apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Units {
    /// Rows by index, unit after unit.
    rows: Vec<usize>,
    /// Where each stratum's units lie in `rows`.
    strata: Vec<Vec<Range<usize>>>,
}

impl Units {
    /// Every row a unit; strata as [`super::Bootstrap::interval_within`] takes them.
    pub fn rows(strata: &[Vec<usize>]) -> Self {
        let mut start = 0;
        let ranges = strata
            .iter()
            .map(|stratum| {
                let first = start;
                start += stratum.len();
                (first..start).map(|i| i..i + 1).collect()
            })
            .collect();
        Self { rows: strata.concat(), strata: ranges }
    }

    /// Every coil a unit, NOK and OK coils apart: every draw has the sample's share of NOK.
    pub fn by_label(nok: &[bool]) -> Self {
        let (positives, negatives): (Vec<usize>, Vec<usize>) = (0..nok.len()).partition(|&i| nok[i]);
        Self::rows(&[positives, negatives])
    }

    /// All rows of one key a unit (the day of each coil, say), in one stratum, in order of the keys. The share of NOK then
    /// differs from draw to draw, as it does from day to day.
    pub fn clusters<K: Ord>(keys: &[K]) -> Self {
        let mut by_key: BTreeMap<&K, Vec<usize>> = BTreeMap::new();
        for (row, key) in keys.iter().enumerate() {
            by_key.entry(key).or_default().push(row);
        }
        let mut rows = Vec::with_capacity(keys.len());
        let ranges = by_key
            .into_values()
            .map(|of_key| {
                let start = rows.len();
                rows.extend(of_key);
                start..rows.len()
            })
            .collect();
        Self { rows, strata: vec![ranges] }
    }

    /// How many units there are.
    pub fn count(&self) -> usize {
        self.strata.iter().map(Vec::len).sum()
    }

    /// Every row once, unit after unit.
    pub fn all(&self) -> &[usize] {
        &self.rows
    }

    /// The units' rows, stratum after stratum.
    pub fn iter(&self) -> impl Iterator<Item = &[usize]> {
        self.strata.iter().flatten().map(|range| &self.rows[range.clone()])
    }

    /// Appends a draw to `rows`: as many units of each stratum as it has, each with repetition; `pick` gives a number
    /// below its argument.
    pub(super) fn draw(&self, mut pick: impl FnMut(usize) -> usize, rows: &mut Vec<usize>) {
        for stratum in &self.strata {
            for _ in 0..stratum.len() {
                rows.extend_from_slice(&self.rows[stratum[pick(stratum.len())].clone()]);
            }
        }
    }

    /// For each stratum the parts to leave out, one at a time, for a jackknife: each a unit or, where there are more than
    /// `most`, a group of every `most`-th unit.
    pub(super) fn parts(&self, most: usize) -> Vec<Vec<Part<'_>>> {
        let all = self.strata.iter();
        all.map(|units| {
            let step = units.len().min(most).max(1);
            (0..units.len().min(most)).map(|first| Part { rows: &self.rows, units, first, step }).collect()
        })
        .collect()
    }
}

/// Some of a stratum's units.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'a> {
    rows: &'a [usize],
    units: &'a [Range<usize>],
    first: usize,
    step: usize,
}

impl Part<'_> {
    /// Writes all rows but those of the part.
    pub(super) fn rest(&self, rest: &mut Vec<usize>) {
        rest.clear();
        let mut from = 0;
        for unit in self.units.iter().skip(self.first).step_by(self.step) {
            rest.extend_from_slice(&self.rows[from..unit.start]);
            from = unit.end;
        }
        rest.extend_from_slice(&self.rows[from..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rests(units: &Units, most: usize) -> Vec<Vec<Vec<usize>>> {
        let rest = |part: &Part| {
            let mut rest = Vec::new();
            part.rest(&mut rest);
            rest
        };
        units.parts(most).iter().map(|parts| parts.iter().map(rest).collect()).collect()
    }

    #[test]
    fn coils_by_label() {
        let units = Units::by_label(&[false, true, false, false]);
        assert_eq!(units, Units::rows(&[vec![1], vec![0, 2, 3]]));
        assert_eq!((units.count(), units.all()), (4, [1, 0, 2, 3].as_slice()));
        let mut rows = Vec::new();
        units.draw(|below| below - 1, &mut rows);
        assert_eq!(rows, [1, 3, 3, 3]);
        assert_eq!(
            rests(&units, 9),
            [vec![vec![0, 2, 3]], vec![vec![1, 2, 3], vec![1, 0, 3], vec![1, 0, 2]]]
        );
        // At most two parts a stratum: units 0 and 2 of the second go together.
        assert_eq!(rests(&units, 2), [vec![vec![0, 2, 3]], vec![vec![1, 2], vec![1, 0, 3]]]);
    }

    #[test]
    fn days_stay_whole() {
        let units = Units::clusters(&["tue", "mon", "tue", "wed"]);
        assert_eq!(units.iter().collect::<Vec<_>>(), [[1].as_slice(), &[0, 2], &[3]]);
        let mut rows = Vec::new();
        let mut picks = [1, 0, 1].into_iter();
        units.draw(|_| picks.next().unwrap(), &mut rows);
        assert_eq!(rows, [0, 2, 1, 0, 2]);
        assert_eq!(rests(&units, 9), [[vec![0, 2, 3], vec![1, 3], vec![1, 0, 2]]]);
    }

    #[test]
    fn nothing_has_no_parts() {
        assert_eq!(Units::by_label(&[]).count(), 0);
        assert!(rests(&Units::clusters::<u8>(&[]), 5)[0].is_empty());
        assert_eq!(rests(&Units::by_label(&[true]), 5), [vec![Vec::new()], Vec::<Vec<usize>>::new()]);
    }
}

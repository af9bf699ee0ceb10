//! A new reference by a person's word: of everything, or of one gauge that was exchanged.

use super::{Coil, LESSON, Look, UNKNOWN, Watch};

impl Watch {
    /// A new reference of everything that is compared: the next coils are it. What was found is over.
    pub fn renew(&mut self) {
        let columns = std::mem::take(&mut self.columns);
        *self = Self {
            looks: vec![Look::default(); columns.len()],
            columns,
            ..Self::new(self.config.clone(), &[])
        };
    }

    /// A new reference of one gauge, by its column: the next coils are it; of all others nothing changes.
    pub fn renew_gauge(&mut self, gauge: usize) {
        self.renewed.insert(gauge, (Vec::new(), 0));
        for coil in &mut self.recent {
            coil.columns = coil.columns.clone().without_gauge(gauge);
        }
        self.learn_renewed(gauge);
        self.gauges[gauge] = UNKNOWN;
        (self.gauges_since[gauge], self.well[gauge], self.off[gauge]) = (None, 0, None);
        for (column, look) in self.columns.iter().zip(&mut self.looks) {
            if column.gauge == Some(gauge) {
                *look = Look::default();
            }
        }
    }

    /// Holds a gauge of which a new reference was taken against what there is of it.
    pub(super) fn learn_renewed(&mut self, gauge: usize) {
        let (Some(neighbours), Some((coils, _))) = (&mut self.neighbours, self.renewed.get(&gauge)) else {
            return;
        };
        let offsets: Vec<_> = coils.iter().map(|coil| coil.columns.offsets()).collect();
        neighbours.renew(gauge, &offsets, self.config.min_reference / 2);
    }

    pub(super) fn refer_renewed(&mut self, coil: &Coil) {
        let (wanted, min) = (self.config.reference, self.config.min_reference);
        let mut learn = Vec::new();
        for (gauge, (coils, after)) in &mut self.renewed {
            if coils.len() == wanted {
                *after += 1;
                continue;
            }
            coils.push(coil.clone());
            let n = coils.len();
            if n == wanted || n == min || (n > min && n.is_multiple_of(LESSON)) {
                learn.push(*gauge);
            }
        }
        for gauge in learn {
            self.learn_renewed(gauge);
        }
    }
}

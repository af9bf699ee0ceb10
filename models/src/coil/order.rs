//! What the customer ordered: within sense, or not there.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How much a customer bears: the ordered tolerance class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ToleranceClass {
    /// Exposed automotive parts: the strictest.
    A,
    /// Unexposed parts.
    B,
    /// Building: the most lenient.
    C,
}

impl ToleranceClass {
    /// All of them, strictest first.
    pub const ALL: [Self; 3] = [Self::A, Self::B, Self::C];

    /// Its letter.
    pub fn letter(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
        }
    }
}

impl fmt::Display for ToleranceClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.letter())
    }
}

impl std::str::FromStr for ToleranceClass {
    type Err = OrderFault;
    fn from_str(text: &str) -> Result<Self, OrderFault> {
        Self::ALL.into_iter().find(|class| class.letter() == text).ok_or(OrderFault::ToleranceClass)
    }
}

/// What the customer ordered. Within sense once built.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "OrderFields", into = "OrderFields")]
pub struct Order {
    nominal_g_m2: f64,
    tolerance_class: ToleranceClass,
    width_mm: f64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OrderFields {
    nominal_g_m2: f64,
    tolerance_class: ToleranceClass,
    width_mm: f64,
}

/// Which of the order data make no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum OrderFault {
    /// Not there, not a number, or outside 5 to 300 g/m2 a side.
    #[error("the ordered weight is missing or outside 5 to 300 g/m2 a side")]
    NominalWeight,
    /// Not there, or none of A, B, C.
    #[error("the tolerance class is missing or none of A, B, C")]
    ToleranceClass,
    /// Not there, not a number, or outside 200 to 3000 mm.
    #[error("the strip width is missing or outside 200 to 3000 mm")]
    Width,
}

impl Order {
    /// Checks the three against what a galvanizing line can be asked for.
    pub fn new(
        nominal_g_m2: f64,
        tolerance_class: ToleranceClass,
        width_mm: f64,
    ) -> Result<Self, OrderFault> {
        if !(5.0..=300.0).contains(&nominal_g_m2) {
            return Err(OrderFault::NominalWeight);
        }
        if !(200.0..=3000.0).contains(&width_mm) {
            return Err(OrderFault::Width);
        }
        Ok(Self { nominal_g_m2, tolerance_class, width_mm })
    }

    /// Ordered coating weight per side, g/m2.
    pub fn nominal_g_m2(&self) -> f64 {
        self.nominal_g_m2
    }

    /// The customer's tolerance class.
    pub fn tolerance_class(&self) -> ToleranceClass {
        self.tolerance_class
    }

    /// Strip width, mm.
    pub fn width_mm(&self) -> f64 {
        self.width_mm
    }

    /// The most a reading of this coil may be and still be believed: twice the order, g/m2.
    pub fn max_reading(&self) -> f64 {
        2.0 * self.nominal_g_m2
    }
}

impl TryFrom<OrderFields> for Order {
    type Error = OrderFault;
    fn try_from(f: OrderFields) -> Result<Self, OrderFault> {
        Self::new(f.nominal_g_m2, f.tolerance_class, f.width_mm)
    }
}

impl From<Order> for OrderFields {
    fn from(o: Order) -> Self {
        Self { nominal_g_m2: o.nominal_g_m2, tolerance_class: o.tolerance_class, width_mm: o.width_mm }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_out_of_sense_are_refused() {
        use ToleranceClass::A;
        assert!(Order::new(70.0, A, 1250.0).is_ok());
        assert_eq!(Order::new(-3.0, A, 1250.0), Err(OrderFault::NominalWeight));
        assert_eq!(Order::new(f64::NAN, A, 1250.0), Err(OrderFault::NominalWeight));
        assert_eq!(Order::new(70.0, A, 0.0), Err(OrderFault::Width));
        assert_eq!("Z".parse::<ToleranceClass>(), Err(OrderFault::ToleranceClass));
    }
}

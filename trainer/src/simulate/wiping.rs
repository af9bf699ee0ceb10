//! How much zinc an air knife leaves on the strip.
//!
//! In the film under the knife viscosity balances gravity and the gradient of the jet's pressure. The flux that can
//! pass the steepest gradient is what stays on the strip (Thornton & Graff 1976; Tuck 1983):
//!
//! `h = 2/3 · √( μ V / (ρ g + dp/dx) )`
//!
//! The pressure on the strip under a plane jet is a bell that becomes lower and wider with distance: beyond the
//! potential core of about six slot widths its peak falls as slot/distance, and its half-width grows as 0.11 of the distance. So
//! weight goes as `√V · distance / √(pressure · slot)`. Shear of the wall jet takes off some more (Ellen & Tu 1984),
//! here a constant factor. Elsaadawy et al. (2007) found a model of this form within a few g/m2 of a line's data.

/// Liquid zinc's density at 460 °C, kg/m3.
const DENSITY: f64 = 6600.0;
/// Its viscosity, Pa s.
const VISCOSITY: f64 = 3.5e-3;
/// m/s2.
const GRAVITY: f64 = 9.81;
/// The knife's slot as built, mm.
pub const SLOT_MM: f64 = 1.0;
/// The nearest that a strip comes to a knife's lip before it would touch, mm.
pub const NEAREST_MM: f64 = 3.0;
/// The jet's peak pressure on the strip is this many slots over the distance of that in the knife.
const CORE_SLOTS: f64 = 6.0;
/// Half-width of the pressure's bell over distance.
const SPREAD: f64 = 0.11;
/// Steepest slope of a bell of unit height and half-width: √(2 ln 2)·e^(−1/2).
const STEEPEST: f64 = 0.7141;
/// What the wall jet's shear leaves of the film.
const SHEAR: f64 = 0.7;
/// Grams in a kilogram times what shear leaves, and two thirds of a film's density.
const SCALE: f64 = 1000.0 * SHEAR * 2.0 / 3.0 * DENSITY;

/// Coating weight of one side, g/m2, from strip speed (m/s), knife pressure (kPa), distance and slot (mm).
pub fn coating_g_m2(speed_m_s: f64, pressure_kpa: f64, distance_mm: f64, slot_mm: f64) -> f64 {
    let gradient = DENSITY * GRAVITY + 1000.0 * pressure_kpa.max(0.0) * slope_per_m(distance_mm, slot_mm);
    SCALE * (VISCOSITY * speed_m_s.max(0.0) / gradient).sqrt()
}

/// The pressure (kPa) that leaves `weight_g_m2` on the strip: [`coating_g_m2`] solved for it.
pub fn pressure_kpa(weight_g_m2: f64, speed_m_s: f64, distance_mm: f64) -> f64 {
    let gradient = VISCOSITY * speed_m_s * (SCALE / weight_g_m2).powi(2);
    ((gradient - DENSITY * GRAVITY) / slope_per_m(distance_mm, SLOT_MM) / 1000.0).max(0.0)
}

/// Steepest pressure gradient on the strip, per metre, of a unit pressure in the knife.
fn slope_per_m(distance_mm: f64, slot_mm: f64) -> f64 {
    let distance = distance_mm.max(NEAREST_MM);
    let peak = (CORE_SLOTS * slot_mm.max(0.0) / distance).min(1.0);
    STEEPEST * peak / (SPREAD * distance / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ordinary_settings_give_an_ordinary_coating() {
        // Z275 is 137.5 g/m2 a side, Z100 is 50: lines wipe between them with some 10 to 60 kPa.
        let w = coating_g_m2(2.0, 30.0, 12.0, SLOT_MM);
        assert!((85.0..110.0).contains(&w), "{w}");
        assert!((10.0..40.0).contains(&pressure_kpa(137.5, 2.5, 14.0)), "{}", pressure_kpa(137.5, 2.5, 14.0));
        assert!((30.0..90.0).contains(&pressure_kpa(50.0, 2.5, 8.5)), "{}", pressure_kpa(50.0, 2.5, 8.5));
    }

    #[test]
    fn powers_are_those_of_the_textbook() {
        // Where gravity hardly counts: sqrt of speed, one over sqrt of pressure, proportional to distance.
        let w = |v, p, d| coating_g_m2(v, p, d, SLOT_MM);
        assert!((w(2.0, 40.0, 12.0) / w(1.0, 40.0, 12.0) - 2.0_f64.sqrt()).abs() < 1e-9);
        assert!((w(2.0, 20.0, 12.0) / w(2.0, 40.0, 12.0) - 2.0_f64.sqrt()).abs() < 0.02);
        assert!((w(2.0, 40.0, 16.0) / w(2.0, 40.0, 8.0) - 2.0).abs() < 0.03);
    }

    proptest! {
        #[test]
        fn signs_are_right(v in 0.5_f64..4.0, p in 5.0_f64..90.0, d in 7.5_f64..20.0, more in 1.01_f64..2.0) {
            let w = coating_g_m2(v, p, d, SLOT_MM);
            prop_assert!(coating_g_m2(v * more, p, d, SLOT_MM) > w, "faster is heavier");
            prop_assert!(coating_g_m2(v, p * more, d, SLOT_MM) < w, "more pressure is lighter");
            prop_assert!(coating_g_m2(v, p, d * more, SLOT_MM) > w, "farther is heavier");
            prop_assert!(coating_g_m2(v, p, d * more, SLOT_MM * more) > w);
            prop_assert!(coating_g_m2(v, p, d, SLOT_MM / more) > w, "a blocked slot is heavier");
        }

        #[test]
        fn pressure_and_weight_are_inverse(w in 30.0_f64..160.0, v in 1.5_f64..3.0, d in 8.0_f64..16.0) {
            let p = pressure_kpa(w, v, d);
            prop_assert!((coating_g_m2(v, p, d, SLOT_MM) - w).abs() < 1e-6 * w);
        }
    }
}

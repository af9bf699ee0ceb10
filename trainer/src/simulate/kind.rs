//! The kinds of defect that galvanizing people know by name, each with its figures and a source in one table.
//!
//! Sources describe what a defect is and what makes it; how often, how long and how strong it is here are round
//! figures of ours. `[n]` refers to:
//!
//! 1. Defect Gallery, Galvanized CRCA Products: a line's catalogue of defects with definitions, root causes and grades
//!    of severity (2013; scribd.com/document/638626001), from which most names are taken.
//! 2. P. Saravanan, S. Srikanth, Surface defects and their control in hot dip galvanized and galvannealed sheets,
//!    International Journal of Advanced Research in Chemical Science 5(11), 11-23 (2018).
//! 3. So et al., CFD analysis of sag line formation on the zinc-coated steel strip after the gas-jet wiping in the
//!    continuous hot-dip galvanizing process, ISIJ International 51, 115 (2011).
//! 4. Microscopic analysis and simulation of check-mark stain on the galvanized steel strip, APS Division of Fluid
//!    Dynamics meeting (2010): oblique V, W and X patterns by vortices that wander along the stagnation line.
//! 5. A noble gas wiping system to prevent the edge overcoating in continuous hot-dip galvanizing, ISIJ International
//!    (abstract): vortices where the opposed jets meet beside the strip.
//! 6. P. Löfgren, M. Molander, O. Sjödén, Galvanizing support, ABB Review 1/2007: vibration costs 5 to 15 g/m2 of zinc,
//!    variation falls from 10 % to 7.5 % where the strip is stabilized.
//! 7. M. Schyns et al., Enhanced coating thickness control in hot dip galvanising, EUR 20206 (2002).
//! 8. Coating mass control system design for a continuous galvanizing line (abstract): feedback and feedforward over a
//!    gauge's delay; patent application EP 3854905: measured after the film is solid, hence very late.
//! 9. Six common steel defects, teampacesetter.com: bare spots by deposits and roll pick-up; roll marks repeat.
//!
//! Written from memory, not looked up for this table: A. R. Marder, The metallurgy of zinc-coated steel, Progress in
//! Materials Science 45 (2000), for bare spots and dross; nicks in a knife's lip; sink rolls of 0.6 to 0.8 m.

use serde::{Deserialize, Serialize};

/// What kind of defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A bead of zinc along an edge, on both sides.
    EdgeOvercoat,
    /// Dross in a knife's slot lets out less gas: a heavy streak along the strip.
    CloggedNozzle,
    /// A nick in a knife's lip lets out more: a thin streak.
    KnifeNick,
    /// Steel that did not take zinc.
    BareSpot,
    /// The strip flutters or bows towards one knife: a thin patch, and a heavy one behind it.
    Flutter,
    /// Knife or strip swings: bands across the strip.
    Chatter,
    /// Particles in the film: rough, here heavy and there thin.
    Dross,
    /// The film sags before it is solid: slanting waves, on heavy coatings more than on light ones.
    SagLines,
    /// Pressure does not follow the speed around a weld: a thin head or tail.
    WeldTransient,
    /// Pressure jumps; the regulation of weight takes it back slowly.
    PressureStep,
    /// The strip runs nearer to one knife than to the other: one side thin, the other thick.
    OneSided,
    /// A roll in the bath or above it prints the same spot at every turn.
    RollMark,
    /// Oblique streaks that wander across in zigzag. Does not occur unless a plan says so: a kind nobody knows yet.
    CheckMark,
}

/// How a kind looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Profile {
    /// How often it occurs among flaws, in percent.
    pub frequency: f64,
    /// Mildest and worst: relative change of slot, film or pressure, or mm of distance.
    pub strength: (f64, f64),
    /// Shortest and longest along the strip, m.
    pub length_m: (f64, f64),
    /// Narrowest and widest half-width across, mm; 0 for what goes all across.
    pub half_width_mm: (f64, f64),
    /// Shortest and longest distance between repetitions, m.
    pub period_m: (f64, f64),
    /// Where it is described: numbers of the list above.
    pub source: &'static str,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::EdgeOvercoat,
        Self::CloggedNozzle,
        Self::KnifeNick,
        Self::BareSpot,
        Self::Flutter,
        Self::Chatter,
        Self::Dross,
        Self::SagLines,
        Self::WeldTransient,
        Self::PressureStep,
        Self::OneSided,
        Self::RollMark,
        Self::CheckMark,
    ];

    /// Its name in plans and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::EdgeOvercoat => "edge_overcoat",
            Self::CloggedNozzle => "clogged_nozzle",
            Self::KnifeNick => "knife_nick",
            Self::BareSpot => "bare_spot",
            Self::Flutter => "flutter",
            Self::Chatter => "chatter",
            Self::Dross => "dross",
            Self::SagLines => "sag_lines",
            Self::WeldTransient => "weld_transient",
            Self::PressureStep => "pressure_step",
            Self::OneSided => "one_sided",
            Self::RollMark => "roll_mark",
            Self::CheckMark => "check_mark",
        }
    }

    /// The table.
    pub fn profile(self) -> Profile {
        let row = |frequency, strength, length_m, half_width_mm, period_m, source| Profile {
            frequency,
            strength,
            length_m,
            half_width_mm,
            period_m,
            source,
        };
        // One that does not repeat.
        let once = (1.0, 1.0);
        // One that goes all across.
        let across = (0.0, 0.0);
        match self {
            //                          %     strength       length m        half-width mm   period m
            Self::EdgeOvercoat => row(10.0, (0.05, 0.8), (60.0, 1200.0), (40.0, 110.0), once, "[1, 5]"),
            Self::CloggedNozzle => {
                row(9.0, (0.05, 0.6), (30.0, 900.0), (40.0, 130.0), once, "[1] nozzle streak")
            }
            Self::KnifeNick => row(13.0, (0.05, 1.1), (30.0, 900.0), (40.0, 130.0), once, "[1], memory"),
            Self::BareSpot => {
                row(9.0, (0.15, 1.0), (0.5, 6.0), (40.0, 120.0), once, "[1] uncoated, [2, 9], memory")
            }
            Self::Flutter => row(14.0, (0.4, 6.0), (8.0, 120.0), (100.0, 350.0), once, "[6, 7]"),
            Self::Chatter => row(7.0, (0.2, 3.5), (40.0, 500.0), across, (6.0, 45.0), "[1, 6]"),
            Self::Dross => row(9.0, (0.005, 0.25), (5.0, 120.0), (80.0, 500.0), once, "[1, 2], memory"),
            Self::SagLines => row(6.0, (0.03, 0.45), (30.0, 400.0), across, (1.5, 5.0), "[1, 3]"),
            Self::WeldTransient => row(9.0, (0.1, 1.2), (15.0, 110.0), across, once, "[8]"),
            Self::PressureStep => row(7.0, (0.05, 0.9), (40.0, 400.0), across, once, "[7, 8]"),
            Self::OneSided => row(4.0, (0.3, 4.0), (60.0, 400.0), across, once, "[6, 7]"),
            Self::RollMark => {
                row(3.0, (0.1, 0.9), (60.0, 900.0), (40.0, 110.0), (1.9, 2.6), "[1, 9], memory")
            }
            Self::CheckMark => row(0.0, (0.05, 0.8), (60.0, 600.0), (60.0, 140.0), (8.0, 24.0), "[4]"),
        }
    }
}

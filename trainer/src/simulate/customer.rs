//! Who orders what, and how much each bears: the order mix.

use std::collections::BTreeMap;

use coilsight_models::coil::{Order, ToleranceClass};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::kind::Kind;
use super::period::Place;
use super::{Plan, Stream, rng};

/// A customer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Customer {
    /// What the customer is called.
    pub name: String,
    /// The tolerance class ordered.
    pub class: ToleranceClass,
    /// How much is ordered, against the others' shares.
    pub share: f64,
    /// Usual weights, g/m2 a side, each as often as the other.
    pub weights: Vec<f64>,
    /// Narrowest and widest strip, mm, in steps of 50.
    pub widths_mm: (u32, u32),
    /// How many times as much of a kind of defect as its class does, where it is not once.
    #[serde(default)]
    pub bears: BTreeMap<Kind, f64>,
}

impl Customer {
    /// How likely one of its coils is NOK, against one of class B: the shares of a line that makes all the same for
    /// everybody, as this one does with natural flaws.
    fn risk(&self) -> f64 {
        match self.class {
            ToleranceClass::A => 2.0,
            ToleranceClass::B => 1.0,
            ToleranceClass::C => 0.25,
        }
    }
}

/// Six customers of a line of this kind; their names are made up.
pub(super) fn usual() -> Vec<Customer> {
    use ToleranceClass::{A, B, C};
    let customer = |name: &str, class, share, weights: &[f64], widths_mm, bears: &[(Kind, f64)]| Customer {
        name: name.to_owned(),
        class,
        share,
        weights: weights.to_vec(),
        widths_mm,
        bears: bears.iter().copied().collect(),
    };
    vec![
        // Outer panels: dross shows through the paint, an edge is trimmed off.
        customer(
            "Arden Bodies",
            A,
            3.0,
            &[50.0, 70.0],
            (1200, 1850),
            &[(Kind::Dross, 0.6), (Kind::EdgeOvercoat, 2.0)],
        ),
        customer("Bexley Motors", A, 2.0, &[50.0, 70.0, 100.0], (1000, 1700), &[(Kind::SagLines, 0.7)]),
        customer("Corrin Pressings", B, 2.0, &[50.0, 70.0, 100.0], (1000, 1600), &[]),
        customer(
            "Dunmore Appliances",
            B,
            2.0,
            &[40.0, 50.0, 70.0],
            (900, 1500),
            &[(Kind::Chatter, 0.7), (Kind::RollMark, 0.7)],
        ),
        // Thin spots rust, looks matter little.
        customer("Elgin Cladding", C, 2.0, &[100.0, 137.5], (1000, 1500), &[(Kind::BareSpot, 0.6)]),
        customer("Farrow Profiles", C, 1.0, &[70.0, 100.0, 137.5], (900, 1400), &[(Kind::EdgeOvercoat, 0.6)]),
    ]
}

/// Who ordered the coil, and what: one order for the whole campaign that it belongs to.
pub(super) fn ordered<'a>(plan: &'a Plan, place: &Place<'_>, index: u64) -> (&'a Customer, Order) {
    let mut campaign = rng(plan.seed, Stream::Campaign, index / plan.campaign);
    let customer = choose(plan, place, &mut campaign);
    let nominal = *customer.weights.choose(&mut campaign).expect("checked: a customer has a weight");
    let (narrowest, widest) = customer.widths_mm;
    let width_mm = 50 * campaign.random_range(narrowest.div_ceil(50)..=widest / 50);
    let order = Order::new(nominal, customer.class, f64::from(width_mm));
    (customer, order.expect("checked: within what a line can be asked for"))
}

fn choose<'a>(plan: &'a Plan, place: &Place<'_>, campaign: &mut ChaCha8Rng) -> &'a Customer {
    plan.customers
        .choose_weighted(campaign, |customer| place.period.share(customer))
        .expect("checked: somebody orders something")
}

/// The chance that a coil of this customer is NOK, so that over the period's mix the share asked for comes out.
pub(super) fn nok_chance(plan: &Plan, place: &Place<'_>, customer: &Customer) -> f64 {
    let wanted = place.period.nok_share.unwrap_or(plan.nok_share);
    let all: f64 = plan.customers.iter().map(|c| place.period.share(c)).sum();
    let share_at = |scale: f64| {
        let nok = |c: &Customer| place.period.share(c) * (scale * c.risk()).min(1.0);
        plan.customers.iter().map(nok).sum::<f64>() / all
    };
    // A coil is NOK for certain at most: what the strict cannot take on goes to the lenient.
    let (mut low, mut high) = (0.0, 4.0);
    for _ in 0..50 {
        let middle = 0.5 * (low + high);
        if share_at(middle) < wanted { low = middle } else { high = middle }
    }
    (high * customer.risk()).min(1.0)
}

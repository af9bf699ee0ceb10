//! How far inspectors agree with each other, with themselves, and with the models, on coils that they judged blind.
//! Where two people differ a model can be right for one of them only: it agrees with them on at most (1 + a) / 2 of the
//! coils in the mean, where a is the share on which they agree. It may well agree with each of them more often than they
//! with each other: two who are each right nine times in ten, by themselves, say the same of 82 %, and a model that is
//! always right agrees with each on 90 %.

use super::kappa::{self, Agreed};
use coilsight_models::message::inbound::Label;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// An inspector's answer in a blind session. Of several to one item in one round the last counts.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The item.
    pub item: &'a str,
    /// Who.
    pub inspector: &'a str,
    /// 1 or 2.
    pub round: u8,
    /// OK or NOK.
    pub label: Label,
}

/// What a model, or the ensemble, said of an item.
#[derive(Clone, Copy, Debug)]
pub struct JudgeSaid<'a> {
    /// The item.
    pub item: &'a str,
    /// The model's name; `ensemble` for all of them together.
    pub judge: &'a str,
    /// OK or NOK.
    pub label: Label,
}

/// The body of `agreement` in `GET /api/v1/rejudge`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Agreement {
    /// Who answered.
    pub inspectors: Vec<String>,
    /// Each two inspectors, by their first answers.
    pub between: Vec<Pair>,
    /// All inspectors together, by their first answers, if they are three or more.
    pub among: Option<Among>,
    /// Each inspector with themselves: the first round against the second.
    pub within: Vec<Pair>,
    /// Each inspector's first answers with the ensemble and each model.
    pub models: Vec<Pair>,
    /// What it comes to, for programs that say it in another language.
    pub summary: Summary,
    /// What it comes to, for people.
    pub text: String,
}

/// Mean shares of coils of which two said the same; `None` where no two have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Two inspectors.
    pub between: Option<f64>,
    /// On how many a model can agree with two inspectors at most, in the mean.
    pub at_most: Option<f64>,
    /// An inspector who is asked again.
    pub within: Option<f64>,
    /// An inspector and the ensemble.
    pub ensemble: Option<f64>,
}

/// Two who labelled the same coils.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pair {
    /// One.
    pub a: String,
    /// The other; in `within` the same inspector.
    pub b: String,
    /// How far they agree.
    #[serde(flatten)]
    pub agreed: Agreed,
    /// The same for people.
    pub text: String,
}

/// Three or more who labelled the same coils.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Among {
    /// How far they agree.
    #[serde(flatten)]
    pub agreed: Agreed,
    /// The same for people.
    pub text: String,
}

/// Labels by item: whether NOK.
type Labels<'a> = BTreeMap<&'a str, bool>;

/// How far all agree; `None` without an answer. Answers of other rounds than 1 and 2 are passed over.
pub fn agreement(answers: &[Answer], said: &[JudgeSaid]) -> Option<Agreement> {
    let (mut rounds, mut judges) = ([BTreeMap::new(), BTreeMap::new()], BTreeMap::new());
    for answer in answers.iter().filter(|answer| (1..=2).contains(&answer.round)) {
        let labels: &mut Labels = rounds[usize::from(answer.round - 1)].entry(answer.inspector).or_default();
        labels.insert(answer.item, answer.label == Label::Nok);
    }
    for said in said {
        let labels: &mut Labels = judges.entry(said.judge).or_default();
        labels.insert(said.item, said.label == Label::Nok);
    }
    let [first, second] = rounds;
    let inspectors: BTreeSet<&str> = first.keys().chain(second.keys()).copied().collect();
    if inspectors.is_empty() {
        return None;
    }
    let names: Vec<&str> = first.keys().copied().collect();
    let two = names.iter().enumerate().flat_map(|(i, a)| names[i + 1..].iter().map(move |b| (*a, *b)));
    let between: Vec<Pair> =
        two.filter_map(|(a, b)| pair(a, b, &first[a], &first[b], &format!("{a} and {b}"))).collect();
    let within: Vec<Pair> = names
        .iter()
        .filter_map(|name| {
            pair(name, name, &first[name], second.get(name)?, &format!("{name} and {name}, asked again,"))
        })
        .collect();
    // The ensemble first.
    let mut by_judge: Vec<(&&str, &Labels)> = judges.iter().collect();
    by_judge.sort_by_key(|(judge, _)| **judge != "ensemble");
    let with = |(judge, labels): (&&str, &Labels)| {
        let of = |name: &&str| {
            let who = if *judge == "ensemble" { "the ensemble".to_owned() } else { format!("model {judge}") };
            pair(name, judge, &first[name], labels, &format!("{name} and {who}"))
        };
        names.iter().filter_map(of).collect::<Vec<_>>()
    };
    let models: Vec<Pair> = by_judge.into_iter().flat_map(with).collect();
    let among = among(&names, &first);
    let summary = Summary::of(&between, &within, &models);
    let text = summary.text();
    Some(Agreement {
        inspectors: inspectors.into_iter().map(String::from).collect(),
        between,
        among,
        within,
        models,
        summary,
        text,
    })
}

fn pair(a: &str, b: &str, first: &Labels, second: &Labels, who: &str) -> Option<Pair> {
    let both: Vec<(bool, bool)> =
        first.iter().filter_map(|(item, x)| Some((*x, *second.get(item)?))).collect();
    let agreed = (!both.is_empty()).then(|| kappa::two(&both))?;
    Some(Pair { a: a.to_owned(), b: b.to_owned(), agreed, text: sentence(who, &agreed) })
}

fn among(names: &[&str], first: &BTreeMap<&str, Labels>) -> Option<Among> {
    let labels: Vec<&Labels> = names.iter().map(|name| &first[name]).collect();
    let (one, others) = labels.split_first().filter(|(_, others)| others.len() >= 2)?;
    let nok_of = |item: &&str| {
        labels.iter().map(|labels| labels.get(item).map(|nok| u64::from(*nok))).sum::<Option<u64>>()
    };
    let nok: Vec<u64> = one.keys().filter_map(nok_of).collect();
    let agreed = (!nok.is_empty()).then(|| kappa::many(&nok, 1 + others.len() as u64))?;
    Some(Among { agreed, text: sentence(&format!("All {} inspectors", labels.len()), &agreed) })
}

fn sentence(who: &str, agreed: &Agreed) -> String {
    let mut text = format!("{who} said the same of {} of {} coils", agreed.alike, agreed.coils);
    let Some(kappa) = agreed.kappa else {
        let all = if agreed.all_nok > 0 { "NOK" } else { "OK" };
        return text
            + &format!(
                ", and called every one of them {all}: how far they agree on the others is not known."
            );
    };
    text = format!(
        "{text}; kappa {:.2} ({:.2} to {:.2}), {} agreement beyond chance.",
        kappa.value,
        kappa.low,
        kappa.high,
        grade(kappa.value)
    );
    if let Some(ac1) = agreed.ac1.filter(|ac1| ac1.value - kappa.value > 0.2) {
        text = format!(
            "{text} Nearly all of these coils were called the same class, which presses kappa down: by AC1, which bears that, {:.2} \
             ({:.2} to {:.2}).",
            ac1.value, ac1.low, ac1.high
        );
    }
    text
}

/// The words of J. R. Landis, G. G. Koch, The measurement of observer agreement for categorical data, Biometrics 33
/// (1977).
fn grade(kappa: f64) -> &'static str {
    match kappa {
        k if k < 0.0 => "poor",
        k if k <= 0.2 => "slight",
        k if k <= 0.4 => "fair",
        k if k <= 0.6 => "moderate",
        k if k <= 0.8 => "substantial",
        _ => "almost perfect",
    }
}

impl Summary {
    fn of(between: &[Pair], within: &[Pair], models: &[Pair]) -> Self {
        fn mean<'a>(pairs: impl Iterator<Item = &'a Pair>) -> Option<f64> {
            let shares: Vec<f64> = pairs.filter_map(|pair| Some(pair.agreed.observed?.value)).collect();
            (!shares.is_empty()).then(|| shares.iter().sum::<f64>() / shares.len() as f64)
        }
        let between = mean(between.iter());
        Self {
            between,
            at_most: between.map(|share| f64::midpoint(1.0, share)),
            within: mean(within.iter()),
            ensemble: mean(models.iter().filter(|pair| pair.b == "ensemble")),
        }
    }

    fn text(&self) -> String {
        let mut parts = Vec::new();
        if let Some((share, most)) = self.between.zip(self.at_most) {
            parts.push(format!(
                "Of these coils, of which some were chosen because they are doubtful, two inspectors say the same of {:.0} %; where \
                 they differ a model can be right for one of them only: it agrees with the two on at most {:.0} %.",
                100.0 * share,
                100.0 * most
            ));
        }
        if let Some(share) = self.within {
            parts.push(format!("Asked again, an inspector says the same of {:.0} %.", 100.0 * share));
        }
        if let Some(share) = self.ensemble {
            parts.push(format!("The ensemble says the same as an inspector of {:.0} %.", 100.0 * share));
        }
        if parts.is_empty() {
            "Nobody else has labelled the same coils yet.".to_owned()
        } else {
            parts.join(" ")
        }
    }
}

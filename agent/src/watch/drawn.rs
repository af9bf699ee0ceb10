//! Whether anybody looks at the OK coils that are drawn by lot. Without their words scores stand still and say nothing
//! of what passes, and look as though all were well.

use crate::book::{Book, Coil};
use crate::score::Draws;
use coilsight_models::message::notification::Subject;
use coilsight_models::message::status::{Trouble, Why};
use coilsight_models::verdict::Verdict;
use jiff::SignedDuration;

/// Without a draw so many times the coils among which one is drawn on average, no lot was cast: chance does that once in
/// 20,000 times.
const UNLUCKY: f64 = 10.0;
/// With a share of 0 it is told after so many OK coils: a line that has just begun is no trouble.
const FEWEST: f64 = 100.0;

/// What is told of draws, as long as it stands in the same words: else every coil would be news.
#[derive(Debug)]
pub(super) struct Drawing {
    rules: Draws,
    /// The share of OK coils that is to be drawn, 0 to 1.
    share: f64,
    told: Option<Trouble>,
}

impl Drawing {
    pub fn new(rules: Draws, share: f64) -> Self {
        Self { rules, share, told: None }
    }

    /// What a person must act on.
    pub fn trouble(&mut self, book: &Book) -> Option<Trouble> {
        let found = self.find(book.coils());
        let code =
            |of: &Option<Trouble>| of.as_ref().and_then(|of| of.why.as_ref()).map(|why| why.code.clone());
        if code(&found) != code(&self.told) {
            self.told = found;
        }
        self.told.clone()
    }

    fn find<'a>(&self, coils: impl DoubleEndedIterator<Item = &'a Coil>) -> Option<Trouble> {
        // OK coils since the last drawn one, and drawn ones since the last that somebody said something of.
        let (mut undrawn, mut waiting, mut oldest, mut newest) = (0_u64, 0_u64, None, None);
        for coil in coils.rev() {
            newest = newest.or(coil.closed_at);
            let drawn = coil.verdict == Verdict::Ok && coil.drawn.is_some();
            if !drawn {
                undrawn += u64::from(coil.verdict == Verdict::Ok && waiting == 0);
                continue;
            }
            if coil.words.label().is_some() {
                break;
            }
            waiting += 1;
            oldest = coil.closed_at.map(|at| (at, &coil.coil_id)).or(oldest);
        }
        let without = if self.share > 0.0 { UNLUCKY / self.share } else { FEWEST };
        if undrawn as f64 >= without {
            return Some(self.none_drawn(undrawn));
        }
        let days = SignedDuration::from_hours(24 * i64::from(self.rules.days));
        let long = newest.zip(oldest).is_some_and(|(now, (at, _))| now.duration_since(at) >= days);
        if waiting >= u64::from(self.rules.waiting) || long {
            return Some(unseen(waiting, oldest.map(|(_, coil_id)| &**coil_id)));
        }
        None
    }

    fn none_drawn(&self, coils: u64) -> Trouble {
        let why = if self.share > 0.0 { "none_drawn" } else { "draws_off" };
        let (text, to_do) = if self.share > 0.0 {
            (
                format!(
                    "none of the newest {coils} OK coils was drawn for a person to look at, of which {:.1} % should be: \
                     NOK coils that pass stay unknown, and scores say nothing of them",
                    100.0 * self.share
                ),
                "if line.review_share was raised of late, wait for the first draw; else please report it, with the log",
            )
        } else {
            (
                "no OK coils are drawn for a person to look at (line.review_share = 0): NOK coils that pass stay \
                 unknown, and scores say nothing of them"
                    .to_owned(),
                "set line.review_share (0.02 unless set otherwise), restart the agent, and have the drawn coils looked at",
            )
        };
        let why = Why::of(why).with("n", coils).with("share", self.share);
        Trouble { topic: Subject::Score, text, to_do: to_do.to_owned(), why: Some(why) }
    }
}

fn unseen(waiting: u64, since: Option<&str>) -> Trouble {
    let of = since.map_or_else(String::new, |coil_id| format!(", since coil {coil_id}"));
    let why = Why::of("drawn_unseen").with("n", waiting);
    let why = if let Some(coil_id) = since { why.with("since", coil_id) } else { why };
    Trouble {
        topic: Subject::Score,
        text: format!(
            "nobody looks at the OK coils that are drawn by lot: {waiting} wait{of}; scores stand still and say nothing \
             of what passes"
        ),
        to_do: "have somebody look at the drawn coils and say OK or NOK (queue \"Drawn\" of the page), the newest \
                first; if there is no time for so many, lower line.review_share"
            .to_owned(),
        why: Some(why),
    }
}

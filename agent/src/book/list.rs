//! Lists of coils, as the page asks for them: page by page, each from where the last one ended.

use super::{Book, Coil, Seq};
use coilsight_models::verdict::Verdict;

/// Coils looked at for one page of a list: a search that finds little goes on with the next page.
const MAX_LOOKED_AT: usize = 50_000;

/// Which coils.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Queue {
    /// All, newest first.
    #[default]
    All,
    /// REVIEW without a word that stands, oldest first: who waits longest is first.
    Review,
    /// OK coils drawn for review without a word that stands, oldest first.
    Drawn,
}

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Query<'a> {
    /// Which coils.
    pub queue: Queue,
    /// Only these.
    pub verdict: Option<Verdict>,
    /// Only coils whose id contains this, whatever the case.
    pub text: &'a str,
    /// Where the page before ended.
    pub after: Option<Seq>,
    /// At most so many.
    pub limit: usize,
}

/// A page of a list.
#[derive(Debug)]
pub struct Page<'a> {
    /// Its coils.
    pub coils: Vec<&'a Coil>,
    /// Where it ended, if there is more.
    pub next: Option<Seq>,
}

/// How many coils are in which queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// All that are at hand.
    pub all: usize,
    /// REVIEW without a word.
    pub review: usize,
    /// Drawn and without a word.
    pub drawn: usize,
}

impl Book {
    /// A page of a list.
    pub fn list(&self, query: &Query<'_>) -> Page<'_> {
        let span = self.span();
        let behind = query.after.map_or(0, |at| at.saturating_add(1));
        let before = query.after.map_or(span.end, |at| at.clamp(span.start, span.end));
        let places: Box<dyn Iterator<Item = Seq> + '_> = match query.queue {
            Queue::All => Box::new((span.start..before).rev()),
            Queue::Review => Box::new(self.review.range(behind..).copied()),
            Queue::Drawn => Box::new(self.drawn.range(behind..).copied()),
        };
        let text = query.text.to_lowercase();
        let mut page = Page { coils: Vec::new(), next: None };
        let mut last = None;
        for (looked, at) in places.enumerate() {
            if page.coils.len() >= query.limit || looked >= MAX_LOOKED_AT {
                page.next = last;
                break;
            }
            last = Some(at);
            let Some(coil) = self.get(at) else { continue };
            let wanted = query.verdict.is_none_or(|verdict| coil.verdict == verdict)
                && (text.is_empty() || coil.coil_id.to_lowercase().contains(&text));
            if wanted {
                page.coils.push(coil);
            }
        }
        page
    }

    /// How many coils are in which queue.
    pub fn counts(&self) -> Counts {
        Counts { all: self.coils.len(), review: self.review.len(), drawn: self.drawn.len() }
    }
}

//! Attacks on updates, by the names of TUF (specification, 1.5.2) and Uptane (threat model): what a refusal stops.

use std::fmt;

/// An attack that a refusal stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attack {
    /// Something is installed that nobody who is trusted made.
    ArbitraryInstallation,
    /// So much is sent that disk or memory give out.
    EndlessData,
    /// Something comes along that nobody signed.
    ExtraneousFiles,
    /// Counters are driven so far that nothing could ever follow.
    FastForward,
    /// What was good once is offered for ever, past its time.
    Freeze,
    /// Parts that were never meant for each other are put together.
    MixAndMatch,
    /// Something older than what the device has.
    Rollback,
    /// Keys in the wrong hands.
    KeyCompromise,
    /// What was made for another line or plant.
    WrongLine,
    /// So slowly that it never ends.
    SlowRetrieval,
    /// Pieces left out, cut or exchanged.
    PartialDelivery,
    /// An old list of keys, in which a revoked one is still good.
    ReplayedRevocation,
}

impl fmt::Display for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ArbitraryInstallation => "arbitrary installation",
            Self::EndlessData => "endless data",
            Self::ExtraneousFiles => "extraneous files",
            Self::FastForward => "fast-forward",
            Self::Freeze => "freeze",
            Self::MixAndMatch => "mix and match",
            Self::Rollback => "rollback",
            Self::KeyCompromise => "key compromise",
            Self::WrongLine => "wrong line",
            Self::SlowRetrieval => "slow retrieval",
            Self::PartialDelivery => "partial delivery",
            Self::ReplayedRevocation => "replayed revocation",
        })
    }
}

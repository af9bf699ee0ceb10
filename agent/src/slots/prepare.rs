//! The one way from a file to something that may be staged: verified, meant for this line, not seen before, and
//! scoring its golden coils here as it did at the trainer. Takes its time, so it is done beside the line.

use super::event::{Gist, Release, signed_by};
use super::state::State;
use super::store::Store;
use crate::line::{BundleJudge, Unfit};
use coilsight_models::bundle::manifest::{Content, Manifest, ModelSet};
use coilsight_models::bundle::{
    Attack, Here, Judging, Limits, NeedsAPerson, NotForHere, RefusedBundle, Sha256, TrustDocument,
    TrustedKeys, Verified, Version,
};
use coilsight_models::verdict::Policy;
use jiff::Timestamp;
use std::io::BufReader;

/// Where this is, and what it takes.
#[derive(Clone, Debug)]
pub struct Site {
    /// The plant.
    pub plant: String,
    /// The line.
    pub line: String,
    /// Caps on a bundle that comes.
    pub limits: Limits,
    /// This machine's clock, if it is set.
    pub clock: Option<Timestamp>,
}

/// A bundle that may be staged, and lies in the store.
pub struct Prepared {
    /// What it brings.
    pub release: Release,
    /// For the trail.
    pub gist: Gist,
    /// Loaded, its golden coils met.
    pub judge: BundleJudge,
}

/// What a bundle turned out to be.
pub enum Found {
    /// Something that can judge.
    Judge(Box<Prepared>),
    /// Other keys to believe.
    Trust {
        /// Them.
        document: Box<TrustDocument>,
        /// For the trail.
        gist: Gist,
    },
    /// What is in a slot already, or trust that is in force already.
    Known {
        /// What it is called by.
        fingerprint: Sha256,
        /// Its release.
        release: u64,
    },
}

/// Why a bundle is not staged. Each text says first what to do.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It is not what somebody who is trusted signed.
    #[error(transparent)]
    Bundle(#[from] RefusedBundle),
    /// It is not meant for this device.
    #[error(transparent)]
    NotForHere(#[from] NotForHere),
    /// It was released without a person, and may not be here.
    #[error(transparent)]
    NeedsAPerson(#[from] NeedsAPerson),
    /// Its release is another bundle's.
    #[error(
        "Build it anew with a release above {release}: this line had another bundle of that release ({})",
        Attack::Rollback
    )]
    SameRelease {
        /// Which.
        release: u64,
    },
    /// It was here and did not prove itself.
    #[error(
        "Build it anew with a higher release if it is really wanted: it was here and was given up, {why}"
    )]
    GivenUp {
        /// Why.
        why: String,
    },
    /// Keys by role cannot follow keys without roles.
    #[error(
        "Put a trust document at the line first (bundle.trust): this line believes keys without roles, which no bundle \
         changes ({})",
        Attack::KeyCompromise
    )]
    NoRoles,
    /// It does not work here.
    #[error("Build the set anew for this line's agent, or update the agent: it does not work here")]
    Unfit(#[from] Unfit),
    /// The disk.
    #[error("See to the disk and try again: the file cannot be read")]
    Unreadable(#[source] std::io::Error),
    /// Ours.
    #[error("Report this to the maker, with the bundle: verifying it ended without a result")]
    Died,
    /// The disk has no room for it, or fails.
    #[error("Make room on the disk, or see to it, and try again: the bundle cannot be kept")]
    Unkept(#[source] std::io::Error),
}

impl Refusal {
    /// The attack that this stops, if it looks like one.
    pub fn attack(&self) -> Option<Attack> {
        match self {
            Self::Bundle(refused) => refused.attack(),
            Self::NotForHere(refused) => refused.attack(),
            Self::NeedsAPerson(refused) => refused.attack(),
            Self::SameRelease { .. } => Some(Attack::Rollback),
            Self::NoRoles => Some(Attack::KeyCompromise),
            Self::GivenUp { .. } | Self::Unfit(_) | Self::Unreadable(_) | Self::Unkept(_) | Self::Died => {
                None
            }
        }
    }
}

/// Whether a manifest that enough trusted keys signed is meant for this line as it is.
pub fn is_wanted(manifest: &Manifest, site: &Site, state: &State) -> Result<(), Refusal> {
    let here = Here {
        plant: &site.plant,
        line: &site.line,
        agent: agent(),
        newest_release: state.newest.map(|(release, _)| release),
        signed_time: state.signed_time,
        clock: site.clock,
        active_set: state.active.as_ref().map(|release| release.set),
    };
    Ok(manifest.is_for(&here)?)
}

fn agent() -> Version {
    env!("CARGO_PKG_VERSION").parse().expect("this program's version is three numbers")
}

/// Puts the file at `path` through every check, and a copy of what passes into the store.
pub fn prepare(
    store: &Store,
    path: &str,
    keys: &TrustedKeys,
    site: &Site,
    state: &State,
) -> Result<Found, Refusal> {
    let file = store.read(path).map_err(Refusal::Unreadable)?;
    let bundle = Verified::read(BufReader::new(file), keys, &site.limits)?;
    let (manifest, fingerprint) = (bundle.manifest(), bundle.fingerprint());
    let gist = gist(&bundle);
    if let Content::Trust(document) = &manifest.content {
        let Some(in_force) = &state.trust else { return Err(Refusal::NoRoles) };
        is_wanted(manifest, site, state)?;
        if in_force == document {
            return Ok(Found::Known { fingerprint, release: manifest.release });
        }
        return Ok(Found::Trust { document: document.clone(), gist });
    }
    let slots = [&state.active, &state.last_good].into_iter().flatten();
    let candidate = state.candidate.as_ref().map(|candidate| &candidate.release);
    if slots.chain(candidate).any(|release| release.fingerprint() == fingerprint) {
        return Ok(Found::Known { fingerprint, release: manifest.release });
    }
    is_wanted(manifest, site, state)?;
    if let Some(why) = state.given_up.get(&fingerprint) {
        return Err(Refusal::GivenUp { why: why.clone() });
    }
    if let Some((release, _)) =
        state.newest.filter(|(release, other)| *release == manifest.release && *other != fingerprint)
    {
        return Err(Refusal::SameRelease { release });
    }
    if let (Some(role), Content::Set(set)) = (bundle.automatic(), &manifest.content) {
        let active = state.active.as_ref();
        let in_force = active.map(|release| in_force(store, release)).transpose()?;
        let here = Judging {
            line: &site.line,
            known_time: state.signed_time.max(site.clock),
            set: in_force.as_ref().map(|(set, _)| &**set),
            policy: in_force.as_ref().map(|(_, policy)| policy),
            release: active.map_or(0, |release| release.release),
        };
        role.allows(manifest, set, &here)?;
    }
    let (set, policy) = match &manifest.content {
        Content::Policy(change) => (change.set, Some(fingerprint)),
        Content::Set(_) | Content::Trust(_) | Content::Surfaces(_) => (fingerprint, None),
    };
    let release = Release {
        name: manifest.name.to_string(),
        release: manifest.release,
        floor: manifest.floor,
        not_after: manifest.not_after,
        set,
        policy,
    };
    let judge = match &manifest.content {
        Content::Policy(change) => {
            let judge = judge_of_set(store, set)?;
            judge.with_policy(change.policy.clone(), &release.name, release.release, fingerprint)
        }
        Content::Set(_) | Content::Trust(_) | Content::Surfaces(_) => BundleJudge::open(&bundle)?,
    };
    store.keep(path, fingerprint).map_err(Refusal::Unkept)?;
    Ok(Found::Judge(Box::new(Prepared { release, gist, judge })))
}

fn gist(bundle: &Verified) -> Gist {
    let manifest = bundle.manifest();
    let why = match &manifest.content {
        Content::Set(set) => {
            let p = &set.provenance;
            format!(
                "{} models of the run {}, {} coils ({} NOK) of {}",
                set.models.len(),
                p.run,
                p.coils,
                p.nok,
                p.set_name
            )
        }
        Content::Policy(change) => change.why.clone(),
        Content::Surfaces(library) => format!("{} classes of surfaces", library.classes.len()),
        Content::Trust(document) => {
            format!("{} keys, {} of them revoked for ever", document.keys.len(), document.revoked.len())
        }
    };
    let why = if bundle.automatic().is_some() { format!("released without a person: {why}") } else { why };
    Gist { signers: signed_by(bundle.signers()), why, created_at: manifest.created_at }
}

/// What is here was within the limit of its time: a lower one must not take the judge away.
const KEPT: Limits = Limits { total: 1 << 32, part: 1 << 32 };

/// Loads what is in a slot. Its signatures were checked when it was staged; keys may have changed since, and a set that
/// judges judges on. What the trail names is what was signed, to the byte.
pub fn open_judge(store: &Store, release: &Release) -> Result<BundleJudge, Refusal> {
    let judge = judge_of_set(store, release.set)?;
    let Some(fingerprint) = release.policy else { return Ok(judge) };
    let file = store.bundle(fingerprint).map_err(Refusal::Unreadable)?;
    let bundle = Verified::read_known(BufReader::new(file), fingerprint, &KEPT)?;
    let Content::Policy(change) = &bundle.manifest().content else {
        return Err(Unfit::NoPolicy.into());
    };
    // An open coil's policy may be in no slot any more: what it is called stands in its own bundle.
    let manifest = bundle.manifest();
    Ok(judge.with_policy(change.policy.clone(), manifest.name.as_str(), manifest.release, fingerprint))
}

/// The set and the policy that judge.
fn in_force(store: &Store, release: &Release) -> Result<(Box<ModelSet>, Policy), Refusal> {
    let known = |fingerprint| {
        let file = store.bundle(fingerprint).map_err(Refusal::Unreadable)?;
        let bundle = Verified::read_known(BufReader::new(file), fingerprint, &KEPT)?;
        Ok::<_, Refusal>(bundle.manifest().content.clone())
    };
    let Content::Set(set) = known(release.set)? else { return Err(Unfit::NoPolicy.into()) };
    let policy = match release.policy.map(known).transpose()? {
        Some(Content::Policy(change)) => change.policy,
        Some(_) => return Err(Unfit::NoPolicy.into()),
        None => set.policy.clone(),
    };
    Ok((set, policy))
}

fn judge_of_set(store: &Store, set: Sha256) -> Result<BundleJudge, Refusal> {
    let file = store.bundle(set).map_err(Refusal::Unreadable)?;
    let bundle = Verified::read_known(BufReader::new(file), set, &KEPT)?;
    Ok(BundleJudge::open(&bundle)?)
}

/// Whether a set is past its time, as far as anyone knows: by this machine's clock, or by what a trusted signer said.
pub fn is_past(release: &Release, clock: Option<Timestamp>, signed_time: Option<Timestamp>) -> bool {
    clock.max(signed_time).is_some_and(|now| now > release.not_after)
}

//! `trust`: whose keys the lines believe.

use super::meant::MeantFor;
use crate::release::{Change, Packing, trust};
use anyhow::{Context, bail, ensure};
use clap::{Args, Subcommand};
use coilsight_models::bundle::{Automatic, KeyRole, TrustDocument, TrustedKeys};
use jiff::{SignedDuration, Timestamp};
use std::path::{Path, PathBuf};

/// A first document.
const EXAMPLE: &str = "\
Two engineers, either of whom may release, and both of whom must sign a change of keys:

  coilsight-trainer trust new --build trainer.pub --release anna.pub --release ben.pub \\
    --trust anna.pub --trust ben.pub --require trust=2 --out trust-1.json";

/// Trust documents: which keys may build, release, and change the document itself.
///
/// Lines begin with a first document, put there by hand (`new`). Each further one is made from the one before
/// (`rotate`, `revoke`, `change`), packed as a bundle (`pack`), signed by enough trust keys of the old document and of
/// the new one (`bundle sign`, each person on a machine of their own), and taken to the lines like any bundle. Only
/// public keys are needed here.
#[derive(Debug, Subcommand)]
pub enum TrustCommand {
    /// Make the first document of a plant.
    #[command(after_long_help = EXAMPLE)]
    New {
        /// Public key of a trainer, which builds sets; may be repeated. The file's name becomes the key's.
        #[arg(long, value_name = "NAME.pub", required = true)]
        build: Vec<PathBuf>,
        /// Public key of somebody who releases to lines; may be repeated. No key both builds and releases.
        #[arg(long, value_name = "NAME.pub", required = true)]
        release: Vec<PathBuf>,
        /// Public key of somebody who may change this document; may be repeated.
        #[arg(long, value_name = "NAME.pub", required = true)]
        trust: Vec<PathBuf>,
        /// Public key that releases sets without a person; may be repeated. Nobody does, unless it is said.
        #[arg(long, value_name = "NAME.pub", requires = "automatic_line")]
        automatic: Vec<PathBuf>,
        /// Where and until when.
        #[command(flatten)]
        limits: AutomaticLimits,
        /// How many must sign.
        #[command(flatten)]
        require: Require,
        /// Where it goes.
        #[command(flatten)]
        out: Out,
    },
    /// Show a document, from its JSON or its bundle.
    Show {
        /// The document.
        #[arg(value_name = "FILE")]
        document: PathBuf,
        /// Print it as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Exchange a key for a new one of the same person, in all its roles. The old one was not stolen.
    Rotate {
        /// The document in force.
        #[arg(value_name = "OLD")]
        old: PathBuf,
        /// The key to exchange, by its name in the document.
        #[arg(long, value_name = "NAME")]
        key: String,
        /// The new public key.
        #[arg(long, value_name = "NAME.pub")]
        with: PathBuf,
        /// Where it goes.
        #[command(flatten)]
        out: Out,
    },
    /// Never believe a key again: it was lost or stolen.
    Revoke {
        /// The document in force.
        #[arg(value_name = "OLD")]
        old: PathBuf,
        /// The key, by its name in the document.
        #[arg(long, value_name = "NAME")]
        key: String,
        /// Since when and why; lines show it to whoever meets the key again.
        #[arg(long, value_name = "TEXT")]
        why: String,
        /// The public key that takes its roles.
        #[arg(long, value_name = "NAME.pub")]
        with: Option<PathBuf>,
        /// Forget the newest release and count on from this one. Only if the thief could sign releases, for they may
        /// have signed one so high that nothing would come after it. Holds for this version of the document alone.
        #[arg(long, value_name = "N")]
        restart_release: Option<u64>,
        /// How many must sign.
        #[command(flatten)]
        require: Require,
        /// Where it goes.
        #[command(flatten)]
        out: Out,
    },
    /// Add keys, let keys go, or ask for more or fewer signatures.
    Change {
        /// The document in force.
        #[arg(value_name = "OLD")]
        old: PathBuf,
        /// A role and the public key that gets it; may be repeated.
        #[arg(long, value_name = "ROLE=NAME.pub", value_parser = add)]
        add: Vec<(KeyRole, PathBuf)>,
        /// A key to let go from all its roles, without revoking it; may be repeated.
        #[arg(long, value_name = "NAME")]
        remove: Vec<String>,
        /// Where and until when sets are released without a person (`--add automatic=NAME.pub`).
        #[command(flatten)]
        limits: AutomaticLimits,
        /// How many must sign.
        #[command(flatten)]
        require: Require,
        /// Where it goes.
        #[command(flatten)]
        out: Out,
    },
    /// Pack a document as a bundle that waits for its signatures (`bundle sign`).
    Pack {
        /// The document.
        #[arg(value_name = "FILE")]
        document: PathBuf,
        /// Where it may be used.
        #[command(flatten)]
        meant: MeantFor,
        /// For how many days it is meant to be in force: past them lines warn, and go on.
        #[arg(long, default_value_t = 730)]
        valid_days: u32,
        /// The bundle to write.
        #[arg(long, value_name = "FILE.coilbundle")]
        out: PathBuf,
    },
}

/// Where and until when sets are released without a person.
#[derive(Debug, Args)]
pub struct AutomaticLimits {
    /// A line on which sets are released without a person; may be repeated.
    #[arg(id = "automatic_line", long = "automatic-line", value_name = "LINE", requires_all = ["automatic_from", "automatic_until"])]
    lines: Vec<String>,
    /// Not before, such as 2026-12-01T00:00:00Z.
    #[arg(
        id = "automatic_from",
        long = "automatic-from",
        value_name = "RFC3339",
        requires = "automatic_line"
    )]
    from: Option<Timestamp>,
    /// Not after; at most 366 days later.
    #[arg(
        id = "automatic_until",
        long = "automatic-until",
        value_name = "RFC3339",
        requires = "automatic_line"
    )]
    until: Option<Timestamp>,
}

impl AutomaticLimits {
    fn said(&self) -> Option<(Vec<String>, Timestamp, Timestamp)> {
        Some((self.lines.clone(), self.from?, self.until?))
    }
}

/// How many must sign.
#[derive(Debug, Args)]
pub struct Require {
    /// How many keys of a role must sign, such as `trust=2`; may be repeated. One, unless it is said.
    #[arg(long, value_name = "ROLE=N", value_parser = require)]
    require: Vec<(KeyRole, usize)>,
}

/// Where a document goes.
#[derive(Debug, Args)]
pub struct Out {
    /// The document to write. Keep every version.
    #[arg(long, value_name = "FILE.json")]
    out: PathBuf,
}

fn role(text: &str) -> anyhow::Result<(KeyRole, &str)> {
    let (role, rest) = text.split_once('=').context("write ROLE=..., such as trust=2")?;
    let known = KeyRole::ALL.into_iter().find(|known| known.to_string() == role);
    Ok((
        known.with_context(|| format!("the roles are build, release, trust and automatic, not {role:?}"))?,
        rest,
    ))
}

fn require(text: &str) -> anyhow::Result<(KeyRole, usize)> {
    let (role, number) = role(text)?;
    Ok((role, number.parse().context("write ROLE=N, such as trust=2")?))
}

fn add(text: &str) -> anyhow::Result<(KeyRole, PathBuf)> {
    let (role, file) = role(text)?;
    ensure!(!file.is_empty(), "write ROLE=NAME.pub, such as trust=anna.pub");
    Ok((role, file.into()))
}

/// Carries the subcommand out.
pub fn run(command: &TrustCommand) -> anyhow::Result<()> {
    match command {
        TrustCommand::New { build, release, trust: own, automatic, limits, require, out } => {
            let of = |role, files: &[PathBuf]| files.iter().map(move |file| (role, file.clone())).collect();
            let mut change = Change { add: of(KeyRole::Build, build), ..Change::default() };
            change.add.extend::<Vec<_>>(of(KeyRole::Release, release));
            change.add.extend::<Vec<_>>(of(KeyRole::Trust, own));
            change.add.extend::<Vec<_>>(of(KeyRole::Automatic, automatic));
            change.automatic = limits.said();
            change.require.clone_from(&require.require);
            let document = trust::first(&change)?;
            trust::write(&document, &out.out)?;
            println!("{} is written:", out.out.display());
            show(&document)
        }
        TrustCommand::Show { document, json } => {
            let document = trust::read(document)?;
            if *json {
                let mut told = serde_json::to_value(&document)?;
                told["sha256"] = serde_json::to_value(document.sha256())?;
                println!("{}", serde_json::to_string_pretty(&told)?);
                return Ok(());
            }
            show(&document)
        }
        TrustCommand::Rotate { old, key, with, out } => {
            let old = trust::read(old)?;
            written(&old, &trust::exchange(&old, key, with, None, None)?, &out.out)
        }
        TrustCommand::Revoke { old, key, why, with, restart_release, require, out } => {
            let old = trust::read(old)?;
            let mut change = Change {
                revoke: vec![key.clone()],
                why: why.clone(),
                require: require.require.clone(),
                restart_release: *restart_release,
                ..Change::default()
            };
            if let Some(with) = with {
                change.add = old.roles_of(key).map(|role| (role, with.clone())).collect();
            }
            written(&old, &trust::next(&old, &change)?, &out.out)
        }
        TrustCommand::Change { old, add, remove, limits, require, out } => {
            let automatic = limits.said();
            let nothing = add.is_empty() && remove.is_empty() && automatic.is_none();
            if nothing && require.require.is_empty() {
                bail!("say what is to change: --add, --remove, --automatic-line or --require");
            }
            let old = trust::read(old)?;
            let (add, remove, require) = (add.clone(), remove.clone(), require.require.clone());
            let change = Change { add, remove, require, automatic, ..Change::default() };
            written(&old, &trust::next(&old, &change)?, &out.out)
        }
        TrustCommand::Pack { document, meant, valid_days, out } => {
            let document = trust::read(document)?;
            let (now, days) = (Timestamp::now(), SignedDuration::from_hours(24 * i64::from(*valid_days)));
            let packing = Packing {
                plant: meant.plant.clone(),
                lines: meant.lines.clone(),
                now,
                not_after: now.checked_add(days).context("--valid-days is too far away")?,
            };
            let fingerprint = trust::pack(&document, &packing, out)?;
            println!("{} is written, fingerprint {fingerprint}", out.display());
            println!("{meant}");
            println!(
                "Next: `coilsight-trainer bundle sign {} --key NAME.key` by enough trust keys of the document",
                out.display()
            );
            println!("in force and of this one, which asks for {}", signers(&document));
            Ok(())
        }
    }
}

/// Writes the document that follows, and says who must sign it.
fn written(old: &TrustDocument, new: &TrustDocument, out: &Path) -> anyhow::Result<()> {
    trust::write(new, out)?;
    println!("{} is written:", out.display());
    show(new)?;
    println!("Next: `coilsight-trainer trust pack {}`, and have the bundle signed by", out.display());
    println!("  {} (version {}, in force)", signers(old), old.version);
    println!("  {} (version {}, this one); a signature counts for both", signers(new), new.version);
    Ok(())
}

fn signers(document: &TrustDocument) -> String {
    let quorum = &document.roles.trust;
    format!("{} of {}", quorum.required, quorum.keys.join(", "))
}

/// Prints a document for people.
pub(super) fn show(document: &TrustDocument) -> anyhow::Result<()> {
    println!("Trust document, version {}, SHA-256 {}", document.version, document.sha256());
    let keys = TrustedKeys::of_document(document.clone())?;
    for role in document.roles() {
        let quorum = document.quorum(role);
        println!("  {role}: {} of {}", quorum.required, quorum.keys.join(", "));
    }
    if let Some(Automatic { lines, from, until, .. }) = &document.roles.automatic {
        println!("  sets are released without a person on {} from {from} to {until}", lines.join(", "));
    }
    for (name, id) in keys.names() {
        println!("  key {id} is {name}");
    }
    for revoked in &document.revoked {
        let id = revoked.key_id().map_or_else(|| "?".into(), |id| id.to_string());
        println!("  key {id} is revoked: {}", revoked.why);
    }
    if let Some(release) = document.restart_release {
        println!("  releases are counted on from {release}, once, when this version is taken in");
    }
    for (role, need) in
        [(KeyRole::Release, "nobody can release"), (KeyRole::Trust, "no key can be exchanged")]
    {
        let quorum = document.quorum(role);
        if quorum.keys.len() == quorum.required {
            println!(
                "  Note: without any one of the {role} keys {need}{}: add another key to the role",
                if role == KeyRole::Trust { " but by hand at every line" } else { "" }
            );
        }
    }
    Ok(())
}

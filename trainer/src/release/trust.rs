//! Trust documents: made from public keys, the next made from the one before, and packed as a bundle.
//!
//! No secret key is needed for any of it. Who may put a document in force is decided by the signatures that the
//! bundle gets afterwards, see [`super::add_signature`].

use crate::run::write_whole;
use anyhow::{Context, bail, ensure};
use coilsight_models::bundle::manifest::{Content, FORMAT, Manifest};
use coilsight_models::bundle::{
    AUTOMATIC_FORMAT, Automatic, Builder, Id, KeyRole, Limits, MAX_TRUST_DOCUMENT, OLDEST_AGENT, Place,
    Quorum, RevokedKey, Roles, Sha256, TRUST_FORMAT, TrustDocument, Unverified, read_key_files,
};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// What is to be different in the next document.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Public key files, each with a role that its key gets; the file's name becomes the key's.
    pub add: Vec<(KeyRole, PathBuf)>,
    /// Keys that are let go without being revoked.
    pub remove: Vec<String>,
    /// Keys that are never believed again, by name.
    pub revoke: Vec<String>,
    /// Why they are revoked.
    pub why: String,
    /// How many keys of a role must sign.
    pub require: Vec<(KeyRole, usize)>,
    /// Where releases go on counting, after a theft.
    pub restart_release: Option<u64>,
    /// Lines and days on which sets are released without a person.
    pub automatic: Option<(Vec<String>, Timestamp, Timestamp)>,
}

/// The first document: `change` made to nothing. Each role needs one signature unless more are required.
pub fn first(change: &Change) -> anyhow::Result<TrustDocument> {
    let none = || Quorum { keys: Vec::new(), required: 1 };
    let empty = TrustDocument {
        format: TRUST_FORMAT,
        version: 0,
        keys: BTreeMap::new(),
        roles: Roles { build: none(), release: none(), trust: none(), automatic: None },
        revoked: Vec::new(),
        restart_release: None,
    };
    next(&empty, change)
}

/// The document that follows `old`: its version is one more, and what was revoked stays so.
///
/// A restart of releases holds for one version only, so that it is not done again with every further one.
pub fn next(old: &TrustDocument, change: &Change) -> anyhow::Result<TrustDocument> {
    let mut new =
        TrustDocument { version: old.version + 1, restart_release: change.restart_release, ..old.clone() };
    for name in change.remove.iter().chain(&change.revoke) {
        let key = new.keys.remove(name).with_context(|| unknown(name, old))?;
        for role in KeyRole::ALL {
            if let Some(quorum) = quorum(&mut new, role) {
                quorum.keys.retain(|other| other != name);
            }
        }
        if change.revoke.contains(name) {
            new.revoked.push(RevokedKey { key, why: change.why.clone() });
        }
    }
    ensure!(
        change.revoke.is_empty() || !change.why.trim().is_empty(),
        "say with --why since when and why the key is revoked: lines show it to whoever meets it again"
    );
    if let Some((lines, from, until)) = &change.automatic {
        let none = || Quorum { keys: Vec::new(), required: 1 };
        let signers = new.roles.automatic.take().map_or_else(none, |role| role.signers);
        let (lines, from, until) = (lines.clone(), *from, *until);
        new.roles.automatic = Some(Automatic { signers, lines, from, until });
    }
    for (role, file) in &change.add {
        let (name, key) = public_key(file)?;
        let there = new.keys.entry(name.clone()).or_insert_with(|| key.clone());
        ensure!(
            *there == key,
            "give {} another name: the document knows another key as {name:?}",
            file.display()
        );
        let keys = &mut quorum(&mut new, *role).with_context(unlimited)?.keys;
        if !keys.contains(&name) {
            keys.push(name);
        }
    }
    for (role, required) in &change.require {
        quorum(&mut new, *role).with_context(unlimited)?.required = *required;
    }
    // Whoever takes its last key takes the role.
    if new
        .roles
        .automatic
        .as_ref()
        .is_some_and(|role| role.signers.keys.is_empty() && change.automatic.is_none())
    {
        new.roles.automatic = None;
    }
    new.format = if new.roles.automatic.is_some() { AUTOMATIC_FORMAT } else { TRUST_FORMAT };
    // A key that lost its last role is let go.
    let idle: Vec<_> = new.keys.keys().filter(|name| new.roles_of(name).next().is_none()).cloned().collect();
    for name in idle {
        new.keys.remove(&name);
    }
    for role in new.roles() {
        let Quorum { keys, required } = new.quorum(role);
        ensure!(
            (1..=keys.len()).contains(required),
            "the role {role} would have {} keys and require {required}: give it keys (--add {role}=NAME.pub, or \
             --{role} NAME.pub in a first document), or say --require {role}=N",
            keys.len()
        );
    }
    new.check().context("the document would make no sense")?;
    Ok(new)
}

/// The document that follows `old` with the key `name` exchanged for that of `file`, in all its roles. With a reason
/// the old key is revoked, too.
pub fn exchange(
    old: &TrustDocument,
    name: &str,
    file: &Path,
    why: Option<&str>,
    restart_release: Option<u64>,
) -> anyhow::Result<TrustDocument> {
    let roles: Vec<KeyRole> = old.roles_of(name).collect();
    if roles.is_empty() {
        bail!(unknown(name, old));
    }
    let mut change = Change {
        add: roles.into_iter().map(|role| (role, file.to_owned())).collect(),
        why: why.unwrap_or_default().to_string(),
        restart_release,
        ..Change::default()
    };
    let gone = if why.is_some() { &mut change.revoke } else { &mut change.remove };
    gone.push(name.to_string());
    next(old, &change)
}

fn unknown(name: &str, document: &TrustDocument) -> String {
    let names: Vec<&str> = document.keys.keys().map(String::as_str).collect();
    format!("name one of the document's keys, {}: it has none called {name:?}", names.join(", "))
}

/// A role's quorum; `None` if the document does not have the role.
fn quorum(document: &mut TrustDocument, role: KeyRole) -> Option<&mut Quorum> {
    let roles = &mut document.roles;
    match role {
        KeyRole::Build => Some(&mut roles.build),
        KeyRole::Release => Some(&mut roles.release),
        KeyRole::Trust => Some(&mut roles.trust),
        KeyRole::Automatic => roles.automatic.as_mut().map(|role| &mut role.signers),
    }
}

fn unlimited() -> &'static str {
    "say where and until when sets are released without a person: --automatic-line, --automatic-from, --automatic-until"
}

/// A public key file's name and the line of it that is the key.
fn public_key(file: &Path) -> anyhow::Result<(String, String)> {
    ensure!(file.is_file(), "give a public key file such as anna.pub: {} is none", file.display());
    let (name, text) = read_key_files(&[file.to_owned()])?.pop().context("no key")?;
    let line = text.lines().map(str::trim).find(|l| !l.is_empty() && !l.starts_with("untrusted comment:"));
    Ok((name, line.with_context(|| format!("{} holds no key", file.display()))?.to_string()))
}

/// Reads a document: its JSON, or a bundle that brings one. Nothing says that it is genuine.
pub fn read(file: &Path) -> anyhow::Result<TrustDocument> {
    let cannot = || format!("cannot read {}", file.display());
    let mut bytes = Vec::new();
    let opened = File::open(file).with_context(cannot)?;
    opened.take(MAX_TRUST_DOCUMENT + 1).read_to_end(&mut bytes).with_context(cannot)?;
    if !bytes.starts_with(b"COILSGHT") {
        return TrustDocument::parse(&bytes).with_context(cannot);
    }
    let bundle = Unverified::read(BufReader::new(File::open(file).with_context(cannot)?))?;
    match &bundle.claimed().content {
        Content::Trust(document) => Ok((**document).clone()),
        Content::Set(_) | Content::Policy(_) | Content::Surfaces(_) => {
            bail!("give a trust document: {} is a bundle that brings none", file.display())
        }
    }
}

/// Writes a document as JSON. A file that is there already is not overwritten: versions are kept.
pub fn write(document: &TrustDocument, file: &Path) -> anyhow::Result<()> {
    ensure!(!file.exists(), "give another name: {} is there already, and versions are kept", file.display());
    let mut text = serde_json::to_vec_pretty(document)?;
    text.push(b'\n');
    write_whole(file, &text)
}

/// For whom and for how long a document is.
#[derive(Clone, Debug)]
pub struct Packing {
    /// The plant.
    pub plant: Place,
    /// The lines.
    pub lines: Vec<Place>,
    /// Now.
    pub now: Timestamp,
    /// Until when it is meant to be in force; past it lines warn, and go on.
    pub not_after: Timestamp,
}

/// Packs a document as a bundle that waits for its signatures. Returns its fingerprint.
pub fn pack(document: &TrustDocument, packing: &Packing, out: &Path) -> anyhow::Result<Sha256> {
    let manifest = Manifest {
        format: FORMAT,
        name: Id::new(format!("trust-{}", document.version))?,
        release: document.version,
        floor: 0,
        created_at: packing.now,
        not_after: packing.not_after,
        plant: packing.plant.clone(),
        lines: packing.lines.clone(),
        requires_agent: OLDEST_AGENT,
        content: Content::Trust(Box::new(document.clone())),
        files: Vec::new(),
    };
    let layout = Builder::new(manifest).lay_out(&Limits::default())?;
    let (mut bytes, none): (Vec<u8>, [&str; 0]) = (Vec::new(), []);
    layout.write(&mut bytes, none)?;
    write_whole(out, &bytes)?;
    Ok(Sha256::of(layout.manifest_bytes()))
}

#[cfg(test)]
pub(super) mod tests;

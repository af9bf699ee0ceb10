//! `bundle inspect`: what a bundle says of itself, who signed it, and whether a line would believe them.

use crate::release::trust;
use anyhow::Context;
use coilsight_models::bundle::manifest::{Content, Manifest, ModelSet};
use coilsight_models::bundle::{Front, Limits, TrustedKeys, Unverified, VerifiedFront, read_key_files};
use coilsight_models::verdict::Policy;
use jiff::Timestamp;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// Show what a bundle says of itself.
///
/// Files are not checked: that is `coilsight-agent bundle verify`. With `--trust` the signatures are.
#[derive(Debug, clap::Args)]
pub struct InspectArgs {
    /// The bundle.
    bundle: PathBuf,
    /// Check the signatures as a line would that has this trust document (JSON, or its bundle), or that believes this
    /// public key or folder of keys.
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Put the manifest and the signatures into this folder, for `minisign -V` to check and `minisign -S` to sign.
    #[arg(long, value_name = "DIR")]
    extract: Option<PathBuf>,
    /// Print it all as JSON.
    #[arg(long)]
    json: bool,
}

/// Carries the subcommand out.
pub fn run(args: &InspectArgs) -> anyhow::Result<()> {
    let cannot = || format!("cannot open {}", args.bundle.display());
    let file = File::open(&args.bundle).with_context(cannot)?;
    let bytes = file.metadata().with_context(cannot)?.len();
    let bundle = Unverified::read(BufReader::new(file))?;
    let (front, claimed) = (bundle.front(), bundle.claimed());
    if let Some(folder) = &args.extract {
        extract(front, folder)?;
    }
    let keys = args.trust.as_deref().map(keys).transpose()?;
    let believed = keys.map(|keys| believe(front, &keys)).transpose()?;
    if args.json {
        let signatures = front.signatures().iter();
        let signatures: Vec<_> = signatures
            .map(|s| serde_json::json!({"key_id": s.key_id().to_string(), "comment": s.trusted_comment()}))
            .collect();
        let (accepted, refused) = match &believed {
            Some(Ok(names)) => (Some(names), None),
            Some(Err(refused)) => (None, Some(refused)),
            None => (None, None),
        };
        let told = serde_json::json!({
            "fingerprint": front.fingerprint(), "bytes": bytes, "signatures": signatures, "signed_by": accepted,
            "refused": refused, "manifest": claimed,
        });
        println!("{}", serde_json::to_string_pretty(&told)?);
        return Ok(());
    }
    match &believed {
        None => println!("Not verified; this is what it says of itself:"),
        Some(Ok(names)) => println!("The signatures suffice, by {}. It says:", names.join(" and ")),
        Some(Err(refused)) => println!("The signatures do not suffice. {refused}. It says:"),
    }
    head(claimed);
    for signature in front.signatures() {
        println!("  signed with key {}: {}", signature.key_id(), signature.trusted_comment());
    }
    match &claimed.content {
        Content::Set(set) => show_set(set)?,
        Content::Policy(change) => {
            println!("  other thresholds for the set {}: {}", change.set, change.why);
            show_policy(&change.policy);
        }
        Content::Surfaces(library) => {
            println!("  weights: {}; limit {:.3}", library.provenance.weight_origin, library.limit);
            for class in &library.classes {
                println!("  class {}: {} references", class.name, class.references);
            }
        }
        Content::Trust(document) => super::super::trust::show(document)?,
    }
    for file in &claimed.files {
        println!("  {} {} bytes", file.name, file.length);
    }
    let stated = claimed.files.iter().fold(front.length(), |sum, file| sum.saturating_add(file.length));
    if stated == bytes {
        println!("  {bytes} bytes in all");
    } else {
        println!("  Ask for the file again: it has {bytes} bytes, and should have {stated}");
    }
    println!("  fingerprint {}", front.fingerprint());
    Ok(())
}

fn extract(front: &Front, folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let write = |name: String, bytes: &[u8]| {
        let file = folder.join(name);
        std::fs::write(&file, bytes).with_context(|| format!("cannot write {}", file.display()))
    };
    write("manifest.json".into(), front.manifest_bytes())?;
    for (i, signature) in front.signatures().iter().enumerate() {
        write(format!("manifest.json.{i}.minisig"), signature.as_str().as_bytes())?;
    }
    Ok(())
}

/// The keys of a trust document (JSON, or its bundle), or any one key of a file or folder.
pub fn keys(path: &Path) -> anyhow::Result<TrustedKeys> {
    if path.is_dir() || path.extension().is_some_and(|extension| extension == "pub") {
        return Ok(TrustedKeys::new(read_key_files(&[path.to_owned()])?)?);
    }
    Ok(TrustedKeys::of_document(trust::read(path)?)?)
}

/// Who signed, with their roles, if that is enough; else why it is not.
fn believe(front: &Front, keys: &TrustedKeys) -> anyhow::Result<Result<Vec<String>, String>> {
    let mut bytes = Vec::new();
    front.write(&mut bytes)?;
    if let Err(refused) = VerifiedFront::read(&bytes[..], keys, &Limits::default()) {
        return Ok(Err(format!("{:#}", anyhow::Error::from(refused))));
    }
    let ids: Vec<_> =
        front.signatures().iter().map(coilsight_models::bundle::SignatureText::key_id).collect();
    let known = keys.names().filter(|(_, id)| ids.contains(id));
    let named = known.map(|(name, _)| {
        let roles: Vec<_> = keys.document().into_iter().flat_map(|d| d.roles_of(name)).collect();
        let roles: Vec<_> = roles.iter().map(ToString::to_string).collect();
        if roles.is_empty() { name.to_string() } else { format!("{name} ({})", roles.join(", ")) }
    });
    Ok(Ok(named.collect()))
}

fn head(claimed: &Manifest) {
    let kind = match &claimed.content {
        Content::Set(_) => "a model set",
        Content::Policy(_) => "thresholds",
        Content::Trust(_) => "a trust document",
        Content::Surfaces(_) => "a library of surfaces",
    };
    println!("  {kind}: {} release {}, built {:.0}", claimed.name, claimed.release, claimed.created_at);
    let past = if claimed.not_after < Timestamp::now() { ", which is past: lines warn" } else { "" };
    println!("  to be used until {:.0}{past}", claimed.not_after);
    if claimed.floor > 0 {
        println!("  nothing below release {} after it", claimed.floor);
    }
    let lines: Vec<String> = claimed.lines.iter().map(ToString::to_string).collect();
    println!(
        "  for plant {}, lines {}; agent {} or later",
        claimed.plant,
        lines.join(", "),
        claimed.requires_agent
    );
}

fn show_set(set: &ModelSet) -> anyhow::Result<()> {
    for model in &set.models {
        println!("  model {} ({}), weight {}", model.name, model.kind, model.weight);
    }
    for part in &set.parts {
        println!("  network {}: {}", part.id, serde_json::to_string(&part.precision)?.trim_matches('"'));
        for kept in &part.float {
            println!("    f32: {kept}");
        }
    }
    for (name, spec) in &set.prepare {
        let (channels, side) = (spec.channels.len(), spec.side.len());
        println!("  coils as {name}: {:?}, {channels} channels, {side} side values", spec.layout);
    }
    if let Some(novelty) = &set.novelty {
        println!("  REVIEW beyond distance {:.3} of features of {}", novelty.limit, novelty.part);
    }
    show_policy(&set.policy);
    let p = &set.provenance;
    println!("  trained on {} coils ({} NOK) of {}, {}", p.coils, p.nok, p.set_name, p.weight_origin);
    println!("  run {}, seed {}, trainer {}", p.run, p.seed, p.trainer_version);
    println!("  data {}; licences {}", p.data_sha256, p.licences.join(", "));
    for (name, m) in &p.metrics {
        println!("  {name}: {:.3} [{:.3}, {:.3}]", m.value, m.low, m.high);
    }
    Ok(())
}

/// Prints thresholds for people.
pub(super) fn show_policy(policy: &Policy) {
    let classes =
        [("class A", policy.a), ("class B", policy.b), ("class C", policy.c), ("no class", policy.unknown)];
    for (class, t) in classes {
        println!(
            "  {class}: NOK from P(NOK) {:.3}, REVIEW from {:.3} to {:.3}",
            t.nok_from, t.review_from, t.review_to
        );
    }
    println!("  a missed NOK coil costs {} false alarms", policy.miss_cost);
}

//! `bundle sign`: one more signature, such as that of whoever releases the set to a line.

use super::super::keygen::password;
use crate::release::{By, SecretKey, add_signature};
use anyhow::{Context, ensure};
use coilsight_models::bundle::Unverified;
use jiff::Timestamp;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// No signature or public key is longer, bytes.
const MAX_TEXT: u64 = 16 * 1024;

/// How it goes without this program's hand on the key.
const BY_MINISIGN: &str = "\
Stock minisign can sign in this program's place. Take the manifest out, sign it, put the signature in:

  coilsight-trainer bundle inspect FILE --extract DIR
  minisign -S -s anna.key -m DIR/manifest.json -t 'released by Anna, order 4711'
  coilsight-trainer bundle sign FILE --signature DIR/manifest.json.minisig --public anna.pub";

/// Add a signature to a bundle: release a set that a trainer built, or agree to other keys.
///
/// Look at the bundle first (`bundle inspect`): a signature says that you want the lines to use it. The key need not
/// be where the trainer is: take the file to the key, sign, and take it back. It is read to its end before, and one
/// that is cut or altered is not signed. It is exchanged in one step: either as it was, or signed.
#[derive(Debug, clap::Args)]
#[command(after_long_help = BY_MINISIGN)]
pub struct SignArgs {
    /// The bundle.
    #[arg(value_name = "FILE")]
    bundle: PathBuf,
    /// The secret key that signs. If it is encrypted, its password is in `COILSIGHT_KEY_PASSWORD`.
    #[arg(
        long,
        value_name = "NAME.key",
        required_unless_present = "signature",
        conflicts_with = "signature"
    )]
    key: Option<PathBuf>,
    /// Why it is signed, one line: the signature covers it, and lines keep it. Default: name, release and time.
    #[arg(long, value_name = "TEXT", conflicts_with = "signature")]
    comment: Option<String>,
    /// A signature over the bundle's manifest.json that minisign made.
    #[arg(long, value_name = "FILE.minisig", requires = "public")]
    signature: Option<PathBuf>,
    /// The public key that the signature is checked with before it goes in.
    #[arg(long, value_name = "NAME.pub", requires = "signature")]
    public: Option<PathBuf>,
    /// Write the signed bundle here and leave the file as it is.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Carries the subcommand out.
pub fn run(args: &SignArgs) -> anyhow::Result<()> {
    let out = args.out.as_ref().unwrap_or(&args.bundle);
    let signed = if let (Some(signature), Some(public)) = (&args.signature, &args.public) {
        let (signature, public) = (text(signature)?, text(public)?);
        add_signature(&args.bundle, &By::Tool { signature: &signature, public: &public }, out)?
    } else {
        let key = SecretKey::open(args.key.as_ref().context("give --key NAME.key")?, password)?;
        let comment = match &args.comment {
            Some(comment) => comment.clone(),
            None => usual_comment(&args.bundle)?,
        };
        add_signature(&args.bundle, &By::Key(&key, &comment), out)?
    };
    let manifest = &signed.manifest;
    println!(
        "{} is signed with key {}: {} release {}",
        out.display(),
        signed.key_id,
        manifest.name,
        manifest.release
    );
    for signature in signed.front.signatures() {
        println!("  {}: {}", signature.key_id(), signature.trusted_comment());
    }
    println!("  fingerprint {}", signed.front.fingerprint());
    Ok(())
}

fn usual_comment(bundle: &Path) -> anyhow::Result<String> {
    let file = File::open(bundle).with_context(|| format!("cannot open {}", bundle.display()))?;
    let bundle = Unverified::read(std::io::BufReader::new(file))?;
    let (claimed, now) = (bundle.claimed(), Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    Ok(format!("{} release {} signed {now}", claimed.name, claimed.release))
}

fn text(file: &Path) -> anyhow::Result<String> {
    let cannot = || format!("cannot read {}", file.display());
    let mut text = String::new();
    let opened = File::open(file).with_context(cannot)?;
    opened.take(MAX_TEXT + 1).read_to_string(&mut text).with_context(cannot)?;
    ensure!(text.len() as u64 <= MAX_TEXT, "{}: it is too long", cannot());
    Ok(text)
}

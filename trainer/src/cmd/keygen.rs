//! `keygen`: a key pair to sign bundles with.

use crate::release::generate;
use anyhow::{Context, ensure};
use std::path::PathBuf;

/// Make a key pair: NAME.key signs bundles and stays here, NAME.pub goes to the lines.
///
/// The keys are minisign's: Debian's `minisign` reads them too. The secret half is encrypted with the
/// password in `COILSIGHT_KEY_PASSWORD`, or not at all with `--no-password`.
#[derive(Debug, clap::Args)]
pub struct KeygenArgs {
    /// What the key is called.
    #[arg(value_name = "NAME")]
    name: String,
    /// The folder for the two files.
    #[arg(long, default_value = ".")]
    out: PathBuf,
    /// Do not encrypt the secret half: whoever can read the file can sign.
    #[arg(long)]
    no_password: bool,
}

/// The variable that holds a key's password.
pub const PASSWORD: &str = "COILSIGHT_KEY_PASSWORD";

/// The key's password, from the environment.
pub fn password() -> anyhow::Result<String> {
    std::env::var(PASSWORD).with_context(|| format!("the key is encrypted: put its password into {PASSWORD}"))
}

/// Carries the subcommand out.
pub fn run(args: &KeygenArgs) -> anyhow::Result<()> {
    let plain = args.name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    ensure!(plain && !args.name.is_empty(), "name the key with letters, digits, - and _ only");
    let password = if args.no_password {
        None
    } else {
        let hint = || format!("put a password for the key into {PASSWORD}, or say --no-password");
        Some(std::env::var(PASSWORD).with_context(hint)?)
    };
    std::fs::create_dir_all(&args.out).with_context(|| format!("cannot make {}", args.out.display()))?;
    let (secret, public) = generate(&args.out, &args.name, password.as_deref())?;
    println!("{}  signs bundles: keep it here, and a copy in a safe place", secret.display());
    println!("{}  goes to the lines, into /etc/coilsight/trusted.d", public.display());
    Ok(())
}

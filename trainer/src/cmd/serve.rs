//! `serve`: the plant's record.

use crate::plant::{Record, serve};
use crate::release::push::Broker;
use anyhow::{Context, ensure};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Keep the plant's record: what lines decide, what people make of it, how models do.
///
/// Lines send when `upload.enabled` is set in their agent's configuration. What is here is in the database; while this program or the
/// database is away, lines keep it and send it later.
#[derive(Debug, clap::Args)]
pub struct ServeArgs {
    #[command(flatten)]
    broker: Broker,
    /// What stands before the lines' topics; + stands for any one part. Can be given several times.
    #[arg(long = "lines", value_name = "TOPIC", default_value = "plant/+")]
    lines: Vec<String>,
    /// The folder of the record in `SQLite`.
    #[arg(long, value_name = "DIR", required_unless_present = "database")]
    data: Option<PathBuf>,
    /// The database instead: `postgres://USER:PASSWORD@HOST/NAME`.
    #[arg(long, value_name = "URL", env = "COILSIGHT_DATABASE", hide_env_values = true)]
    database: Option<String>,
    /// Where REST and the page are.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8490")]
    listen: SocketAddr,
    /// A name by which browsers may ask, beside addresses and localhost. Can be given several times.
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
}

/// Where a record lies.
pub(crate) async fn open(data: Option<&PathBuf>, database: Option<&str>) -> anyhow::Result<Record> {
    if let Some(url) = database {
        return Ok(Record::open(url).await?);
    }
    let folder = data.context("say where the record lies: --data DIR or --database URL")?;
    std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    Ok(Record::in_file(&folder.join("record.sqlite")).await?)
}

/// Carries the subcommand out.
pub fn run(args: &ServeArgs) -> anyhow::Result<()> {
    for line in &args.lines {
        ensure!(!line.is_empty() && !line.contains('#'), "--lines takes a topic without #, not {line:?}");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let record = open(args.data.as_ref(), args.database.as_deref()).await?;
        let told = |at| println!("the plant's record: http://{at}/");
        serve::run(record, args.broker.clone(), args.lines.clone(), args.listen, args.hosts.clone(), told)
            .await
    })
}

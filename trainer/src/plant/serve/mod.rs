//! The record at work: what lines send is stored and answered, what people ask is answered.

mod broker;
pub mod rest;

pub use broker::{Counts, Station};

use crate::plant::Record;
use crate::release::push::Broker;
use anyhow::Context;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Serves until it is told to stop (SIGTERM, SIGINT). `lines`: what stands before lines' topics, `+` for any one part. Tells
/// where REST is.
pub async fn run(
    record: Record,
    broker: Broker,
    lines: Vec<String>,
    listen: SocketAddr,
    hosts: Vec<String>,
    told_where: impl FnOnce(SocketAddr),
) -> anyhow::Result<()> {
    let counts = Arc::<Counts>::default();
    let listener = TcpListener::bind(listen).await.with_context(|| {
        format!(
            "nothing can be served at {listen}: give another address with --listen, or end what has this one"
        )
    })?;
    told_where(listener.local_addr()?);
    let app = rest::router(record.clone(), Arc::clone(&counts), hosts);
    let mut station = Station::new(record.clone(), broker, lines, counts);
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let done = tokio::select! {
        done = station.run() => done,
        served = axum::serve(listener, app).into_future() => served.context("the record answers no more"),
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    };
    record.close().await;
    done
}

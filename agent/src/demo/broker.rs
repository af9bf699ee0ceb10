//! The demo's broker: rumqttd inside this process, on this machine's own address and a port that is free.

use anyhow::{Context, bail};
use coilsight_models::message::Kind;
use rumqttd::protocol::v4::V4;
use rumqttd::{ConnectionSettings, LinkType, Router, RouterConfig, Server, ServerSettings};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// Another program may take a free port before the broker does; not often.
const TRIES: usize = 20;
/// A segment of its log, bytes, and how many there are: all that the demo sends stays in memory.
const SEGMENT: (usize, usize) = (16 << 20, 4);
/// Beside the payload: a packet's header and topic, bytes.
const PACKET_HEAD: usize = 1 << 10;

/// Starts it; it lives as long as the runtime. Says where it listens.
pub fn start() -> anyhow::Result<SocketAddr> {
    let router = Router::new(0, router());
    let to_router = router.spawn();
    for _ in 0..TRIES {
        // The broker opens its port itself and does not say which it got, so port 0 is not for it.
        let address = free().context("this machine gives no port to listen on")?;
        let mut server = Server::new(server(address), to_router.clone(), V4);
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::Builder::new().name("broker".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let Ok(runtime) = runtime else { return };
            runtime.block_on(async {
                let serving = server.start(LinkType::Remote);
                tokio::pin!(serving);
                // Looked at once, it has its port and waits for somebody, or has failed.
                tokio::select! {
                    biased;
                    _ = &mut serving => return,
                    () = std::future::ready(()) => {}
                }
                if tell.send(()).is_ok() {
                    let _ = serving.await;
                }
            });
        })?;
        if told.recv().is_ok() {
            return Ok(address);
        }
    }
    bail!("the demo's broker finds no port to listen on, after {TRIES} tries")
}

/// A port that nobody listens on, at this moment.
fn free() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn router() -> RouterConfig {
    RouterConfig {
        max_connections: 16,
        max_outgoing_packet_count: 200,
        max_segment_size: SEGMENT.0,
        max_segment_count: SEGMENT.1,
        ..RouterConfig::default()
    }
}

fn server(listen: SocketAddr) -> ServerSettings {
    ServerSettings {
        name: "demo".into(),
        listen,
        tls: None,
        next_connection_delay_ms: 0,
        connections: ConnectionSettings {
            connection_timeout_ms: 10_000,
            max_payload_size: Kind::Surface.max_bytes() + PACKET_HEAD,
            max_inflight_count: 100,
            auth: None,
            external_auth: None,
            dynamic_filters: true,
        },
    }
}

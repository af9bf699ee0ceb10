//! The plant's broker: a connection that acknowledges only what is stored and survives whatever comes.
//!
//! [`link`] opens TCP or TLS and says in plain words what is wrong; [`guard`] keeps oversized messages out of
//! memory; [`relay`] carries the bytes through it; [`session`] is an MQTT 3.1.1 session over both (rumqttc): persistent, acknowledged by hand, in order.

pub mod backoff;
pub mod config;
mod ended;
pub mod guard;
pub mod link;
pub mod relay;
pub mod session;

pub use config::Broker;
pub use session::{Command, Delivery, Event, Publication, Role, Session};

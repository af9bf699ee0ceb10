//! What systemd is told: ready, alive, stopping. Without systemd nothing happens.

use sd_notify::NotifyState;
use std::time::Duration;

/// The watchdog's interval, if systemd watches this process.
pub fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

/// The archive is open and the line takes messages.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// An orderly stop has begun.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// A line of text for `systemctl status`.
pub fn status(text: &str) {
    tell(&[NotifyState::Status(text)]);
}

/// Feeds systemd's watchdog while the line proves that it works.
#[derive(Debug, Default)]
pub struct Watchdog {
    fed_with: u64,
}

impl Watchdog {
    /// Feeds it if there was a proof since the last time.
    pub fn feed(&mut self, proofs: u64) {
        if proofs != self.fed_with {
            self.fed_with = proofs;
            tell(&[NotifyState::Watchdog]);
        }
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "systemd does not listen");
    }
}

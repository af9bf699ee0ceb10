//! Whether the files that the broker's part of the configuration names can be read.

use super::Report;
use crate::broker::Broker;
use std::fs::File;

pub(super) fn look(broker: &Broker, report: &mut Report) {
    let tls = &broker.tls;
    let named = [
        ("broker.password_file", &broker.password_file, true),
        ("broker.tls.ca_file", &tls.ca_file, tls.enabled),
        ("broker.tls.cert_file", &tls.cert_file, tls.enabled),
        ("broker.tls.key_file", &tls.key_file, tls.enabled),
    ];
    let mut fine = Vec::new();
    for (key, path, used) in named {
        if !used || path.as_os_str().is_empty() {
            continue;
        }
        match File::open(path) {
            Ok(_) => fine.push(key),
            Err(error) => report.fault(
                "files",
                format!("{key} names {}, which cannot be read: {error}", path.display()),
                "put it there, readable for the agent's user, or correct the setting",
            ),
        }
    }
    if !fine.is_empty() {
        report.ok("files", format!("{} can be read", fine.join(", ")));
    }
}

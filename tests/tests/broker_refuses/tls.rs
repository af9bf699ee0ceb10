//! Encryption that does not come about.

use super::certificates::{Authority, Flaw};
use super::{Said, agent, broker, doctor, no_way};
use std::path::Path;

const ANYONE: &str = "allow_anonymous true\n";

/// Lines for a broker that encrypts, with a certificate by an authority whose own is in `ca.pem`.
fn encrypts(folder: &Path, flaw: Flaw) -> String {
    let authority = Authority::new("the plant's authority");
    authority.write(&folder.join("ca.pem"));
    authority.issue(folder, flaw);
    let folder = folder.display();
    format!("{ANYONE}cafile {folder}/ca.pem\ncertfile {folder}/server.pem\nkeyfile {folder}/server.key\n")
}

/// The agent's part.
fn believes(folder: &Path, ca: &str) -> String {
    format!("[broker.tls]\nenabled = true\nca_file = \"{}\"", folder.join(ca).display())
}

/// A broker with such a certificate gives no way.
fn flawed(test: &str, flaw: Flaw, text: &str, to_do: &str) {
    let Some((folder, broker)) = broker(test, |folder| encrypts(folder, flaw)) else { return };
    let agent = agent(folder.path(), broker.port, &believes(folder.path(), "ca.pem"));
    no_way(agent, &Said { check: "encryption", text, to_do });
}

#[test]
fn all_is_well() {
    let Some((folder, broker)) = broker("all_is_well", |folder| encrypts(folder, Flaw::None)) else { return };
    let mut agent = agent(folder.path(), broker.port, &believes(folder.path(), "ca.pem"));
    agent.start();
    agent.until_logged_times("connected to the broker", 2);
    let report = doctor(&agent, 0);
    assert_eq!(report["faults"], 0, "{report:#}");
    assert!(report.to_string().contains("an agent runs on this state folder"), "{report:#}");
    assert!(agent.stop().success());
    let log = agent.log();
    assert!(!log.contains(" WARN "), "the doctor disturbs nobody:\n{log}");
}

#[test]
fn the_wrong_authority() {
    let test = "the_wrong_authority";
    let Some((folder, broker)) = broker(test, |folder| encrypts(folder, Flaw::None)) else { return };
    Authority::new("another authority").write(&folder.path().join("other.pem"));
    let agent = agent(folder.path(), broker.port, &believes(folder.path(), "other.pem"));
    let text = "was not issued by an authority in";
    no_way(agent, &Said { check: "encryption", text, to_do: "broker.tls.ca_file" });
}

#[test]
fn another_authority_of_the_same_name() {
    let test = "another_authority_of_the_same_name";
    let Some((folder, broker)) = broker(test, |folder| encrypts(folder, Flaw::None)) else { return };
    Authority::new("the plant's authority").write(&folder.path().join("other.pem"));
    let agent = agent(folder.path(), broker.port, &believes(folder.path(), "other.pem"));
    let text = "was not issued by an authority in";
    no_way(agent, &Said { check: "encryption", text, to_do: "broker.tls.ca_file" });
}

#[test]
fn an_expired_certificate() {
    flawed("an_expired_certificate", Flaw::Expired, "certificate has expired", "renewed");
}

#[test]
fn a_certificate_of_the_future() {
    let (text, to_do) = ("is not valid yet", "set this machine's clock");
    flawed("a_certificate_of_the_future", Flaw::NotYetValid, text, to_do);
}

#[test]
fn a_certificate_for_another_name() {
    let (text, to_do) = ("is not for the name \"127.0.0.1\"", "broker.tls.server_name");
    flawed("a_certificate_for_another_name", Flaw::OtherName, text, to_do);
}

#[test]
fn a_client_certificate_is_missing() {
    let test = "a_client_certificate_is_missing";
    let lines = |folder: &Path| encrypts(folder, Flaw::None) + "require_certificate true\n";
    let Some((folder, broker)) = broker(test, lines) else { return };
    let agent = agent(folder.path(), broker.port, &believes(folder.path(), "ca.pem"));
    // By TLS 1.3 a client believes itself through before the broker has looked at its certificate.
    let text = "the broker asks for a client certificate, and none is configured";
    no_way(agent, &Said { check: "login", text, to_do: "broker.tls.cert_file" });
}

#[test]
fn a_client_certificate_of_another_authority() {
    let test = "a_client_certificate_of_another_authority";
    let lines = |folder: &Path| encrypts(folder, Flaw::None) + "require_certificate true\n";
    let Some((folder, broker)) = broker(test, lines) else { return };
    let own = folder.path().join("own");
    std::fs::create_dir(&own).unwrap();
    Authority::new("another authority").issue(&own, Flaw::None);
    let pair = format!(
        "{}\ncert_file = \"{}\"\nkey_file = \"{}\"",
        believes(folder.path(), "ca.pem"),
        own.join("server.pem").display(),
        own.join("server.key").display()
    );
    let text = "the broker refuses this agent's certificate";
    let to_do = "have a client certificate issued that the broker takes";
    no_way(agent(folder.path(), broker.port, &pair), &Said { check: "login", text, to_do });
}

#[test]
fn tls_to_a_port_without() {
    let Some((folder, broker)) = broker("tls_to_a_port_without", |_| ANYONE.into()) else { return };
    Authority::new("any").write(&folder.path().join("ca.pem"));
    let agent = agent(folder.path(), broker.port, &believes(folder.path(), "ca.pem"));
    let text = "the broker does not answer in TLS";
    no_way(agent, &Said { check: "encryption", text, to_do: "check broker.port" });
}

#[test]
fn no_tls_to_a_port_with() {
    let test = "no_tls_to_a_port_with";
    let Some((folder, broker)) = broker(test, |folder| encrypts(folder, Flaw::None)) else { return };
    let agent = agent(folder.path(), broker.port, "");
    no_way(agent, &Said { check: "login", text: "hangs up without an answer", to_do: "broker.tls.enabled" });
}

#[test]
fn no_file_with_authorities() {
    let Some((folder, broker)) = broker("no_file_with_authorities", |_| ANYONE.into()) else { return };
    let mut agent = agent(folder.path(), broker.port, &believes(folder.path(), "missing.pem"));
    agent.start();
    agent.until_logged("the authorities' certificates cannot be read from");
    let report = doctor(&agent, 1).to_string();
    assert!(report.contains("broker.tls.ca_file names"), "{report}");
}

//! A push over TLS, to a broker that asks for a certificate and a password.

use super::certificates::{Authority, Flaw};
use super::line::{Line, Verdict};
use super::{MIB, bundle, push, told};
use coilsight_tests::broker::{Mosquitto, free_port, passwords};

#[test]
fn a_push_over_tls_with_a_certificate_and_a_password() {
    let test = "a_push_over_tls_with_a_certificate_and_a_password";
    let folder = tempfile::tempdir().unwrap();
    if coilsight_tests::broker::program(test).is_none() {
        return;
    }
    let authority = Authority::new("the plant's authority");
    authority.write(&folder.path().join("ca.pem"));
    Authority::new("another authority").write(&folder.path().join("other.pem"));
    authority.issue(folder.path(), Flaw::None);
    let here = folder.path().display();
    let passwords = passwords(folder.path(), &[("kim", "secret")]);
    // The line's end is inside the plant, without TLS: this is about the trainer's.
    let inside = free_port();
    let lines = format!(
        "per_listener_settings true\nallow_anonymous false\npassword_file {}\ncafile {here}/ca.pem\ncertfile \
         {here}/server.pem\nkeyfile {here}/server.key\nrequire_certificate true\nlistener {inside} \
         127.0.0.1\nallow_anonymous true\n",
        passwords.display()
    );
    let Some(broker) = Mosquitto::with(test, folder.path(), &lines) else { return };
    let line = Line::start(inside, folder.path(), Verdict::Stage);
    let file = bundle(folder.path(), MIB);
    std::fs::write(folder.path().join("password"), "secret\n").unwrap();
    std::fs::write(folder.path().join("wrong"), "guess\n").unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let pushed = |ca: &str, password: &str, pair: bool| {
        let (ca, password, cert, key) = (path(ca), path(password), path("server.pem"), path("server.key"));
        let mut more = vec!["--ca", &ca, "--user", "kim", "--password-file", &password];
        if pair {
            more.extend(["--cert", &cert, "--key-file", &key]);
        }
        push(&file, broker.port, &more).wait_with_output().unwrap()
    };
    let refused = |output: &std::process::Output, text: &str| {
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(text), "{said}");
    };
    refused(&pushed("other.pem", "password", true), "check --ca");
    refused(&pushed("ca.pem", "wrong", true), "check --user and the password");
    refused(&pushed("ca.pem", "password", false), "connection to the broker was lost");
    let (told, fine) = told(&pushed("ca.pem", "password", true));
    assert!(fine && told["state"] == "staged", "{told:#}");
    assert_eq!(line.stop().complete.len(), 1);
}

//! Nobody there, or nobody let in.

use super::{Said, agent, broker, no_way};
use coilsight_tests::broker::{free_port, passwords};
use std::path::Path;

fn wants_a_password(folder: &Path) -> String {
    format!("password_file {}\n", passwords(folder, &[("agent", "secret")]).display())
}

/// The agent comes with this user and password.
fn comes_as(test: &str, user: &str, password: &str, said: &Said<'_>) {
    let Some((folder, broker)) = broker(test, wants_a_password) else { return };
    let file = folder.path().join("password");
    std::fs::write(&file, password).unwrap();
    let login = match user {
        "" => String::new(),
        user => format!("username = \"{user}\"\npassword_file = \"{}\"", file.display()),
    };
    no_way(agent(folder.path(), broker.port, &login), said);
}

#[test]
fn a_wrong_password() {
    let said = Said { check: "login", text: "wrong user name or password", to_do: "broker.username (agent)" };
    comes_as("a_wrong_password", "agent", "guessed", &said);
}

#[test]
fn an_unknown_user() {
    let said = Said { check: "login", text: "wrong user name or password", to_do: "broker.username (agnet)" };
    comes_as("an_unknown_user", "agnet", "secret", &said);
}

#[test]
fn no_user_at_all() {
    let said = Said { check: "login", text: "no permission to connect", to_do: "no broker.username is set" };
    comes_as("no_user_at_all", "", "", &said);
}

#[test]
fn nobody_listens() {
    let folder = tempfile::tempdir().unwrap();
    let said =
        Said { check: "connection", text: "no connection to 127.0.0.1:", to_do: "that the broker runs" };
    no_way(agent(folder.path(), free_port(), ""), &said);
}

#[test]
fn a_name_that_is_not_known() {
    let folder = tempfile::tempdir().unwrap();
    let agent = agent(folder.path(), 1883, "");
    // RFC 6761: no name server knows it.
    let config = std::fs::read_to_string(agent.config())
        .unwrap()
        .replace("host = \"127.0.0.1\"", "host = \"broker.invalid\"");
    std::fs::write(agent.config(), config).unwrap();
    let said = Said {
        check: "name",
        text: "the broker's name \"broker.invalid\" is not known here",
        to_do: "check broker.host",
    };
    no_way(agent, &said);
}

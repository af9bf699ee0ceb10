//! As a plant has it: a broker that encrypts, asks everybody for a password, and lets each write and read its own topics
//! alone. Two lines, two trainers, each for one of them.

use super::agents::agent_with;
use super::certificates::{Authority, Flaw};
use super::{push, told};
use coilsight_models::message::model::State;
use coilsight_tests::broker::{Mosquitto, passwords, program};
use coilsight_tests::bundles::{believed, signed};
use coilsight_tests::programs;
use serde_json::json;
use std::fmt::Write;
use std::path::Path;

/// What each may: a line everything of its own that a line says and hears, its trainer what a trainer does with it.
fn rules(lines: &[&str]) -> String {
    let mut rules = String::new();
    for line in lines {
        write!(rules, "user {line}\ntopic readwrite plant/{line}/#\n").unwrap();
        writeln!(rules, "user trainer-{line}").unwrap();
        for (right, topics) in [("write", ["offer", "piece", ""]), ("read", ["want", "answer", "state"])] {
            for topic in topics.iter().filter(|topic| !topic.is_empty()) {
                writeln!(rules, "topic {right} plant/{line}/model/{topic}").unwrap();
            }
        }
    }
    rules
}

struct Plant<'a> {
    folder: &'a Path,
    port: u16,
}

impl Plant<'_> {
    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// How a trainer comes to the broker.
    fn login(&self, user: &str) -> Vec<String> {
        let [ca, password] = ["ca.pem", "password"].map(|name| self.path(name));
        let options = ["--ca", &ca, "--user", user, "--password-file", &password];
        options.map(ToOwned::to_owned).to_vec()
    }

    fn push(&self, file: &Path, line: &str, user: &str, more: &[&str]) -> (serde_json::Value, bool) {
        let (login, to) = (self.login(user), format!("plant/{line}"));
        let mut options: Vec<&str> = login.iter().map(String::as_str).collect();
        options.extend(["--prefix", &to]);
        options.extend(more);
        told(&push(file, self.port, &options).wait_with_output().unwrap())
    }

    /// The release that decides on a line.
    fn active(&self, line: &str) -> u64 {
        let broker = format!("127.0.0.1:{}", self.port);
        let mut command = programs::trainer();
        command.args(["line", "--line", line, "--prefix", &format!("plant/{line}"), "--broker", &broker]);
        let output = command.args(self.login(&format!("trainer-{line}"))).arg("--json").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        State::parse(&output.stdout).unwrap().active.expect("a set that decides").release
    }
}

#[test]
fn encrypted_and_each_with_its_own_rights() {
    let test = "encrypted_and_each_with_its_own_rights";
    let folder = tempfile::tempdir().unwrap();
    if program(test).is_none() {
        return;
    }
    let folder = folder.path();
    let authority = Authority::new("the plant's authority");
    authority.write(&folder.join("ca.pem"));
    authority.issue(folder, Flaw::None);
    let users = ["gl2", "gl3", "trainer-gl2", "trainer-gl3"].map(|user| (user, "secret"));
    let passwords = passwords(folder, &users);
    std::fs::write(folder.join("password"), "secret\n").unwrap();
    std::fs::write(folder.join("acl"), rules(&["gl2", "gl3"])).unwrap();
    let here = folder.display();
    let lines = format!(
        "allow_anonymous false\npassword_file {}\nacl_file {here}/acl\ncafile {here}/ca.pem\ncertfile \
         {here}/server.pem\nkeyfile {here}/server.key\n",
        passwords.display()
    );
    let Some(broker) = Mosquitto::with(test, folder, &lines) else { return };
    let plant = Plant { folder, port: broker.port };

    let key = believed(folder);
    let factory = signed(folder, "factory", &key, |manifest| manifest["lines"] = json!(["*"]));
    let [mut gl2, mut gl3] = ["gl2", "gl3"].map(|line| {
        let more = format!(
            "username = \"{line}\"\npassword_file = \"{}\"\n[broker.tls]\nenabled = true\nca_file = \"{}\"",
            plant.path("password"),
            plant.path("ca.pem")
        );
        agent_with(folder, line, broker.port, &factory, &more)
    });
    assert_eq!((plant.active("gl2"), plant.active("gl3")), (1, 1));

    let second = signed(folder, "second", &key, |manifest| {
        (manifest["release"], manifest["lines"]) = (json!(2), json!(["*"]));
    });
    let (told, fine) = plant.push(&second, "gl2", "trainer-gl2", &["--wait", "active"]);
    assert!(fine && told["state"] == "active", "{told:#}");
    assert_eq!((plant.active("gl2"), plant.active("gl3")), (2, 1));

    // The trainer of one line does not reach the other, though that one would take what it has.
    let (told, fine) = plant.push(&second, "gl3", "trainer-gl2", &["--timeout", "3"]);
    assert!(!fine && told["state"].is_null(), "{told:#}");
    assert_eq!((plant.active("gl2"), plant.active("gl3")), (2, 1));
    let (told, fine) = plant.push(&second, "gl3", "trainer-gl3", &["--wait", "active"]);
    assert!(fine, "{told:#}");
    assert_eq!((plant.active("gl2"), plant.active("gl3")), (2, 2));
    for agent in [&mut gl2, &mut gl3] {
        assert!(agent.stop().success(), "{}", agent.log());
    }
}

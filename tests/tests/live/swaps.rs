//! Sets come and go while the line runs, and the agent is killed at random moments of it: afterwards exactly one set
//! decides, it is one that was signed for this line, and no coil is missed or decided twice.

use super::{archived, assessments, decided, full, online, player, runtime, undisturbed};
use coilsight_models::message::Topics;
use coilsight_tests::agent::Agent;
use coilsight_tests::broker::Mosquitto;
use coilsight_tests::bundles::{believed, signed};
use coilsight_tests::gateway::plan::Plan;
use coilsight_tests::gateway::{check, listener};
use coilsight_tests::programs;
use minisign::KeyPair;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// After a kill the line is judged again within this.
const READY_WITHIN: Duration = Duration::from_secs(10);

/// Whoever pushes, installs, activates and rolls back.
struct Engineer {
    folder: PathBuf,
    key: KeyPair,
    port: u16,
    release: u64,
    random: StdRng,
}

impl Engineer {
    /// Begins something, and does not wait for it.
    fn act(&mut self, config: &Path) -> Child {
        let mut command = match self.random.random_range(0..5) {
            0 | 1 => {
                let mut install = programs::agent();
                install.args(["bundle", "install"]).arg(self.next()).arg("--config").arg(config);
                install
            }
            2 => {
                let mut push = programs::trainer();
                push.args(["bundle", "push"]).arg(self.next()).args(["--line", "gl2", "--timeout", "20"]);
                push.args(["--wait", "active", "--broker", &format!("127.0.0.1:{}", self.port)]);
                push
            }
            what => {
                let mut verb = programs::agent();
                let name = if what == 3 { "activate" } else { "rollback" };
                verb.args(["bundle", name, "--why", "a trial", "--config"]).arg(config);
                verb
            }
        };
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    }

    fn next(&mut self) -> PathBuf {
        self.release += 1;
        let release = self.release;
        signed(&self.folder, &format!("set-{release}"), &self.key, |manifest| {
            manifest["release"] = json!(release);
        })
    }
}

/// What `coilsight-agent bundle list` says.
fn slots(config: &Path) -> Value {
    let output =
        programs::agent().args(["bundle", "list", "--json", "--config"]).arg(config).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn sets_come_and_go_and_the_agent_is_killed() {
    let test = "sets_come_and_go_and_the_agent_is_killed";
    let (kills, coils) = if full() { (200, 300) } else { (8, 16) };
    let folder = tempfile::tempdir().unwrap();
    let Some(broker) = Mosquitto::start(test, folder.path()) else { return };
    let (port, folder) = (broker.port, folder.path());
    let plan = Plan::short_coils(coils, "plant/gl2", 5);
    let expected = undisturbed(&plan, folder);

    let key = believed(folder);
    let factory = signed(folder, "factory", &key, |_| ());
    let text = |path: &Path| path.display().to_string();
    let mut agent = Agent::configure(folder, port, "")
        .env("COILSIGHT__BUNDLE__TRUST", &text(&folder.join("trust")))
        .env("COILSIGHT__BUNDLE__FILE", &text(&factory))
        .env("COILSIGHT__UPDATE__SHADOW_COILS", "2")
        .env("COILSIGHT__UPDATE__PROBATION_COILS", "3");
    agent.start();
    agent.until_logged("judging");
    let config = agent.config();
    let random = StdRng::seed_from_u64(3);
    let mut engineer = Engineer { folder: folder.to_owned(), key, port, release: 1, random };

    let strikes = std::thread::spawn(move || {
        let (mut slowest, mut ran) = (Duration::ZERO, std::collections::BTreeSet::new());
        for kill in 0..kills {
            let mut child = engineer.act(&config);
            let moment = engineer.random.random_range(0..1500);
            std::thread::sleep(Duration::from_millis(moment));
            agent.kill();
            let _ = child.kill();
            let _ = child.wait();
            let began = Instant::now();
            agent.start();
            agent.until_logged_times("judging", kill + 2);
            slowest = slowest.max(began.elapsed());
            let slots = slots(&config);
            let active =
                slots["active"]["release"].as_u64().unwrap_or_else(|| panic!("no set decides: {slots:#}"));
            assert!((1..=engineer.release).contains(&active), "{slots:#}");
            assert!(slots["newest_release"].as_u64() >= Some(active), "{slots:#}");
            ran.insert(active);
        }
        (agent, slowest, ran)
    });
    let ear = runtime().block_on(async {
        let mut ear = listener::listen(&player(port, "listener", 0.0), &Topics::default()).await.unwrap();
        online(&mut ear).await;
        player(port, "gateway", if full() { 60.0 } else { 100.0 }).play(&plan, &mut |_| ()).await;
        let patience = if full() { Duration::from_mins(20) } else { Duration::from_mins(3) };
        let all = ear.until(patience, decided(expected.len(), "")).await;
        assert!(all, "not all of {} decisions came", expected.len());
        ear
    });
    let (mut agent, slowest, ran) = strikes.join().unwrap();
    assert!(slowest < READY_WITHIN, "{slowest:?}");
    let report = check::heard(&ear.all(), &assessments());
    assert_eq!(report.faults, [""; 0]);
    // All releases hold the same networks: whichever decided, it decided so.
    assert_eq!(check::differences(&expected, &report.decisions), [""; 0]);
    agent.until_logged("connected to the broker");
    assert!(agent.stop().success(), "{}", agent.log());
    assert_eq!(check::differences(&expected, &archived(&agent.state())), [""; 0]);
    eprintln!(
        "{kills} kills, {} decisions, ready again after at most {:.1} s; releases that decided after a start: {ran:?}",
        report.decisions.len(),
        slowest.as_secs_f64()
    );
}

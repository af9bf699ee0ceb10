//! Agent and broker are killed, stopped and started at random moments, and the views are removed or damaged in
//! between: the decisions are those of an undisturbed replay, each once.

use super::{archived, assessments, decided, full, online, player, runtime, undisturbed};
use coilsight_models::message::Topics;
use coilsight_tests::agent::Agent;
use coilsight_tests::broker::Mosquitto;
use coilsight_tests::data;
use coilsight_tests::gateway::plan::{Fault, Plan};
use coilsight_tests::gateway::{check, listener};
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// What is done at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strike {
    /// SIGKILL to the agent, and a new start.
    Agent(Views),
    /// The broker is stopped and started.
    Broker,
    /// Both go, the broker comes back first.
    Both,
}

/// What becomes of the agent's views between its death and its next start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Views {
    Stay,
    Gone,
    Damaged,
}

struct Trial {
    plan: Plan,
    /// Added to the agent's configuration.
    config: &'static str,
    agent_deaths: usize,
    broker_stops: usize,
    speed: f64,
    seed: u64,
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_decided_twice() {
    let faults = &[Fault::Repeat, Fault::Disorder, Fault::Again, Fault::Garbage, Fault::Oversized];
    let (coils, agent_deaths, broker_stops, speed, seed) =
        if full() { (500, 100, 10, 200.0, 11) } else { (20, 6, 2, 400.0, 7) };
    let plan = Plan::short_coils(coils, "plant/gl2", seed).with_faults(faults, 5, seed);
    let trial = Trial { plan, config: "", agent_deaths, broker_stops, speed, seed };
    run("nothing_acknowledged_is_lost_and_nothing_is_decided_twice", &trial);
}

#[test]
fn recorded_shifts_are_decided_live_as_in_a_replay_whatever_is_killed() {
    let test = "recorded_shifts_are_decided_live_as_in_a_replay_whatever_is_killed";
    for (file, seed) in [("recordings/shift-clean.jsonl", 1), ("recordings/shift-faults.jsonl", 2)] {
        let Some(recording) = data(test, file) else { return };
        let plan = Plan::recording(&recording).unwrap();
        // The shift takes seconds here: so does the silence that closes a coil without an end.
        let config = "[line]\nsilence_s = 4\nlate_rows_s = 2\n";
        run(test, &Trial { plan, config, agent_deaths: 4, broker_stops: 2, speed: 0.0, seed });
    }
}

fn run(test: &str, trial: &Trial) {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut broker) = Mosquitto::start(test, folder.path()) else { return };
    let plan = &trial.plan;
    let expected = undisturbed(plan, folder.path());
    assert!(expected.len() > 10, "nothing to try");
    let mut agent = Agent::configure(folder.path(), broker.port, trial.config);
    agent.start();
    agent.until_logged("archive opened");

    let port = broker.port;
    let strikes = strikes(trial, plan.messages.len());
    let (tell, told) = mpsc::channel();
    let seed = trial.seed;
    let blows = std::thread::spawn(move || {
        let mut random = StdRng::seed_from_u64(seed);
        for (_, strike) in &strikes {
            let Ok(()) = told.recv() else { break };
            blow(*strike, &mut agent, &mut broker, &mut random);
        }
        (agent, broker)
    });
    let began = Instant::now();
    let moments: Vec<usize> = self::strikes(trial, plan.messages.len()).iter().map(|(at, _)| *at).collect();
    let (ear, sent) = runtime().block_on(async {
        let mut ear = listener::listen(&player(port, "listener", 0.0), &Topics::default()).await.unwrap();
        online(&mut ear).await;
        let mut next = 0;
        let sent = player(port, "gateway", trial.speed)
            .play(plan, &mut |done| {
                while next < moments.len() && done >= moments[next] {
                    next += 1;
                    let _ = tell.send(());
                }
            })
            .await;
        drop(tell);
        let all = ear.until(Duration::from_mins(3), decided(expected.len(), "")).await;
        assert!(all, "not all of {} decisions came", expected.len());
        (ear, sent)
    });
    let seconds = began.elapsed().as_secs_f64();
    let (mut agent, _broker) = blows.join().unwrap();
    let report = check::heard(&ear.all(), &assessments());
    assert_eq!(report.faults, [""; 0]);
    assert_eq!(check::differences(&expected, &report.decisions), [""; 0]);
    assert!(agent.stop().success(), "{}", agent.log());
    assert_eq!(check::differences(&expected, &archived(&agent.state())), [""; 0]);
    eprintln!(
        "{} messages, {} decisions in {seconds:.0} s; {} agent deaths, {} broker stops; {} decisions came again, {} \
         broken connections of the gateway",
        plan.messages.len(),
        report.decisions.len(),
        trial.agent_deaths,
        trial.broker_stops,
        report.repeated,
        sent.broken,
    );
}

/// The moments, as counts of messages that the broker has taken, and what is done then.
fn strikes(trial: &Trial, messages: usize) -> Vec<(usize, Strike)> {
    let mut random = StdRng::seed_from_u64(trial.seed);
    let views = [Views::Stay, Views::Gone, Views::Damaged];
    let mut what: Vec<Strike> = (0..trial.agent_deaths)
        .map(|_| Strike::Agent(*views.choose(&mut random).expect("three")))
        .chain((0..trial.broker_stops).map(|i| if i % 2 == 0 { Strike::Broker } else { Strike::Both }))
        .collect();
    what.shuffle(&mut random);
    let mut at: Vec<usize> = what.iter().map(|_| random.random_range(1..messages)).collect();
    at.sort_unstable();
    at.into_iter().zip(what).collect()
}

fn blow(strike: Strike, agent: &mut Agent, broker: &mut Mosquitto, random: &mut StdRng) {
    match strike {
        Strike::Agent(views) => {
            agent.kill();
            spoil(&agent.state().join("views"), views, random);
            agent.start();
        }
        Strike::Broker => {
            broker.stop();
            broker.again();
        }
        Strike::Both => {
            agent.kill();
            broker.stop();
            broker.again();
            agent.start();
        }
    }
}

fn spoil(folder: &Path, views: Views, random: &mut StdRng) {
    if views == Views::Gone {
        let _ = std::fs::remove_dir_all(folder);
    }
    if views != Views::Damaged {
        return;
    }
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(mut bytes) = std::fs::read(&path)
                && !bytes.is_empty()
            {
                for _ in 0..8 {
                    let at = random.random_range(0..bytes.len());
                    bytes[at] ^= random.random_range(1..=255);
                }
                let _ = std::fs::write(path, bytes);
            }
        }
    }
}

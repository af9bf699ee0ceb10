//! A line that loses, repeats and reorders, and a disk that loses power at each of its operations: what comes out is
//! exactly what was offered, or a refusal with its reason.

use super::*;

/// What goes wrong on the way, in parts of a hundred.
#[derive(Clone, Copy)]
struct Weather {
    lost: usize,
    twice: usize,
    late: usize,
    spoilt: usize,
}

const FAIR: Weather = Weather { lost: 0, twice: 0, late: 0, spoilt: 0 };

/// Runs until the file is complete or refused; whenever the power goes, goes on with what the disk has kept.
fn run(plant: &mut Plant, sender: &Sender, weather: Weather, rng: &mut Rng) {
    let mut way: Vec<(Way, Vec<u8>)> = Vec::new();
    for step in 0..5_000 {
        if plant.disk.list("incoming").is_err() {
            let disk = plant.disk.after_cut(rng);
            plant.restart(disk, Limits::default());
            way.clear();
        }
        if plant.complete.is_some() {
            return;
        }
        // A trainer offers again while it hears nothing.
        if step % 20 == 0 {
            way.push(sender.offers());
        }
        for want in std::mem::take(&mut plant.wants) {
            for message in sender.answers(&want) {
                if rng.below(100) < weather.lost {
                    continue;
                }
                if rng.below(100) < weather.twice {
                    way.push(message.clone());
                }
                way.push(message);
            }
        }
        for at in 0..way.len() {
            if rng.below(100) < weather.late {
                let to = rng.below(way.len());
                way.swap(at, to);
            }
        }
        let now = rng.below(way.len() + 1).min(6);
        let messages: Vec<_> = way
            .drain(..now)
            .map(|(kind, mut payload)| {
                if kind == Way::Piece && rng.below(100) < weather.spoilt {
                    let at = rng.below(payload.len());
                    payload[at] ^= 1 << rng.below(8);
                }
                (kind, payload)
            })
            .collect();
        plant.now += Duration::from_millis(500);
        plant.hear(messages);
        if plant.answers.iter().any(|answer| answer.state == Stage::Refused) {
            return;
        }
    }
    panic!("neither complete nor refused: {:?}", plant.receiver);
}

#[test]
fn whatever_the_line_does_the_file_comes_whole() {
    for seed in 0..200 {
        let rng = &mut Rng(seed);
        let sender = Sender::new(file(seed, 1 + rng.below(40_000)));
        let weather = Weather { lost: rng.below(40), twice: rng.below(40), late: rng.below(100), spoilt: 0 };
        let mut plant = Plant::new();
        run(&mut plant, &sender, weather, rng);
        assert!(plant.complete.is_some(), "seed {seed}: {:?}", plant.said());
        assert_eq!(plant.content(), sender.file, "seed {seed}");
    }
}

#[test]
fn what_is_spoilt_on_the_way_is_never_taken_for_the_file() {
    let mut refused = 0;
    for seed in 0..200 {
        let rng = &mut Rng(seed);
        let sender = Sender::new(file(seed, 1 + rng.below(40_000)));
        let mut plant = Plant::new();
        run(&mut plant, &sender, Weather { lost: 5, twice: 5, late: 5, spoilt: 3 }, rng);
        if plant.complete.is_some() {
            assert_eq!(plant.content(), sender.file, "seed {seed}");
        } else {
            refused += 1;
            let said = plant.answers.iter().find(|answer| answer.state == Stage::Refused).unwrap();
            assert!(!said.text.is_empty() && !said.to_do.is_empty(), "{said:?}");
        }
    }
    assert!((20..180).contains(&refused), "{refused} of 200: both ends are to be seen");
}

#[test]
fn wherever_the_power_goes_it_goes_on_from_what_is_durable() {
    let sender = Sender::new(file(1, 20_000));
    let mut plant = Plant::new();
    let before = plant.disk.ops();
    run(&mut plant, &sender, FAIR, &mut Rng(0));
    let ops = plant.disk.ops() - before;
    assert!(ops > 30, "{ops} operations: too few to be worth it");
    for cut in 1..=ops {
        for outcome in 0..8 {
            let rng = &mut Rng(cut << 8 | outcome);
            let mut plant = Plant::new();
            plant.disk.cut_after(cut);
            let weather = Weather { lost: 5, twice: 5, late: 10, spoilt: 0 };
            run(&mut plant, &sender, weather, rng);
            assert!(plant.complete.is_some(), "cut {cut}, outcome {outcome}: {:?}", plant.said());
            assert_eq!(plant.content(), sender.file, "cut {cut}, outcome {outcome}");
        }
    }
}

#[test]
fn what_counts_as_stored_survives_a_cut_at_any_time() {
    for seed in 0..60 {
        let rng = &mut Rng(seed);
        let sender = Sender::new(file(seed, 40_000));
        let mut plant = Plant::new();
        plant.hear([sender.offers()]);
        for _ in 0..rng.below(8) {
            let Some(want) = plant.wants.pop() else { break };
            plant.hear(sender.answers(&want).into_iter().take(1 + rng.below(8)));
        }
        let had = plant.receiver.on_its_way().map(|(_, have)| have).unwrap();
        plant.restart(plant.disk.after_cut(rng), Limits::default());
        let (offer, have) = plant.receiver.on_its_way().expect("it goes on");
        assert_eq!(*offer, sender.offer);
        assert!(have <= had && had <= have + 8, "{had} before, {have} after");
        let part = plant.disk.open(&store::part(&offer.offer)).unwrap();
        let mut bytes = vec![0; have as usize * PIECE as usize];
        assert_eq!(part.read_at(&mut bytes, 0).unwrap(), bytes.len());
        assert_eq!(bytes, sender.file[..bytes.len()]);
    }
}

#[test]
fn a_complete_file_is_found_again_after_a_cut() {
    let sender = Sender::new(file(2, 20_000));
    let mut plant = Plant::new();
    run(&mut plant, &sender, FAIR, &mut Rng(0));
    plant.restart(plant.disk.after_cut(&mut Rng(3)), Limits::default());
    while plant.receiver.has_work() {
        plant.step(Vec::new());
    }
    assert_eq!(plant.content(), sender.file);
    assert_eq!(
        (plant.desk.fronts, plant.wants.len()),
        (2, 0),
        "the front is seen by whom this process trusts"
    );
}

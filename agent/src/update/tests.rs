//! A line whose sets come and go, with real bundles: in memory but for the threads that verify and load.

mod trouble;

use super::*;
use crate::archive::sim::SimDisk;
use crate::archive::{Archive, Disk, Limits};
use crate::line::tests::{end, rows, start};
use crate::line::{Config, Now};
use crate::slots::testing::*;
use coilsight_models::bundle::Sha256;
use coilsight_models::message::assessment::Assessment;
use std::sync::Arc;

/// A line, its slots and its people. Its disks outlive it.
struct Bench {
    line: Line,
    update: Update,
    plant: Plant,
    models: SimDisk,
    archive: SimDisk,
    coils: usize,
}

fn rules() -> Rules {
    // The networks of these bundles are drawn at random: what they make of a coil says nothing.
    Rules { shadow_coils: 3, probation_coils: 4, max_not_ok: 1.0, ..Rules::default() }
}

fn open_line(archive: &SimDisk, models: &SimDisk, plant: &Plant, rules: &Rules) -> (Line, Update) {
    let disk: Arc<dyn Disk> = Arc::new(archive.clone());
    let (archive, recovery) = Archive::open_without_views_folder(disk, Limits::default()).unwrap();
    let bound = Line::bindings_of(&recovery.open);
    let slots = open(models).unwrap();
    let (update, judges) = Update::open(slots, Ok(plant.whom()), site(), rules.clone(), None, &bound, None);
    (Line::new(Config::default(), archive, &recovery.open, judges).unwrap(), update)
}

impl Bench {
    /// Where release 5 decides and has proved itself.
    fn new(rules: &Rules) -> Self {
        let (plant, models, archive) = (Plant::new(), SimDisk::new(), SimDisk::new());
        let (line, update) = open_line(&archive, &models, &plant, rules);
        let mut bench = Self { line, update, plant, models, archive, coils: 0 };
        bench.bring(&bench.plant.set(5));
        assert_eq!(bench.active(), Some(5), "the first set decides at once");
        for _ in 0..rules.probation_coils {
            bench.coil();
        }
        assert_eq!(bench.update.state().probation, None);
        bench
    }

    /// Stops without a word and starts again.
    fn restart(self, rules: &Rules) -> Self {
        let Self { line, update, plant, models, archive, coils } = self;
        // What was going on beside the line dies with the process.
        drop((line, update));
        let (line, update) = open_line(&archive, &models, &plant, rules);
        let mut bench = Self { line, update, plant, models, archive, coils };
        bench.update.step(&mut bench.line, false, None);
        bench
    }

    /// A bundle comes, and everything that follows from it at once.
    fn bring(&mut self, bundle: &[u8]) -> Vec<Word> {
        let path = put(&self.models, "came", bundle).unwrap();
        let way = Way::Broker { offer: Sha256::of(bundle) };
        self.update.request(Request { path, way, asked: None });
        self.settle();
        self.update.words()
    }

    /// Until nothing is being done beside the line.
    fn settle(&mut self) {
        let until = Instant::now() + Duration::from_mins(1);
        loop {
            self.update.step(&mut self.line, true, None);
            let update = &self.update;
            if update.work.is_none() && update.requests.is_empty() && update.going_back.is_none() {
                return;
            }
            assert!(Instant::now() < until, "it does not come to an end");
            std::thread::yield_now();
        }
    }

    fn say(&mut self, topic: &str, payload: &serde_json::Value) {
        let bytes = payload.to_string();
        self.line.take(&format!("plant/gl2/{topic}"), bytes.as_bytes(), Now::default()).unwrap();
        self.line.commit().unwrap();
    }

    fn begin(&mut self, id: &str) {
        self.say("coil/start", &start(id, "2026-01-05T06:00:00Z"));
        self.say("gauge", &rows(id, 0, 50, 70.0));
    }

    fn finish(&mut self, id: &str) -> Assessment {
        self.say("gauge", &rows(id, 50, 100, 70.0));
        self.say("coil/end", &end(id, 100.0));
        let decision = self.line.archive().pass(&format!("{id}@2026-01-05T06:00:00Z")).unwrap().unwrap();
        self.settle();
        serde_json::from_slice(&decision.json).unwrap()
    }

    /// A whole coil.
    fn coil(&mut self) -> Assessment {
        self.coils += 1;
        let id = format!("C-{}", self.coils);
        self.begin(&id);
        self.finish(&id)
    }

    fn active(&self) -> Option<u64> {
        self.update.state().active.as_ref().map(|active| active.release)
    }

    /// Asks for what a person would who has just looked.
    fn activate(&mut self) -> Reply {
        let candidate = self.update.state().candidate.as_ref().map(|c| c.release.fingerprint());
        self.wish(Command::Activate { fingerprint: candidate.unwrap_or(Sha256::of(b"none")) })
    }

    fn roll_back(&mut self) -> Reply {
        let good = self.update.state().last_good.as_ref().map(Release::fingerprint);
        self.wish(Command::Rollback { fingerprint: good.unwrap_or(Sha256::of(b"none")) })
    }

    fn wish(&mut self, command: Command) -> Reply {
        let wish = Wish { by: "anna".into(), why: "because".into(), command };
        let bytes = serde_json::to_vec(&wish).unwrap();
        let file = self.models.create("inbox/1.request").unwrap();
        file.write_at(&bytes, 0).unwrap();
        self.update.inbox.look_again();
        self.settle();
        let answer = self.models.open("inbox/1.answer").unwrap();
        let mut bytes = vec![0; 4096];
        let have = answer.read_at(&mut bytes, 0).unwrap();
        self.models.remove("inbox/1.answer").unwrap();
        serde_json::from_slice(&bytes[..have]).unwrap()
    }
}

fn stages(words: &[Word]) -> Vec<Stage> {
    words.iter().map(|word| word.stage).collect()
}

#[test]
fn a_set_judges_in_shadow_takes_over_at_a_coils_start_and_proves_itself() {
    let mut bench = Bench::new(&rules());
    let words = bench.bring(&bench.plant.set(6));
    assert_eq!(stages(&words), [Stage::Staged, Stage::Shadow]);
    for _ in 0..2 {
        assert_eq!(bench.coil().model.release, 5);
    }
    // This one is open while the set takes over: it keeps what it was bound to.
    bench.begin("LONG");
    assert_eq!(bench.coil().model.release, 5);
    assert_eq!(bench.active(), Some(6));
    assert_eq!(stages(&bench.update.words()), [Stage::Active]);
    assert_eq!(bench.coil().model.release, 6);
    assert_eq!(bench.finish("LONG").model.release, 5);
    assert_eq!(bench.update.state().probation, Some(0));
    (0..3).for_each(|_| drop(bench.coil()));
    assert_eq!(bench.update.state().probation, None);
    assert_eq!(bench.update.state().last_good.as_ref().unwrap().release, 5);
}

#[test]
fn a_coil_keeps_its_set_through_a_restart() {
    let rules = rules();
    let mut bench = Bench::new(&rules);
    bench.bring(&bench.plant.set(6));
    bench.begin("LONG");
    (0..3).for_each(|_| drop(bench.coil()));
    assert_eq!(bench.active(), Some(6));
    let mut bench = bench.restart(&rules);
    assert_eq!(bench.coil().model.release, 6);
    let bound = bench.finish("LONG");
    assert_eq!((bound.model.release, bound.p_nok.is_some()), (5, true));
}

#[test]
fn shadow_goes_on_after_a_restart() {
    let rules = rules();
    let mut bench = Bench::new(&rules);
    bench.bring(&bench.plant.set(6));
    (0..2).for_each(|_| drop(bench.coil()));
    let mut bench = bench.restart(&rules);
    bench.settle();
    assert_eq!(bench.update.state().candidate.as_ref().unwrap().shadow.len(), 2);
    bench.coil();
    assert_eq!(bench.active(), Some(6));
}

#[test]
fn a_candidate_that_disagrees_is_given_up_and_stays_so() {
    let mut bench = Bench::new(&Rules { min_agreement: 0.9, ..rules() });
    // Thresholds under which the same networks call nearly everything NOK.
    let set = bench.update.state().active.as_ref().unwrap().set;
    let strict = signed(&policy_with(6, set, 0.0), &[&bench.plant.bert]);
    let lax = bench.coil().p_nok.unwrap() < 0.5;
    assert!(lax, "the coils of this test are OK to the active set");
    bench.bring(&strict);
    (0..3).for_each(|_| drop(bench.coil()));
    assert_eq!((bench.active(), bench.update.state().candidate.is_none()), (Some(5), true));
    let words = bench.update.words();
    assert_eq!(stages(&words), [Stage::Refused]);
    assert!(words[0].text.contains("agreed on 0 of 3"), "{}", words[0].text);
    let again = bench.bring(&strict);
    assert!(again[0].stage == Stage::Refused && again[0].text.contains("given up"), "{again:?}");
    let next = signed(&policy_with(7, set, 0.999), &[&bench.plant.bert]);
    assert_eq!(stages(&bench.bring(&next)), [Stage::Staged, Stage::Shadow]);
}

#[test]
fn a_set_that_rejects_everything_after_it_took_over_goes_back_by_itself() {
    let rules = Rules { shadow_coils: 0, probation_coils: 20, max_not_ok: 0.5, ..rules() };
    let mut bench = Bench::new(&Rules { max_not_ok: 1.0, ..rules.clone() });
    bench.update.rules = rules;
    let set = bench.update.state().active.as_ref().unwrap().set;
    bench.bring(&signed(&policy_with(6, set, 0.0), &[&bench.plant.bert]));
    assert_eq!(bench.active(), Some(6));
    for _ in 0..12 {
        bench.coil();
    }
    assert_eq!(bench.active(), Some(5));
    let last = bench.update.words().pop().unwrap();
    assert_eq!((last.stage, last.release), (Stage::RolledBack, Some(6)));
    assert!(last.text.contains("were not plainly OK"), "{}", last.text);
    assert_eq!(bench.coil().model.release, 5);
}

#[test]
fn a_set_that_keeps_the_agent_from_working_goes_back_at_a_start() {
    let rules = Rules { shadow_coils: 0, ..rules() };
    let mut bench = Bench::new(&rules);
    bench.bring(&bench.plant.set(6));
    assert_eq!(bench.active(), Some(6));
    for _ in 0..3 {
        bench = bench.restart(&rules);
        assert_eq!(bench.active(), Some(6));
    }
    bench = bench.restart(&rules);
    assert_eq!(bench.active(), Some(5));
    // Bad power is not the set's fault: with coils judged between starts it stays.
    bench.bring(&bench.plant.set(7));
    for _ in 0..5 {
        bench = bench.restart(&rules);
        (0..3).for_each(|_| drop(bench.coil()));
    }
    assert_eq!(bench.active(), Some(7));
}

#[test]
fn an_operator_activates_and_goes_back_but_never_below_the_floor() {
    let mut bench = Bench::new(&rules());
    assert!(bench.roll_back().text.contains("no last good set"));
    assert!(bench.activate().text.contains("no candidate"));
    bench.bring(&bench.plant.set(6));
    assert_eq!(bench.activate().stage, Stage::Active);
    assert_eq!(bench.active(), Some(6));
    assert_eq!(bench.roll_back().stage, Stage::RolledBack);
    assert_eq!(bench.active(), Some(5));

    let forbidding = signed(&set(7, |m| m.floor = 7), &[&bench.plant.trainer, &bench.plant.bert]);
    bench.bring(&forbidding);
    bench.activate();
    let refused = bench.roll_back();
    assert!(!refused.done && refused.text.contains("nothing below 7"), "{}", refused.text);
    assert_eq!(bench.active(), Some(7));
    let path = put(&bench.models, "stick", &bench.plant.set(8)).unwrap();
    assert_eq!(bench.wish(Command::Install { file: path }).stage, Stage::Shadow);
    let refused = bench.wish(Command::Install { file: "store/x.coilbundle".into() });
    assert!(refused.text.contains("in the inbox"), "{}", refused.text);
}

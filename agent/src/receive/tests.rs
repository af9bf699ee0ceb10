use super::*;
use crate::archive::sim::{Rng, SimDisk};
use coilsight_models::bundle::Front;
use coilsight_models::bundle::Id;

mod limits;
mod order;
mod storm;
mod strangers;

/// Bytes in a piece: as few as may be.
const PIECE: u32 = 1 << 10;

/// A file that begins as a bundle does, of so many bytes in all.
fn file(seed: u64, bytes: usize) -> Vec<u8> {
    let front = Front::new(Vec::new(), format!("{{\"manifest\": {seed}}}").into_bytes()).unwrap();
    let mut file = Vec::new();
    front.write(&mut file).unwrap();
    let rest = bytes.saturating_sub(file.len());
    file.extend(Rng(seed).bytes(rest));
    file
}

/// The trainer's side: it has a file, and sends what is asked for.
#[derive(Clone)]
struct Sender {
    file: Vec<u8>,
    offer: Offer,
}

impl Sender {
    fn new(file: Vec<u8>) -> Self {
        let offer = Offer {
            version: VERSION,
            offer: Sha256::of(&file),
            bytes: file.len() as u64,
            piece_bytes: PIECE,
            name: Id::new("gl2-set").unwrap(),
            release: 7,
        };
        Self { file, offer }
    }

    fn offers(&self) -> (Way, Vec<u8>) {
        (Way::Offer, payload(&self.offer))
    }

    fn sends(&self, index: u32) -> (Way, Vec<u8>) {
        let (at, length) = self.offer.place(index).unwrap();
        let data = &self.file[at as usize..at as usize + length];
        (Way::Piece, Piece { offer: self.offer.offer, index, data }.payload())
    }

    fn answers(&self, want: &Want) -> Vec<(Way, Vec<u8>)> {
        assert_eq!(want.offer, self.offer.offer);
        assert!(want.from + want.count <= self.offer.pieces());
        (want.from..want.from + want.count).map(|index| self.sends(index)).collect()
    }
}

/// A desk that takes any front, unless it is told not to.
#[derive(Default)]
struct TestDesk {
    refuses: Option<Told>,
    knows: Option<Told>,
    fronts: u32,
    manifest: Vec<u8>,
}

impl Desk for TestDesk {
    fn refused(&mut self, _: &Offer, _: &Told) {}

    fn known(&mut self, _: &Offer) -> Option<Told> {
        self.knows.clone()
    }

    fn front(&mut self, _: &Offer, front: &Front) -> Result<(), Told> {
        self.manifest = front.manifest_bytes().to_vec();
        self.fronts += 1;
        self.refuses.clone().map_or(Ok(()), Err)
    }
}

/// A receiver, its disk, its time, and what it has said.
struct Plant {
    disk: SimDisk,
    receiver: Receiver,
    desk: TestDesk,
    now: Duration,
    generation: u64,
    packet: u16,
    wants: Vec<Want>,
    answers: Vec<Answer>,
    complete: Option<(Offer, String)>,
}

impl Plant {
    fn new() -> Self {
        Self::with(Limits::default())
    }

    fn with(limits: Limits) -> Self {
        let disk = SimDisk::new();
        let receiver = Receiver::open(Arc::new(disk.clone()), limits, Duration::ZERO).unwrap();
        let mut plant = Self {
            disk,
            receiver,
            desk: TestDesk::default(),
            now: Duration::ZERO,
            generation: 0,
            packet: 0,
            wants: Vec::new(),
            answers: Vec::new(),
            complete: None,
        };
        plant.up();
        plant
    }

    fn time(&self) -> Time {
        Time { line: self.now, wall: None }
    }

    fn up(&mut self) {
        self.generation += 1;
        self.step(vec![Event::Up { generation: self.generation }]);
    }

    /// Delivers messages in one step; they are all acknowledged, in their order.
    fn hear(&mut self, messages: impl IntoIterator<Item = (Way, Vec<u8>)>) {
        let mut tickets = Vec::new();
        let events = messages.into_iter().map(|(way, payload)| {
            self.packet = self.packet % 1000 + 1;
            let ticket = Ticket { generation: self.generation, packet: self.packet };
            tickets.push(ticket);
            Event::Delivered { ticket, way, payload: payload.into() }
        });
        let events = events.collect();
        assert_eq!(self.step(events), tickets);
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.step(Vec::new());
    }

    /// What is acknowledged.
    fn step(&mut self, events: Vec<Event>) -> Vec<Ticket> {
        let time = self.time();
        let acts = self.receiver.step(events, time, &mut self.desk);
        let acknowledged = self.act(acts);
        assert!(!self.receiver.has_work() || self.complete.is_none());
        acknowledged
    }

    fn act(&mut self, acts: Vec<Act>) -> Vec<Ticket> {
        let mut acknowledged = Vec::new();
        for act in acts {
            match act {
                Act::Acknowledge(ticket) => acknowledged.push(ticket),
                Act::Publish { generation, way, payload } => {
                    assert_eq!(generation, self.generation);
                    match way {
                        Way::Want => self.wants.push(Want::parse(&payload).unwrap()),
                        Way::Answer => self.answers.push(Answer::parse(&payload).unwrap()),
                        other => panic!("the line says {other:?}"),
                    }
                }
                Act::Complete { offer, path } => {
                    assert!(self.complete.is_none(), "complete twice");
                    self.complete = Some((offer, path));
                }
            }
        }
        acknowledged
    }

    /// Sends what is asked for until nothing more is.
    fn serve(&mut self, sender: &Sender) {
        while let Some(want) = self.wants.pop() {
            self.wants.clear();
            self.hear(sender.answers(&want));
            while self.receiver.has_work() {
                self.step(Vec::new());
            }
        }
    }

    fn restart(&mut self, disk: SimDisk, limits: Limits) {
        self.disk = disk;
        self.receiver = Receiver::open(Arc::new(self.disk.clone()), limits, self.now).unwrap();
        (self.complete, self.wants) = (None, Vec::new());
        self.up();
    }

    /// Bytes of the file that is complete.
    fn content(&self) -> Vec<u8> {
        let (offer, path) = self.complete.as_ref().expect("a complete file");
        let file = self.disk.open(path).unwrap();
        let mut bytes = vec![0; file.size().unwrap() as usize];
        file.read_at(&mut bytes, 0).unwrap();
        assert_eq!(Sha256::of(&bytes), offer.offer);
        bytes
    }

    fn said(&self) -> &Answer {
        self.answers.last().expect("an answer")
    }

    fn files(&self) -> Vec<String> {
        self.disk.list("incoming").unwrap()
    }

    /// The answer is a refusal that holds this, and nothing is left.
    #[track_caller]
    fn assert_refused(&self, text: &str) {
        let said = self.said();
        assert_eq!(said.state, Stage::Refused);
        assert!(said.text.contains(text), "{}", said.text);
        assert!(!said.to_do.is_empty());
        assert!(self.complete.is_none() && self.receiver.on_its_way().is_none());
        assert_eq!(self.files(), [""; 0]);
    }
}

#[test]
fn a_file_comes_whole() {
    let sender = Sender::new(file(1, 50_000));
    let mut plant = Plant::new();
    plant.hear([sender.offers()]);
    assert_eq!(plant.said().state, Stage::Receiving);
    assert_eq!(plant.wants, [Want { version: VERSION, offer: sender.offer.offer, from: 0, count: 8 }]);
    plant.serve(&sender);
    assert_eq!(plant.content(), sender.file);
    assert_eq!((plant.desk.fronts, plant.desk.manifest.as_slice()), (1, b"{\"manifest\": 1}".as_slice()));
    let states: Vec<_> = plant.answers.iter().map(|answer| (answer.state, answer.have)).collect();
    assert_eq!(states, [(Stage::Receiving, 0), (Stage::Received, 49)]);

    // Until somebody takes it no other is taken; then nothing of it is left.
    let other = Sender::new(file(2, 3_000));
    plant.hear([other.offers()]);
    assert_eq!((plant.said().state, plant.said().offer), (Stage::Waiting, other.offer.offer));
    let told = Told { release: Some(7), ..Told::new(Stage::Staged, "it waits for its turn", "") };
    plant.disk.remove(&plant.complete.as_ref().unwrap().1).unwrap();
    plant.wait(Duration::from_secs(1));
    let act = plant.receiver.tell(&sender.offer, &told, plant.time());
    plant.act(act.into_iter().collect());
    assert_eq!((plant.said().state, plant.said().release), (Stage::Staged, Some(7)));
    assert_eq!(plant.files(), [""; 0]);
    plant.complete = None;
    plant.hear([other.offers()]);
    plant.serve(&other);
    assert_eq!(plant.content(), other.file);
}

#[test]
fn a_file_shorter_than_a_piece_comes_whole() {
    let sender = Sender::new(file(3, 100));
    let mut plant = Plant::new();
    plant.hear([sender.offers()]);
    plant.serve(&sender);
    assert_eq!(plant.content(), sender.file);
}

#[test]
fn the_desk_sees_the_front_before_more_is_asked_for_and_may_refuse_it() {
    let sender = Sender::new(file(4, 50_000));
    let mut plant = Plant::new();
    plant.desk.refuses =
        Some(Told::refused("signed by a stranger (arbitrary installation)", "have it signed"));
    plant.hear([sender.offers()]);
    plant.serve(&sender);
    assert_eq!(plant.desk.fronts, 1);
    plant.assert_refused("arbitrary installation");
    assert_eq!(plant.said().have, 8, "nothing beyond the first window was asked for");
}

#[test]
fn what_is_no_bundle_is_refused_by_its_first_piece() {
    let sender = Sender::new(Rng(5).bytes(50_000));
    let mut plant = Plant::new();
    plant.hear([sender.offers(), sender.sends(0)]);
    plant.assert_refused("does not begin as a bundle does");
    assert_eq!(plant.said().to_do, "Choose a .coilbundle file");
}

#[test]
fn a_front_over_many_pieces_is_seen_once() {
    let front = Front::new(Vec::new(), [b"{\"manifest\"".as_slice(), &b" ".repeat(20_000)].concat()).unwrap();
    let mut bytes = Vec::new();
    front.write(&mut bytes).unwrap();
    bytes.extend(Rng(6).bytes(10_000));
    let sender = Sender::new(bytes);
    let mut plant = Plant::new();
    plant.hear([sender.offers()]);
    plant.serve(&sender);
    assert_eq!((plant.desk.fronts, plant.content()), (1, sender.file));
}

#[test]
fn what_the_desk_knows_is_not_fetched() {
    let sender = Sender::new(file(7, 5_000));
    let mut plant = Plant::new();
    plant.desk.knows = Some(Told::new(Stage::Active, "it decides", ""));
    plant.hear([sender.offers()]);
    assert_eq!((plant.said().state, plant.wants.len()), (Stage::Active, 0));
}

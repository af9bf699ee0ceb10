use super::*;

const CONTENT: [[u8; 32]; 3] = [[1; 32], [2; 32], [3; 32]];

fn keep(budget_mib: u64) -> KeepConfig {
    KeepConfig { draws: 2, budget_mib, folder: None }
}

fn key(n: u8) -> Key {
    Key::of(&[&[n]])
}

fn read(store: &Store, content: usize, draw: u32) -> Option<Vec<f32>> {
    let mut row = vec![0.0; 3];
    store.read(&CONTENT[content], draw, &mut row).expect("readable").then_some(row)
}

#[test]
fn rows_are_found_again_by_content_and_draw() {
    let folder = tempfile::tempdir().expect("folder");
    let mut store = Store::open(&keep(1), folder.path(), key(1), 3).expect("store");
    store
        .writer()
        .expect("turn")
        .add(&[(CONTENT[0], 0), (CONTENT[0], 1)], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
        .expect("kept");
    store.writer().expect("turn").add(&[(CONTENT[1], 0)], &[7.0, f32::MIN_POSITIVE, -0.0]).expect("kept");
    drop(store);
    let store = Store::open(&keep(1), folder.path(), key(1), 3).expect("store");
    assert_eq!(read(&store, 0, 1), Some(vec![4.0, 5.0, 6.0]));
    assert_eq!(read(&store, 1, 0), Some(vec![7.0, f32::MIN_POSITIVE, -0.0]));
    assert_eq!(read(&store, 1, 1), None);
    assert!(store.has(&CONTENT[0], 0) && !store.has(&CONTENT[2], 0));
    let other = Store::open(&keep(1), folder.path(), key(2), 3).expect("another key");
    assert_eq!(read(&other, 0, 1), None);
}

/// Whatever a crash leaves of the two files, what is read is what was written.
#[test]
fn a_torn_end_is_cut_off() {
    let folder = tempfile::tempdir().expect("folder");
    let mut store = Store::open(&keep(1), folder.path(), key(1), 3).expect("store");
    store
        .writer()
        .expect("turn")
        .add(&[(CONTENT[0], 0), (CONTENT[1], 0)], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
        .expect("kept");
    let own = store.folder.clone();
    drop(store);
    let whole = ["rows", "index"].map(|name| std::fs::read(own.join(name)).expect("file"));
    for (which, name) in ["rows", "index"].into_iter().enumerate() {
        for length in 0..=whole[which].len() {
            for (bytes, name) in whole.iter().zip(["rows", "index"]) {
                std::fs::write(own.join(name), bytes).expect("restored");
            }
            std::fs::write(own.join(name), &whole[which][..length]).expect("cut");
            let mut store = Store::open(&keep(1), folder.path(), key(1), 3).expect("store");
            let unit = if which == 0 { 12 } else { RECORD };
            assert_eq!(read(&store, 0, 0), (length >= unit).then(|| vec![1.0, 2.0, 3.0]));
            assert_eq!(read(&store, 1, 0), (length >= 2 * unit).then(|| vec![4.0, 5.0, 6.0]));
            store.writer().expect("turn").add(&[(CONTENT[2], 9)], &[7.0, 8.0, 9.0]).expect("kept");
            assert_eq!(read(&store, 2, 9), Some(vec![7.0, 8.0, 9.0]));
        }
    }
}

#[test]
fn a_damaged_row_is_told() {
    let folder = tempfile::tempdir().expect("folder");
    let mut store = Store::open(&keep(1), folder.path(), key(1), 3).expect("store");
    store.writer().expect("turn").add(&[(CONTENT[0], 0)], &[1.0, 2.0, 3.0]).expect("kept");
    let own = store.folder.clone();
    drop(store);
    let mut bytes = std::fs::read(own.join("rows")).expect("file");
    bytes[5] ^= 1;
    std::fs::write(own.join("rows"), bytes).expect("written");
    let store = Store::open(&keep(1), folder.path(), key(1), 3).expect("store");
    assert!(matches!(store.read(&CONTENT[0], 0, &mut [0.0; 3]), Err(StoreError::Damaged { row: 0, .. })));
}

#[test]
fn the_budget_holds_and_other_keys_make_room() {
    let folder = tempfile::tempdir().expect("folder");
    // A row of 256 KiB: three fit into 1 MiB.
    let length = 64 * 1024;
    let rows: Vec<([u8; 32], u32)> = (0..5).map(|draw| (CONTENT[0], draw)).collect();
    let mut store = Store::open(&keep(1), folder.path(), key(1), length).expect("store");
    assert_eq!(store.room(), 3);
    store.writer().expect("turn").add(&rows, &vec![1.0; 5 * length]).expect("kept");
    assert_eq!((store.room(), store.has(&CONTENT[0], 2), store.has(&CONTENT[0], 3)), (0, true, false));
    let busy = Store::open(&keep(1), folder.path(), key(2), length).expect("store");
    assert_eq!(busy.room(), 0, "what is in use stays");
    drop((store, busy));
    let store = Store::open(&keep(1), folder.path(), key(3), length).expect("store");
    assert_eq!(store.room(), 3, "what is not in use goes");
    let none = Store::open(&keep(0), folder.path(), key(4), length).expect("store");
    assert_eq!(none.room(), 0);
}

#[test]
fn many_read_while_one_writes_and_the_next_finds_it() {
    let folder = tempfile::tempdir().expect("folder");
    let open = || Store::open(&keep(1), folder.path(), key(1), 3).expect("store");
    let (mut first, mut second, mut early) = (open(), open(), open());
    let mut writer = first.writer().expect("turn");
    writer.add(&[(CONTENT[0], 0)], &[1.0, 2.0, 3.0]).expect("kept");
    let waits = std::thread::spawn(move || {
        // Its turn comes when the first has done.
        let writer = second.writer().expect("turn");
        writer.has(&CONTENT[0], 0) && writer.has(&CONTENT[1], 0)
    });
    writer.add(&[(CONTENT[1], 0)], &[4.0, 5.0, 6.0]).expect("kept");
    drop(writer);
    assert!(waits.join().expect("thread"));
    assert_eq!(read(&early, 0, 0), None, "opened before anything was there");
    drop(early.writer().expect("turn"));
    assert_eq!(read(&early, 1, 0), Some(vec![4.0, 5.0, 6.0]));
}

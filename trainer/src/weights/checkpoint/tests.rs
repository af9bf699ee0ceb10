use super::*;
use crate::weights::tests::{expected, fixture, fixtures};
use proptest::prelude::*;

/// Files that hold weights, and of what kind they are.
const GOOD: &[(&str, Kind)] = &[
    ("state-dict.pth", Kind::StateDict),
    ("old-state-dict.pth", Kind::OldStateDict),
    ("nested.pth", Kind::StateDict),
    ("protocol-4.pth", Kind::StateDict),
    ("modules.pt", Kind::Modules),
    ("old-modules.pt", Kind::OldModules),
    ("views.pth", Kind::StateDict),
    ("old-views.pth", Kind::OldStateDict),
    ("types.pth", Kind::StateDict),
    ("types.safetensors", Kind::Safetensors),
];

fn parsed(bytes: &[u8]) -> Result<Checkpoint, CheckpointFault> {
    Checkpoint::parse(bytes)
}

#[test]
fn every_form_holds_what_pytorch_sees_in_it() {
    for (name, kind) in GOOD {
        let checkpoint = parsed(&fixture(name)).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        assert_eq!(checkpoint.kind, *kind, "{name}");
        expected(name, &checkpoint);
    }
}

#[test]
fn views_are_the_numbers_that_pytorch_shows() {
    for name in ["views.pth", "old-views.pth"] {
        let tensors = parsed(&fixture(name)).expect("read").tensors;
        let flat =
            |name: &str| tensors[name].flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("numbers");
        assert_eq!(tensors["turned"].dims(), [6, 4]);
        assert_eq!(flat("turned")[..8], [0.0, 6.0, 12.0, 18.0, 1.0, 7.0, 13.0, 19.0]);
        assert_eq!(flat("shifted"), [10.0, 11.0, 12.0, 13.0, 14.0, 15.0]);
        assert_eq!(flat("every-other")[..3], [1.0, 3.0, 5.0]);
        assert_eq!((tensors["single"].rank(), flat("single")), (0, vec![7.0]));
        assert_eq!(tensors["parameter"].dims(), [3, 4, 2]);
        assert_eq!(flat("parameter")[..4], [0.0, 12.0, 1.0, 13.0]);
    }
}

#[test]
fn averaged_modules_come_before_the_last_ones_and_a_file_may_speak_for_itself() {
    let checkpoint = parsed(&fixture("modules.pt")).expect("read");
    assert_eq!(checkpoint.says["license"], "AGPL-3.0");
    assert_eq!(checkpoint.says.keys().collect::<Vec<_>>(), ["license", "version"]);
    // The averaged ones are the ones in half precision: every value is one.
    for tensor in checkpoint.tensors.values() {
        let values = tensor.flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("values");
        assert!(values.iter().all(|v| half::f16::from_f32(*v).to_f32() == *v));
    }
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    for (name, _) in GOOD {
        let whole = fixture(name);
        for length in 0..whole.len() {
            assert!(parsed(&whole[..length]).is_err(), "{name} cut to {length} of {} bytes", whole.len());
        }
    }
}

#[test]
fn other_files_and_hostile_ones_are_refused_for_what_they_are() {
    for bytes in [&b""[..], b"PK", b"P", b"\x80\x02}q\0.", b"{}", b"\x02\0\0\0\0\0\0\0{", &[0xff; 4096]] {
        assert!(parsed(bytes).is_err(), "{bytes:?}");
    }
    assert!(matches!(parsed(b"\x89PNG\r\n\x1a\n"), Err(CheckpointFault::Unknown)));
    assert!(matches!(parsed(b"\x02\0\0\0\0\0\0\0{}"), Err(CheckpointFault::Empty)));
    let refused = |name: &str| parsed(&fixture(name)).expect_err(name);
    assert!(matches!(refused("short-storage.pth"), CheckpointFault::View { name } if name == "weight"));
    assert!(matches!(refused("expanded.pth"), CheckpointFault::Limit { what: "values for its size", .. }));
    assert!(matches!(refused("circle.pt"), CheckpointFault::Limit { what: "modules within modules", .. }));
    assert!(matches!(refused("tiny_model-0.1.0-py2.py3-none-any.whl"), CheckpointFault::Unknown));
}

#[test]
fn a_directory_that_claims_more_than_there_is_is_refused() {
    let whole = fixture("state-dict.pth");
    let find = |mark: &[u8]| whole.windows(4).position(|w| w == mark).expect("found");
    let changed = |changes: &[(usize, &[u8])]| {
        let mut bytes = whole.clone();
        for (at, to) in changes {
            bytes[*at..at + to.len()].copy_from_slice(to);
        }
        matches!(parsed(&bytes), Err(CheckpointFault::Zip { .. } | CheckpointFault::Limit { .. }))
    };
    let (first, end) = (find(b"PK\x01\x02"), find(b"PK\x05\x06"));
    assert!(changed(&[(first + 20, &[0xfe, 0xff, 0xff, 0x7f, 0xfe, 0xff, 0xff, 0x7f])]), "an entry of 2 GB");
    assert!(changed(&[(first + 42, &[0xfe, 0xff, 0xff, 0xff])]), "an entry outside the file");
    assert!(changed(&[(first + 10, &[8])]), "a compressed entry");
    assert!(changed(&[(first + 8, &[1])]), "an encrypted entry");
    assert!(changed(&[(end + 10, &[0xfe, 0xff])]), "65,534 entries");
    // PyTorch writes the wide record too: the old one sends readers there by saying that it cannot tell.
    let (wide, locator, sent) = (find(b"PK\x06\x06"), find(b"PK\x06\x07"), (end + 12, &[0xff; 4][..]));
    assert!(!changed(&[sent]), "the wide record is read");
    assert!(changed(&[sent, (wide + 32, &[0xff; 8])]), "2^64 entries");
    assert!(changed(&[sent, (wide + 40, &[0xff; 8])]), "a directory of 2^64 bytes");
    assert!(changed(&[sent, (locator + 8, &[0xff; 8])]), "a record outside the file");
    // A number within a storage: the zip file knows that it is not the one that was written.
    let archive = Archive::open(&whole).expect("opened");
    let (name, entry) =
        archive.entries().iter().find(|(name, _)| name.ends_with("data/0")).expect("a storage");
    let storage = archive.packed(*entry).unwrap_or_else(|fault| panic!("{name}: {fault}"));
    let at = storage.as_ptr() as usize - whole.as_ptr() as usize;
    assert!(changed(&[(at, &[storage[0] ^ 1])]), "a changed number");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn whatever_is_changed_in_a_file_nothing_panics_and_no_more_comes_out_than_was_in_it(
        which in 0..1000usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        other in 0..1000usize,
        splice in prop::bool::weighted(0.2),
    ) {
        let all = fixtures();
        let mut bytes = all[which % all.len()].clone();
        for (at, to) in changes {
            let at = at.index(bytes.len());
            bytes[at] = to;
        }
        if splice {
            let other = &all[other % all.len()];
            let at = cut.index(bytes.len());
            bytes.truncate(at);
            bytes.extend_from_slice(&other[at.min(other.len())..]);
        }
        if let Ok(checkpoint) = parsed(&bytes) {
            prop_assert!(checkpoint.values() <= bytes.len());
        }
    }
}

use super::*;
use crate::oneshot::testing::png;
use crate::weights::tests::skip;
use proptest::prelude::*;

fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("folder");
    for (name, bytes) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, bytes).expect("written");
    }
    folder
}

fn picture() -> Vec<u8> {
    png(200, 200, |x, y| (x * 3 + y) as u8)
}

#[test]
fn classes_and_pictures_come_sorted() {
    let file = picture();
    let data = folder(&[
        ("scratch/b.png", &file),
        ("scratch/a.jpg", include_bytes!("../../../golden/grey.jpg")),
        ("dent/1.png", &file),
        ("dent/.hidden", b"no picture"),
        ("notes.txt", b"beside the classes"),
    ]);
    let pictures = Pictures::read(data.path()).expect("pictures");
    assert_eq!(pictures.classes, ["dent", "scratch"]);
    let names: Vec<&str> = pictures.all.iter().map(|p| &*p.name).collect();
    assert_eq!(names, ["dent/1.png", "scratch/a.jpg", "scratch/b.png"]);
    assert_eq!((pictures.labels(), pictures.of(1)), (vec![0, 1, 1], vec![1, 2]));
    assert_eq!(pictures.all[0].pixels, pictures.all[2].pixels);
    assert_eq!(pictures.places(&["scratch", "dent"]).expect("places"), [1, 0]);
    let unknown = pictures.places(&["rust"]).expect_err("unknown");
    assert_eq!(unknown.to_string(), "there is no class \"rust\"; there are dent, scratch");
    let mut other = pictures.clone();
    other.all[1].pixels[7] ^= 1;
    assert_ne!(other.digest(), pictures.digest());
}

#[test]
fn what_is_no_picture_is_named() {
    let file = picture();
    let told = |files: &[(&str, &[u8])]| Pictures::read(folder(files).path()).expect_err("refused");
    let one = told(&[("a/1.png", &file)]);
    assert!(matches!(one, OneShotError::NoClasses { found, .. } if found == "1 folder"));
    let text = told(&[("a/1.png", &file), ("b/1.png", b"text")]).to_string();
    assert!(text.contains("b/1.png is no picture that can be read"), "{text}");
    assert!(matches!(told(&[("a/1.png", &file), ("b c;/1.png", &file)]), OneShotError::Name { .. }));
    let absent = Pictures::read(Path::new("/nowhere/at/all")).expect_err("absent");
    assert_eq!(absent.to_string(), "cannot list the folder /nowhere/at/all");
    let large = folder(&[("large", &vec![0; MAX_FILE as usize + 1])]);
    let read = read_picture(&large.path().join("large"));
    assert!(matches!(read, Err(OneShotError::TooLarge { .. })));
}

/// Means and pixels (column 17, row 5) as Pillow 13 reads them: `ImageStat.Stat(Image.open(name).convert("L")).mean`.
#[test]
fn the_genuine_pictures_are_read_as_pillow_reads_them() {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let data = std::env::var_os("COILSIGHT_DATA").map_or_else(beside, PathBuf::from).join("neu-cls");
    if !data.exists() {
        let why = format!("there is no {}; set COILSIGHT_DATA to the data's folder", data.display());
        return skip("the_genuine_pictures_are_read_as_pillow_reads_them", &why);
    }
    for (name, mean, pixel) in [
        ("crazing/crazing_1.jpg", 160.6365, 186),
        ("patches/patches_10.jpg", 148.3803, 254),
        ("scratches/scratches_100.jpg", 119.92885, 125),
    ] {
        let pixels = read_picture(&data.join(name)).expect("a picture");
        let found = pixels.iter().map(|v| f64::from(*v)).sum::<f64>() / pixels.len() as f64;
        let off = i32::from(pixels[5 * SIDE + 17]) - pixel;
        assert!((found - mean).abs() < 0.5 && off.abs() <= 2, "{name}: {found} {off}");
    }
}

proptest! {
    #[test]
    fn names_of_classes_stay_in_their_folder(name in "\\PC{0,80}") {
        if check_name(&name).is_ok() {
            prop_assert!(!name.contains(['/', '\\', '\0']) && !name.starts_with('.') && name.len() <= MAX_NAME);
        }
    }
}

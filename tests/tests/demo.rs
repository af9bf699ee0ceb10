//! The demo needs nothing: no data, no configuration, no network, no folder of its own.

use coilsight_tests::programs;

#[test]
fn the_demo_shows_a_shift_with_good_and_bad_coils() {
    let elsewhere = tempfile::tempdir().unwrap();
    let output = programs::agent()
        .args(["demo", "--exit"])
        .env_clear()
        .env("TMPDIR", elsewhere.path())
        .current_dir(elsewhere.path())
        .output()
        .unwrap();
    let (said, errors) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{errors}");
    assert_eq!(errors, "", "a healthy shift logs no warning");
    assert!(!said.contains('\x1b'), "colours belong in a terminal");
    let table = said.split("\nThe shift:\n").nth(1).expect("a table of the shift");
    for verdict in ["  OK ", "  NOK "] {
        assert!(table.contains(verdict), "no coil is{verdict}:\n{table}");
    }
    assert!(table.contains("g/m2") && table.contains("gauge"), "it says where:\n{table}");
    let left: Vec<_> = std::fs::read_dir(elsewhere.path()).unwrap().collect();
    assert!(left.is_empty(), "it leaves {left:?} behind");
}

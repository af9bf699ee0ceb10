//! Blind re-judging.

use crate::SIZES;
use crate::browser::Browser;
use crate::desk::Desk;

#[test]
fn coils_are_judged_blind_and_counted() {
    let Some(desk) = Desk::open("coils_are_judged_blind_and_counted", 32, 0) else { return };
    for (n, size) in SIZES.into_iter().enumerate() {
        let browser = Browser::open(&desk.origin, size);
        browser.go("#/rejudge");
        browser.until("document.querySelector('.start')");
        let code = format!("100{}", n + 1);
        browser.badge(&code);
        browser.until_text("#top .who", &format!("op-{}", n + 1));
        // The first begins with thirty, the second goes on.
        browser.touch(".start");
        for left in [30, 29, 28] {
            browser.until_text("h1.blind", &format!("Round 1 · {left} to go"));
            browser.until("document.querySelector('canvas.map')?.dataset.plot");
            assert!(!browser.text("main").contains("B5-"), "the id is shown");
            assert_eq!(browser.script("return document.querySelector('main .mark') === null"), true);
            // A finger that comes too soon is still on its way from the coil before.
            browser.script("setTimeout(() => document.querySelector('.say.ok').click(), 600)");
        }
        browser.until_text("h1.blind", "27 to go");
        browser.touch(".head .arrow");
        browser.until_text(".inspectors", "first round 3");
        browser.until("document.querySelector('.sheet')");
        browser.finish(&[]);
    }
    let going = desk.get("/api/v1/rejudge");
    dropping_answers_is_asked(&desk, going["session"]["id"].as_str().unwrap());
    assert_eq!(going["session"]["size"], 30);
    assert_eq!(going["session"]["inspectors"].as_array().unwrap().len(), 2);
    // They count for agreement alone.
    assert!(
        desk.get("/api/v1/coils")["coils"].as_array().unwrap().iter().all(|coil| coil["label"].is_null())
    );
}

/// Who starts anew is told how many answers that drops, and may leave it.
fn dropping_answers_is_asked(desk: &Desk, id: &str) {
    let running = || desk.get("/api/v1/rejudge")["session"]["id"].as_str().unwrap().to_owned();
    let browser = Browser::open(&desk.origin, SIZES[0]);
    browser.go("#/rejudge");
    browser.until("document.querySelector('.start')");
    browser.badge("1003");
    browser.until_text("#top .who", "op-3");
    browser.touch("details summary");
    browser.touch(".starts .start");
    browser.until_text("dialog.replace", "6 answers");
    browser.touch(".leave");
    browser.until("document.querySelector('dialog') === null");
    assert_eq!(running(), id);
    browser.touch(".starts .start");
    browser.until_text("dialog.replace", "6 answers");
    browser.touch(".anyway");
    browser.until_text("h1.blind", "30 to go");
    assert_ne!(running(), id);
    browser.finish(&["409"]);
}

//! Saying what a coil is: by touch, by keys, taken back, against somebody else, and through a queue.

use crate::SIZES;
use crate::browser::{Browser, ENTER, ESCAPE};
use crate::desk::Desk;

#[test]
fn a_touch_says_it_and_a_touch_takes_it_back() {
    let Some(desk) = Desk::open("a_touch_says_it_and_a_touch_takes_it_back", 4, 0) else { return };
    for (n, size) in SIZES.into_iter().enumerate() {
        let id = desk.coil("all", n).0;
        let browser = Browser::open(&desk.origin, size);
        browser.go(&format!("#/coils/{id}/all"));
        browser.until("document.querySelector('canvas.map')?.dataset.plot");
        let high = browser.script("return document.querySelector('.say.ok').getBoundingClientRect().height");
        assert!(high.as_f64().unwrap() >= 64.0, "a glove needs more than {high}");
        // Who it is is asked for only now, and the word goes through after it.
        browser.touch(".say.nok");
        browser.until("document.querySelector('dialog.login[open]')");
        assert_eq!(desk.standing(&id).0, "");
        for digit in [1, 11, 11, 2] {
            browser.touch(&format!(".pad button:nth-child({digit})"));
        }
        browser.touch(".pad .enter");
        browser.until_text(".state", "Kept");
        assert_eq!(desk.standing(&id), ("NOK".into(), "op-2".into()));
        browser.until_text("#top .who", "op-2");
        browser.touch(".undo");
        browser.until_text(".state", "Taken back");
        assert_eq!(desk.standing(&id).0, "");
        // It is still to be seen, struck through.
        browser.until_text(".words-list s", "NOK");
        browser.touch("[data-name=out]");
        browser.until_text("#top .who", "Nobody");
        browser.finish(&[]);
    }
}

#[test]
fn keys_alone_lead_through_the_list_and_a_badge_logs_in() {
    for size in SIZES {
        let Some(desk) = Desk::open("keys_alone_lead_through_the_list_and_a_badge_logs_in", 5, 0) else {
            return;
        };
        let browser = Browser::open(&desk.origin, size);
        browser.go("#/all");
        browser.until("document.querySelectorAll('a.row').length === 5");
        browser.badge("1003");
        browser.until_text("#top .who", "op-3");
        let first = "document.activeElement === document.querySelectorAll('a.row')[0]";
        let second = "document.activeElement === document.querySelectorAll('a.row')[1]";
        browser.script("document.activeElement.blur()");
        browser.keys(["j"]);
        browser.until(first);
        browser.keys(["j"]);
        browser.until(second);
        let id = desk.coil("all", 1).0;
        browser.keys([ENTER]);
        browser.until(&format!(
            "location.hash.includes('{id}') && document.querySelector('canvas.map')?.dataset.plot"
        ));
        browser.keys(["o"]);
        browser.until_text(".state", "Kept");
        assert_eq!(desk.standing(&id), ("OK".into(), "op-3".into()));
        browser.keys(["u"]);
        browser.until_text(".state", "Taken back");
        assert_eq!(desk.standing(&id).0, "");
        browser.keys(["n"]);
        browser.until_text(".state", "Kept");
        assert_eq!(desk.standing(&id).0, "NOK");
        browser.keys([ESCAPE]);
        // Back in the list the coil has the focus again.
        browser.until(second);
        browser.keys(["?"]);
        browser.until("document.querySelector('dialog.help[open]')");
        browser.finish(&[]);
    }
}

#[test]
fn whoever_was_quicker_is_shown_before_anything_is_replaced() {
    for size in SIZES {
        let Some(desk) = Desk::open("whoever_was_quicker_is_shown_before_anything_is_replaced", 3, 0) else {
            return;
        };
        let browser = Browser::open(&desk.origin, size);
        let id = desk.coil("all", 0).0;
        browser.go(&format!("#/coils/{id}/all"));
        browser.until("document.querySelector('canvas.map')?.dataset.plot");
        browser.badge("1004");
        browser.until_text("#top .who", "op-4");
        // The page hears nothing of the other's word before this one says theirs.
        browser.script(
            "const ask = window.fetch; window.fetch = (to, how) => how?.method === 'POST' ? ask(to, how) : new Promise(() => {});",
        );
        desk.says("1005", &id, "OK");
        browser.keys(["n"]);
        browser.until_text("dialog.meanwhile", "op-5");
        assert_eq!(desk.standing(&id), ("OK".into(), "op-5".into()));
        browser.touch(".anyway");
        browser.until_text(".state", "Kept");
        assert_eq!(desk.standing(&id), ("NOK".into(), "op-4".into()));
        browser.finish(&["409"]);
    }
}

#[test]
fn the_review_queue_brings_its_next_coil() {
    for size in SIZES {
        let Some(desk) = Desk::open("the_review_queue_brings_its_next_coil", 5, 3) else { return };
        let browser = Browser::open(&desk.origin, size);
        let waiting: Vec<String> = (0..3).map(|n| desk.coil("review", n).0).collect();
        browser.go("");
        browser.until("document.querySelectorAll('a.row').length === 3");
        browser.badge("1006");
        browser.until_text("#top .who", "op-6");
        browser.touch(&format!("a.row[data-id='{}']", waiting[0]));
        browser.until("document.querySelector('canvas.map')?.dataset.plot");
        browser.touch(".say.nok");
        browser.until_text(".state", "Kept");
        // On touch ...
        browser.touch(".next");
        browser.until(&format!("location.hash.includes('{}')", waiting[1]));
        browser.until(
            "document.querySelector('canvas.map')?.dataset.plot && !document.querySelector('.state .kept')",
        );
        // ... and by itself; a finger that is on its way meanwhile says nothing.
        browser.until_text(".state", "op-6");
        browser.script("const say = document.querySelector('.say.ok'); setTimeout(() => say.click(), 800)");
        browser.until_text(".state", "Kept");
        browser.until(&format!("location.hash.includes('{}')", waiting[2]));
        assert_eq!(desk.get("/api/v1/coils")["counts"]["review"], 1);
        assert_eq!(desk.standing(&waiting[2]).0, "");
        browser.finish(&[]);
    }
}

#[test]
fn what_somebody_wrote_is_shown_as_text() {
    let Some(desk) = Desk::open("what_somebody_wrote_is_shown_as_text", 2, 0) else { return };
    let id = desk.coil("all", 0).0;
    let hostile = "<img src=x onerror=\"window.hurt = 1\"><script>window.hurt = 1</script>&amp;";
    desk.remarks("1001", &id, "NOK", hostile);
    for size in SIZES {
        let browser = Browser::open(&desk.origin, size);
        browser.go(&format!("#/coils/{id}/all"));
        browser.until("document.querySelector('canvas.map')?.dataset.plot");
        browser.until_text("main", hostile);
        assert_eq!(browser.script("return document.querySelector('main img') === null"), true);
        assert_eq!(browser.script("return window.hurt === undefined"), true);
        // Nor does an address that somebody was sent.
        browser.go(&format!("#/coils/{}/all", "%3Cimg%20src=x%20onerror=%22window.hurt=1%22%3E"));
        browser.go("#/all");
        browser.until("document.querySelectorAll('a.row').length === 2");
        assert_eq!(browser.script("return window.hurt === undefined"), true);
        browser.finish(&["404"]);
    }
}

#[test]
fn a_lost_connection_is_shown_and_nothing_is_pretended() {
    let Some(mut desk) = Desk::open("a_lost_connection_is_shown_and_nothing_is_pretended", 3, 0) else {
        return;
    };
    let browser = Browser::open(&desk.origin, SIZES[0]);
    let id = desk.coil("all", 0).0;
    browser.go(&format!("#/coils/{id}/all"));
    browser.until("document.querySelector('canvas.map')?.dataset.plot");
    browser.badge("1007");
    browser.until_text("#top .who", "op-7");
    desk.agent.kill();
    browser.until("!document.querySelector('#alarm').hidden && document.body.classList.contains('lost')");
    browser.touch(".say.ok");
    browser.until_text(".state", "No answer");
    assert!(!browser.text(".state").contains("Kept:"));
}

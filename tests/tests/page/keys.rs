//! Keys and badges where they mean something else: in a field, on the picture, held down.

use crate::SIZES;
use crate::browser::{ARROW_RIGHT, Browser, ESCAPE};
use crate::desk::Desk;

/// Longer than between two characters of a scanner.
const PAUSE: &str = "setTimeout(arguments[arguments.length - 1], 150)";

#[test]
fn what_is_typed_into_the_remark_says_nothing_else() {
    let Some(desk) = Desk::open("what_is_typed_into_the_remark_says_nothing_else", 3, 2) else { return };
    let browser = Browser::open(&desk.origin, SIZES[0]);
    let (id, _) = desk.coil("review", 0);
    browser.go(&format!("#/coils/{id}/review"));
    browser.until("document.querySelector('canvas.map')?.dataset.plot");
    browser.badge("1004");
    browser.until_text("#top .who", "op-4");
    browser.touch(".remark-in");
    browser.keys(["e", "d", "g"]);
    // The coil changes under the hand that writes.
    desk.says("1005", &id, "OK");
    browser.until_text(".words-list", "op-5");
    browser.script_later(PAUSE);
    browser.keys(["n"]);
    browser.until("document.querySelector('.remark-in').value === 'edgn'");
    assert_eq!(browser.script("return document.activeElement.className"), "remark-in");
    assert_eq!(desk.standing(&id), ("OK".into(), "op-5".into()));
    // Whoever writes wants to stay: the next coil does not come by itself.
    browser.touch(".say.nok");
    browser.until("document.querySelector('.undo.running')");
    browser.script("document.querySelector('.remark-in').focus({ preventScroll: true })");
    browser.until("!document.querySelector('.undo.running')");
    browser.finish(&[]);
}

#[test]
fn a_badge_is_not_written_into_a_field() {
    let Some(desk) = Desk::open("a_badge_is_not_written_into_a_field", 2, 0) else { return };
    let browser = Browser::open(&desk.origin, SIZES[0]);
    let (id, _) = desk.coil("all", 0);
    browser.go(&format!("#/coils/{id}/all"));
    browser.until("document.querySelector('canvas.map')?.dataset.plot");
    browser.touch(".remark-in");
    browser.keys(["e", "d", "g", "e"]);
    browser.script_later(PAUSE);
    browser.badge("1003");
    browser.until_text("#top .who", "op-3");
    assert_eq!(browser.script("return document.querySelector('.remark-in').value"), "edge");
    browser.go("#/all");
    browser.touch("input[type=search]");
    browser.badge("1002");
    browser.until_text("#top .who", "op-2");
    assert_eq!(browser.script("return document.querySelector('input[type=search]').value"), "");
    let asked = "return performance.getEntriesByType('resource').some((one) => one.name.includes('1002'))";
    assert_eq!(browser.script(asked), false, "the code was sent as a search");
    browser.finish(&[]);
}

#[test]
fn a_held_key_judges_nothing() {
    let Some(desk) = Desk::open("a_held_key_judges_nothing", 2, 0) else { return };
    let browser = Browser::open(&desk.origin, SIZES[0]);
    let (id, _) = desk.coil("all", 0);
    browser.go(&format!("#/coils/{id}/all"));
    browser.until("document.querySelector('canvas.map')?.dataset.plot");
    browser.badge("1004");
    browser.until_text("#top .who", "op-4");
    browser.until_text(".state", "op-4");
    browser.held("n", 5);
    browser.script_later(PAUSE);
    // What was held has been dealt with when a key after it has.
    browser.keys(["?"]);
    browser.until("document.querySelector('dialog.help[open]')");
    assert_eq!(desk.standing(&id).0, "");
    browser.keys([ESCAPE]);
    browser.until("document.querySelector('dialog') === null");
    browser.keys(["u"]);
    browser.until_text(".state", "nothing to undo");
    // Through the list a held key may lead.
    browser.go("#/all");
    browser.until("document.querySelectorAll('a.row').length === 2");
    browser.held("j", 2);
    browser.until("document.activeElement === document.querySelectorAll('a.row')[1]");
    browser.finish(&[]);
}

#[test]
fn arrows_read_the_picture_that_has_the_focus() {
    let Some(desk) = Desk::open("arrows_read_the_picture_that_has_the_focus", 2, 0) else { return };
    let browser = Browser::open(&desk.origin, SIZES[0]);
    let (id, _) = desk.coil("all", 0);
    browser.go(&format!("#/coils/{id}/all"));
    browser.until("document.querySelector('canvas.map')?.dataset.plot");
    browser.script("document.querySelector('canvas.map').focus()");
    browser.keys([ARROW_RIGHT]);
    browser.until_text(".readout", "Top · gauge 5");
    assert!(browser.script("return location.hash").as_str().unwrap().contains(&id));
    browser.finish(&[]);
}

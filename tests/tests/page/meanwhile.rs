//! What happens while somebody is saying something: others speak, the coil changes, the answer gets lost.

use crate::SIZES;
use crate::browser::{Browser, ENTER};
use crate::desk::Desk;

/// Opens a coil, and logs in if there is a code.
fn open(desk: &Desk, id: &str, code: &str) -> Browser {
    let browser = Browser::open(&desk.origin, SIZES[0]);
    browser.go(&format!("#/coils/{id}/all"));
    browser.until("document.querySelector('canvas.map')?.dataset.plot");
    if !code.is_empty() {
        browser.badge(code);
        browser.until("!document.querySelector('#top .nobody')");
    }
    browser
}

#[test]
fn a_word_that_comes_while_a_code_is_typed_is_shown_before_it_is_replaced() {
    let test = "a_word_that_comes_while_a_code_is_typed_is_shown_before_it_is_replaced";
    let Some(desk) = Desk::open(test, 2, 0) else { return };
    let (id, coil) = desk.coil("all", 0);
    let browser = open(&desk, &id, "");
    browser.touch(".say.nok");
    browser.until("document.querySelector('dialog.login[open]')");
    let asked = browser.text("dialog.login");
    desk.says("1005", &id, "OK");
    // The page has heard it, behind the question.
    browser.until("document.querySelector('.say.ok[aria-pressed=true]')");
    browser.keys(["1", "0", "0", "4", ENTER]);
    browser.until_text("dialog.meanwhile", "op-5");
    assert!(
        browser.text("dialog.meanwhile").contains(&coil) && asked.contains(&coil),
        "of which coil: {asked}"
    );
    browser.touch(".leave");
    browser.until_text(".state", "Nothing was said");
    assert_eq!(desk.standing(&id), ("OK".into(), "op-5".into()));
    browser.finish(&["409"]);
}

#[test]
fn what_was_replaced_elsewhere_is_no_longer_called_kept() {
    let Some(desk) = Desk::open("what_was_replaced_elsewhere_is_no_longer_called_kept", 2, 0) else { return };
    let (id, _) = desk.coil("all", 0);
    let browser = open(&desk, &id, "1004");
    browser.keys(["n"]);
    browser.until_text(".state", "Kept");
    desk.says("1005", &id, "OK");
    browser.until_text(".state", "op-5");
    assert!(!browser.text(".state").contains("Kept"));
    // Said again it is another word, and not the same one twice.
    browser.touch(".say.nok");
    browser.until_text(".state", "Kept");
    assert_eq!(desk.standing(&id), ("NOK".into(), "op-4".into()));
    browser.finish(&[]);
}

#[test]
fn nothing_is_asked_over_another_coil_and_what_was_not_kept_is_seen() {
    let test = "nothing_is_asked_over_another_coil_and_what_was_not_kept_is_seen";
    let Some(desk) = Desk::open(test, 2, 0) else { return };
    let ((first, coil), (second, other)) = (desk.coil("all", 0), desk.coil("all", 1));
    let browser = open(&desk, &first, "1004");
    // The word is on its way until it is let go.
    browser.script(
        "const ask = window.fetch; window.fetch = (to, how) => how?.method === 'POST'
           ? new Promise((done) => { window.let_go = () => done(ask(to, how)); }) : ask(to, how);",
    );
    browser.touch(".say.nok");
    browser.until("window.let_go");
    browser.script(&format!("location.hash = '#/coils/{second}/all'"));
    browser.until_text("h1", &other);
    desk.says("1005", &first, "OK");
    browser.script("window.let_go()");
    browser.until_text("#alarm", &format!("NOK for {coil} was NOT kept"));
    assert_eq!(browser.script("return document.querySelector('dialog') === null"), true);
    assert_eq!(desk.standing(&first), ("OK".into(), "op-5".into()));
    assert_eq!(desk.standing(&second).0, "");
    browser.finish(&["409"]);
}

#[test]
fn a_lost_answer_is_not_called_a_refusal_and_stands_until_it_is_known() {
    let test = "a_lost_answer_is_not_called_a_refusal_and_stands_until_it_is_known";
    let Some(desk) = Desk::open(test, 2, 0) else { return };
    let (id, _) = desk.coil("all", 0);
    let browser = open(&desk, &id, "1004");
    browser.script(
        "window.ask = window.fetch; window.fetch = (to, how) => how?.method === 'POST' ? Promise.reject(new Error('cut')) : ask(to, how);",
    );
    browser.touch(".say.nok");
    browser.until_text(".state", "No answer");
    // Somebody else's word is shown beside it, and takes neither it nor its button away.
    desk.says("1005", &id, "OK");
    browser.until_text(".state", "op-5");
    assert!(browser.text(".state").contains("No answer"));
    // This time it arrives, and only its answer is lost.
    browser.script(
        "window.fetch = (to, how) => how?.method === 'POST' ? ask(to, how).then(() => { throw new Error('cut'); }) : ask(to, how);",
    );
    browser.touch(".again");
    browser.until_text(".state", "Kept");
    assert_eq!(desk.standing(&id), ("NOK".into(), "op-4".into()));
    browser.finish(&[]);
}

//! Everybody can use it: axe finds nothing serious, on any page, in any language, light and dark.

use crate::SIZES;
use crate::browser::Browser;
use crate::desk::Desk;
use coilsight_tests::skip;
use serde_json::Value;

/// Names axe's file, which `./test` fetches.
const AXE: &str = "COILSIGHT_AXE";

/// axe's program, or `None` after saying that `test` is skipped.
fn axe(test: &str) -> Option<String> {
    let axe = std::env::var_os(AXE).and_then(|file| std::fs::read_to_string(file).ok());
    if axe.is_none() {
        skip::say(test, &format!("{AXE} names no axe.min.js of axe-core; ./test fetches it from npm"));
    }
    axe
}

#[test]
fn axe_finds_nothing_serious() {
    let test = "axe_finds_nothing_serious";
    let Some(axe) = axe(test) else { return };
    let Some(desk) = Desk::open(test, 4, 1) else { return };
    let coils = desk.get("/api/v1/coils");
    let id = coils["coils"][0]["decision_id"].as_str().unwrap();
    for size in SIZES {
        for (language, dark) in [(0, false), (1, true)] {
            let browser = Browser::open(&desk.origin, size);
            browser.colours(dark);
            for (place, there) in [
                ("#/all".to_owned(), "a.row"),
                ("#/review".to_owned(), "a.row"),
                (format!("#/coils/{id}/all"), "canvas.map[data-plot]"),
                ("#/status".to_owned(), ".gauges svg, .drift .none"),
                ("#/rejudge".to_owned(), ".start"),
            ] {
                browser.go(&place);
                browser.until("document.querySelectorAll('.languages button').length === 2");
                browser
                    .script(&format!("document.querySelectorAll('.languages button')[{language}].click()"));
                browser
                    .until(&format!("document.querySelector('{there}') && !document.querySelector('.wait')"));
                check(&browser, &axe, &format!("{place} at {size:?}, language {language}"));
            }
            browser.go("#/status");
            browser.until("document.querySelector('.drift .renew')");
            browser.script("document.querySelector('.drift .renew').click()");
            browser.until("document.querySelector('dialog.reference[open]')");
            check(&browser, &axe, "a new reference");
            browser.script("document.querySelector('dialog.reference .leave').click()");
            browser.script("document.querySelector('[data-name=in]').click()");
            browser.until("document.querySelector('dialog.login[open]')");
            check(&browser, &axe, "the login");
            browser.finish(&[]);
        }
    }
}

#[test]
fn axe_finds_nothing_serious_in_a_failure_in_the_dark() {
    let test = "axe_finds_nothing_serious_in_a_failure_in_the_dark";
    let Some(axe) = axe(test) else { return };
    let Some(mut desk) = Desk::open(test, 2, 0) else { return };
    let (id, _) = desk.coil("all", 0);
    let browser = Browser::open(&desk.origin, SIZES[0]);
    browser.colours(true);
    browser.go(&format!("#/coils/{id}/all"));
    browser.until("document.querySelector('canvas.map')?.dataset.plot");
    browser.badge("1007");
    browser.until_text("#top .who", "op-7");
    desk.agent.kill();
    browser.touch(".say.ok");
    browser.until("document.querySelector('.state .failed')");
    check(&browser, &axe, "a failure");
}

fn check(browser: &Browser, axe: &str, place: &str) {
    let run = format!(
        "const done = arguments[arguments.length - 1]; {axe};
         axe.run(document, {{ resultTypes: ['violations'] }}).then((found) => done(found.violations.map(
           (v) => [v.impact, v.id, v.help, v.nodes.slice(0, 3).map((n) => n.html)])), (e) => done([['critical', String(e)]]))"
    );
    let found = browser.script_later(&run);
    let bad: Vec<&Value> =
        found.as_array().unwrap().iter().filter(|v| v[0] == "serious" || v[0] == "critical").collect();
    assert!(bad.is_empty(), "{place}: {bad:#?}");
}

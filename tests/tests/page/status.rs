//! The second page: troubles in the page's language, and a new reference for an exchanged gauge.

use crate::SIZES;
use crate::browser::Browser;
use crate::desk::Desk;
use std::time::{Duration, Instant};

/// Words come from the file of the language; what it has none for stands there as the agent wrote it, and says so.
#[test]
fn what_is_wrong_is_said_in_the_pages_language() {
    let Some(desk) = Desk::open("what_is_wrong_is_said_in_the_pages_language", 2, 0) else { return };
    let browser = Browser::open(&desk.origin, SIZES[0]);
    browser.go("#/status");
    browser.until("document.querySelectorAll('.languages button').length === 2");
    browser.script("document.querySelectorAll('.languages button')[1].click()");
    browser.until("document.documentElement.lang === 'de'");
    let said = |trouble: &str| {
        browser.script_later(&format!(
            "const done = arguments[arguments.length - 1];
             import('/static/reasons.js').then(({{ troubleWords }}) => done(troubleWords({trouble})), (e) => done(String(e)))"
        ))
    };
    let gauge = r#"{ text: "gauge top 3 reads 4.0 % above", to_do: "have it calibrated",
        why: { code: "gauge_off", gauge: { side: "top", number: 3 }, side: "top", percent: 4, since: "B5-7" } }"#;
    let known = said(gauge);
    assert_eq!(
        known[0]["text"],
        "Messkopf Oberseite 3 liest +4,0\u{a0}% gegen das, was seine Nachbarn erwarten lassen, seit Coil B5-7"
    );
    assert_eq!(
        (&known[0]["lang"], known[1]["text"].as_str().unwrap().starts_with("Kalibrieren")),
        (&serde_json::Value::Null, true)
    );
    let model = r#"{ text: "x", to_do: "y", why: { code: "score", model: null, score: 0.7499, under: 0.75, labelled: 12 } }"#;
    let score = said(model);
    assert_eq!(
        score[0]["text"],
        "Das Ensemble urteilt zu oft falsch: 74,9\u{a0}% sind richtig, bei 12 von Menschen beurteilten Coils; die Grenze ist 75\u{a0}%"
    );
    for unknown in [
        r#"{ text: "of tomorrow", to_do: "wait", why: { code: "nobody_knows" } }"#,
        r#"{ text: "of tomorrow", to_do: "wait" }"#,
    ] {
        let said = said(unknown);
        assert_eq!(
            (&said[0]["text"], &said[0]["lang"], &said[1]["text"]),
            (&"of tomorrow".into(), &"en".into(), &"wait".into())
        );
    }
    browser.finish(&[]);
}

#[test]
fn who_exchanged_a_gauge_takes_a_new_reference() {
    let Some(desk) = Desk::open("who_exchanged_a_gauge_takes_a_new_reference", 4, 0) else { return };
    // Coils are looked at behind the line: a moment after they were judged.
    let until = Instant::now() + Duration::from_mins(1);
    while desk.get("/api/v1/drift").is_null() {
        assert!(Instant::now() < until, "no coil was looked at:\n{}", desk.agent.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    for (n, size) in SIZES.into_iter().enumerate() {
        let browser = Browser::open(&desk.origin, size);
        browser.go("#/status");
        browser.until("document.querySelector('.drift .renew')");
        browser.touch(".drift .renew");
        browser.until("document.querySelector('dialog.reference[open]')");
        browser.touch("dialog.reference .anyway");
        browser.until("document.activeElement.matches('dialog.reference[open] select')");
        browser.script(&format!("document.querySelector('dialog.reference select').value = '{n}'"));
        browser.script(
            "document.querySelector('dialog.reference input').value = '<img src=x onerror=alert(1)>'",
        );
        browser.touch("dialog.reference .anyway");
        browser.until("document.querySelector('dialog.login[open]')");
        browser.badge("1007");
        browser.until(&format!("document.querySelectorAll('.references li').length === {}", n + 1));
        let said = browser.text(".references");
        assert!(said.contains(&format!("Top {}", n + 1)) && said.contains("by op-7"), "{said}");
        assert!(said.contains("<img src=x"), "a remark is text: {said}");
        let kept = &desk.get("/api/v1/drift")["references"][n];
        assert_eq!((&kept["by"], &kept["of"]["gauge"]["number"]), (&"op-7".into(), &(n + 1).into()));
        // Twice between two coils is once.
        browser.touch(".drift .renew");
        browser.until("document.querySelector('dialog.reference[open]')");
        browser.script(&format!("document.querySelector('dialog.reference select').value = '{n}'"));
        browser.touch("dialog.reference .anyway");
        browser.until_text(".drift .failed", "no coil was judged since");
        browser.finish(&["409"]);
    }
}

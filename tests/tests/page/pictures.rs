//! Pictures of the page for the documents, of the simulated shift that the demo plays.

use crate::browser::Browser;
use crate::desk::Desk;
use coilsight_tests::gateway::plan::{Plan, coil_id};
use coilsight_tests::root;

#[test]
#[ignore = "writes docs/pictures: cargo test --workspace --test page -- --ignored pictures"]
fn pictures() {
    let mut plan = Plan::recording(&root().join("agent/demo/demo.jsonl")).unwrap();
    let coils = plan.messages.iter().filter(|message| message.topic.ends_with("coil/start")).count();
    // One more for a person: its order is not known.
    plan.messages.retain(|message| {
        let start = message.topic.ends_with("coil/start");
        !(start && coil_id(&message.payload).is_some_and(|id| id.ends_with("08")))
    });
    let Some(desk) = Desk::over("pictures", &plan, coils) else { return };
    let all = desk.get("/api/v1/coils");
    let coils = all["coils"].as_array().unwrap();
    // With evidence to frame, and an order.
    let doubted = coils.iter().rev().find(|coil| coil["verdict"] != "OK").or(coils.first());
    let coil = doubted.unwrap()["decision_id"].as_str().unwrap().to_owned();
    let told = coils[0]["decision_id"].as_str().unwrap().to_owned();
    desk.says("1001", &told, "OK");
    desk.says("1002", &told, "NOK");
    let pages = [
        ("list", "#/all".to_owned(), "a.row"),
        ("coil", format!("#/coils/{coil}/all"), "canvas.map[data-plot]"),
        ("status", "#/status".to_owned(), ".gauges svg, .drift .none"),
    ];
    for ((width, height), language, dark) in [((800, 480), 0, false), ((1920, 1080), 1, true)] {
        let browser = Browser::open(&desk.origin, (width, height));
        browser.colours(dark);
        browser.go("#/all");
        browser.until("document.querySelectorAll('.languages button').length === 2");
        browser.script(&format!("document.querySelectorAll('.languages button')[{language}].click()"));
        for (name, place, there) in &pages {
            // Of a large screen one is enough: pictures stay in the repository for ever.
            if width > 1000 && *name != "coil" {
                continue;
            }
            browser.go(place);
            browser.until(&format!("document.querySelector('{there}') && !document.querySelector('.wait')"));
            let file = root().join(format!("docs/pictures/page-{name}-{width}.png"));
            std::fs::write(file, browser.picture()).unwrap();
        }
        browser.finish(&[]);
    }
}

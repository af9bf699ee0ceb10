//! The list and the heat map.

use crate::SIZES;
use crate::browser::Browser;
use crate::desk::Desk;
use serde_json::Value;

/// The scale's stops (`colours.js`): share of the range, then red, green and blue.
const STOPS: [(f64, [f64; 3]); 7] = [
    (-1.0, [5.0, 48.0, 97.0]),
    (-0.5, [67.0, 147.0, 195.0]),
    (-0.15, [209.0, 229.0, 240.0]),
    (0.0, [250.0, 250.0, 250.0]),
    (0.15, [254.0, 232.0, 200.0]),
    (0.5, [235.0, 145.0, 45.0]),
    (1.0, [110.0, 50.0, 5.0]),
];
/// Per cent of deviation at the scale's ends.
const RANGE: f64 = 20.0;

fn colour(percent: f64) -> [f64; 3] {
    let x = (percent / RANGE).clamp(-1.0, 1.0);
    let upper = STOPS.iter().position(|(at, _)| *at >= x).unwrap().max(1);
    let ((from, a), (to, b)) = (STOPS[upper - 1], STOPS[upper]);
    std::array::from_fn(|i| a[i] + (b[i] - a[i]) * (x - from) / (to - from))
}

#[test]
fn coils_are_listed_and_drawn_as_their_matrix_says() {
    let Some(desk) = Desk::open("coils_are_listed_and_drawn_as_their_matrix_says", 6, 1) else { return };
    for size in SIZES {
        let browser = Browser::open(&desk.origin, size);
        // What waits for a person comes first, unasked.
        browser.go("");
        browser.until_text("nav.queues a[aria-current]", "REVIEW");
        assert_eq!(browser.script("return document.querySelectorAll('a.row').length"), 1);
        browser.keys(["3"]);
        browser.until("document.querySelectorAll('a.row').length === 6");
        let overflow = "return document.documentElement.scrollWidth > innerWidth";
        assert_eq!(browser.script(overflow), false, "something sticks out at {size:?}");

        let coils = desk.get("/api/v1/coils?queue=all");
        let coil =
            coils["coils"].as_array().unwrap().iter().find(|coil| coil["nominal_g_m2"].is_number()).unwrap();
        let id = coil["decision_id"].as_str().unwrap();
        browser.go(&format!("#/coils/{id}/all"));
        browser.until_text("h1", coil["coil_id"].as_str().unwrap());
        browser.until("document.querySelector('canvas.map')?.dataset.plot");
        pixels_agree(&browser, &desk.get(&format!("/api/v1/coils/{id}/matrix")));
        readout_tells(&browser, &desk.get(&format!("/api/v1/coils/{id}/matrix")));
        browser.finish(&[]);
    }
}

#[test]
fn what_is_touched_is_large_enough_for_a_glove_and_nothing_sticks_out() {
    let test = "what_is_touched_is_large_enough_for_a_glove_and_nothing_sticks_out";
    let Some(desk) = Desk::open(test, 4, 1) else { return };
    let (id, _) = desk.coil("review", 0);
    for (size, language) in SIZES.into_iter().flat_map(|size| [(size, 0), (size, 1)]) {
        let browser = Browser::open(&desk.origin, size);
        for (place, there) in [
            ("#/all".to_owned(), "a.row"),
            (format!("#/coils/{id}/all"), "canvas.map[data-plot]"),
            ("#/status".to_owned(), ".gauges svg, .drift .none"),
            ("#/rejudge".to_owned(), ".start"),
        ] {
            browser.go(&place);
            browser.until("document.querySelectorAll('.languages button').length === 2");
            browser.script(&format!("document.querySelectorAll('.languages button')[{language}].click()"));
            browser.until(&format!("document.querySelector('{there}') && !document.querySelector('.wait')"));
            let small = browser.script(
                "return [...document.querySelectorAll('a, button, summary')].filter((one) => one.checkVisibility())
                   .map((one) => [one.getBoundingClientRect(), one.innerText || one.title])
                   .filter(([box]) => box.width < 48 || box.height < 48 || box.right > innerWidth)
                   .map(([box, name]) => `${name}: ${box.width} x ${box.height} to ${box.right}`)",
            );
            assert_eq!(small, serde_json::json!([]), "{place} at {size:?}, language {language}");
        }
        // Why a person must look is said in the page's language.
        browser.go(&format!("#/coils/{id}/all"));
        browser.until_text(".head .why", ["no order data", "Keine Auftragsdaten"][language]);
        browser.go("#/review");
        browser.until_text("a.row .why", ["no order data", "Keine Auftragsdaten"][language]);
        browser.finish(&[]);
    }
}

/// Cells in the middle of gauges and chunks have the colour that their deviation has on the scale.
fn pixels_agree(browser: &Browser, matrix: &Value) {
    let pixels = browser.script(
        "const c = document.querySelector('canvas.map'), p = JSON.parse(c.dataset.plot), d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data, all = [];
         for (let chunk = 1; chunk < 264; chunk += 29) for (let gauge = 0; gauge < 18; gauge += 1) {
           const x = p.left + p.width * (chunk + 0.5) / 264, y = p.top[gauge < 9 ? 0 : 1] + (gauge % 9 + 0.5) * p.row;
           const at = 4 * (Math.floor(y * p.ratio) * c.width + Math.floor(x * p.ratio));
           all.push([chunk, gauge, d[at], d[at + 1], d[at + 2]]);
         } return all",
    );
    let nominal = matrix["nominal_g_m2"].as_f64().unwrap();
    let (mut right, mut seen) = (0, 0);
    for pixel in pixels.as_array().unwrap() {
        let at = |i: usize| pixel[i].as_f64().unwrap();
        let cell = (at(0) as usize) * 18 + at(1) as usize;
        let Some(mean) = matrix["mean"][cell].as_f64() else { continue };
        let expected = colour((mean / nominal - 1.0) * 100.0);
        seen += 1;
        right += usize::from((0..3).all(|i| (expected[i] - at(2 + i)).abs() <= 2.0));
    }
    // Frames around evidence and their numbers lie over some.
    assert!(seen >= 150 && right * 10 >= seen * 9, "{right} of {seen} cells have their colour");
}

/// A finger on the map tells metres, gauge, weight and deviation of what lies under it.
fn readout_tells(browser: &Browser, matrix: &Value) {
    let (chunk, gauge) = (132, 13);
    let place = browser.script(&format!(
        "const c = document.querySelector('canvas.map'), p = JSON.parse(c.dataset.plot);
         c.scrollIntoView({{block: 'nearest'}}); const b = c.getBoundingClientRect();
         return [b.x + p.left + p.width * ({chunk} + 0.5) / 264, b.y + p.top[1] + ({gauge} % 9 + 0.5) * p.row]"
    ));
    browser.touch_at(place[0].as_f64().unwrap(), place[1].as_f64().unwrap());
    browser.until_text(".readout", "Bottom · gauge 5");
    let told = browser.text(".readout");
    let metres: f64 = told.split(' ').next().unwrap().parse().unwrap();
    let length = matrix["length_m"].as_f64().unwrap();
    // A place of the window is whole pixels.
    assert!((metres / length * 264.0 - f64::from(chunk)).abs() < 2.0, "{told}");
    assert!(told.contains("g/m²") && told.contains('%'), "{told}");
}

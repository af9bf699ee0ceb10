//! Debian's Chromium through chromedriver: `WebDriver` is JSON over HTTP, and what is needed of it is little. The client
//! crates bring two generations of ICU, and ask for the browser's logs no shorter.

use coilsight_tests::skip;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What a page must do within this, it does not do.
const PATIENCE: Duration = Duration::from_secs(30);

/// Keys as `WebDriver` names them.
pub const ENTER: &str = "\u{e007}";
pub const ESCAPE: &str = "\u{e00c}";
pub const ARROW_RIGHT: &str = "\u{e014}";

/// One request to a server on this machine: status and body.
pub fn http(method: &str, at: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(at).expect("the server listens");
    stream.set_read_timeout(Some(PATIENCE * 2)).expect("a timeout");
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    stream.write_all((head + body).as_bytes()).expect("a request");
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).expect("an answer");
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line).expect("headers");
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().expect("a length");
        }
    }
    let mut answer = vec![0; length];
    reader.read_exact(&mut answer).expect("a body");
    (status, String::from_utf8(answer).expect("text"))
}

/// A browser with one window; gone with its value.
pub struct Browser {
    driver: Child,
    at: String,
    session: String,
    origin: String,
}

/// Whether there is a browser to drive; says that `test` is skipped if not.
pub fn there(test: &str) -> bool {
    let there =
        ["/usr/bin/chromium", "/usr/bin/chromedriver"].iter().all(|program| Path::new(program).exists());
    if !there {
        skip::say(
            test,
            "chromium or chromedriver is not installed; apt-get install chromium chromium-driver",
        );
    }
    there
}

/// A chromedriver, and its port. With `--port=0` it takes a port of IPv6 that is free and then the same one of IPv4, which
/// somebody else may have (1 of 4,144 on an idle machine): then it ends, and another one takes another.
fn chromedriver() -> (Child, String) {
    loop {
        let mut driver = Command::new("/usr/bin/chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts");
        let mut output = BufReader::new(driver.stdout.take().expect("its output"));
        let mut said = String::new();
        while output.read_line(&mut said).expect("its output") > 0 {
            if let Some((_, port)) = said.split_once("started successfully on port ") {
                return (driver, port.trim().trim_end_matches('.').to_owned());
            }
        }
        let ended = driver.wait().expect("it ends");
        assert!(said.contains("port not available"), "chromedriver ended ({ended}): {said}");
    }
}

impl Browser {
    /// Opens a window of this size, in English and light, that will look at `origin`.
    pub fn open(origin: &str, (width, height): (u32, u32)) -> Self {
        let (driver, port) = chromedriver();
        let mut browser = Self {
            driver,
            at: format!("127.0.0.1:{port}"),
            session: String::new(),
            origin: origin.trim_end_matches('/').to_owned(),
        };
        let size = format!("--window-size={width},{height}");
        let options = json!({
            "binary": "/usr/bin/chromium",
            "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--lang=en", size],
            "prefs": { "intl.accept_languages": "en" },
        });
        let wanted = json!({ "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" } });
        let begun = browser.ask("POST", "/session", &json!({ "capabilities": { "alwaysMatch": wanted } }));
        begun["sessionId"].as_str().expect("a session").clone_into(&mut browser.session);
        // The window's frame is not the page's.
        browser.devtools(
            "Emulation.setDeviceMetricsOverride",
            &json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false }),
        );
        browser
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, text) =
            http(method, &self.at, path, "Content-Type: application/json\r\n", &body.to_string());
        let answer: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(status, 200, "{path}: {}", answer["value"]["message"]);
        answer["value"].clone()
    }

    fn post(&self, command: &str, body: &Value) -> Value {
        self.ask("POST", &format!("/session/{}/{command}", self.session), body)
    }

    fn devtools(&self, command: &str, values: &Value) {
        self.post("goog/cdp/execute", &json!({ "cmd": command, "params": values }));
    }

    /// Goes to a place of the page, anew.
    pub fn go(&self, place: &str) {
        self.post("url", &json!({ "url": "about:blank" }));
        self.post("url", &json!({ "url": format!("{}/{place}", self.origin) }));
    }

    /// What a function body gives.
    pub fn script(&self, body: &str) -> Value {
        self.post("execute/sync", &json!({ "script": body, "args": [] }))
    }

    /// What a function body gives to its callback, its last argument.
    pub fn script_later(&self, body: &str) -> Value {
        self.post("execute/async", &json!({ "script": body, "args": [] }))
    }

    /// Waits until an expression is true.
    pub fn until(&self, expression: &str) {
        let until = Instant::now() + PATIENCE;
        while self.script(&format!("return Boolean({expression})")) != json!(true) {
            assert!(Instant::now() < until, "never true: {expression}\n{}", self.text("body"));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The text of the first element of a selector; empty where there is none.
    pub fn text(&self, selector: &str) -> String {
        let text =
            self.script(&format!("return document.querySelector({})?.innerText ?? ''", json!(selector)));
        text.as_str().expect("text").to_owned()
    }

    /// Waits until an element is there whose text holds another.
    pub fn until_text(&self, selector: &str, text: &str) {
        self.until(&format!(
            "document.querySelector({})?.innerText.includes({})",
            json!(selector),
            json!(text)
        ));
    }

    /// Puts a finger on a place of the window and takes it off.
    pub fn touch_at(&self, x: f64, y: f64) {
        let actions = json!([
            { "type": "pointerMove", "duration": 0, "x": x.round(), "y": y.round() },
            { "type": "pointerDown", "button": 0 }, { "type": "pause", "duration": 30 }, { "type": "pointerUp", "button": 0 },
        ]);
        let finger = json!({ "type": "pointer", "id": "finger", "parameters": { "pointerType": "touch" }, "actions": actions });
        self.post("actions", &json!({ "actions": [finger] }));
    }

    /// Waits for an element and puts a finger on its middle.
    pub fn touch(&self, selector: &str) {
        self.until(&format!("document.querySelector({})", json!(selector)));
        let middle = self.script(&format!(
            "const e = document.querySelector({}); e.scrollIntoView({{block: 'nearest'}}); \
             const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]",
            json!(selector)
        ));
        self.touch_at(middle[0].as_f64().expect("x"), middle[1].as_f64().expect("y"));
    }

    /// Types keys, as fast as a scanner does.
    pub fn keys<'a>(&self, keys: impl IntoIterator<Item = &'a str>) {
        let strokes = keys.into_iter().flat_map(|key| {
            [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })]
        });
        let actions: Vec<Value> = strokes.collect();
        self.post("actions", &json!({ "actions": [{ "type": "key", "id": "keys", "actions": actions }] }));
    }

    /// Holds a badge to the scanner.
    pub fn badge(&self, code: &str) {
        self.keys(code.split("").filter(|key| !key.is_empty()).chain([ENTER]));
    }

    /// What a key sends so many times while it is held down, after its first.
    pub fn held(&self, key: &str, times: usize) {
        for _ in 0..times {
            let again = json!({ "type": "keyDown", "key": key, "text": key, "autoRepeat": true });
            self.devtools("Input.dispatchKeyEvent", &again);
        }
    }

    /// Light or dark, as a system says.
    pub fn colours(&self, dark: bool) {
        let scheme = if dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.devtools("Emulation.setEmulatedMedia", &json!({ "features": features }));
    }

    /// The window as a PNG.
    pub fn picture(&self) -> Vec<u8> {
        let picture = self.ask("GET", &format!("/session/{}/screenshot", self.session), &json!({}));
        base64(picture.as_str().expect("a picture"))
    }

    /// Ends, after a look at what happened meanwhile: nothing but the page's own server was asked for anything, and
    /// nothing stands in the console but what the server refused with one of `refusals`.
    pub fn finish(self, refusals: &[&str]) {
        let log = |kind: &str| self.post("se/log", &json!({ "type": kind }));
        for entry in log("browser").as_array().expect("entries") {
            let text = entry["message"].as_str().expect("a message");
            let expected = refusals.iter().any(|status| text.contains(&format!("status of {status} ")));
            assert!(expected, "in the console: {text}");
        }
        let mut requests = 0;
        for entry in log("performance").as_array().expect("entries") {
            let message: Value =
                serde_json::from_str(entry["message"].as_str().expect("JSON")).expect("JSON");
            if message["message"]["method"] != "Network.requestWillBeSent" {
                continue;
            }
            let url = message["message"]["params"]["request"]["url"].as_str().expect("an address");
            let own = url.starts_with(&format!("{}/", self.origin))
                || url.starts_with("data:")
                || url == "about:blank";
            assert!(own, "the page asked {url}");
            requests += 1;
        }
        assert!(requests > 5, "requests were not seen at all");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Not by `ask`: what went wrong before must stay what is told.
        if let Ok(mut stream) = TcpStream::connect(&self.at) {
            let end = format!(
                "DELETE /session/{} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
                self.session, self.at
            );
            let _ = stream.write_all(end.as_bytes());
            let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
            let _ = stream.read(&mut [0; 64]);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// Base64 as RFC 4648 has it, which `WebDriver` writes pictures in.
fn base64(text: &str) -> Vec<u8> {
    let digit = |letter: u8| match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let four = |letters: &[u8]| letters.iter().fold(0, |sum, letter| sum << 6 | u32::from(digit(*letter)));
    let letters: Vec<u8> =
        text.bytes().filter(|letter| *letter != b'=' && !letter.is_ascii_whitespace()).collect();
    letters
        .chunks(4)
        .flat_map(|some| {
            let bits = four(some) << (6 * (4 - some.len()));
            bits.to_be_bytes()[1..some.len()].to_vec()
        })
        .collect()
}

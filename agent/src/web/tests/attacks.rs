//! Somebody on the plant's network who means ill.

use super::*;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Every address that changes something.
fn writes() -> Vec<(String, Value)> {
    vec![
        (format!("/api/v1/coils/{}/feedback", id(3)), json!({ "label": "OK" })),
        (format!("/api/v1/dispositions/{}/withdraw", id(3)), json!({})),
        ("/api/v1/rejudge".into(), json!({ "size": 30 })),
        ("/api/v1/drift/reference".into(), json!({ "of": "all" })),
        (format!("/api/v1/rejudge/items/{}", id(3)), json!({ "label": "OK" })),
    ]
}

#[test]
fn nothing_is_written_without_a_login() {
    let bench = Bench::new();
    let mut stranger = bench.client();
    for (path, body) in writes() {
        assert_eq!(stranger.post(&path, &body).status, 401, "{path}");
        let headers = [("Authorization", "Bearer 00"), ("Content-Type", "application/json")];
        assert_eq!(stranger.ask("POST", &path, &headers, &body.to_string()).status, 401, "{path}");
    }
    let logged_out = bench.login("1001");
    assert_eq!(logged_out.post("/api/v1/logout", &json!({})).status, 200);
    assert_eq!(logged_out.post(&writes()[0].0, &writes()[0].1).status, 401, "a cookie ends with its login");
    // With another code: whoever has the old one is out at once, and has no way back.
    let thief = bench.login("1001");
    let mut roster = Roster::load(&bench.desk.settings.web.operators).unwrap();
    roster.remove("Ada").unwrap();
    roster.add("Ada", "100-1").unwrap();
    roster.save(&bench.desk.settings.web.operators).unwrap();
    assert_eq!(thief.post(&writes()[0].0, &writes()[0].1).status, 401);
    assert_eq!(thief.get("/api/v1/session").json()["operator"], Value::Null);
    // Struck off the roster: out at once.
    let ada = bench.login("100-1");
    let mut roster = Roster::load(&bench.desk.settings.web.operators).unwrap();
    roster.remove("Ada").unwrap();
    roster.save(&bench.desk.settings.web.operators).unwrap();
    assert_eq!(ada.post(&writes()[0].0, &writes()[0].1).status, 401);
    stranger = bench.client();
    assert_eq!(error_of(&stranger.post("/api/v1/login", &json!({ "code": "1001" }))), "code");
    assert_eq!(bench.desk.archive.stats().counts.feedback, 0);
    assert!(bench.desk.findings.references.since(0).is_empty());
}

#[test]
fn codes_cannot_be_guessed() {
    let bench = Bench::new();
    let client = bench.client();
    let tries = |code: &str| client.post("/api/v1/login", &json!({ "code": code }));
    for code in ["0000", "", &"9".repeat(65), "1 OR 1=1", "1003"] {
        assert_eq!(error_of(&tries(code)), "code", "{code}");
    }
    let refused = tries("1001");
    assert_eq!((refused.status, error_of(&refused)), (429, "too_many_tries".into()), "the right one, too");
    assert!(refused.header("retry-after").is_some());
}

#[test]
fn pages_from_elsewhere_cannot_write() {
    let bench = Bench::new();
    let ada = bench.login("1001");
    let json = ("Content-Type", "application/json");
    let ours = ("X-Coilsight", "1");
    for (path, body) in writes() {
        let origin = [json, ours, ("Origin", "http://evil.example")];
        assert_eq!(ada.ask("POST", &path, &origin, &body.to_string()).status, 403, "{path}");
    }
    let (path, body) = &writes()[0];
    let body = body.to_string();
    for headers in [
        vec![json],
        vec![json, ours, ("Origin", "http://evil.example")],
        vec![json, ours, ("Origin", "null")],
        vec![json, ours, ("Sec-Fetch-Site", "cross-site")],
        vec![json, ours, ("Sec-Fetch-Site", "same-site")],
        vec![("Content-Type", "text/plain")],
        vec![("Content-Type", "application/x-www-form-urlencoded"), ("Origin", "http://evil.example")],
    ] {
        let answer = ada.ask("POST", path, &headers, &body);
        assert_eq!((answer.status, error_of(&answer)), (403, "cross_site".into()), "{headers:?}");
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    // A form cannot send JSON, and nothing else is taken.
    assert_eq!(ada.ask("POST", path, &[ours, ("Content-Type", "text/plain")], &body).status, 415);
    // A login in somebody else's name, from elsewhere.
    let login =
        ada.ask("POST", "/api/v1/login", &[json, ("Origin", "http://evil.example")], r#"{"code":"1002"}"#);
    assert_eq!(login.status, 403);
    // Asked beforehand, it does not say that others may.
    let preflight = ada.ask("OPTIONS", path, &[("Origin", "http://evil.example")], "");
    assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (405, None));
    // A name that was rebound to our address.
    for host in ["evil.example", "evil.example:80", "", "panel.plant.evil.example"] {
        let answer = ada.ask("GET", "/api/v1/coils", &[("Host", host)], "");
        assert_eq!(error_of(&answer), "host", "{host}");
    }
    assert_eq!(ada.ask("GET", "/api/v1/coils", &[("Host", "PANEL.plant:80")], "").status, 200);
    assert_eq!(bench.desk.archive.stats().counts.feedback, 0);
}

#[test]
fn nothing_outside_the_page_is_given() {
    let bench = Bench::new();
    let client = bench.client();
    for path in [
        "/static/../../../etc/passwd",
        "/static/..%2f..%2fetc%2fpasswd",
        "/static/%2e%2e/operators.json",
        "/static//etc/passwd",
        "/static/index.html%00.js",
        "/operators.json",
        "/api/v1/coils/..%2f..%2foperators.json",
        "/api/v1/coils/%00",
        "//evil.example/",
    ] {
        let answer = client.get(path);
        assert!(matches!(answer.status, 400 | 404), "{path}: {answer:?}");
        assert!(!answer.body.contains("salt") && !answer.body.contains("root:"), "{path}");
    }
}

#[test]
fn what_somebody_wrote_never_becomes_script() {
    let bench = Bench::new();
    let ada = bench.login("1001");
    let path = format!("/api/v1/coils/{}/feedback", id(3));
    let remark = "<script>alert(1)</script><img src=x onerror=alert(1)>";
    assert_eq!(ada.post(&path, &json!({ "label": "OK", "remark": remark })).status, 201);
    for (path, status) in [
        (format!("/api/v1/coils/{}", id(3)), 200),
        ("/".into(), 200),
        ("/api/v1/coils/%3Cscript%3Ealert(1)%3C%2Fscript%3E".into(), 404),
        ("/%3Cscript%3E".into(), 404),
        ("/api/v1/coils?verdict=%3Cscript%3E".into(), 400),
        ("/metrics".into(), 200),
    ] {
        let answer = ada.get(&path);
        assert_eq!(answer.status, status, "{path}");
        let kind = answer.header("content-type").unwrap_or_default();
        assert!(path == "/" || !kind.contains("html"), "{path} is {kind}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{path}");
        assert!(policy.contains("frame-ancestors 'none'"), "{path}");
    }
    // Control characters would break out of a line of the log or of the metrics.
    let bad =
        ada.post(&format!("/api/v1/coils/{}/feedback", id(4)), &json!({ "label": "OK", "remark": "a\nb" }));
    assert_eq!(bad.status, 400);
}

#[test]
fn requests_are_bounded() {
    let bench = Bench::new();
    let ada = bench.login("1001");
    let path = format!("/api/v1/coils/{}/feedback", id(3));
    let long = ada.post(&path, &json!({ "label": "OK", "remark": "x".repeat(MAX_BODY) }));
    assert_eq!((long.status, error_of(&long)), (413, "too_large".into()));
    let longer = ada.post(&path, &json!({ "label": "OK", "remark": "x".repeat(1_001) }));
    assert_eq!(longer.status, 400);
    for body in ["", "{", "[]", r#"{"label":"MAYBE"}"#, r#"{"label":"OK","role":"admin"}"#, r#"{"label":{}}"#]
    {
        let headers = [("X-Coilsight", "1"), ("Content-Type", "application/json")];
        let answer = ada.ask("POST", &path, &headers, body);
        assert!(matches!(answer.status, 400 | 422), "{body}: {answer:?}");
        error_of(&answer);
    }
    let reference = |of: Value, remark: &str| {
        ada.post("/api/v1/drift/reference", &json!({ "of": of, "remark": remark })).status
    };
    let gauge = |side: &str, number: i64| json!({ "gauge": { "side": side, "number": number } });
    for of in [gauge("top", 0), gauge("top", 10), gauge("top", 255)] {
        assert_eq!(reference(of.clone(), ""), 400, "{of}");
    }
    for of in [
        gauge("top", 256),
        gauge("left", 1),
        gauge("top", -1),
        json!("none"),
        json!(null),
        json!({}),
        json!([1]),
    ] {
        assert!(matches!(reference(of.clone(), ""), 400 | 422), "{of}");
    }
    for remark in ["x".repeat(1_001), "a\nb".into(), "\u{0}".into()] {
        assert_eq!(reference(json!("all"), &remark), 400);
    }
    assert_eq!(reference(json!("all"), &"x".repeat(MAX_BODY)), 413);
    assert!(bench.desk.findings.references.since(0).is_empty());
    let deep = format!("{{\"label\":{}", "[".repeat(10_000));
    assert_eq!(
        ada.ask("POST", &path, &[("X-Coilsight", "1"), ("Content-Type", "application/json")], &deep).status,
        400
    );
    for query in [
        "limit=0",
        "limit=201",
        "limit=-1",
        "limit=x",
        "before=x",
        "queue=x",
        "page=1",
        &format!("q={}", "x".repeat(300)),
    ] {
        let answer = ada.get(&format!("/api/v1/coils?{query}"));
        assert_eq!(answer.status, 400, "{query}");
        error_of(&answer);
    }
    let head = ada.get(&format!("/{}", "x".repeat(20_000)));
    assert!(matches!(head.status, 414 | 431 | 0), "{head:?}");
    assert_eq!(ada.ask("DELETE", &path, &[("X-Coilsight", "1")], "").status, 405);
    assert_eq!(ada.say(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").status, 400, "no HTTP");
    assert_eq!(bench.desk.archive.stats().counts.feedback, 0);
}

/// One address has so many connections and no more, and what it holds goes when it hangs up.
#[test]
fn connections_are_bounded() {
    let bench = Bench::new();
    let mut held: Vec<TcpStream> = Vec::new();
    let answered = |stream: &mut TcpStream| {
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let asked = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", bench.server.at);
        let mut byte = [0];
        stream.write_all(asked.as_bytes()).is_ok() && matches!(stream.read(&mut byte), Ok(1))
    };
    let refused = (0..200).find(|_| {
        let mut stream = TcpStream::connect(bench.server.at).unwrap();
        let fine = answered(&mut stream);
        held.push(stream);
        !fine
    });
    assert_eq!(refused, Some(24), "so many of one address are answered");
    held.clear();
    let again = (0..1000).any(|_| {
        std::thread::yield_now();
        answered(&mut TcpStream::connect(bench.server.at).unwrap())
    });
    assert!(again);
}

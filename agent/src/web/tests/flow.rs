//! What the page does all day.

use super::*;
use coilsight_models::verdict::Cause;

#[test]
fn lists_one_coil_and_its_matrix() {
    let bench = Bench::new();
    let client = bench.client();
    let list = client.get("/api/v1/coils?limit=4").json();
    assert_eq!(list["counts"], json!({ "all": 10, "review": 1, "drawn": 1 }));
    assert_eq!(list["coils"][0]["coil_id"], "GL2-9", "newest first");
    let next = list["next"].as_str().unwrap();
    let more = client.get(&format!("/api/v1/coils?limit=200&before={next}")).json();
    assert_eq!((more["coils"].as_array().unwrap().len(), &more["next"]), (6, &Value::Null));
    let review = client.get("/api/v1/coils?queue=review").json();
    assert_eq!(review["coils"][0]["coil_id"], "GL2-3");
    let coil = client.get(&format!("/api/v1/coils/{}", id(5))).json();
    assert_eq!((&coil["assessment"]["verdict"], &coil["matrix"]), (&json!("NOK"), &json!("kept")));
    assert_eq!((&coil["newer"], &coil["older"]), (&json!(id(6)), &json!(id(4))));
    let matrix = client.get(&format!("/api/v1/coils/{}/matrix", id(5))).json();
    let mean = matrix["mean"].as_array().unwrap();
    assert_eq!((mean.len(), &mean[0], &mean[1]), (CELLS, &Value::Null, &json!(75.0)), "gaps are gaps");
    for path in ["/api/v1/status", "/readyz"] {
        assert_eq!(client.get(path).status, 503, "{path}: nothing has been shown yet");
    }
    assert_eq!(client.get("/healthz").body, "alive\n");
    assert!(client.get("/metrics").body.contains("coilsight_queue{queue=\"review\"} 1"));
    for path in
        ["/api/v1/scores", "/api/v1/scores?window=5c", "/api/v1/drift", "/api/v1/triggers", "/api/v1/models"]
    {
        assert_eq!(client.get(path).status, 200, "{path}");
    }
    assert_eq!(client.get("/").header("content-type"), Some("text/html; charset=utf-8"));
}

/// For programs, and for the page's other languages.
#[test]
fn reasons_come_with_their_code() {
    let bench = Bench::new();
    let mut a = assessment();
    a.coil_id = CoilId::new("GL2-unlike").unwrap();
    a.decision_id = id(77);
    a.verdict = Verdict::Review;
    a.reasons = vec![Cause::UnlikeTraining { distance: 9.0, limit: 3.0 }.into(), Cause::NoEnd.into()];
    let new = NewDecision {
        decision_id: &a.decision_id,
        coil_id: a.coil_id.as_str(),
        pass_key: "pass 77",
        segment: None,
        json: &serde_json::to_vec(&a).unwrap(),
        matrix: None,
    };
    bench.desk.archive.decide(new).unwrap();
    bench.desk.catch_up();
    let list = bench.client().get("/api/v1/coils").json();
    let [with, without] = [&list["coils"][0], &list["coils"][1]];
    assert_eq!(with["why"], json!({ "code": "unlike_training", "distance": 9.0, "limit": 3.0 }));
    assert_eq!(with["reason"], json!(a.reasons[0].text));
    assert_eq!((&without["why"], &without["reason"]), (&Value::Null, &Value::Null));
    // The page's German has words for every cause and for what belongs to it.
    let words: Value = serde_json::from_str(&bench.client().get("/static/de.json").body).unwrap();
    assert!(words["reason.unlike_training"].as_str().unwrap().contains("{distance}"));
}

#[test]
fn a_person_takes_a_new_reference_and_it_is_kept() {
    let bench = Bench::new();
    let ada = bench.login("1001");
    let path = "/api/v1/drift/reference";
    let top_3 = json!({ "gauge": { "side": "top", "number": 3 } });
    let taken = ada.post(path, &json!({ "of": top_3, "remark": "<b>tube changed</b>" }));
    assert_eq!(taken.status, 201, "{taken:?}");
    let taken = taken.json();
    assert_eq!((&taken["by"], &taken["of"], &taken["after"]), (&json!("Ada"), &top_3, &json!(id(9))));
    assert_eq!(error_of(&ada.post(path, &json!({ "of": top_3 }))), "nothing_new");
    assert_eq!(ada.post(path, &json!({ "of": "all" })).status, 201);
    decide(&bench.desk.archive, 10);
    assert_eq!(ada.post(path, &json!({ "of": top_3 })).json()["after_coil"], "GL2-10");
    // A program has no gauges to exchange.
    let bearer = format!("Bearer {}", bench.token);
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    assert_eq!(error_of(&bench.client().ask("POST", path, &headers, r#"{"of":"all"}"#)), "no_person");
    let kept = bench.desk.findings.references.standing();
    let said: Vec<_> = kept.iter().map(|one| (one.by.as_str(), one.after_coil.as_deref())).collect();
    assert_eq!(said, [("Ada", Some("GL2-9")), ("Ada", Some("GL2-10"))], "all, and the gauge since");
}

#[test]
fn a_word_is_kept_before_it_is_answered_and_can_be_taken_back() {
    let bench = Bench::new();
    let ada = bench.login("1001");
    let feedback = format!("/api/v1/coils/{}/feedback", id(3));
    let said = ada.post(&feedback, &json!({ "label": "NOK", "remark": "thin edge" }));
    assert_eq!(said.status, 201, "{said:?}");
    let word = said.json();
    assert_eq!(
        (&word["by"], &word["label"], &word["source"]),
        (&json!("Ada"), &json!("NOK"), &json!("page"))
    );
    assert_eq!(bench.desk.archive.feedback_on(&id(3)).unwrap().len(), 1);
    assert_eq!(bench.desk.archive.outbox(100).unwrap().len(), 11, "it goes out as a disposition");
    let counts = || bench.client().get("/api/v1/coils").json()["counts"]["review"].clone();
    assert_eq!(counts(), 0, "whoever has said something sees it");

    // Ben has not seen it.
    let ben = bench.login("1002");
    let conflict = ben.post(&feedback, &json!({ "label": "OK", "standing": null }));
    assert_eq!((conflict.status, error_of(&conflict)), (409, "conflict".into()));
    assert_eq!(conflict.json()["standing"]["by"], "Ada");
    let standing = &word["disposition_id"];
    let corrected = ben.post(&feedback, &json!({ "label": "OK", "standing": standing })).json();
    assert_eq!(&corrected["supersedes"], standing);

    let undo =
        |of: &Value| format!("/api/v1/dispositions/{}/withdraw", of["disposition_id"].as_str().unwrap());
    assert_eq!(error_of(&ada.post(&undo(&corrected), &json!({}))), "not_yours");
    let undone = ben.post(&undo(&corrected), &json!({})).json();
    assert_eq!((&undone["withdrawn"]["withdrawn"], &undone["standing"]["by"]), (&json!(true), &json!("Ada")));
    ben.post(&undo(&corrected), &json!({}));
    ada.post(&undo(&word), &json!({}));
    assert_eq!(counts(), 1, "nobody's word stands: it waits again");
    let coil = ada.get(&format!("/api/v1/coils/{}", id(3))).json();
    assert_eq!(coil["dispositions"].as_array().unwrap().len(), 4, "all is on record, each once");
    assert_eq!((&coil["standing"], &coil["assessment"]["verdict"]), (&Value::Null, &json!("REVIEW")));
}

/// A gateway whose clock is ahead has spoken first.
#[test]
fn a_word_from_the_future_is_overruled_on_the_page() {
    let bench = Bench::new();
    let about = id(3);
    let word = json!({
        "coil_id": "GL2-3", "label": "OK", "operator": "Ben", "at": "2099-01-01T00:00:00Z", "known": true
    });
    bench.desk.archive.feedback("w1", Some(&about), word.to_string().as_bytes()).unwrap();
    let ada = bench.login("1001");
    let said =
        ada.post(&format!("/api/v1/coils/{about}/feedback"), &json!({ "label": "NOK", "standing": "w1" }));
    assert_eq!(said.status, 201, "{said:?}");
    let coil = ada.get(&format!("/api/v1/coils/{about}")).json();
    assert_eq!((&coil["standing"]["label"], &coil["standing"]["supersedes"]), (&json!("NOK"), &json!("w1")));
}

#[test]
fn a_coil_takes_so_many_words() {
    let bench = Bench::new();
    let about = id(3);
    for n in 0..crate::words::MAX_WORDS {
        let word = json!({
            "coil_id": "GL2-3", "label": "OK", "operator": "Ben", "at": "2026-01-05T07:00:00Z", "known": true
        });
        bench.desk.archive.feedback(&format!("w{n}"), Some(&about), word.to_string().as_bytes()).unwrap();
    }
    let ada = bench.login("1001");
    let path = format!("/api/v1/coils/{about}/feedback");
    let refused = ada.post(&path, &json!({ "label": "NOK", "standing": "w99" }));
    assert_eq!((refused.status, error_of(&refused)), (409, "too_many_words".into()));
}

#[test]
fn a_program_says_by_token() {
    let bench = Bench::new();
    let bearer = format!("Bearer {}", bench.token);
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let path = format!("/api/v1/coils/{}/feedback", id(7));
    let said = bench.client().ask("POST", &path, &headers, r#"{"label":"OK"}"#);
    assert_eq!((said.status, &said.json()["by"]), (201, &json!("historian")));
    let start = bench.client().ask("POST", "/api/v1/rejudge", &headers, r#"{"size":30}"#);
    assert_eq!(error_of(&start), "no_person");
}

#[test]
fn coils_are_judged_blind_and_twice() {
    let bench = Bench::new();
    let ada = bench.login("1001");
    assert_eq!(error_of(&ada.post("/api/v1/rejudge", &json!({ "size": 30 }))), "too_few");
    for n in 10..40 {
        decide(&bench.desk.archive, n);
    }
    bench.desk.catch_up();
    assert_eq!(error_of(&ada.post("/api/v1/rejudge", &json!({ "size": 29 }))), "bad_request");
    assert_eq!(ada.post("/api/v1/rejudge", &json!({ "size": 30 })).status, 201);
    let shown = || bench.client().get("/api/v1/rejudge").json();
    let mut orders = [Vec::new(), Vec::new()];
    for _ in 0..60 {
        let next = ada.get("/api/v1/rejudge/next");
        assert!(!next.body.contains("GL2") && !next.body.contains("verdict"), "blind: {}", next.body);
        let next = next.json();
        let item = next["item"].as_str().unwrap().to_owned();
        let (matrix, answer) =
            (format!("/api/v1/rejudge/items/{item}/matrix"), format!("/api/v1/rejudge/items/{item}"));
        assert_eq!(ada.get(&matrix).status, 200);
        assert_eq!(shown()["agreement"], Value::Null, "while somebody judges it tells nothing");
        let round = next["round"].as_u64().unwrap();
        assert_eq!(ada.post(&answer, &json!({ "label": "OK" })).status, 201);
        assert_eq!(ada.post(&answer, &json!({ "label": "NOK" })).status, 409, "once a round");
        orders[round as usize - 1].push(item);
    }
    assert_eq!(ada.get("/api/v1/rejudge/next").status, 204);
    assert_eq!((orders[0].len(), orders[1].len()), (30, 30));
    assert_ne!(orders[0], orders[1], "another order each time");
    let shown = shown();
    assert_eq!(shown["session"]["inspectors"], json!([{ "name": "Ada", "done": [30, 30] }]));
    assert!(shown["agreement"]["text"].is_string(), "{shown}");
    assert_eq!(bench.desk.archive.stats().counts.feedback, 0, "they are no dispositions");
    // Ada's answers are not dropped unseen; what was finished stays readable.
    let begin = |body: Value| ada.post("/api/v1/rejudge", &body);
    assert_eq!(begin(json!({ "size": 30 })).status, 201, "nobody judges any more");
    let item = ada.get("/api/v1/rejudge/next").json()["item"].as_str().unwrap().to_owned();
    assert_eq!(ada.post(&format!("/api/v1/rejudge/items/{item}"), &json!({ "label": "OK" })).status, 201);
    for body in [json!({ "size": 30 }), json!({ "size": 30, "replaces": shown["session"]["id"] })] {
        let refused = begin(body);
        assert_eq!((refused.status, error_of(&refused)), (409, "session_running".into()));
    }
    let running = bench.client().get("/api/v1/rejudge").json();
    assert_eq!(running["finished"]["session"], shown["session"]);
    assert_eq!(running["finished"]["agreement"], shown["agreement"]);
    assert_eq!(begin(json!({ "size": 30, "replaces": running["session"]["id"] })).status, 201);
}

//! Grafana's dashboard asks the plant's record what it can answer: every query runs, on a real `PostgreSQL`.

use coilsight_tests::record::{Place, Serve};
use coilsight_tests::{broker, root};
use serde_json::Value;

/// What Grafana makes of a query: its macro, and the lines that are chosen.
fn as_asked(sql: &str) -> String {
    let mut asked = sql.replace("$line", "'gl2', 'gl3'");
    while let Some(begin) = asked.find("$__timeFilter(") {
        let inner = begin + "$__timeFilter(".len();
        let mut depth = 1;
        let end = asked[inner..].char_indices().find(|(_, c)| {
            depth += match c {
                '(' => 1,
                ')' => -1,
                _ => 0,
            };
            depth == 0
        });
        let end = inner + end.expect("a bracket that is closed").0;
        let what = asked[inner..end].to_owned();
        asked.replace_range(begin..=end, &format!("{what} BETWEEN now() - interval '30 days' AND now()"));
    }
    assert!(!asked.contains('$'), "{asked}");
    asked
}

#[test]
fn every_query_of_the_dashboard_runs() {
    let test = "every_query_of_the_dashboard_runs";
    let folder = tempfile::tempdir().unwrap();
    let place = Place::new(test, folder.path());
    if place.query("SELECT 1").is_none() {
        return;
    }
    let Some(broker) = broker::Mosquitto::start(test, folder.path()) else { return };
    // It makes the schema.
    drop(Serve::start(&place, broker.port));
    place.query("INSERT INTO line (line, prefix, heard_us, slots) VALUES ('gl2', 'plant/gl2', 1, '{\"active\": {\"name\": \"a\", \"release\": 7}}')");
    let dashboard = std::fs::read_to_string(root().join("deploy/grafana/coilsight-record.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() >= 8);
    for panel in panels {
        for target in panel["targets"].as_array().unwrap() {
            let found = place.query(&as_asked(target["rawSql"].as_str().unwrap())).unwrap();
            if panel["title"] == "Lines" {
                assert!(found.contains("|a|7|0|0"), "{found}");
            }
        }
    }
    let lines = dashboard["templating"]["list"][0]["query"].as_str().unwrap();
    assert_eq!(place.query(lines).as_deref(), Some("gl2"));
    let source =
        std::fs::read_to_string(root().join("deploy/grafana/provisioning/datasources/coilsight.yaml"))
            .unwrap();
    assert!(source.contains(dashboard["panels"][0]["datasource"]["uid"].as_str().unwrap()));
}

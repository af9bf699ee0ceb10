//! What must hold of the report of [`super::fixture`]'s study.

use super::fixture::{HOSTILE, gold, picture, results};
use super::{Cost, Told, write};
use crate::release::Judging;
use crate::study::judging::Judged;
use crate::study::results::Results;

/// Where the report is left to be looked at: `COILSIGHT_LOOK`, or a folder that goes.
fn written(told: &Told, name: &str) -> (tempfile::TempDir, String, Vec<std::path::PathBuf>) {
    let kept = tempfile::tempdir().unwrap();
    let look = std::env::var_os("COILSIGHT_LOOK").map(std::path::PathBuf::from);
    let folder = look.unwrap_or_else(|| kept.path().into()).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let files = write(&folder, told).unwrap();
    (kept, std::fs::read_to_string(folder.join("report.html")).unwrap(), files)
}

/// Every SVG is well-formed: each element closed in order, no bare ampersand, no bad number.
fn well_formed(svg: &str) {
    let mut open: Vec<&str> = Vec::new();
    for piece in svg.split('<').skip(1) {
        let (tag, after) = piece.split_once('>').expect("a tag ends");
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "{svg}");
        } else if !tag.ends_with('/') {
            open.push(name);
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        for entity in after.split('&').skip(1) {
            assert!(
                ["amp;", "lt;", "gt;", "quot;", "#39;"].iter().any(|e| entity.starts_with(e)),
                "{entity}"
            );
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

fn sound(html: &str) {
    for bad in [
        "NaN",
        "inf\"",
        ">inf",
        "<script",
        "http-equiv=refresh",
        "src=\"http",
        "href=",
        "url(",
        "@import",
        "None",
        "Some(",
    ] {
        assert!(!html.contains(bad), "{bad} is in the page");
    }
    let without = html.replace("http://www.w3.org/2000/svg", "");
    assert!(!without.contains("http:") && !without.contains("https:"), "nothing is fetched");
    for svg in html.split("<svg").skip(1) {
        well_formed(&format!("<svg{}</svg>", svg.split_once("</svg>").expect("a figure ends").0));
    }
    for tag in ["table", "section", "figure", "div", "p", "ul", "details"] {
        let (opened, closed) = (
            html.matches(&format!("<{tag}>")).count() + html.matches(&format!("<{tag} ")).count(),
            html.matches(&format!("</{tag}>")).count(),
        );
        assert_eq!(opened, closed, "{tag}");
    }
}

#[test]
fn the_report_tells_all_of_a_study_and_nothing_hostile_gets_through() {
    let results = results();
    let gold = gold(&results);
    let costs = [Cost {
        configuration: "scratch/only".into(),
        cells: 10,
        wall_s: 1234.5,
        processor_s: 2400.0,
        peak_mib: 812.0,
        on: vec!["cpu, 2 threads".into()],
    }];
    let judging = [
        Judged {
            school: results.chosen[0].school,
            configuration: "transfer/only".into(),
            float: false,
            bytes: 3_400_000,
            judging: Ok(Judging { coils: 200, median_ms: 12.34, p99_ms: 17.5 }),
        },
        Judged {
            school: results.chosen[0].school,
            configuration: "contrastive/only".into(),
            float: true,
            bytes: 0,
            judging: Err(HOSTILE.into()),
        },
    ];
    let pictures = [picture("C-1042"), picture(HOSTILE)];
    let command = format!("coilsight-trainer study a.yaml --out '{HOSTILE}'");
    let told = Told {
        results: &results,
        gold: Some(&gold),
        costs: &costs,
        judging: &judging,
        pictures: &pictures,
        command: &command,
    };
    let (_kept, html, files) = written(&told, "whole");
    sound(&html);
    let said = |what: &str| assert!(html.contains(what), "{what} is not told");
    for e in &results.experiments {
        said(&super::text::escape(&e.title));
        for c in super::experiment::folded(e, results.select) {
            said(&super::text::escape(&c.name));
            for s in c.summary.values().flat_map(|s| [s.by_coil, s.by_day]) {
                if let Some(text) = super::text::interval(s.interval) {
                    said(&text);
                }
            }
        }
    }
    for text in [
        "3 looks are on record",
        "The difference is not shown (corrected t test, p = 0.420)",
        "would have called it significant (p &lt; 0.001)",
    ] {
        said(text);
    }
    for text in [
        "12.3 ms",
        "17.5 ms",
        "data:image/png;base64,iVBOR",
        "0.79",
        "0.62",
        "0.75",
        "not measured",
        "no interval: too few resamples define it",
        "0.875",
    ] {
        said(text);
    }
    // Of the tuned rates the better one alone.
    assert!(!html.contains("size=n,rate=0.001") && html.contains("size=n,rate=0.01"));
    assert_eq!(files[0].file_name().unwrap(), "report.html");
    assert!(files.iter().all(|f| f.is_file()));
    let again = written(&told, "whole").1;
    assert!(again == html, "the same study gives the same page");
}

#[test]
fn an_empty_study_has_a_report() {
    let results = Results {
        experiments: Vec::new(),
        chosen: Vec::new(),
        between: Vec::new(),
        forward: Vec::new(),
        ..results()
    };
    let told = Told { results: &results, gold: None, costs: &[], judging: &[], pictures: &[], command: "" };
    let (_kept, html, _) = written(&told, "empty");
    sound(&html);
    assert!(html.contains("Nobody has looked at gold") && html.contains("Nothing was chosen"));
}

#[test]
fn tables_have_a_row_each_and_gaps_are_empty() {
    let results = results();
    let told = Told { results: &results, gold: None, costs: &[], judging: &[], pictures: &[], command: "" };
    let cells = super::rows::cells(&results).unwrap();
    let mut reader = csv::Reader::from_reader(cells.as_slice());
    assert_eq!(reader.records().map(Result::unwrap).count(), (15 + 4 + 2 + 1) * 10);
    let configurations = super::rows::configurations(&told).unwrap();
    let mut reader = csv::Reader::from_reader(configurations.as_slice());
    let heads = reader.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 23);
    let at =
        |row: &csv::StringRecord, name: &str| row[heads.iter().position(|h| h == name).unwrap()].to_owned();
    let bare = rows.iter().find(|r| &r[1] == HOSTILE).unwrap();
    assert_eq!(
        (at(bare, "roc_auc_mean"), at(bare, "accuracy_mean"), at(bare, "brier")),
        (String::new(), "0.875".into(), String::new())
    );
    assert_eq!(at(&rows[0], "f1_nok_mean"), "0.55");
    assert_eq!(at(&rows[0], "point"), "size=n,frozen stages=0");
}

#[test]
fn runs_are_lines_that_mlflow_reads() {
    let results = results();
    let told =
        Told { results: &results, gold: None, costs: &[], judging: &[], pictures: &[], command: "a\nb" };
    let files = super::mlflow::files(&told);
    let runs = files.iter().filter(|(path, _)| path.ends_with("params/configuration")).count();
    assert_eq!(runs, 23);
    for (path, bytes) in &files {
        let text = std::str::from_utf8(bytes).unwrap();
        if path.components().any(|c| c.as_os_str() == "metrics") {
            for line in text.lines() {
                let parts: Vec<&str> = line.split(' ').collect();
                let value: f64 = parts[1].parse().unwrap();
                assert!(
                    parts.len() == 3
                        && parts[0] == "0"
                        && value.is_finite()
                        && parts[2].parse::<u32>().is_ok(),
                    "{line}"
                );
            }
        }
        assert!(
            !text.contains('\0') && path.components().count() <= 5 && !path.has_root(),
            "{}",
            path.display()
        );
        assert!(path.components().all(|c| matches!(c, std::path::Component::Normal(_))));
    }
    let f1 = files.iter().find(|(path, _)| path.ends_with("metrics/cell_f1_nok")).unwrap();
    assert_eq!(std::str::from_utf8(&f1.1).unwrap().lines().count(), 10);
}

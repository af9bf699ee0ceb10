//! The page: one file, nothing fetched, no script; light, dark and printed.

use super::names::metric;
use super::text::{count, escape, share};
use super::{Told, answer, chosen, errors, experiment, gold, tables::Table};

/// Colours of M. Okabe and K. Ito, which colour-blind eyes tell apart; lighter ones on dark ground.
const STYLE: &str = include_str!("page.css");

/// The whole page.
pub fn page(told: &Told) -> anyhow::Result<String> {
    let results = told.results;
    let experiments: String = results.experiments.iter().map(|e| experiment::section(told, e)).collect();
    let experiments =
        if experiments.is_empty() { "<p class=none>There is none.</p>\n".into() } else { experiments };
    Ok(format!(
        "<!doctype html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n<meta name=viewport content=\"width=device-width, initial-scale=1\">\n\
         <meta name=color-scheme content=\"light dark\">\n<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; \
         img-src data:; style-src 'unsafe-inline'\">\n<title>Study {name}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n\
         <h1>Study {name}</h1>\n{facts}</header>\n<main>\n{answer}{gold}{chosen}<section id=experiments><h2>Experiments</h2>\n\
         {experiments}</section>\n{errors}{costs}{method}</main>\n</body>\n</html>\n",
        name = escape(&results.name),
        facts = facts(told),
        answer = answer::section(told),
        gold = gold::section(told),
        chosen = chosen::section(told),
        errors = errors::section(told)?,
        costs = costs(told),
        method = method(told),
    ))
}

/// What was studied.
fn facts(told: &Told) -> String {
    let results = told.results;
    let data = &results.data;
    let forward: Vec<String> = results.forward.iter().map(|f| share(*f)).collect();
    let forward = if forward.is_empty() {
        "none forward in time".into()
    } else {
        format!("forward in time after {} of the coils", forward.join(" and "))
    };
    let facts = [
        (
            "Coils",
            format!(
                "{}, {} of them NOK, on {} days; set {}",
                count(data.coils),
                count(data.nok),
                data.days,
                escape(&data.set)
            ),
        ),
        ("Data (SHA-256)", format!("<code>{}</code>", escape(&data.sha256))),
        (
            "Splits",
            format!(
                "{} repeats of {} folds, stratified, the same for every method; {forward}",
                results.repeats, results.folds
            ),
        ),
        ("Chosen by", format!("mean {}", metric(results.select))),
        ("Intervals", answer::how(results)),
        ("Trainer, seed", format!("{}, {}", escape(&results.trainer), results.seed)),
        ("Command", format!("<code>{}</code>", escape(told.command))),
    ];
    let rows: Vec<String> =
        facts.iter().map(|(name, fact)| format!("<dt>{name}</dt><dd>{fact}</dd>\n")).collect();
    format!("<dl>{}</dl>\n", rows.concat())
}

fn costs(told: &Told) -> String {
    if told.costs.is_empty() {
        return "<section id=costs><h2>What it cost</h2><p class=none>Not measured.</p></section>\n".into();
    }
    let mut table = Table::new(
        "Training and judging of all cells of a configuration; cells of equal settings are trained once",
        &["Configuration", "Cells", "Time, s", "Processor time, s", "Most memory, MiB", "On"],
    );
    for cost in told.costs {
        let of = |v: f64| super::text::number(Some(v));
        table.row(
            &cost.configuration,
            vec![
                cost.cells.to_string(),
                of(cost.wall_s),
                of(cost.processor_s),
                of(cost.peak_mib),
                escape(&cost.on.join("; ")),
            ],
        );
    }
    format!(
        "<section id=costs><h2>What it cost</h2>\n<details><summary>{} configurations</summary>{}</details></section>\n",
        told.costs.len(),
        table.html()
    )
}

fn method(told: &Told) -> String {
    let results = told.results;
    format!(
        "<section id=method><h2>How it was measured</h2>\n<ul>\n\
         <li>A cell is one network on one fold that it has not seen; its threshold and calibration come from the other folds of its \
         repeat. Mean and standard deviation are over {} cells; they are not independent, so no interval is made of them.</li>\n\
         <li>{}.</li>\n\
         <li>Corrected t: C. Nadeau and Y. Bengio, <i>Inference for the generalization error</i>, Machine Learning 52, 2003. Cost \
         curves: C. Drummond and R. C. Holte, Machine Learning 65, 2006.</li>\n\
         <li>Forward in time: judged by networks that learned from earlier coils alone. Shuffled folds flatter.</li>\n\
         <li>Per 1,000: recall and false-alarm rate carried over to {} NOK coils.</li>\n\
         <li>“Not measured” stands where there is no number. The paper: tables and section 5 of the comparison of transfer and \
         contrastive learning on coils; its gold set has 30 OK and 30 NOK coils of another line.</li>\n\
         <li>Beside this file: <code>results.json</code> (everything), <code>configurations.csv</code>, <code>cells.csv</code>, \
         <code>mlruns</code> (runs for MLflow).</li>\n</ul></section>\n",
        results.repeats * results.folds,
        answer::how(results),
        share(results.data.prevalence),
    )
}

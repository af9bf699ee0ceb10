//! Coils that the chosen ones judge wrongly, with where the network looked (the paper's section 5.6).

use super::Told;
use super::base64;
use super::names::school;
use super::tables::Table;
use super::text::{escape, number};
use crate::plot;
use crate::study::results::Chosen;
use anyhow::Context;

/// The section.
pub fn section(told: &Told) -> anyhow::Result<String> {
    let parts: Vec<String> =
        told.results.chosen.iter().map(|c| of(told, c)).collect::<anyhow::Result<_>>()?;
    Ok(format!(
        "<section id=errors><h2>Errors</h2>\n<p>Coils that are judged wrongly most often. Thin places are red, heavy ones blue, gaps \
         hatched. Below each, where given, what each piece of the strip adds to the log-odds of NOK (occlusion): orange speaks for \
         NOK, purple for OK.</p>\n{}</section>\n",
        parts.concat()
    ))
}

fn of(told: &Told, chosen: &Chosen) -> anyhow::Result<String> {
    let mut table = Table::new(
        &format!("{}: {}/{}", school(chosen.school), chosen.experiment, chosen.configuration),
        &[
            "Coil",
            "Row in the set",
            "Labelled",
            "Judged",
            "Tolerance class",
            "Mean P(NOK)",
            "Wrong in repeats",
        ],
    );
    let mut maps: Vec<String> = Vec::new();
    for wrong in &chosen.errors {
        let (label, judged) = if wrong.nok { ("NOK", "OK (missed)") } else { ("OK", "NOK (false alarm)") };
        table.row(
            &wrong.coil_id,
            vec![
                wrong.row.to_string(),
                label.into(),
                judged.into(),
                escape(&wrong.class.to_string()),
                number(Some(wrong.p_nok)),
                format!("{} of {}", wrong.wrong, told.results.repeats),
            ],
        );
        let own = told.pictures.iter().find(|p| p.school == chosen.school && p.coil_id == wrong.coil_id);
        let Some(own) = own else { continue };
        let drawn = plot::strip(&own.map, own.evidence.as_deref())
            .and_then(|picture| picture.png())
            .with_context(|| format!("coil {} cannot be drawn", wrong.coil_id))?;
        let caption = escape(&format!("{}: labelled {label}, judged {judged}", wrong.coil_id));
        maps.push(format!(
            "<figure class=strip><img alt=\"Heat map of coil {caption}\" src=\"data:image/png;base64,{}\"><figcaption>{caption}</figcaption></figure>\n",
            base64::encode(&drawn)
        ));
    }
    if chosen.errors.is_empty() {
        return Ok(format!("<p><b>{}</b>: no coil is told of.</p>\n", school(chosen.school)));
    }
    let maps = if maps.is_empty() {
        "<p class=none>No pictures were given.</p>".into()
    } else {
        format!("<div class=strips>{}</div>\n", maps.concat())
    };
    Ok(format!("{}{maps}", table.html()))
}

//! Whether the agent may say what becomes of bundles: a line that takes them in without a word leaves whoever pushes
//! waiting, and bundles are not asked for.

use super::Report;
use super::publish::{self, Answer};
use crate::broker::Broker;
use coilsight_models::message::Topics;
use coilsight_models::message::model::Way;

const CHECK: &str = "bundles";

/// Asks for the right to publish on the models' topics.
pub(super) async fn look(
    broker: &Broker,
    login: Option<&(String, String)>,
    topics: &Topics,
    report: &mut Report,
) {
    let topics = [Way::Want, Way::Answer, Way::State].map(|way| topics.model(way));
    let client_id = format!("{}-doctor5", broker.client_id);
    match publish::ask(broker, login, &client_id, &topics).await {
        Ok(answers) => tell(&topics, &answers, report),
        // By MQTT 3.1.1 a broker only passes a publication on or does not, and the agent need not hear these itself.
        Err(_) => report.ok(
            CHECK,
            "whether the agent may answer about bundles is not known: the broker does not speak MQTT 5",
        ),
    }
}

fn tell(topics: &[String], answers: &[Answer], report: &mut Report) {
    let refused = |(_, answer): &(&String, &Answer)| **answer != Answer::Taken;
    let refused: Vec<&str> =
        topics.iter().zip(answers).filter(refused).map(|(topic, _)| topic.as_str()).collect();
    if refused.is_empty() {
        report.ok(CHECK, format!("may publish to {}", topics.join(", ")));
        return;
    }
    let refused = refused.join(", ");
    report.warn(
        CHECK,
        format!(
            "the broker does not take what this agent publishes to {refused}: no bundle comes over the broker, or nobody \
             hears what became of it"
        ),
        format!(
            "allow this agent's user to write {refused} at the broker; without it bundles come by `coilsight-agent bundle \
             install`"
        ),
    );
}

#[cfg(test)]
mod tests {
    use super::super::Grade;
    use super::*;

    #[test]
    fn a_line_that_may_not_answer_about_bundles_is_warned() {
        let topics = ["want", "answer", "state"].map(|name| format!("plant/gl2/model/{name}"));
        let mut report = Report { json: true, ..Report::default() };
        tell(&topics, &[Answer::Taken, Answer::Denied, Answer::Other("QuotaExceeded".into())], &mut report);
        let finding = &report.findings[0];
        assert_eq!(finding.grade, Grade::Warning);
        assert!(
            finding.found.contains("to plant/gl2/model/answer, plant/gl2/model/state:"),
            "{}",
            finding.found
        );
        assert!(finding.to_do.contains("write plant/gl2/model/answer, plant/gl2/model/state at the broker"));
        tell(&topics, &[Answer::Taken, Answer::Taken, Answer::Taken], &mut report);
        assert_eq!(report.findings[1].grade, Grade::Ok);
    }
}

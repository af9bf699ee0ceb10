//! Whether the agent may send to the plant's record, where it is to.

use super::Report;
use super::publish::{self, Answer};
use crate::broker::Broker;
use coilsight_models::message::Topics;
use coilsight_models::message::upload::Way;

const CHECK: &str = "record";

/// Asks for the right to publish on the record's topics.
pub(super) async fn look(
    broker: &Broker,
    login: Option<&(String, String)>,
    topics: &Topics,
    report: &mut Report,
) {
    let topics = [Way::Batch, Way::Report].map(|way| topics.upload(way));
    let client_id = format!("{}-doctor5", broker.client_id);
    match publish::ask(broker, login, &client_id, &topics).await {
        Ok(answers) => tell(&topics, &answers, report),
        // By MQTT 3.1.1 a broker only passes a publication on or does not, and the agent need not hear these itself.
        Err(_) => report.ok(
            CHECK,
            "whether the agent may send to the plant's record is not known: the broker does not speak MQTT 5",
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
        format!("the broker does not take what this agent publishes to {refused}: the plant's record learns nothing of it"),
        format!(
            "allow this agent's user to write {refused} at the broker, or set upload.enabled = false; until then it waits in \
             the line's log"
        ),
    );
}

#[cfg(test)]
mod tests {
    use super::super::Grade;
    use super::*;

    #[test]
    fn a_line_that_may_not_send_to_the_record_is_warned() {
        let topics = ["batch", "report"].map(|name| format!("plant/gl2/upload/{name}"));
        let mut report = Report { json: true, ..Report::default() };
        tell(&topics, &[Answer::Denied, Answer::Taken], &mut report);
        let finding = &report.findings[0];
        assert_eq!(finding.grade, Grade::Warning);
        assert!(finding.found.contains("to plant/gl2/upload/batch:"), "{}", finding.found);
        assert!(finding.to_do.contains("write plant/gl2/upload/batch at the broker"));
        tell(&topics, &[Answer::Taken, Answer::Taken], &mut report);
        assert_eq!(report.findings[1].grade, Grade::Ok);
    }
}

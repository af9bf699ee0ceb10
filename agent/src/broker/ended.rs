//! Why a connection with the broker ended, and what to do.

use super::link::LinkError;
use coilsight_models::message::notification::Subject;
use coilsight_models::message::status::{Trouble, Why};
use rumqttc::{ConnectReturnCode, ConnectionError, StateError};

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error("the broker refuses the connection: {0}")]
    Refused(&'static str, String),
    #[error("the broker takes the connection and does not answer")]
    Silent,
    #[error("the broker ended the connection")]
    Mqtt(#[source] Box<ConnectionError>),
    #[error("more comes from the broker than can be stored: {0}")]
    Overloaded(&'static str),
    #[error("no socket inside this process")]
    Inside(#[source] std::io::Error),
}

impl Ended {
    /// What the client's error means. `broken` is what the link knows, `user` who asked.
    pub fn of(error: ConnectionError, broken: Option<LinkError>, user: Option<&str>) -> Self {
        match (error, broken) {
            (ConnectionError::ConnectionRefused(code), _) => {
                let (why, to_do) = refused(code, user);
                Self::Refused(why, to_do)
            }
            (_, Some(link)) => Self::Link(link),
            (
                ConnectionError::NetworkTimeout | ConnectionError::MqttState(StateError::AwaitPingResp),
                None,
            ) => Self::Silent,
            (error, None) => Self::Mqtt(Box::new(error)),
        }
    }

    /// In words, for people.
    pub fn trouble(&self) -> Trouble {
        let to_do = match self {
            Self::Link(error) => error.to_do(),
            Self::Refused(_, to_do) => to_do.clone(),
            Self::Silent => "check broker.port, the network, and that the broker is well; see its log".into(),
            Self::Mqtt(_) => {
                "nothing: it is tried again; if it stays so, see the broker's log: another agent with \
                              the same broker.client_id would end this one's connection"
                    .into()
            }
            Self::Overloaded(_) => "see why storing is slow: the status tells of the disk".into(),
            Self::Inside(_) => "allow the agent AF_UNIX sockets".into(),
        };
        let text = crate::say::chain(self);
        let why = Some(Why::of("broker").with("why", &text));
        Trouble { topic: Subject::Broker, text, to_do, why }
    }
}

fn refused(code: ConnectReturnCode, user: Option<&str>) -> (&'static str, String) {
    let wrong = match user {
        Some(user) => format!(
            "check broker.username ({user}) and the password (broker.password_file, or systemd's credential \
             broker-password)"
        ),
        None => "no broker.username is set: the broker wants a user name and a password".into(),
    };
    match code {
        ConnectReturnCode::BadUserNamePassword => ("wrong user name or password", wrong),
        ConnectReturnCode::NotAuthorized => (
            "wrong user name or password, or no permission to connect (not authorised)",
            format!("{wrong}; see the broker's log"),
        ),
        ConnectReturnCode::BadClientId => (
            "it does not take this client id",
            "set broker.client_id to one that the broker allows, also with `-words` and `-doctor` after it"
                .into(),
        ),
        ConnectReturnCode::ServiceUnavailable => {
            ("it is not available", "nothing: it is tried again; if it stays so, see the broker's log".into())
        }
        ConnectReturnCode::RefusedProtocolVersion => {
            ("it does not speak MQTT 3.1.1", "have MQTT 3.1.1 allowed at the broker".into())
        }
        ConnectReturnCode::Success => ("no reason given", "see the broker's log".into()),
    }
}

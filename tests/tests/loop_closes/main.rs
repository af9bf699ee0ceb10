//! The loop closes: inspectors' words on a line make its next set of models, and nothing does where nothing has changed. With
//! real programs, mosquitto, and `PostgreSQL` where there is one.

mod coils;
mod null;
mod scenario;
mod works;

//! The page in a browser, over the real agent: what operators see and say, on a small panel and on a large screen. In
//! every test nothing may stand in the console, and nothing but the agent may be asked for anything.

mod access;
mod browser;
mod desk;
mod keys;
mod look;
mod meanwhile;
mod pictures;
mod rejudge;
mod say;
mod status;

/// A touch panel at the line, and a screen in an office.
const SIZES: [(u32, u32); 2] = [(800, 480), (1920, 1080)];

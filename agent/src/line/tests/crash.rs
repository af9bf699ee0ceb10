//! The line over a disk that loses power: what was committed is there, and no pass is decided twice.

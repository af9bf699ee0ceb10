//! Sizes that the kernels must not be run with; what they compute is tested in [`super::super::conv`].

use super::*;
use crate::nn::kernel::geometry::{Geometry, Pads};

#[test]
#[allow(unsafe_code)]
#[should_panic(expected = "output")]
fn sizes_that_do_not_match_are_refused() {
    let g = Geometry::new(&[1, 4, 4, 1], &[3, 3, 1, 2], (1, 1), Pads::NONE).expect("fits");
    let plan = g.plan(1);
    let panels = Panels::forward(&plan, &[0.0; 18]);
    // SAFETY: the values are nobody else's.
    unsafe { Images::new(&plan, &[0.0; 16]).all(&panels, Shared::new(&mut [0.0; 9])) };
}

#[test]
#[should_panic(expected = "whole images")]
fn more_images_than_planned_are_refused() {
    let g = Geometry::new(&[3, 4, 4, 1], &[3, 3, 1, 2], (1, 1), Pads::NONE).expect("fits");
    Images::new(&g.plan(2), &[0.0; 48]);
}

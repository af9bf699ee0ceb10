//! Keeps large blocks of memory for reuse, aligned to cache lines and, where the system has them, in huge pages.
//!
//! A training step frees and takes the same large vectors again and again. The system would hand them out as new pages each
//! time, cleared in thousands of page faults: 12 % of a step of the CNN. And kernels read and write whole cache lines.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Smaller blocks are the system's business: 2 to this power.
const LARGE: u32 = 16;
/// Larger blocks, too.
const LARGEST: u32 = 40;
/// What a huge page holds.
const HUGE: usize = 2 * 1024 * 1024;
/// Alignment of blocks smaller than that: a page.
const PAGE: usize = 4096;
/// Sizes per doubling; no more than an eighth of a block is lost.
const STEPS: usize = 8;

/// An allocator for programs that train.
pub struct Keeping {
    kept: Mutex<Kept>,
    /// Bytes that nobody uses, at most.
    limit: usize,
}

struct Kept {
    bytes: usize,
    /// For each size the address of a free block, which begins with the address of the next one; 0 where there is none.
    first: [usize; (LARGEST - LARGE + 1) as usize * STEPS],
}

/// A size that is kept: the block's layout and the size's number.
fn class(layout: Layout) -> Option<(Layout, usize)> {
    let size = layout.size();
    if !(1 << LARGE..1 << LARGEST).contains(&size) || layout.align() > PAGE {
        return None;
    }
    let power = size.ilog2();
    let step = (1 << power) / STEPS;
    let whole = size.next_multiple_of(step);
    let align = if whole < HUGE { PAGE } else { HUGE };
    let number = (power - LARGE) as usize * STEPS + (whole - (1 << power)) / step;
    Some((Layout::from_size_align(whole, align).ok()?, number))
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn ask_for_huge_pages(block: *mut u8, size: usize) {
    unsafe extern "C" {
        fn madvise(address: *mut u8, length: usize, advice: i32) -> i32;
    }
    const MADV_HUGEPAGE: i32 = 14;
    if size >= HUGE && !block.is_null() {
        // SAFETY: the block's own pages, whose content the advice leaves as it is; without huge pages it fails, and
        // nothing is lost.
        unsafe { madvise(block, size / PAGE * PAGE, MADV_HUGEPAGE) };
    }
}

#[cfg(not(target_os = "linux"))]
fn ask_for_huge_pages(_: *mut u8, _: usize) {}

impl Keeping {
    /// Keeps up to `limit` bytes that nobody uses.
    pub const fn new(limit: usize) -> Self {
        let first = [0; (LARGEST - LARGE + 1) as usize * STEPS];
        Self { kept: Mutex::new(Kept { bytes: 0, first }), limit }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A free block of this size, if one is kept.
    #[allow(unsafe_code)]
    fn take(&self, size: usize, number: usize) -> Option<*mut u8> {
        let mut kept = self.kept();
        let block = kept.first[number] as *mut usize;
        if block.is_null() {
            return None;
        }
        // SAFETY: a block that `dealloc` has put there, which nobody uses, and which begins with an address.
        kept.first[number] = unsafe { *block };
        kept.bytes -= size;
        Some(block.cast())
    }
}

// SAFETY: blocks are the system's, at least as large and as aligned as asked for; one that was given back is handed out
// again only once, and its size's number, which follows from its layout, is that under which it was kept.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Keeping {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some((whole, number)) = class(layout) else {
            // SAFETY: the caller's promise.
            return unsafe { System.alloc(layout) };
        };
        self.take(whole.size(), number).unwrap_or_else(|| {
            // SAFETY: the size is not 0.
            let block = unsafe { System.alloc(whole) };
            ask_for_huge_pages(block, whole.size());
            block
        })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if class(layout).is_none() {
            // SAFETY: the caller's promise.
            return unsafe { System.alloc_zeroed(layout) };
        }
        // SAFETY: the caller's promise, and so many bytes are there.
        unsafe {
            let block = self.alloc(layout);
            if !block.is_null() {
                block.write_bytes(0, layout.size());
            }
            block
        }
    }

    #[allow(clippy::cast_ptr_alignment)] // Blocks that are kept begin with a page.
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some((whole, number)) = class(layout) else {
            // SAFETY: the caller's promise; such blocks are always the system's.
            return unsafe { System.dealloc(block, layout) };
        };
        let mut kept = self.kept();
        if kept.bytes + whole.size() > self.limit {
            drop(kept);
            // SAFETY: `alloc` took it from the system with this layout.
            return unsafe { System.dealloc(block, whole) };
        }
        let block = block.cast::<usize>();
        // SAFETY: nobody uses the block any more, and it holds an address.
        unsafe { *block = kept.first[number] };
        kept.first[number] = block as usize;
        kept.bytes += whole.size();
    }
}

#[cfg(test)]
#[allow(unsafe_code)]
mod tests {
    use super::*;

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 4).expect("layout")
    }

    #[test]
    fn a_block_that_was_given_back_is_handed_out_once() {
        let keeping = Keeping::new(1 << 30);
        let (a, b) = (layout(100_000), layout(99_000));
        // SAFETY: each block is written within its size, and given back once with its own layout.
        unsafe {
            let first = keeping.alloc(a);
            assert_eq!(first as usize % PAGE, 0);
            first.write_bytes(7, 100_000);
            keeping.dealloc(first, a);
            let second = keeping.alloc_zeroed(b);
            assert_eq!(first, second, "sizes close to each other share blocks");
            assert!(std::slice::from_raw_parts(second, 99_000).iter().all(|v| *v == 0));
            let third = keeping.alloc(a);
            assert_ne!(second, third);
            keeping.dealloc(second, b);
            keeping.dealloc(third, a);
        }
        assert_eq!(keeping.kept().bytes, 2 * class(a).expect("kept").0.size());
    }

    #[test]
    fn no_more_is_kept_than_the_limit() {
        let keeping = Keeping::new(150_000);
        // SAFETY: as above.
        unsafe {
            let blocks = [(); 3].map(|()| keeping.alloc(layout(70_000)));
            for block in blocks {
                keeping.dealloc(block, layout(70_000));
            }
        }
        assert_eq!(keeping.kept().bytes, 2 * 73728);
    }

    #[test]
    fn sizes_are_rounded_up_by_no_more_than_an_eighth_and_have_numbers_of_their_own() {
        let mut last: Option<(usize, usize)> = None;
        for size in (1 << LARGE..3 * HUGE).step_by(1000) {
            let (whole, number) = class(layout(size)).expect("kept");
            assert!(whole.size() >= size && whole.size() - size <= size / 8, "{size}");
            assert_eq!(whole.align(), if whole.size() < HUGE { PAGE } else { HUGE });
            if let Some((before, number_before)) = last {
                assert_eq!(before == whole.size(), number_before == number, "{size}");
            }
            last = Some((whole.size(), number));
        }
        assert!(class(layout((1 << LARGE) - 1)).is_none());
        assert!(class(layout((1 << LARGEST) - 1)).is_some());
        assert!(class(Layout::from_size_align(1 << 20, 2 * PAGE).expect("layout")).is_none());
    }
}

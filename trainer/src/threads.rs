//! Candle's own threads are left out.

/// The variable by which candle chooses the number of its threads.
const NAME: &str = "CANDLE_NUM_THREADS";

/// Has candle add and multiply on the thread that asks, unless the environment says otherwise.
///
/// Layers have kernels of their own, on rayon's threads. What is left to candle is short, and its threads wait for each other
/// without sleeping, which took a third of the processor time of a training step, more on a busy machine.
///
/// # Safety
/// No other thread runs yet: it could read the environment meanwhile.
#[allow(unsafe_code)]
pub unsafe fn leave_out_candle() {
    if std::env::var_os(NAME).is_none() {
        // SAFETY: the caller's promise.
        unsafe { std::env::set_var(NAME, "1") };
    }
}

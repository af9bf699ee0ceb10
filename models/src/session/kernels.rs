//! Which of tract's kernels may compute.

/// Leaves out tract's int8 kernels for AMX (Intel servers). In tract-linalg 0.23.9 they load whole tiles of 64
/// values of the second operand, which is padded to 4: they read up to 960 bytes beyond it, which at the end of a
/// thread's heap is a segmentation fault. The others give the same sums. It must be called before tract is used.
pub fn leave_out_faulty() {
    #[cfg(target_arch = "x86_64")]
    {
        use tract_onnx::tract_hir::tract_core::tract_linalg::knobs::TRACT_CPU_ISA;
        static ONCE: std::sync::Once = std::sync::Once::new();
        ONCE.call_once(|| {
            let given = TRACT_CPU_ISA.get().map(|given| format!("{given},")).unwrap_or_default();
            TRACT_CPU_ISA.set(Some(format!("{given}-amx-int8")));
        });
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use tract_onnx::tract_hir::tract_core::tract_linalg::isa::{Isa, native};

    #[test]
    fn no_network_is_computed_by_a_kernel_that_reads_beyond_its_operands() {
        super::leave_out_faulty();
        assert!(native() == native().without(Isa::X86_64AmxInt8));
    }
}

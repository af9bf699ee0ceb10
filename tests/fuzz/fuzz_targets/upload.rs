#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| coilsight_tests::fuzz::upload::run(data));

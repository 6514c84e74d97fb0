#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| icn_fuzz::targets::post(data));

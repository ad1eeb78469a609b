#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bevy_rooms_fuzz::session(data));

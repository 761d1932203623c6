//! Reproducible randomness: the same seed, name and time give the same value, at any time, in any order.
//!
//! What it is for: identifiers and noise of the world without any state.
//! What it must not do: be used for anything secret.

use std::fmt::Write;

/// Mixes a number thoroughly (splitmix64).
pub fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// A hash of a name under a seed.
pub fn hash(seed: u64, name: &str) -> u64 {
    name.bytes().fold(mix(seed), |hash, byte| mix(hash ^ u64::from(byte)))
}

/// A value in 0..1 for a hash and a step, such as a minute.
pub fn unit(hash: u64, step: i64) -> f64 {
    (mix(hash ^ mix(step as u64)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// A value in -1..1 that moves smoothly from step to step: each step has a random value, and `at` (in
/// steps, with a fraction) lies between two of them.
pub fn smooth(hash: u64, at: f64) -> f64 {
    let step = at.floor();
    let part = at - step;
    let part = part * part * (3.0 - 2.0 * part);
    let (a, b) = (unit(hash, step as i64), unit(hash, step as i64 + 1));
    (a + (b - a) * part) * 2.0 - 1.0
}

/// `digits` hexadecimal digits for a name.
pub fn hex(seed: u64, name: &str, digits: usize) -> String {
    let mut text = String::with_capacity(digits + 16);
    let mut value = hash(seed, name);
    while text.len() < digits {
        let _ = write!(text, "{value:016x}");
        value = mix(value);
    }
    text.truncate(digits);
    text
}

/// A version 4 UUID for a name.
pub fn uuid(seed: u64, name: &str) -> String {
    let h = hex(seed, name, 32);
    format!("{}-{}-4{}-a{}-{}", &h[0..8], &h[8..12], &h[13..16], &h[17..20], &h[20..32])
}

/// `count` decimal digits for a name, the first not zero.
pub fn digits(seed: u64, name: &str, count: usize) -> String {
    let mut value = hash(seed, name);
    (0..count)
        .map(|index| {
            value = mix(value);
            let digit = if index == 0 { 1 + value % 9 } else { value % 10 };
            char::from(b'0' + digit as u8)
        })
        .collect()
}

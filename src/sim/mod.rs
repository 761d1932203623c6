//! The simulated AWS: a world with a clock and a seed behind the SDK's own `HttpClient`.

pub mod call;
pub mod cloudwatch;

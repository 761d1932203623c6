//! `status`: one observation of everything, as a table or as JSON.

pub mod json;
pub mod text;

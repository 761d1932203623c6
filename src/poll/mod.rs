//! Who asks what, when.

//! seats

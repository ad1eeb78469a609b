//! Who hosts: claims, and the change of host.

pub(crate) mod claim;
pub(crate) mod leadership;
pub(crate) mod turn;

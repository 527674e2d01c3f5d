//! What EC2 knows of networks that were put in place; others are made up when somebody asks.

use std::collections::BTreeMap;

/// Subnets and security groups by id, each with its VPC.
#[derive(Clone, Debug, Default)]
pub(crate) struct Network {
    pub(crate) subnets: BTreeMap<String, String>,
    pub(crate) groups: BTreeMap<String, String>,
}

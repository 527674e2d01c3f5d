//! Things put in place before a run: what other people own and Fargateer finds.

use crate::arn;
use crate::state::Region;
use crate::{ecr, ecs, elb, logs};
use serde_json::json;

/// What exists in a region before a run.
#[derive(Clone, Debug, Default)]
pub struct Seed {
    /// The region.
    pub region: String,
    /// Names of clusters.
    pub clusters: Vec<String>,
    /// Whether FARGATE and FARGATE_SPOT are attached to those clusters.
    pub capacity_providers: bool,
    /// ARNs of target groups of type ip; each gets a load balancer and a listener in front.
    pub target_groups: Vec<String>,
    /// Images in ECR, as `account.dkr.ecr.region.amazonaws.com/repository:tag`; the digest follows from the name.
    pub images: Vec<String>,
    /// Names of log groups.
    pub log_groups: Vec<String>,
}

/// Puts everything in place. What exists already stays as it is.
pub(crate) fn plant(region: &mut Region, seed: Seed) {
    for cluster in seed.clusters {
        let providers: &[&str] = if seed.capacity_providers { &["FARGATE", "FARGATE_SPOT"] } else { &[] };
        let input = json!({"clusterName": cluster, "capacityProviders": providers});
        try_to(ecs::create_cluster(region, &input));
    }
    for group in seed.target_groups {
        elb::plant(region, &group);
    }
    for image in seed.images {
        plant_image(region, &image);
    }
    for group in seed.log_groups {
        let input = json!({"logGroupName": group});
        try_to(logs::handle(region, "CreateLogGroup", &input));
    }
}

fn plant_image(region: &mut Region, image: &str) {
    let path = image.split_once(".amazonaws.com/").map_or(image, |(_, path)| path);
    let (name, tag) = path.split_once(':').unwrap_or((path, "latest"));
    try_to(ecr::create_repository(region, &json!({"repositoryName": name})));
    ecr::plant_image(region, name, tag, &arn::digest(image));
}

/// A seed is planted as far as it goes: what is there already is what was wanted.
fn try_to<T, E>(_result: Result<T, E>) {}

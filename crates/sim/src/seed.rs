//! Things put in place before a run: what other people own and Fargateer finds.

use crate::arn;
use crate::state::Region;
use crate::{codebuild, ecr, ecs, elb, logs, s3};
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
    /// Names of buckets in S3.
    pub buckets: Vec<String>,
    /// Names of CodeBuild projects; each builds from a bucket of its own, which is made with it.
    pub build_projects: Vec<String>,
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
    let projects = seed.build_projects.iter().map(|project| (project, contexts(region, project))).collect::<Vec<_>>();
    for bucket in seed.buckets.iter().chain(projects.iter().map(|(_, bucket)| bucket)) {
        let place = (region.name != "us-east-1").then_some(&region.name);
        let input = json!({"Bucket": bucket, "LocationConstraint": place});
        try_to(s3::handle(region, "CreateBucket", &input));
    }
    for (project, bucket) in &projects {
        codebuild::plant(region, project, bucket);
    }
    for group in seed.log_groups {
        let input = json!({"logGroupName": group});
        try_to(logs::handle(region, "CreateLogGroup", &input));
    }
}

/// The bucket a seeded project builds from. Names of buckets are those of all accounts and regions.
fn contexts(region: &Region, project: &str) -> String {
    let name = project.to_lowercase().replace('_', "-");
    format!("{name}-{}-{}", region.account, region.name)
}

fn plant_image(region: &mut Region, image: &str) {
    let path = image.split_once(".amazonaws.com/").map_or(image, |(_, path)| path);
    let (name, tag) = path.split_once(':').unwrap_or((path, "latest"));
    try_to(ecr::create_repository(region, &json!({"repositoryName": name})));
    ecr::plant_image(region, name, tag, &arn::digest(image));
}

/// A seed is planted as far as it goes: what is there already is what was wanted.
fn try_to<T, E>(_result: Result<T, E>) {}

//! An image that is built, between what is wanted and what was seen: what to build, whether it is there, what a revision runs.

use fargateer_api::status::{ImageStatus, Inventory, SourceStatus};

use crate::action::Action;
use crate::build::{Change, Live, Order, Work};
use crate::desired::Wanted;
use crate::difference::Difference;
use crate::failure::Failure;
use crate::guard::{self, Gate};
use crate::observed::Observed;
use crate::repository;
use crate::tags::{self, Tags};

/// Stands for an image that is not built yet.
const BUILT_ABOVE: &str = "(the image built above)";

/// What is to be built; none where the image is not built.
pub fn order(wanted: &Wanted, observed: &Observed) -> Option<Order> {
    let agent = &wanted.agent;
    let build = agent.spec.image.build.clone()?;
    let source = &wanted.circumstances.source;
    let before = wanted.circumstances.image.as_deref();
    // What a Dockerfile made before says nothing of these.
    let known = |part: fn(&ImageStatus) -> &String| before.map(part).filter(|text| !text.is_empty()).cloned();
    Some(Order {
        agent: agent.metadata.name.clone(),
        repository: observed.repository.present().map(|live| live.uri.clone()),
        location: source.location.clone(),
        code: source.code.clone(),
        build,
        architecture: agent.spec.resources.architecture,
        base_digest: known(|before| &before.base_digest),
        runtime: known(|before| &before.runtime),
    })
}

/// Whether the image is there, as far as anybody can know it.
pub fn is_there(wanted: &Wanted, observed: &Observed) -> bool {
    match wanted.agent.spec.image.build {
        Some(_) => observed.build.present().is_some_and(|live| live.digest().is_some()),
        None => !observed.image.is_absent(),
    }
}

/// The image a revision is to run.
pub fn uri(wanted: &Wanted, observed: &Observed) -> String {
    if wanted.agent.spec.image.build.is_none() {
        return wanted.image.pinned(observed.image.present().map(String::as_str));
    }
    let (repository, build) = (observed.repository.present(), observed.build.present());
    let digest = build.and_then(Live::digest);
    repository
        .zip(digest)
        .map_or_else(|| BUILT_ABOVE.to_owned(), |(repository, digest)| format!("{}@{digest}", repository.uri))
}

/// Why it is not built right now, if so.
pub fn gate(wanted: &Wanted, observed: &Observed) -> Option<Gate> {
    let work = observed.build.present().map_or(&Work::Missing, |live| &live.work);
    let circumstances = &wanted.circumstances;
    let at_work = match work {
        Work::UnderWay(progress) => Some(Gate::Building(progress.to_string())),
        Work::Failed(failure) => Some(Gate::NotBuilt(failure.clone())),
        Work::Missing | Work::Done(_) => None,
    };
    let may_not = guard::suspended(wanted).or(at_work).or_else(|| guard::dependency(circumstances));
    may_not.or_else(|| guard::frozen(circumstances))
}

/// What failed, if it is the build.
pub fn gap(failure: &Failure, observed: &Observed) -> Option<Gate> {
    (observed.build.failure() == Some(failure)).then(|| Gate::NotBuilt(failure.clone()))
}

/// What was done, and until when that is left as it is.
pub fn held(done: &str, observed: &Observed) -> String {
    let what = if observed.build.present().is_some() { "the spec or the code" } else { "the spec" };
    format!("{done}; it is held until {what} changes or a retry is asked for")
}

/// How a repository of ours differs from what it should be.
pub fn differences(wanted: &Wanted, observed: &Observed) -> Vec<Difference> {
    let live = observed.repository.present().filter(|live| repository::is_ours(live, &wanted.tags));
    live.map(repository::diff).unwrap_or_default()
}

/// The writes to the repository.
pub fn repository_changes(wanted: &Wanted, observed: &Observed) -> Vec<Action> {
    let name = repository::from_spec(&wanted.agent);
    let changes = name.map(|name| repository::changes(&observed.repository, &name, &wanted.tags));
    changes.into_iter().flatten().map(Action::Repository).collect()
}

/// The build.
pub fn build(wanted: &Wanted, observed: &Observed) -> Option<Action> {
    order(wanted, observed).map(|order| Action::Image(Change::Build(Box::new(order))))
}

/// The end of the repository of an agent that is gone, where its data need not be kept and it is ours.
pub fn deletion(inventory: &Inventory, observed: &Observed, ours: &Tags) -> Option<Action> {
    let live = observed.repository.present().filter(|_| !inventory.retain_data)?;
    let name = inventory.repository.clone().filter(|_| repository::is_ours(live, ours))?;
    Some(Action::Repository(repository::Change::Delete { name }))
}

/// What takes our tags off the repository of an agent that is handed back.
pub fn release(observed: &Observed, ours: &Tags) -> Option<Action> {
    let live = observed.repository.present().filter(|live| repository::is_ours(live, ours))?;
    let (arn, keys) = (live.arn.clone(), tags::bookkeeping(&live.tags));
    Some(Action::Repository(repository::Change::Untag { arn, keys }))
}

/// Where the spec stands, and what tells the code from any other: who builds may know what the source does not.
pub fn source(said: &SourceStatus, observed: &Observed) -> SourceStatus {
    let seen = observed.build.present().and_then(|live| live.code.clone());
    SourceStatus { code: said.code.clone().or(seen), ..said.clone() }
}

/// What a status remembers of the image that was seen; none where it is not there yet.
pub fn remembered(observed: &Observed) -> Option<Box<ImageStatus>> {
    let (live, repository) = (observed.build.present()?, observed.repository.present()?);
    live.digest()?;
    let Live { tag, base_digest, runtime, code: _, work: _ } = live.clone();
    Some(Box::new(ImageStatus { repository: repository.uri.clone(), tag, base_digest, runtime }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::Circumstances;
    use crate::seen::Seen;
    use serde_json::json;

    #[test]
    fn only_a_repository_of_ours_differs() {
        let document = json!({"apiVersion": "fargateer/v1", "kind": "AgentDeployment", "metadata": {"name": "bot"},
            "spec": {"cluster": "agents", "image": {"build": {"context": "agent"}}, "network": {"subnets": ["subnet-1"]}}});
        let agent = crate::prepared::Prepared::shared(serde_json::from_value(document).unwrap());
        let circumstances = Circumstances { owner: "prod".to_owned(), ..Circumstances::default() };
        let wanted = Wanted::new(agent, Vec::new(), circumstances);
        let differs = |owner: &str| {
            let live = repository::Live {
                arn: "arn".to_owned(),
                uri: "registry/agents/bot".to_owned(),
                mutability: "MUTABLE".to_owned(),
                scans: true,
                has_lifecycle: true,
                tags: tags::owned(owner, "bot", &Tags::new()),
            };
            let observed = Observed { repository: Seen::Present(live), ..Observed::default() };
            differences(&wanted, &observed).len()
        };
        assert_eq!((differs("prod"), differs("stage")), (1, 0));
    }

    #[test]
    fn the_state_of_the_code_is_the_sources_word_and_else_that_of_who_builds() {
        let live = Live {
            tag: "b-1".to_owned(),
            base_digest: String::new(),
            runtime: String::new(),
            code: Some("etag".to_owned()),
            work: Work::Missing,
        };
        let observed = Observed { build: Seen::Present(live), ..Observed::default() };
        let told = |known: Option<&str>| {
            let said = SourceStatus { code: known.map(str::to_owned), ..SourceStatus::default() };
            source(&said, &observed).code
        };
        assert_eq!(told(None).as_deref(), Some("etag"));
        assert_eq!(told(Some("tree")).as_deref(), Some("tree"));
    }
}

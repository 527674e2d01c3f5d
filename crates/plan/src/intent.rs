//! What the service and its scaling are to be, beside what is live: what AWS or somebody else owns is left to them.

use fargateer_api::seeded::{Bug, has};
use serde_json::Value;

use crate::desired::Wanted;
use crate::observed::Observed;
use crate::seen::Seen;
use crate::{scaling, service};

pub(crate) fn service_wanted(wanted: &Wanted, observed: &Observed) -> service::Wanted {
    let live = observed.active_service();
    let mut want = service::from_spec(&wanted.agent, live);
    if let Some(live) = live {
        service::keep_moved_target_group(&mut want, live);
        service::forget_sent(&mut want, &wanted.agent, live);
        keep_live(&mut want, live, &wanted.agent.spec.drift.ignore);
    }
    want
}

/// Drift that is to be ignored is no difference.
fn keep_live(want: &mut service::Wanted, live: &service::Live, ignore: &[String]) {
    let pointers: Vec<&str> = ignore.iter().filter_map(|path| path.strip_prefix("/service")).collect();
    if pointers.is_empty() {
        return;
    }
    let document = Value::Object(live.document.clone());
    let mut settings = Value::Object(std::mem::take(&mut want.settings));
    for pointer in pointers {
        crate::merge::keep_live(&mut settings, Some(&document), pointer);
    }
    want.settings = settings.as_object().cloned().unwrap_or_default();
}

/// The task count that is ours to say: none while scaling - ours or somebody else's - owns it or may own it.
pub(crate) fn count(wanted: &Wanted, observed: &Observed) -> Option<u32> {
    let spec = &wanted.agent.spec;
    let ignored = spec.drift.ignore.iter().any(|path| path == "/service/desiredCount");
    let scaled = spec.autoscaling.enabled || observed.scaling != Seen::Absent;
    if (scaled && !has(Bug::FightsTheAutoscaler)) || ignored {
        return None;
    }
    let tags = observed.active_service().map(service::Live::tags).unwrap_or_default();
    Some(scaling::frozen_count(&tags, spec.desired_count).unwrap_or(spec.desired_count))
}

pub(crate) fn first_count(wanted: &Wanted) -> u32 {
    let spec = &wanted.agent.spec;
    let scaling = &spec.autoscaling;
    // Validation holds min <= max; min() before max() cannot panic where clamp() could.
    if scaling.enabled { spec.desired_count.min(scaling.max).max(scaling.min) } else { spec.desired_count }
}

pub(crate) fn scaling_wanted(wanted: &Wanted, observed: &Observed) -> Option<scaling::Wanted> {
    let mut want = scaling::from_spec(&wanted.agent, observed.target_group.present())?;
    if let Some(live) = observed.scaling.present() {
        scaling::keep_live(&mut want, live, &wanted.agent.spec.drift.ignore);
    }
    Some(want)
}

/// The count of a scaled service that lies outside its range, and where it belongs; none where drift of it is ignored.
pub(crate) fn astray(wanted: &Wanted, observed: &Observed) -> Option<(u32, u32)> {
    let ignored = |path: &String| matches!(path.as_str(), "/service/desiredCount" | "/scaling/desiredCount");
    if wanted.agent.spec.drift.ignore.iter().any(ignored) {
        return None;
    }
    let count = observed.active_service()?.count("desiredCount");
    Some((count, scaling::astray(observed.scaling.present()?, count)?))
}

//! The role of an agent's account: assumed once a place, again before it ends, and - where that is refused - not asked for by
//! each of its agents.
//!
//! A refusal concerns the agents of that role alone: it is remembered here, retries have a budget of their own, and it is told
//! as what it is instead of as missing credentials.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, Result as Provided, SharedCredentialsProvider, future};
use aws_sdk_sts::operation::assume_role::AssumeRoleOutput;
use aws_sdk_sts::types::Tag;
use aws_smithy_runtime::client::identity::IdentityCache;
use aws_smithy_runtime::client::retries::{RetryPartition, TokenBucket};
use fargateer_api::Reason;
use fargateer_api::status::Session;
use fargateer_plan::desired::Place;
use fargateer_plan::failure::{Class, Failure};
use tokio::time::Instant;

use crate::error::{self, Carried};

/// The name of a session, where the spec gives none.
const SESSION: &str = "fargateer";
/// Credentials are fetched again so long before they end: no call of ours is under way with them then.
const EARLY: Duration = Duration::from_mins(5);
/// A refusal is believed for so long: one question for all agents of a role.
const BELIEVED: Duration = Duration::from_secs(30);

/// `base` for the agents of `place`: with the role's credentials, shared by all clients made of it.
pub(crate) fn assumed(base: SdkConfig, place: &Place) -> SdkConfig {
    let Some(arn) = place.role.clone() else { return base };
    let own = aws_sdk_sts::config::Builder::from(&base).retry_partition(partition("fargateer-roles")).build();
    let role =
        Role { client: aws_sdk_sts::Client::from_conf(own), arn, place: place.clone(), refused: Mutex::default() };
    let cache = IdentityCache::lazy().buffer_time(EARLY).build();
    base.into_builder().credentials_provider(SharedCredentialsProvider::new(role)).identity_cache(cache).build()
}

struct Role {
    client: aws_sdk_sts::Client,
    arn: String,
    place: Place,
    refused: Mutex<Option<(Instant, Failure)>>,
}

impl fmt::Debug for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Role").field("arn", &self.arn).finish_non_exhaustive()
    }
}

impl ProvideCredentials for Role {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}

impl Role {
    async fn credentials(&self) -> Provided {
        let known = self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, failure)) = known.filter(|(at, _)| at.elapsed() < BELIEVED) {
            return Err(CredentialsError::provider_error(Carried(failure)));
        }
        let Place { external_id, session, .. } = &self.place;
        let Session { name, tags } = session.as_deref().cloned().unwrap_or_default();
        let tags = tags.iter().filter_map(|(key, value)| Tag::builder().key(key).value(value).build().ok());
        let tags: Vec<Tag> = tags.collect();
        let request = self.client.assume_role().role_arn(&self.arn).set_external_id(external_id.clone());
        let request = request.role_session_name(name.as_deref().unwrap_or(SESSION));
        let answer = request.set_tags((!tags.is_empty()).then_some(tags)).send().await;
        let answer = answer.map_err(|error| self.refusal(error::failure("sts.AssumeRole", &error)));
        let failure = answer.as_ref().err().filter(|failure| failure.reason == Reason::RoleRefused);
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) =
            failure.map(|failure| (Instant::now(), failure.clone()));
        let credentials = answer.and_then(|answer| taken(&answer).ok_or_else(unreadable));
        credentials.map_err(|failure| CredentialsError::provider_error(Carried(failure)))
    }

    /// What STS said, and what to do about it. Throttling and lost answers stay what they are.
    fn refusal(&self, failure: Failure) -> Failure {
        if !matches!(failure.class, Class::Denied | Class::Invalid) || failure.reason == Reason::NoCredentials {
            return failure;
        }
        let tagged = self.place.session.as_ref().is_some_and(|session| !session.tags.is_empty());
        let tags = if tagged { " and sts:TagSession" } else { "" };
        let id = if self.place.external_id.is_some() { " and the spec's external id" } else { "" };
        let Failure { code, message, .. } = &failure;
        let message = format!(
            "role {} cannot be assumed ({message}): its trust policy must allow sts:AssumeRole{tags} to Fargateer's own \
             identity{id}, and that identity's policy must allow the same on the role",
            self.arn
        );
        error::of("sts.AssumeRole", Class::Denied, Reason::RoleRefused, (code, &message))
    }
}

fn taken(answer: &AssumeRoleOutput) -> Option<Credentials> {
    let given = answer.credentials()?;
    let end = SystemTime::try_from(*given.expiration()).ok();
    let token = Some(given.session_token().to_owned());
    Some(Credentials::new(given.access_key_id(), given.secret_access_key(), token, end, "AssumeRole"))
}

fn unreadable() -> Failure {
    error::of(
        "sts.AssumeRole",
        Class::Transient,
        Reason::Unavailable,
        ("UnreadableAnswer", "no credentials in the answer"),
    )
}

/// A retry budget of its own: 100 retries (5 tokens each), half a retry a second more.
///
/// The SDK's default partition is one static bucket a process that hardly refills: an account-wide throttle would drain it,
/// and the SDK would then retry nothing at all.
pub(crate) fn partition(name: &'static str) -> RetryPartition {
    let bucket = TokenBucket::builder().capacity(500).refill_rate(2.5).build();
    RetryPartition::custom(name).token_bucket(bucket).build()
}

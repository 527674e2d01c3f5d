//! The one place that reads the environment: for AWS region, credentials, endpoints, as every AWS SDK does; and the secrets
//! that must not be options, because options are seen by everybody on the machine.

use std::ffi::OsString;
use std::path::PathBuf;

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Builder, ConnectorBuilder};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_types::region::Region;
use fargateer_store::source::git::Secret;

/// AWS as the environment, the shared configuration files and the instance's or task's role say.
///
/// Every agent's spec names its own region; the one here is only for calls before that, such as assuming a role.
pub(crate) async fn aws() -> SdkConfig {
    // Not the instance metadata service: asking it takes seconds where there is none, and the specs name their regions.
    let region = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(ProfileFileRegionProvider::new())
        .or_else(fargateer_api::default::REGION);
    aws_config::defaults(BehaviorVersion::latest()).region(region).http_client(https()).load().await
}

/// The HTTPS client the SDK would make for itself, made here so that it can be put behind a fence.
fn https() -> SharedHttpClient {
    Builder::new().build_with_connector_fn(|settings, components| {
        let mut connector = ConnectorBuilder::default()
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .proxy_config(ProxyConfig::from_env());
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector.build()
    })
}

/// The name of this machine, or none.
pub(crate) fn host() -> Option<String> {
    variable("HOSTNAME")
}

/// The token for git over https, or none.
pub(crate) fn git_token() -> Option<Secret> {
    Secret::of(&variable("FARGATEER_GIT_TOKEN")?)
}

/// The secret of webhooks, or none.
pub(crate) fn webhook_secret() -> Option<Secret> {
    Secret::of(&variable("FARGATEER_WEBHOOK_SECRET")?)
}

/// Where Docker keeps its logins, if there is a home at all.
pub(crate) fn docker_config() -> Option<PathBuf> {
    let folder = variable("DOCKER_CONFIG").map(PathBuf::from);
    let home = || Some(PathBuf::from(variable("HOME")?).join(".docker"));
    Some(folder.or_else(home)?.join("config.json"))
}

/// Where layers of images are kept that no state folder keeps: `FARGATEER_IMAGE_CACHE`, else below the user's cache folder.
pub(crate) fn image_cache() -> PathBuf {
    let cache = || Some(PathBuf::from(variable("XDG_CACHE_HOME")?).join("fargateer/images"));
    let home = || Some(PathBuf::from(variable("HOME")?).join(".cache/fargateer/images"));
    let named = variable("FARGATEER_IMAGE_CACHE").map(PathBuf::from);
    named.or_else(cache).or_else(home).unwrap_or_else(|| PathBuf::from(".fargateer/images"))
}

/// The programs that building images needs, and what of the environment they may know.
pub(crate) fn image_tools() -> fargateer_image::Tools {
    let known = fargateer_image::Tools::VARIABLES.iter();
    let known = known.filter_map(|name| Some((OsString::from(name), OsString::from(variable(name)?))));
    fargateer_image::Tools { uv: variable("FARGATEER_UV").map(PathBuf::from), environment: known.collect() }
}

/// What an agent that runs on this machine may know of our environment: where programs are, and with `aws` also who we are to
/// AWS.
pub(crate) fn agent_environment(aws: bool) -> Vec<(String, String)> {
    let known = ["PATH", "HOME", "LANG", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"].map(str::to_owned);
    let proxies = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"];
    let names = known.into_iter().chain(proxies.into_iter().filter(|_| aws).map(str::to_owned));
    let mut all: Vec<_> = names.filter_map(|name| variable(&name).map(|value| (name, value))).collect();
    if aws {
        let text = |text: std::ffi::OsString| text.into_string().ok();
        let ours = std::env::vars_os().filter_map(|(name, value)| Some((text(name)?, text(value)?)));
        all.extend(ours.filter(|(name, _)| name.starts_with("AWS_")));
    }
    all
}

/// Where programs are found.
pub(crate) fn path() -> String {
    variable("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".to_owned())
}

fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// The simulated AWS behind `client`. No environment is read: a real account cannot be meant by accident.
pub(crate) fn simulated(client: SharedHttpClient) -> SdkConfig {
    let credentials = Credentials::new("AKIASIMULATED", "simulated", None, None, "fargateer");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(fargateer_api::default::REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .sleep_impl(aws_smithy_async::rt::sleep::SharedAsyncSleep::new(aws_smithy_async::rt::sleep::TokioSleep::new()))
        .time_source(aws_smithy_async::time::SystemTimeSource::new())
        .http_client(client)
        .build()
}

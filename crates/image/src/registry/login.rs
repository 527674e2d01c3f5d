//! Who we are to a registry. Where passwords come from is the caller's: ECR's token, a file of Docker's, nothing at all.

use std::fmt;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::error::Error;

/// A password or token. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text` from being shown.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// How to come in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Login {
    /// User and password, if the registry wants them.
    pub user: Option<(String, Secret)>,
    /// The registry's address, where it is not `https://<registry>`.
    pub endpoint: Option<String>,
}

impl Login {
    /// The login with a name and a password.
    pub fn new(user: impl Into<String>, password: Secret) -> Self {
        Self { user: Some((user.into(), password)), endpoint: None }
    }

    /// The header of Basic authentication.
    pub(crate) fn basic(&self) -> Option<Secret> {
        let (user, password) = self.user.as_ref()?;
        Some(Secret(format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.text())))))
    }
}

/// Where logins come from.
#[async_trait]
pub trait Logins: Send + Sync {
    /// The login for `registry` (host and port). `refused` is the one the registry has just refused: a token that may have
    /// expired, or lacks a permission. Another one is asked for; where the same is given again - because it is fresh - the
    /// registry means it.
    async fn login(&self, registry: &str, refused: Option<&Login>) -> Result<Login, Error>;
}

/// Nobody in particular, everywhere.
#[derive(Debug, Clone, Copy, Default)]
pub struct Anonymous;

#[async_trait]
impl Logins for Anonymous {
    async fn login(&self, _: &str, _: Option<&Login>) -> Result<Login, Error> {
        Ok(Login::default())
    }
}

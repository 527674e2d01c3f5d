//! Whether a commit was signed by somebody we trust: by SSH against an allowed signers file, by OpenPGP against a keyring.
//!
//! Whatever is not understood is not verified. The files are read each time: a key that is taken out is out.

mod allowed;
mod gpg;
mod ssh;

use std::path::PathBuf;

use gix::objs::CommitRefIter;

/// Whose commits count. Without any file everybody's do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    /// Who may sign by SSH: a file as `ssh-keygen` knows it (ALLOWED SIGNERS).
    pub allowed_signers: Option<PathBuf>,
    /// Who may sign by OpenPGP: a file of public keys as `gpg --export` writes it, armoured or not.
    pub keyring: Option<PathBuf>,
}

impl Trust {
    /// Whether signatures are asked for at all.
    pub(super) fn is_wanted(&self) -> bool {
        self.allowed_signers.is_some() || self.keyring.is_some()
    }

    /// Who signed `commit`, which is the object as git keeps it; or why nobody we trust did.
    pub(super) fn signer(&self, commit: &[u8]) -> Result<String, String> {
        let signed = CommitRefIter::signature(commit, gix::hash::Kind::Sha1);
        let signed = signed.map_err(|_| "the commit cannot be taken apart".to_owned())?;
        let (signature, content) = signed.ok_or_else(|| "it is not signed".to_owned())?;
        let content = content.to_bstring();
        let text = signature.to_string();
        if text.starts_with("-----BEGIN SSH SIGNATURE-----") {
            let file = self.allowed_signers.as_deref();
            let file = file.ok_or_else(|| "it is signed by SSH, and there is no file of allowed signers".to_owned())?;
            return ssh::signer(&text, &content, committed(commit)?, file);
        }
        if text.starts_with("-----BEGIN PGP SIGNATURE-----") {
            let file = self.keyring.as_deref();
            let file = file.ok_or_else(|| "it is signed by OpenPGP, and there is no keyring".to_owned())?;
            return gpg::signer(&text, &content, file);
        }
        Err("its kind of signature is neither SSH nor OpenPGP".to_owned())
    }
}

/// When `commit` was committed, in seconds since 1970: keys count at that time.
fn committed(commit: &[u8]) -> Result<i64, String> {
    let committer = CommitRefIter::from_bytes(commit, gix::hash::Kind::Sha1).committer();
    let time = committer.ok().and_then(|committer| committer.time().ok());
    time.map(|time| time.seconds).ok_or_else(|| "the commit has no time".to_owned())
}

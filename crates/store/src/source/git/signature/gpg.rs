//! Signatures by OpenPGP, verified by the program `gpgv` that comes with GnuPG: it knows what a key may do and until when,
//! and it trusts the keys of one file and nobody else.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;

/// How a file of keys begins that is text.
const ARMOUR: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
/// Most bytes read of what `gpgv` says.
const MOST: u64 = 64 * 1024;

/// Who signed `content` with `signature`, if the key is in `keyring`.
pub(super) fn signer(signature: &str, content: &[u8], keyring: &Path) -> Result<String, String> {
    let of_file = |error: std::io::Error| format!("{}: {error}", keyring.display());
    let keys = fs::read(keyring).map_err(of_file)?;
    let keys = dearmoured(&keys).ok_or_else(|| format!("{}: no OpenPGP keys in it", keyring.display()))?;
    let failed = |error: std::io::Error| format!("gpgv cannot be used: {error}");
    let home = TempDir::new().map_err(failed)?;
    let at = |name: &str| home.path().join(name);
    for (name, bytes) in [("keys", keys.as_slice()), ("signature", signature.as_bytes()), ("content", content)] {
        fs::write(at(name), bytes).map_err(failed)?;
    }
    let mut command = Command::new("gpgv");
    command.args(["--status-fd", "1", "--homedir"]).arg(home.path()).arg("--keyring").arg(at("keys"));
    command.arg("--").arg(at("signature")).arg(at("content")).env("LC_ALL", "C").env("GNUPGHOME", home.path());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| format!("the program gpgv cannot be started: {error}"))?;
    let mut said = String::new();
    let read = child.stdout.take().map(|output| output.take(MOST).read_to_string(&mut said));
    let ended = child.wait().map_err(failed)?;
    if !matches!(read, Some(Ok(_))) {
        return Err("gpgv says nothing".to_owned());
    }
    verdict(&said, ended.success())
}

/// What `gpgv` means by `said`.
fn verdict(said: &str, success: bool) -> Result<String, String> {
    let words = |keyword: &str| {
        let lines = said.lines().filter_map(|line| line.strip_prefix("[GNUPG:] "));
        let found = lines.filter_map(|line| line.split_once(' ')).find(|(word, _)| *word == keyword);
        found.map(|(_, rest)| fargateer_api::visible(rest))
    };
    let key = |words: String| words.split_whitespace().next().unwrap_or_default().to_owned();
    for (keyword, problem) in [
        ("BADSIG", "its OpenPGP signature does not fit its content"),
        ("REVKEYSIG", "it was signed by a key that was revoked"),
        ("EXPKEYSIG", "it was signed by a key that has expired"),
        ("EXPSIG", "its signature has expired"),
    ] {
        if let Some(words) = words(keyword) {
            return Err(format!("{problem} ({})", key(words)));
        }
    }
    if let Some(words) = words("NO_PUBKEY") {
        return Err(format!("its key {} is not in the keyring", key(words)));
    }
    match (success, words("GOODSIG"), words("VALIDSIG")) {
        (true, Some(good), Some(_)) => Ok(good),
        _ => Err("gpgv does not vouch for it".to_owned()),
    }
}

/// The keys of a file as bytes, whichever way they are written.
fn dearmoured(file: &[u8]) -> Option<Vec<u8>> {
    let Ok(text) = std::str::from_utf8(file) else { return Some(file.to_vec()) };
    let mut keys = Vec::new();
    for block in text.split(ARMOUR).skip(1) {
        let (block, _) = block.split_once('\n')?.1.split_once("-----END PGP PUBLIC KEY BLOCK-----")?;
        // Headers end with an empty line; a line that begins with = is a checksum.
        let lines = block.lines().map(str::trim);
        let body = lines.skip_while(|line| !line.is_empty()).filter(|line| !line.starts_with('='));
        let body: String = body.skip_while(|line| line.is_empty()).collect();
        keys.extend(STANDARD.decode(body).ok()?);
    }
    (!keys.is_empty()).then_some(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_good_signature_of_a_known_living_key_counts() {
        let good = "[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG 0123 A <a@example.com>\n[GNUPG:] VALIDSIG ABCD 2026-01-01\n";
        assert_eq!(verdict(good, true), Ok("0123 A <a@example.com>".to_owned()));
        assert!(verdict(good, false).is_err());
        for (said, why) in [
            ("", "does not vouch"),
            ("[GNUPG:] GOODSIG 0123 A\n", "does not vouch"),
            ("[GNUPG:] BADSIG 0123 A\n", "does not fit"),
            ("[GNUPG:] ERRSIG 0123 1 8 00 1 9 -\n[GNUPG:] NO_PUBKEY 0123\n", "0123 is not in the keyring"),
            ("[GNUPG:] EXPKEYSIG 0123 A\n[GNUPG:] VALIDSIG ABCD\n", "expired"),
            ("[GNUPG:] REVKEYSIG 0123 A\n[GNUPG:] VALIDSIG ABCD\n", "revoked"),
            ("[GNUPG:] EXPSIG 0123 A\n[GNUPG:] VALIDSIG ABCD\n", "expired"),
            ("GOODSIG 0123\nVALIDSIG 0123\n", "does not vouch"),
        ] {
            let error = verdict(said, true).expect_err(said);
            assert!(error.contains(why), "{said}: {error}");
        }
    }

    #[test]
    fn keys_are_read_armoured_or_not() {
        let armoured = "-----BEGIN PGP PUBLIC KEY BLOCK-----\nComment: a=b\n\nAQID\nBAU=\n=abcd\n-----END PGP PUBLIC KEY BLOCK-----\n";
        assert_eq!(dearmoured(armoured.as_bytes()), Some(vec![1, 2, 3, 4, 5]));
        assert_eq!(
            dearmoured(armoured.replace("Comment: a=b\n", "").repeat(2).as_bytes()),
            Some(vec![1, 2, 3, 4, 5, 1, 2, 3, 4, 5])
        );
        assert_eq!(dearmoured(&[0x98, 0xff, 1]), Some(vec![0x98, 0xff, 1]));
        assert_eq!(dearmoured(b"no keys"), None);
    }
}

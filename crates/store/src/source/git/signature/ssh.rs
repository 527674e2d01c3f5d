//! Signatures by SSH keys (SSHSIG). `ssh-key` takes them apart; the arithmetic is that of AWS-LC, which does TLS, too.

use std::path::Path;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P521_SHA512_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA512, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use sha2::{Digest, Sha256};
use ssh_key::public::{EcdsaPublicKey, KeyData, RsaPublicKey};
use ssh_key::{Algorithm, EcdsaCurve, HashAlg, Signature, SshSig};

use super::allowed::{self, NAMESPACE};

/// Flags and counter at the end of what a security key signs.
const TRAILER: usize = 5;
/// The flag of a security key that was touched.
const TOUCHED: u8 = 1;

/// Who signed `content` at `time` with `signature`, if `file` allows that key.
pub(super) fn signer(signature: &str, content: &[u8], time: i64, file: &Path) -> Result<String, String> {
    let parsed = SshSig::from_pem(signature).map_err(|_| "its SSH signature cannot be taken apart".to_owned())?;
    if parsed.namespace() != NAMESPACE {
        return Err("its SSH signature was made for something else than git".to_owned());
    }
    let signed = SshSig::signed_data(NAMESPACE, parsed.hash_alg(), content).map_err(|error| error.to_string())?;
    if !parsed.reserved().is_empty() || !holds(parsed.public_key(), parsed.signature(), &signed) {
        return Err("its SSH signature does not fit its content".to_owned());
    }
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let fingerprint = parsed.public_key().fingerprint(HashAlg::Sha256);
    allowed::principals(&text, parsed.public_key(), time)
        .ok_or_else(|| format!("its key {fingerprint} is not among the allowed signers"))
}

/// Whether `signature` is one of `signed` by `key`. Of kinds that are not known: no.
fn holds(key: &KeyData, signature: &Signature, signed: &[u8]) -> bool {
    let bytes = signature.as_bytes();
    match (key, signature.algorithm()) {
        (KeyData::Ed25519(key), Algorithm::Ed25519) => fits(&ED25519, &key.0, signed, bytes),
        (KeyData::Ecdsa(key), Algorithm::Ecdsa { curve }) if key.curve() == curve => ecdsa(key, signed, bytes),
        (KeyData::Rsa(key), Algorithm::Rsa { hash: Some(hash) }) => rsa(key, hash, signed, bytes),
        (KeyData::SkEd25519(key), Algorithm::SkEd25519) => {
            let touched = touched(key.application(), signed, bytes);
            touched.is_some_and(|(signed, bytes)| fits(&ED25519, &key.public_key().0, &signed, bytes))
        }
        _ => false,
    }
}

fn fits(algorithm: &'static dyn VerificationAlgorithm, key: &[u8], signed: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(algorithm, key).verify(signed, signature).is_ok()
}

/// What a security key really signed, and its signature without the trailer; none, where nobody touched it.
fn touched<'a>(application: &str, signed: &[u8], bytes: &'a [u8]) -> Option<(Vec<u8>, &'a [u8])> {
    let (signature, trailer) = bytes.split_at_checked(bytes.len().checked_sub(TRAILER)?)?;
    let is_touched = trailer.first().is_some_and(|flags| flags & TOUCHED != 0);
    let digest = |bytes: &[u8]| Sha256::digest(bytes).to_vec();
    is_touched.then(|| ([digest(application.as_bytes()), trailer.to_vec(), digest(signed)].concat(), signature))
}

fn rsa(key: &RsaPublicKey, hash: HashAlg, signed: &[u8], signature: &[u8]) -> bool {
    let (Some(n), Some(e)) = (key.n.as_positive_bytes(), key.e.as_positive_bytes()) else { return false };
    let parameters = match hash {
        HashAlg::Sha256 => &RSA_PKCS1_2048_8192_SHA256,
        HashAlg::Sha512 => &RSA_PKCS1_2048_8192_SHA512,
        _ => return false,
    };
    RsaPublicKeyComponents { n, e }.verify(parameters, signed, signature).is_ok()
}

/// Two numbers in SSH's writing, which the arithmetic wants in ASN.1's.
fn ecdsa(key: &EcdsaPublicKey, signed: &[u8], signature: &[u8]) -> bool {
    let algorithm: &'static dyn VerificationAlgorithm = match key.curve() {
        EcdsaCurve::NistP256 => &ECDSA_P256_SHA256_ASN1,
        EcdsaCurve::NistP384 => &ECDSA_P384_SHA384_ASN1,
        EcdsaCurve::NistP521 => &ECDSA_P521_SHA512_ASN1,
    };
    let asn1 = number(signature).and_then(|(r, rest)| {
        let (s, rest) = number(rest)?;
        rest.is_empty().then(|| tagged(0x30, &[tagged(2, r), tagged(2, s)].concat()))
    });
    asn1.is_some_and(|asn1| fits(algorithm, key.as_sec1_bytes(), signed, &asn1))
}

/// The number at the head of `bytes`, and what follows it.
fn number(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

/// `content` with its tag and length; no number of these curves is longer than 255 bytes.
fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap_or(u8::MAX);
    let head = if length < 0x80 { vec![tag, length] } else { vec![tag, 0x81, length] };
    [head, content.to_vec()].concat()
}

//! What an image holds and where it comes from, in the words others read: a CycloneDX bill of materials and an in-toto
//! statement of provenance. Both follow from the inputs alone, so that the same image has the same.

use serde_json::{Value, json};

use crate::dependencies::Dependencies;
use crate::oci::Descriptor;
use crate::reference::Reference;
use crate::wheels::Package;

/// Media types of the two.
pub(crate) const SBOM: &str = "application/vnd.cyclonedx+json";
pub(crate) const PROVENANCE: &str = "application/vnd.in-toto+json";

/// What the two documents speak of.
pub(crate) struct About<'a> {
    /// The repository of the image.
    pub(crate) repository: &'a Reference,
    pub(crate) image: &'a Descriptor,
    pub(crate) base: (&'a str, &'a str),
    pub(crate) runtime: &'a str,
    pub(crate) code: &'a str,
    pub(crate) dependencies: &'a Dependencies,
}

/// CycloneDX 1.6.
pub(crate) fn bill(about: &About<'_>) -> Value {
    let (base, base_digest) = about.base;
    let image = oci_url(&about.repository.repository, &about.image.digest);
    let mut components = vec![
        json!({
            "type": "container", "bom-ref": "base", "name": base, "version": base_digest,
            "purl": oci_url(base, base_digest), "hashes": hashes([base_digest]),
        }),
        json!({
            "type": "application", "bom-ref": "runtime", "name": "fargateer-runtime",
            "version": env!("CARGO_PKG_VERSION"), "hashes": hashes([about.runtime]),
        }),
    ];
    components.extend(about.dependencies.packages.iter().map(|package| component(package, &about.dependencies.lock)));
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": serial(&about.image.digest),
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "fargateer", "version": env!("CARGO_PKG_VERSION")}]},
            "component": {
                "type": "container", "bom-ref": "image", "name": about.repository.repository,
                "version": about.image.digest, "purl": image,
            },
        },
        "components": components,
    })
}

fn component(package: &Package, lock: &str) -> Value {
    let name = normalized(&package.name);
    let url = format!("pkg:pypi/{name}@{}", package.version);
    let mut component = json!({
        "type": "library", "bom-ref": url, "name": package.name, "version": package.version, "purl": url,
    });
    let Some(fields) = component.as_object_mut() else { return component };
    if let Some(license) = &package.license {
        fields.insert("licenses".to_owned(), json!([{"license": {"name": license}}]));
    }
    // One of these files was installed, by its hash: uv takes no other.
    let known = locked_hashes(lock, &name, &package.version);
    if !known.is_empty() {
        let hashes = hashes(known.iter().map(String::as_str));
        // By what it is, not by a page of some index: it may have come from a private one.
        fields.insert("externalReferences".to_owned(), json!([{"type": "distribution", "url": url, "hashes": hashes}]));
    }
    component
}

fn hashes<'a>(digests: impl IntoIterator<Item = &'a str>) -> Vec<Value> {
    let digits = digests.into_iter().map(|digest| digest.trim_start_matches("sha256:"));
    digits.map(|content| json!({"alg": "SHA-256", "content": content})).collect()
}

/// The hashes a lock allows for a package.
fn locked_hashes(lock: &str, name: &str, version: &str) -> Vec<String> {
    let joined = lock.replace("\\\n", " ");
    let is_it = |line: &&str| {
        let requirement = line.split([' ', ';']).next().unwrap_or_default();
        requirement
            .split_once("==")
            .is_some_and(|(known, at)| normalized(known.split('[').next().unwrap_or_default()) == name && at == version)
    };
    let lines = joined.lines().filter(is_it);
    lines.flat_map(str::split_whitespace).filter_map(|word| word.strip_prefix("--hash=")).map(str::to_owned).collect()
}

/// A package's name as indexes compare it.
fn normalized(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        let c = if "-_.".contains(c) { '-' } else { c.to_ascii_lowercase() };
        if c != '-' || !out.ends_with('-') {
            out.push(c);
        }
    }
    out
}

fn oci_url(repository: &str, digest: &str) -> String {
    let name = repository.rsplit('/').next().unwrap_or_default();
    let name = name.split([':', '@']).next().unwrap_or_default();
    format!("pkg:oci/{name}@{}", digest.replace(':', "%3A"))
}

/// A UUID that follows from the image's digest (version 8: made by a rule of one's own).
fn serial(digest: &str) -> String {
    let digits = digest.trim_start_matches("sha256:");
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    format!("urn:uuid:{}-{}-8{}-8{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
}

/// In-toto, with the predicate of SLSA 1.
pub(crate) fn provenance(about: &About<'_>) -> Value {
    let (base, base_digest) = about.base;
    let sha256 = |digest: &str| json!({"sha256": digest.trim_start_matches("sha256:")});
    let mut materials = vec![
        json!({"uri": oci_url(base, base_digest), "digest": sha256(base_digest)}),
        json!({"name": "code", "digest": sha256(about.code)}),
        json!({"name": "runtime", "digest": sha256(about.runtime)}),
        json!({"name": "requirements", "digest": sha256(&about.dependencies.requirements)}),
    ];
    materials.extend(
        about
            .dependencies
            .packages
            .iter()
            .map(|package| json!({"uri": format!("pkg:pypi/{}@{}", normalized(&package.name), package.version)})),
    );
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": about.repository.repository, "digest": sha256(&about.image.digest)}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": concat!(env!("CARGO_PKG_REPOSITORY"), "/image/layered/v1"),
                "externalParameters": {"base": base},
                "resolvedDependencies": materials,
            },
            "runDetails": {"builder": {
                "id": env!("CARGO_PKG_REPOSITORY"), "version": {"fargateer": env!("CARGO_PKG_VERSION")},
            }},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_has_the_hashes_its_lock_allows() {
        let lock =
            "idna==3.20 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\nidna-x==3.20 \\\n    --hash=sha256:cc\n";
        assert_eq!(locked_hashes(lock, "idna", "3.20"), ["sha256:aa", "sha256:bb"]);
        assert_eq!(normalized("Typing__Extensions.x"), "typing-extensions-x");
    }

    #[test]
    fn a_serial_number_is_a_uuid() {
        let serial = serial(&format!("sha256:{}", "0123456789abcdef".repeat(4)));
        assert_eq!(serial, "urn:uuid:01234567-89ab-8def-8123-456789abcdef");
    }
}

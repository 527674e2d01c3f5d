//! A base image, put into a registry by hand: what the code under test has no part in.

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use std::io::Write as _;

/// A registry as a client of no great skill sees it.
pub(crate) struct Hand {
    http: Client,
    address: String,
    user: (String, String),
}

/// A layer of a base image.
pub(crate) struct BaseLayer {
    packed: Vec<u8>,
    diff_id: String,
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    format!("sha256:{}", hex::encode(digest))
}

impl BaseLayer {
    /// A layer with one file of `text`.
    pub(crate) fn of(text: &str) -> Self {
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, "etc/base", text.as_bytes()).expect("a file");
        Self::packed(&archive.into_inner().expect("an archive"))
    }

    /// A layer of the tar archive `archive`.
    pub(crate) fn packed(archive: &[u8]) -> Self {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(archive).expect("a layer");
        Self { packed: packed.finish().expect("a layer"), diff_id: digest(archive) }
    }
}

impl Hand {
    pub(crate) fn new(address: &str, user: &str, password: &str) -> Self {
        Self { http: Client::new(), address: address.to_owned(), user: (user.to_owned(), password.to_owned()) }
    }

    fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.address) };
        self.http.request(method, url).basic_auth(&self.user.0, Some(&self.user.1))
    }

    async fn blob(&self, repository: &str, bytes: &[u8]) -> String {
        let started =
            self.ask(Method::POST, &format!("/v2/{repository}/blobs/uploads/")).send().await.expect("an upload");
        let location = started.headers()["location"].to_str().expect("a place").to_owned();
        let digest = digest(bytes);
        let joint = if location.contains('?') { '&' } else { '?' };
        let put = self.ask(Method::PUT, &format!("{location}{joint}digest={digest}")).body(bytes.to_vec());
        let put = put.send().await.expect("an upload");
        assert!(put.status().is_success(), "{}", put.status());
        digest
    }

    async fn manifest(&self, repository: &str, version: &str, manifest: &Value) -> String {
        let text = manifest.to_string();
        let media_type = manifest["mediaType"].as_str().expect("a media type");
        let put = self.ask(Method::PUT, &format!("/v2/{repository}/manifests/{version}"));
        let put = put.header("content-type", media_type).body(text.clone()).send().await.expect("a manifest");
        assert!(put.status().is_success(), "{}", put.status());
        digest(text.as_bytes())
    }

    /// A base image of `layers` for one machine; its descriptor in an index.
    pub(crate) async fn image(&self, repository: &str, layers: &[BaseLayer], architecture: &str) -> Value {
        let diff_ids: Vec<&str> = layers.iter().map(|layer| layer.diff_id.as_str()).collect();
        let config = json!({
            "architecture": architecture, "os": "linux", "created": "2026-01-01T00:00:00Z",
            "config": {
                "Env": ["PATH=/usr/local/bin:/usr/bin:/bin", "PYTHON_VERSION=3.11.2", "LANG=C.UTF-8"],
                "Cmd": ["python3"], "Entrypoint": ["/entry"], "Healthcheck": {"Test": ["CMD", "true"]},
            },
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
            "history": [{"created_by": "somebody"}],
        });
        let config = config.to_string();
        let config_digest = self.blob(repository, config.as_bytes()).await;
        let mut descriptors = Vec::new();
        for layer in layers {
            let digest = self.blob(repository, &layer.packed).await;
            // Docker's own name, as images of some age have it.
            let media_type = "application/vnd.docker.image.rootfs.diff.tar.gzip";
            descriptors.push(json!({"mediaType": media_type, "digest": digest, "size": layer.packed.len()}));
        }
        let media_type = "application/vnd.docker.distribution.manifest.v2+json";
        let configured = "application/vnd.docker.container.image.v1+json";
        let manifest = json!({
            "schemaVersion": 2, "mediaType": media_type, "layers": descriptors,
            "config": {"mediaType": configured, "digest": config_digest, "size": config.len()},
        });
        let digest = digest(manifest.to_string().as_bytes());
        self.manifest(repository, &digest, &manifest).await;
        json!({
            "mediaType": media_type, "digest": digest, "size": manifest.to_string().len(),
            "platform": {"os": "linux", "architecture": architecture},
        })
    }

    /// The tag `tag` as an index of `images`, with an entry for no machine among them as builders put it there.
    pub(crate) async fn index(&self, repository: &str, tag: &str, images: &[Value]) {
        let mut manifests = images.to_vec();
        let mut attestation = images[0].clone();
        attestation["platform"] = json!({"os": "unknown", "architecture": "unknown"});
        manifests.insert(0, attestation);
        let media_type = "application/vnd.oci.image.index.v1+json";
        let index = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests});
        self.manifest(repository, tag, &index).await;
    }

    /// A document: a manifest, or a blob.
    pub(crate) async fn get(&self, repository: &str, path: &str) -> Option<Value> {
        let accept = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json";
        let got = self.ask(Method::GET, &format!("/v2/{repository}/{path}")).header("accept", accept);
        let got = got.send().await.expect("an answer");
        if !got.status().is_success() {
            return None;
        }
        got.json().await.ok()
    }

    /// The bytes of a blob.
    pub(crate) async fn bytes(&self, repository: &str, digest: &str) -> Vec<u8> {
        let got = self.ask(Method::GET, &format!("/v2/{repository}/blobs/{digest}")).send().await.expect("an answer");
        got.bytes().await.expect("a blob").to_vec()
    }
}

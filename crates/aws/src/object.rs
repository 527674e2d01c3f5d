//! Objects in S3: archives of agents' code, and the contexts that CodeBuild builds from.

use std::path::Path;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use fargateer_api::Reason;
use fargateer_controller::port::Objects;
use fargateer_plan::desired::Place;
use fargateer_plan::failure::{Class, Failure};
use fargateer_plan::object::{Address, CHANGED, Live, NO_BUCKET, NO_KEY};
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;

use crate::caller::Operation;
use crate::cloud::Aws;
use crate::error;
use crate::quota::Group;

/// What this file calls: HeadObject needs the right to get an object. Without the right to list the bucket, S3 says of an object
/// that is not there that it is denied (S3 API reference, HeadObject).
pub(crate) const PERMISSIONS: &[&str] = &["s3:GetObject", "s3:ListBucket", "s3:PutObject"];

const HEAD: Operation = Operation::new("s3.HeadObject", Group::Objects);
const GET: Operation = Operation::new("s3.GetObject", Group::Objects);
const PUT: Operation = Operation::new("s3.PutObject", Group::Objects);

/// The header in which S3 says where a bucket is.
const REGION: &str = "x-amz-bucket-region";

/// What an answer says beside what the SDK makes of it.
#[derive(Debug, Default)]
struct Told {
    status: u16,
    /// The region the bucket is in.
    region: Option<String>,
}

impl Told {
    /// The region to ask in instead of that of `place`.
    fn elsewhere(&self, place: &Place) -> Option<String> {
        self.region.clone().filter(|region| *region != place.region && self.status == 301)
    }

    fn hear<O, E>(&mut self, result: &Result<O, SdkError<E, HttpResponse>>) {
        let Some(response) = result.as_ref().err().and_then(SdkError::raw_response) else { return };
        self.status = response.status().as_u16();
        self.region = response.headers().get(REGION).map(str::to_owned);
    }
}

#[async_trait]
impl Objects for Aws {
    async fn find(&self, place: &Place, object: &Address) -> Result<Live, Failure> {
        let (mut there, (mut found, mut told)) = (place.clone(), self.head(place, object).await);
        if let Some(region) = told.elsewhere(place) {
            there.region = region;
            (found, told) = self.head(&there, object).await;
        }
        match found {
            // The answer to HEAD has no body, so no word of what is missing or denied.
            Err(failure) if (400..500).contains(&told.status) => Err(self.why(&there, object, failure).await),
            found => found,
        }
    }

    async fn fetch(&self, place: &Place, object: &Address, etag: &str, into: &Path) -> Result<(), Failure> {
        let (result, told) = self.get(place, object, etag, into).await;
        match told.elsewhere(place) {
            Some(region) => self.get(&Place { region, ..place.clone() }, object, etag, into).await.0,
            None => result,
        }
    }

    async fn put(&self, place: &Place, object: &Address, from: &Path) -> Result<(), Failure> {
        let caller = self.caller(place);
        let body = ByteStream::from_path(from).await.map_err(|error| local(PUT, from, &error))?;
        let request = caller.clients.s3.put_object().bucket(&object.bucket).key(&object.key);
        let request = request.content_type("application/zip").body(body);
        caller.typed(PUT, Box::pin(request.send())).await.map(drop)
    }
}

impl Aws {
    async fn head(&self, place: &Place, object: &Address) -> (Result<Live, Failure>, Told) {
        let (caller, mut told) = (self.caller(place), Told::default());
        let request = caller.clients.s3.head_object().bucket(&object.bucket).key(&object.key);
        let call = async {
            let result = request.send().await;
            told.hear(&result);
            result
        };
        let found = caller.typed(HEAD, Box::pin(call)).await;
        let live = found.map(|head| {
            let etag = head.e_tag().unwrap_or_default().trim_matches('"').to_owned();
            Live { etag, size: head.content_length().and_then(|size| u64::try_from(size).ok()).unwrap_or_default() }
        });
        (live, told)
    }

    /// Why there is no object, in S3's own words: those come with the answer to GET.
    async fn why(&self, place: &Place, object: &Address, before: Failure) -> Failure {
        let caller = self.caller(place);
        let request = caller.clients.s3.get_object().bucket(&object.bucket).key(&object.key).range("bytes=0-0");
        match caller.typed(GET, Box::pin(request.send())).await {
            Err(failure) => named(failure),
            // By now it is there.
            Ok(_) => Failure { class: Class::NotYetVisible, reason: Reason::NotYetVisible, ..before },
        }
    }

    async fn get(&self, place: &Place, object: &Address, etag: &str, into: &Path) -> (Result<(), Failure>, Told) {
        let (caller, mut told) = (self.caller(place), Told::default());
        let result = download(&caller.clients.s3, object, etag, &mut told);
        let body = match caller.typed(GET, Box::pin(result)).await {
            Ok(answer) => answer.body,
            Err(failure) => return (Err(named(failure)), told),
        };
        (write(body, into).await, told)
    }
}

async fn download(
    s3: &Client,
    object: &Address,
    etag: &str,
    told: &mut Told,
) -> Result<
    aws_sdk_s3::operation::get_object::GetObjectOutput,
    SdkError<aws_sdk_s3::operation::get_object::GetObjectError, HttpResponse>,
> {
    let request = s3.get_object().bucket(&object.bucket).key(&object.key).if_match(format!("\"{etag}\""));
    let result = request.send().await;
    told.hear(&result);
    result
}

/// Writes an answer as it comes.
async fn write(mut body: ByteStream, into: &Path) -> Result<(), Failure> {
    let mut file = File::create(into).await.map_err(|error| local(GET, into, &error))?;
    while let Some(bytes) = body.next().await {
        let bytes = bytes.map_err(|error| {
            let told = ("Unreachable", error.to_string());
            error::of(GET.name, Class::Transient, Reason::Unavailable, (told.0, &told.1))
        })?;
        file.write_all(&bytes).await.map_err(|error| local(GET, into, &error))?;
    }
    file.flush().await.map_err(|error| local(GET, into, &error))
}

/// A failure that only somebody who puts an object, or a bucket, can mend.
fn named(failure: Failure) -> Failure {
    let missing = [NO_KEY, NO_BUCKET].contains(&failure.code.as_str());
    let (class, reason) = match failure.code.as_str() {
        CHANGED => (Class::Transient, Reason::Unavailable),
        _ if missing => (Class::Denied, Reason::ContextInvalid),
        _ => (failure.class, failure.reason),
    };
    Failure { class, reason, ..failure }
}

fn local(operation: Operation, path: &Path, error: &dyn std::error::Error) -> Failure {
    let message = format!("{}: {error}", path.display());
    error::of(operation.name, Class::Denied, Reason::BuilderFailed, ("LocalFailure", &message))
}

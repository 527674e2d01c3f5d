//! Agents' code in S3: fetched and unpacked once for each state of the object, and looked at now and then for another one.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use fargateer_api::Key;
use fargateer_api::spec::ObjectAddress;
use fargateer_controller::port::Objects;
use fargateer_plan::desired::Place;
use fargateer_plan::failure::{Class, Failure};
use fargateer_plan::object::{CHANGED, Live, NO_BUCKET, NO_KEY};
use tempfile::{NamedTempFile, TempDir};

use crate::archive;
use crate::builder::blocking;
use crate::context::Limits;
use crate::error::{Cause, Error};
use crate::hash;

/// Where the field stands.
const FIELD: &str = "spec.image.build.context";
/// A copy of an older state is kept for so long: a build may be reading it.
const SPARED: Duration = Duration::from_hours(1);
/// A copy that nobody looked at for so long goes.
const FORGOTTEN: Duration = Duration::from_hours(14 * 24);

/// All archives that agents of this process are built from.
pub(crate) struct Archives {
    objects: Arc<dyn Objects>,
    folder: PathBuf,
    limits: Limits,
    /// What was seen last, by agent.
    seen: Mutex<BTreeMap<Key, Seen>>,
    /// Who is being fetched, so that two agents of one archive fetch it once.
    busy: Mutex<BTreeMap<PathBuf, Arc<tokio::sync::Mutex<()>>>>,
}

/// An object as an agent saw it: its ETag, or the code of why there is none.
#[derive(Clone)]
struct Seen {
    place: Place,
    object: ObjectAddress,
    found: Result<String, String>,
}

impl Archives {
    /// Archives that are kept in `folder`.
    pub(crate) fn new(objects: Arc<dyn Objects>, folder: PathBuf) -> Self {
        Self { objects, folder, limits: Limits::default(), seen: Mutex::default(), busy: Mutex::default() }
    }

    /// The folder that `object` is now, and its ETag.
    pub(crate) async fn folder(
        &self,
        place: &Place,
        agent: &Key,
        object: &ObjectAddress,
    ) -> Result<(PathBuf, String), Error> {
        let Some(packing) = object.packing() else {
            return Err(Error::context(FIELD, format!("{object} is neither a .zip nor a .tar.gz")));
        };
        let found = self.objects.find(place, object).await;
        self.note(agent, Seen { place: place.clone(), object: object.clone(), found: told(&found) });
        let Live { etag, size } = found.map_err(|failure| refused(&failure, place, object))?;
        if size > self.limits.bytes {
            let problem = format!("{object} has {size} bytes; a context has {} at most", self.limits.bytes);
            return Err(Error::context(FIELD, problem).hinted("pack only what the agent needs when it runs"));
        }
        let home = self.folder.join("contexts").join(name(&object.to_string()));
        let folder = home.join(name(&etag));
        let lock = self.lock_of(&folder);
        let _alone = lock.lock().await;
        if !is_used(&folder) {
            self.unpack((place, object, &etag), packing, &folder).await?;
        }
        Ok((folder, etag))
    }

    async fn unpack(
        &self,
        (place, object, etag): (&Place, &ObjectAddress, &str),
        packing: fargateer_api::spec::Packing,
        folder: &Path,
    ) -> Result<(), Error> {
        let scratch = self.folder.join("scratch");
        fs::create_dir_all(&scratch).map_err(|error| Error::local(&scratch, error))?;
        let packed = NamedTempFile::new_in(&scratch).map_err(|error| Error::local(&scratch, error))?;
        tracing::info!(%object, etag, "fetches the code");
        let fetched = self.objects.fetch(place, object, etag, packed.path()).await;
        fetched.map_err(|failure| refused(&failure, place, object))?;
        let (folder, limits, named) = (folder.to_owned(), self.limits, object.to_string());
        let contexts = self.folder.join("contexts");
        blocking(move || {
            let home = folder.parent().unwrap_or(&folder).to_owned();
            fs::create_dir_all(&home).map_err(|error| Error::local(&home, error))?;
            let fresh = TempDir::new_in(&home).map_err(|error| Error::local(&home, error))?;
            let unpacked = archive::unpack(packed.path(), packing, fresh.path(), limits);
            unpacked.map_err(|error| Error { message: format!("{FIELD}: {named}: {}", error.message), ..error })?;
            // Whole or not at all.
            let fresh = fresh.keep();
            fs::rename(&fresh, &folder).map_err(|error| Error::local(&folder, error))?;
            clear(&contexts, &folder);
            Ok(())
        })
        .await
    }

    fn lock_of(&self, folder: &Path) -> Arc<tokio::sync::Mutex<()>> {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        busy.retain(|_, lock| Arc::strong_count(lock) > 1);
        Arc::clone(busy.entry(folder.to_owned()).or_default())
    }

    fn note(&self, agent: &Key, seen: Seen) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(agent.clone(), seen);
    }

    /// The agents whose object is another one than they saw last. Those that `is_current` knows no more are forgotten.
    pub(crate) async fn changed(&self, is_current: impl Fn(&Key, &ObjectAddress) -> bool) -> Vec<Key> {
        let all: Vec<(Key, Seen)> = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.retain(|key, seen| is_current(key, &seen.object));
            seen.clone().into_iter().collect()
        };
        let mut changed = Vec::new();
        for (key, seen) in all {
            let found = told(&self.objects.find(&seen.place, &seen.object).await);
            // An answer that says nothing of the object is no news.
            let says = !matches!(&found, Err(code) if code.is_empty());
            if says && found != seen.found {
                self.note(&key, Seen { found, ..seen });
                changed.push(key);
            }
        }
        changed
    }
}

/// What a look comes to: the ETag; the code of what only somebody can mend; nothing where S3 did not answer.
fn told(found: &Result<Live, Failure>) -> Result<String, String> {
    match found {
        Ok(live) => Ok(live.etag.clone()),
        Err(failure) => match failure.class {
            Class::Denied | Class::Invalid => Err(failure.code.clone()),
            Class::Throttled | Class::Transient | Class::Conflict | Class::NotYetVisible => Err(String::new()),
        },
    }
}

/// Why the code cannot be had, and what to do.
fn refused(failure: &Failure, place: &Place, object: &ObjectAddress) -> Error {
    let said = |problem: &str| Error::context(FIELD, problem);
    match failure.code.as_str() {
        NO_KEY => {
            said(&format!("there is no object {object}")).hinted(format!("put it there: aws s3 cp code.zip {object}"))
        }
        NO_BUCKET => said(&format!("there is no bucket {}", object.bucket)).hinted("`s3://<bucket>/<key>.zip`"),
        CHANGED => Error::new(Cause::ContextChanged, format!("{object} was replaced while it was fetched")),
        _ => match failure.class {
            Class::Denied | Class::Invalid => {
                let problem = format!("{FIELD}: {object} may not be read: {failure}");
                Error::new(Cause::ContextDenied, problem).hinted(rights(place, object))
            }
            Class::Throttled | Class::Transient | Class::Conflict | Class::NotYetVisible => {
                Error::new(Cause::ServiceUnavailable, format!("{FIELD}: {object}: {failure}"))
            }
        },
    }
}

fn rights(place: &Place, object: &ObjectAddress) -> String {
    let who = place.role.as_deref().unwrap_or("Fargateer's own role");
    format!(
        "allow s3:GetObject on {} to {who}; where s3:ListBucket on arn:aws:s3:::{} is missing, too, S3 says the same of an \
         object that is not there",
        object.arn(),
        object.bucket
    )
}

/// A name for a file, of anything.
fn name(text: &str) -> String {
    hash::of(text.as_bytes()).trim_start_matches("sha256:").chars().take(40).collect()
}

/// Whether the copy `folder` is there; that it is used now is told to who makes room.
fn is_used(folder: &Path) -> bool {
    let used = File::open(folder).and_then(|folder| folder.set_modified(now()));
    used.is_ok() || folder.is_dir()
}

#[expect(clippy::disallowed_methods, reason = "the age of files on this disk, in this disk's time")]
fn now() -> SystemTime {
    SystemTime::now()
}

/// Removes older states of the object whose copy `fresh` is, and copies of objects that nobody asks for any more. What cannot be
/// removed is tried again with the next one.
fn clear(contexts: &Path, fresh: &Path) {
    let subfolders = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let homes: Vec<PathBuf> = subfolders(contexts).collect();
    for copy in homes.iter().flat_map(|home| subfolders(home)).filter(|copy| copy != fresh) {
        let most = if copy.parent() == fresh.parent() { SPARED } else { FORGOTTEN };
        if is_older(&copy, most)
            && let Err(error) = fs::remove_dir_all(&copy)
        {
            tracing::debug!(%error, copy = %copy.display(), "an old copy of code stays");
        }
    }
    // One that is not empty stays, and so does one that somebody made a moment ago for what is to come.
    homes.iter().filter(|home| is_older(home, SPARED)).for_each(|home| drop(fs::remove_dir(home)));
}

fn is_older(path: &Path, age: Duration) -> bool {
    let used = fs::metadata(path).and_then(|metadata| metadata.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    now().duration_since(used).is_ok_and(|found| found > age)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_of_older_states_go_and_those_in_use_stay() {
        let home = TempDir::new().unwrap();
        let copy = |object: &str, etag: &str, age: Duration| {
            let path = home.path().join(object).join(etag);
            fs::create_dir_all(path.join("deep")).unwrap();
            File::open(&path).unwrap().set_modified(now() - age).unwrap();
            path
        };
        let fresh = copy("one", "new", Duration::ZERO);
        let reading = copy("one", "before", SPARED / 2);
        let old = copy("one", "old", SPARED * 2);
        let other = copy("two", "other", FORGOTTEN / 2);
        let gone = copy("three", "gone", FORGOTTEN * 2);
        clear(home.path(), &fresh);
        let left = [&fresh, &reading, &old, &other, &gone].map(|path| path.exists());
        assert_eq!(left, [true, true, false, true, false]);
        let empty = home.path().join("three");
        assert!(empty.exists(), "it was in use a moment ago");
        File::open(&empty).unwrap().set_modified(now() - SPARED * 2).unwrap();
        clear(home.path(), &fresh);
        assert!(!empty.exists());
    }

    #[test]
    fn a_refusal_says_which_right_is_missing_on_what_and_to_whom() {
        let object = ObjectAddress::parse("s3://code/bot.zip").unwrap();
        let failure = Failure {
            class: Class::Denied,
            reason: fargateer_api::Reason::AccessDenied,
            operation: "s3.GetObject".to_owned(),
            code: "AccessDenied".to_owned(),
            message: "Access Denied".to_owned(),
        };
        let place = Place { role: Some("arn:aws:iam::1:role/agents".to_owned()), ..Place::default() };
        let error = refused(&failure, &place, &object);
        let hint = error.hint.clone().unwrap();
        assert_eq!(error.cause, Cause::ContextDenied);
        assert!(
            hint.contains("allow s3:GetObject on arn:aws:s3:::code/bot.zip to arn:aws:iam::1:role/agents"),
            "{hint}"
        );
        let missing = Failure { code: NO_KEY.to_owned(), ..failure };
        let said = refused(&missing, &place, &object).to_string();
        assert_eq!(said, "spec.image.build.context: there is no object s3://code/bot.zip");
    }
}

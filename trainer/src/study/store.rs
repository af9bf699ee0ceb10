//! Where cells lie: one object each, in a folder or in S3, written whole or not at all. Whoever has finished a cell puts it
//! there; nobody changes it.

use anyhow::{Context, bail, ensure};
use object_store::path::Path as Key;
use object_store::{ClientOptions, ObjectStore, ObjectStoreExt, PutPayload};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Largest object that is read: the margins of a million coils fit.
const MAX_OBJECT: u64 = 64 << 20;

/// Objects by name.
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    prefix: Key,
    runtime: tokio::runtime::Runtime,
    name: String,
}

/// Where a store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A folder of this machine, or one that machines share.
    Folder(PathBuf),
    /// `s3://BUCKET/PREFIX`; keys, region and endpoint come from the environment (`AWS_ACCESS_KEY_ID` and so on).
    S3(String),
}

impl std::str::FromStr for Place {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        match text.split_once("://") {
            None => Ok(Self::Folder(text.into())),
            Some(("s3", rest)) if !rest.is_empty() && !rest.starts_with('/') => Ok(Self::S3(text.into())),
            Some(_) => bail!("the store {text} is neither a folder nor s3://BUCKET/PREFIX: give one of them"),
        }
    }
}

impl Store {
    /// Opens a store; a folder is made if it is not there.
    pub fn open(place: &Place) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (objects, prefix, name): (Arc<dyn ObjectStore>, _, _) = match place {
            Place::Folder(folder) => {
                let cannot = || format!("cannot use the folder {} as a store", folder.display());
                std::fs::create_dir_all(folder).with_context(cannot)?;
                let local =
                    object_store::local::LocalFileSystem::new_with_prefix(folder).with_context(cannot)?;
                (Arc::new(local.with_fsync(true)), Key::default(), folder.display().to_string())
            }
            Place::S3(url) => {
                let cannot = || format!("cannot use the store {url}");
                // Fails only where another one was installed, which serves as well.
                let _ = rustls::crypto::ring::default_provider().install_default();
                let (bucket, prefix) =
                    url["s3://".len()..].split_once('/').unwrap_or((&url["s3://".len()..], ""));
                let client = ClientOptions::new().with_timeout(std::time::Duration::from_mins(1));
                let s3 = object_store::aws::AmazonS3Builder::from_env()
                    .with_client_options(client)
                    .with_allow_http(std::env::var("AWS_ALLOW_HTTP").is_ok_and(|v| v == "true"))
                    .with_bucket_name(bucket)
                    .build()
                    .with_context(cannot)?;
                (Arc::new(s3), Key::parse(prefix).with_context(cannot)?, url.clone())
            }
        };
        Ok(Self { objects, prefix, runtime, name })
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn key(&self, name: &str) -> Key {
        name.split('/').fold(self.prefix.clone(), Key::join)
    }

    /// An object, if it is there.
    pub fn get(&self, name: &str) -> anyhow::Result<Option<Vec<u8>>> {
        let cannot = || format!("cannot read {name} from the store {}", self.name);
        self.runtime.block_on(async {
            let found = match self.objects.get(&self.key(name)).await {
                Err(object_store::Error::NotFound { .. }) => return Ok(None),
                found => found.with_context(cannot)?,
            };
            ensure!(found.meta.size <= MAX_OBJECT, "{}: it is over {} MiB", cannot(), MAX_OBJECT >> 20);
            Ok(Some(found.bytes().await.with_context(cannot)?.to_vec()))
        })
    }

    /// Puts an object, whole or not at all.
    pub fn put(&self, name: &str, bytes: Vec<u8>) -> anyhow::Result<()> {
        let put = self.runtime.block_on(self.objects.put(&self.key(name), PutPayload::from(bytes)));
        put.with_context(|| format!("cannot write {name} to the store {}", self.name))?;
        Ok(())
    }

    /// Names of all objects below `folder`, in order.
    pub fn list(&self, folder: &str) -> anyhow::Result<Vec<String>> {
        use futures_util::TryStreamExt;
        let below = self.key(folder);
        let listed = self.runtime.block_on(self.objects.list(Some(&below)).try_collect::<Vec<_>>());
        let listed = listed.with_context(|| format!("cannot list {folder} of the store {}", self.name))?;
        let mut names: Vec<String> = listed
            .iter()
            .filter_map(|object| object.location.prefix_match(&below))
            .map(|parts| parts.map(|part| part.as_ref().to_owned()).collect::<Vec<_>>().join("/"))
            .collect();
        names.sort_unstable();
        Ok(names)
    }
}

/// A store in a folder of a study.
pub fn beside(out: &Path) -> Place {
    Place::Folder(out.join("store"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::Folder(folder.path().join("not/yet/there"));
        let store = Store::open(&place).unwrap();
        assert_eq!(store.get("cells/a.json").unwrap(), None);
        assert!(store.list("cells").unwrap().is_empty());
        store.put("cells/b.json", b"2".to_vec()).unwrap();
        store.put("cells/a.json", b"1".to_vec()).unwrap();
        store.put("plan.json", b"3".to_vec()).unwrap();
        assert_eq!(Store::open(&place).unwrap().get("cells/a.json").unwrap().unwrap(), b"1");
        assert_eq!(store.list("cells").unwrap(), ["a.json", "b.json"]);
    }

    #[test]
    fn places_are_told_apart() {
        assert_eq!("a/b".parse::<Place>().unwrap(), Place::Folder("a/b".into()));
        assert_eq!("s3://b/p".parse::<Place>().unwrap(), Place::S3("s3://b/p".into()));
        for wrong in ["s3://", "s3:///x", "gs://b", "http://x/y"] {
            assert!(wrong.parse::<Place>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn objects_that_are_too_large_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Place::Folder(folder.path().into())).unwrap();
        std::fs::File::create(folder.path().join("huge")).unwrap().set_len(MAX_OBJECT + 1).unwrap();
        let error = format!("{:#}", store.get("huge").unwrap_err());
        assert!(error.contains("64 MiB"), "{error}");
    }
}

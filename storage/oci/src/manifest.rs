//! Manifests: the documents that tie configuration, layers and children into an image.
//!
//! [`Manifest::parse`] is the one place where a manifest's bytes are judged. Whether what it names
//! exists is not known here; [`Manifest::required`] says what must.
//!
//! Source: OCI image-spec 1.1 ("Image Manifest", "Image Index"), Docker image manifest schema 2.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::descriptor::Descriptor;
use crate::json::{self, FREE, JsonError, Shape, null_as_default};
use crate::media_type;

/// The most bytes a manifest may have.
pub const MANIFEST_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The most references (configuration, layers and children together) a manifest may have.
pub const REFERENCES_MAX: usize = 2_000;

/// What a manifest is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// One image or artifact: a configuration and layers.
    Image,
    /// A list of manifests, one a platform.
    Index,
}

/// What a manifest needs a reference for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The configuration of an image.
    Config,
    /// A layer of an image, or a blob of an artifact.
    Layer,
    /// A manifest of an index.
    Child,
}

/// Why a manifest is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// More bytes than [`MANIFEST_BYTES_MAX`].
    #[error("a manifest has at most {MANIFEST_BYTES_MAX} bytes; this one has {0}")]
    TooLarge(usize),
    /// The declared type is none of the four that are served.
    #[error(
        "the media type {0:?} is not that of a manifest; push an OCI or Docker schema 2 manifest \
         or index"
    )]
    MediaTypeUnsupported(String),
    /// Docker's schema 1.
    #[error(
        "Docker image manifest schema 1 is no longer supported; push the image again with a newer \
         client"
    )]
    Schema1,
    /// The document is not JSON as every parser reads it.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A field is missing or has the wrong type.
    #[error("the manifest does not read: {0}")]
    Field(String),
    /// The body and the request's header name two types.
    #[error("the Content-Type is {declared:?}, but the manifest says it is {found:?}")]
    MediaTypeDiffers {
        /// The header's.
        declared: String,
        /// The body's.
        found: String,
    },
    /// No type is declared, and the fields do not tell.
    #[error("the type of the manifest cannot be told; send a Content-Type")]
    MediaTypeUnknown,
    /// Another schema version than 2.
    #[error("schemaVersion must be 2")]
    SchemaVersion,
    /// Both an image and an index: clients would differ on what it is (CVE-2021-41190).
    #[error("a manifest must not have both \"manifests\" and \"config\" or \"layers\"")]
    Ambiguous,
    /// The fields are not those of the declared type.
    #[error("a manifest of type {media_type:?} needs the field {field:?}")]
    FieldMissing {
        /// The declared type.
        media_type: String,
        /// What is not there.
        field: &'static str,
    },
    /// A descriptor is not right in itself.
    #[error("the descriptor at {place} is wrong: {reason}")]
    Descriptor {
        /// Where it stands: `config`, `layers[3]`.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// More references than [`REFERENCES_MAX`].
    #[error("a manifest names at most {REFERENCES_MAX} configs, layers and children; this one {0}")]
    TooManyReferences(usize),
}

/// A manifest that was read and found right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Its media type, without parameters.
    pub media_type: String,
    /// Image or index.
    pub kind: Kind,
    /// The configuration of an image.
    pub config: Option<Descriptor>,
    /// The layers of an image, in order.
    pub layers: Vec<Descriptor>,
    /// The children of an index, in order.
    pub manifests: Vec<Descriptor>,
    /// What this refers to; it may be missing.
    pub subject: Option<Descriptor>,
    /// The type under which referrers list it: its own, else the type of an image's configuration.
    pub artifact_type: Option<String>,
    /// Remarks by name.
    pub annotations: BTreeMap<String, String>,
}

/// The fields as they stand. What is unknown is passed over.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: Option<u64>,
    #[serde(default, deserialize_with = "null_as_default")]
    media_type: String,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
    #[serde(default, deserialize_with = "null_as_default")]
    artifact_type: String,
    #[serde(default, deserialize_with = "null_as_default")]
    annotations: BTreeMap<String, String>,
}

/// What is read before the rest, so that an old document is told what it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    schema_version: Option<serde_json::Number>,
}

const PLATFORM: Shape = Shape {
    known: &["architecture", "os", "os.version", "os.features", "variant"],
    inside: &[("os.features", &FREE)],
};
const DESCRIPTOR: Shape = Shape {
    known: &[
        "mediaType",
        "digest",
        "size",
        "urls",
        "annotations",
        "data",
        "artifactType",
        "platform",
    ],
    inside: &[("platform", &PLATFORM)],
};
const DOCUMENT: Shape = Shape {
    known: &[
        "schemaVersion",
        "mediaType",
        "config",
        "layers",
        "manifests",
        "subject",
        "artifactType",
        "annotations",
    ],
    inside: &[
        ("config", &DESCRIPTOR),
        ("layers", &DESCRIPTOR),
        ("manifests", &DESCRIPTOR),
        ("subject", &DESCRIPTOR),
    ],
};

impl Manifest {
    /// Reads a manifest. `content_type` is the header of the request, parameters and all.
    ///
    /// # Errors
    ///
    /// [`ManifestError`] says what is wrong, in the order in which the checks are specified.
    pub fn parse(bytes: &[u8], content_type: Option<&str>) -> Result<Self, ManifestError> {
        if bytes.len() > MANIFEST_BYTES_MAX {
            return Err(ManifestError::TooLarge(bytes.len()));
        }
        let declared = content_type.map(media_type::without_parameters).filter(|t| !t.is_empty());
        if let Some(declared) = declared {
            check_media_type(declared)?;
        }
        json::check(bytes, &DOCUMENT)?;
        let field = |error: serde_json::Error| ManifestError::Field(error.to_string());
        let version: Version = serde_json::from_slice(bytes).map_err(field)?;
        if version.schema_version.and_then(|number| number.as_u64()) == Some(1) {
            return Err(ManifestError::Schema1);
        }
        let document: Document = serde_json::from_slice(bytes).map_err(field)?;
        let media_type = document.judge_media_type(declared)?;
        document.into_manifest(media_type)
    }

    /// Everything the manifest is made of, in order, with what it is needed for.
    pub fn references(&self) -> Vec<(Role, &Descriptor)> {
        let config = self.config.iter().map(|one| (Role::Config, one));
        let layers = self.layers.iter().map(|one| (Role::Layer, one));
        let children = self.manifests.iter().map(|one| (Role::Child, one));
        config.chain(layers).chain(children).collect()
    }

    /// The references that must exist before the manifest may: all but foreign layers.
    pub fn required(&self) -> Vec<(Role, &Descriptor)> {
        let mut references = self.references();
        references.retain(|(role, descriptor)| *role != Role::Layer || !descriptor.is_foreign());
        references
    }
}

fn check_media_type(media_type: &str) -> Result<(), ManifestError> {
    if media_type::is_schema1(media_type) {
        return Err(ManifestError::Schema1);
    }
    if !media_type::is_manifest(media_type) {
        let text = media_type.chars().take(200).collect();
        return Err(ManifestError::MediaTypeUnsupported(text));
    }
    Ok(())
}

impl Document {
    /// The header's type, else the body's, else what the fields say.
    fn judge_media_type(&self, declared: Option<&str>) -> Result<String, ManifestError> {
        let found = Some(self.media_type.as_str()).filter(|found| !found.is_empty());
        match (declared, found) {
            (Some(declared), Some(found)) if declared != found => {
                Err(ManifestError::MediaTypeDiffers {
                    declared: declared.to_owned(),
                    found: found.chars().take(200).collect(),
                })
            }
            (Some(declared), _) => Ok(declared.to_owned()),
            (None, Some(found)) => check_media_type(found).map(|()| found.to_owned()),
            (None, None) if self.manifests.is_some() => Ok(media_type::OCI_INDEX.to_owned()),
            (None, None) if self.config.is_some() && self.layers.is_some() => {
                Ok(media_type::OCI_MANIFEST.to_owned())
            }
            (None, None) => Err(ManifestError::MediaTypeUnknown),
        }
    }

    fn into_manifest(self, media_type: String) -> Result<Manifest, ManifestError> {
        if self.schema_version != Some(2) {
            return Err(ManifestError::SchemaVersion);
        }
        if self.manifests.is_some() && (self.config.is_some() || self.layers.is_some()) {
            return Err(ManifestError::Ambiguous);
        }
        let index = media_type::is_index(&media_type);
        let missing = if index {
            // Go writes an empty list as null, so an index without children may have no list.
            (self.config.is_some() || self.layers.is_some()).then_some("manifests")
        } else {
            self.config.is_none().then_some("config")
        };
        if let Some(field) = missing {
            return Err(ManifestError::FieldMissing { media_type, field });
        }
        let own_type = Some(self.artifact_type).filter(|own| !own.is_empty());
        let config_type = || self.config.as_ref().map(|config| config.media_type.clone());
        let artifact_type = own_type.or_else(config_type).filter(|one| !one.is_empty());
        let manifest = Manifest {
            kind: if index { Kind::Index } else { Kind::Image },
            artifact_type,
            media_type,
            config: self.config,
            layers: self.layers.unwrap_or_default(),
            manifests: self.manifests.unwrap_or_default(),
            subject: self.subject,
            annotations: self.annotations,
        };
        check_descriptors(&manifest)?;
        Ok(manifest)
    }
}

fn check_descriptors(manifest: &Manifest) -> Result<(), ManifestError> {
    let references = manifest.references().len();
    if references > REFERENCES_MAX {
        return Err(ManifestError::TooManyReferences(references));
    }
    let one = |name: &'static str, descriptor: &Descriptor| {
        descriptor
            .check()
            .map_err(|reason| ManifestError::Descriptor { place: name.to_owned(), reason })
    };
    let all = |name: &'static str, list: &[Descriptor]| {
        list.iter().enumerate().try_for_each(|(n, descriptor)| {
            descriptor.check().map_err(|reason| ManifestError::Descriptor {
                place: format!("{name}[{n}]"),
                reason,
            })
        })
    };
    manifest.config.iter().try_for_each(|config| one("config", config))?;
    manifest.subject.iter().try_for_each(|subject| one("subject", subject))?;
    all("layers", &manifest.layers)?;
    all("manifests", &manifest.manifests)
}

#[cfg(test)]
mod tests;

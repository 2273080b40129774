//! Media types: which documents are manifests, and which layers may be missing.

/// An image manifest of OCI.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// An image index of OCI.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// An image manifest of Docker, schema 2.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// A manifest list of Docker.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// An image manifest of Docker, schema 1: refused.
pub const DOCKER_SCHEMA1: &str = "application/vnd.docker.distribution.manifest.v1+json";
/// A signed image manifest of Docker, schema 1: refused.
pub const DOCKER_SCHEMA1_SIGNED: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";
/// An image configuration of OCI.
pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// An image configuration of Docker.
pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// A gzipped layer of OCI.
pub const OCI_LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// A plain layer of OCI.
pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// The two bytes `{}`, where a descriptor has to point at something.
pub const OCI_EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// A layer of Docker that is fetched from elsewhere.
pub const DOCKER_FOREIGN_LAYER: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
/// How the media types of layers that may not be distributed begin.
const OCI_NON_DISTRIBUTABLE: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar";
/// How the media types of Docker's foreign layers begin.
const DOCKER_FOREIGN: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar";

/// Whether a manifest may have this type: one of the four that are served.
pub fn is_manifest(media_type: &str) -> bool {
    is_image(media_type) || is_index(media_type)
}

/// Whether this is the type of a list of manifests.
pub fn is_index(media_type: &str) -> bool {
    [OCI_INDEX, DOCKER_LIST].contains(&media_type)
}

/// Whether this is the type of one image or artifact.
pub fn is_image(media_type: &str) -> bool {
    [OCI_MANIFEST, DOCKER_MANIFEST].contains(&media_type)
}

/// Whether this is the type of a Docker manifest of schema 1, which is refused.
pub fn is_schema1(media_type: &str) -> bool {
    [DOCKER_SCHEMA1, DOCKER_SCHEMA1_SIGNED].contains(&media_type)
}

/// Whether a layer of this type may be missing here, since clients fetch it from elsewhere.
pub fn is_non_distributable(media_type: &str) -> bool {
    media_type.starts_with(OCI_NON_DISTRIBUTABLE) || media_type.starts_with(DOCKER_FOREIGN)
}

/// The type before the first `;`, without blanks around it.
pub fn without_parameters(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_cut_off() {
        for (text, expected) in [
            (OCI_INDEX, OCI_INDEX),
            ("application/vnd.oci.image.index.v1+json; charset=utf-8", OCI_INDEX),
            (" application/vnd.oci.image.index.v1+json ;q=1;r=2", OCI_INDEX),
            ("", ""),
            (";", ""),
        ] {
            assert_eq!(without_parameters(text), expected, "{text:?}");
        }
    }

    #[test]
    fn each_type_is_of_one_kind() {
        for (text, image, index, schema1, foreign) in [
            (OCI_MANIFEST, true, false, false, false),
            (DOCKER_MANIFEST, true, false, false, false),
            (OCI_INDEX, false, true, false, false),
            (DOCKER_LIST, false, true, false, false),
            (DOCKER_SCHEMA1, false, false, true, false),
            (DOCKER_SCHEMA1_SIGNED, false, false, true, false),
            (DOCKER_FOREIGN_LAYER, false, false, false, true),
            (
                "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
                false,
                false,
                false,
                true,
            ),
            (OCI_LAYER_GZIP, false, false, false, false),
            ("application/json", false, false, false, false),
        ] {
            assert_eq!(is_image(text), image, "{text}");
            assert_eq!(is_index(text), index, "{text}");
            assert_eq!(is_manifest(text), image || index, "{text}");
            assert_eq!(is_schema1(text), schema1, "{text}");
            assert_eq!(is_non_distributable(text), foreign, "{text}");
        }
    }
}

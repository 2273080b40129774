//! Manifests that are taken, manifests that are refused, and bytes that are neither.

use proptest::prelude::*;

use super::*;
use crate::digest::Algorithm;
use crate::media_type::{DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST};
use crate::verifier::digest_of;

/// A descriptor of the text `content`, with more fields where given (`,"urls":[]`).
fn descriptor(media_type: &str, content: &str, more: &str) -> String {
    let digest = digest_of(Algorithm::Sha256, content.as_bytes());
    let size = content.len();
    format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{size}{more}}}"#)
}

fn config() -> String {
    descriptor(media_type::OCI_CONFIG, "config", "")
}

fn layer() -> String {
    descriptor(media_type::OCI_LAYER_GZIP, "layer", "")
}

fn child() -> String {
    descriptor(OCI_MANIFEST, "child", r#","platform":{"os":"linux","architecture":"arm64"}"#)
}

fn document(fields: &str) -> String {
    format!(r#"{{"schemaVersion":2{}{fields}}}"#, if fields.is_empty() { "" } else { "," })
}

fn image(more: &str) -> String {
    document(&format!(r#""config":{},"layers":[{},{}]{more}"#, config(), layer(), layer()))
}

fn index(more: &str) -> String {
    document(&format!(r#""manifests":[{}]{more}"#, child()))
}

fn parse(text: &str, content_type: Option<&str>) -> Result<Manifest, ManifestError> {
    Manifest::parse(text.as_bytes(), content_type)
}

#[test]
fn manifests_of_all_kinds_are_taken() {
    struct Case {
        name: &'static str,
        text: String,
        content_type: Option<&'static str>,
        media_type: &'static str,
        references: usize,
    }
    let case = |name, text, content_type, media_type, references| Case {
        name,
        text,
        content_type,
        media_type,
        references,
    };
    let parameters = "application/vnd.oci.image.manifest.v1+json; charset=utf-8";
    let typed = |t: &str| format!(r#","mediaType":"{t}""#);
    let cases = [
        case("image", image(""), Some(OCI_MANIFEST), OCI_MANIFEST, 3),
        case("parameters", image(""), Some(parameters), OCI_MANIFEST, 3),
        case("image of Docker", image(""), Some(DOCKER_MANIFEST), DOCKER_MANIFEST, 3),
        case("type in the body", image(&typed(DOCKER_MANIFEST)), None, DOCKER_MANIFEST, 3),
        case("empty header", image(&typed(DOCKER_MANIFEST)), Some(""), DOCKER_MANIFEST, 3),
        case("no type", image(""), None, OCI_MANIFEST, 3),
        case("index", index(""), Some(OCI_INDEX), OCI_INDEX, 1),
        case("list of Docker", index(&typed(DOCKER_LIST)), Some(DOCKER_LIST), DOCKER_LIST, 1),
        case("index, no type", index(""), None, OCI_INDEX, 1),
        case("empty index", document(r#""manifests":[]"#), None, OCI_INDEX, 0),
        case("null index", document(r#""manifests":null"#), Some(OCI_INDEX), OCI_INDEX, 0),
        case(
            "no layers",
            document(&format!(r#""config":{},"layers":[]"#, config())),
            None,
            OCI_MANIFEST,
            1,
        ),
        case("unknown fields", image(r#","x":{"config":1},"y":[1.5]"#), None, OCI_MANIFEST, 3),
        case("null fields", image(r#","subject":null,"annotations":null"#), None, OCI_MANIFEST, 3),
        case("long annotations", image(&annotations(3_000_000)), None, OCI_MANIFEST, 3),
    ];
    for Case { name, text, content_type, media_type, references } in cases {
        let manifest = parse(&text, content_type).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(manifest.media_type, media_type, "{name}");
        assert_eq!(manifest.references().len(), references, "{name}");
        let kind = if media_type::is_index(media_type) { Kind::Index } else { Kind::Image };
        assert_eq!(manifest.kind, kind, "{name}");
    }
}

fn annotations(bytes: usize) -> String {
    format!(r#","annotations":{{"a":"{}"}}"#, "x".repeat(bytes))
}

/// A document, the Content-Type it comes with, and words of the refusal.
type Refused<'a> = (&'a str, String, Option<&'a str>, &'a str);

fn all_are_refused(cases: &[Refused<'_>]) {
    for (name, text, content_type, words) in cases {
        let error = parse(text, *content_type).expect_err(name).to_string();
        assert!(error.contains(words), "{name}: {error}");
    }
}

#[test]
fn documents_that_are_no_strict_json_are_refused() {
    let deep = image(&format!(r#","x":{}1{}"#, "[".repeat(64), "]".repeat(64)));
    let digest = digest_of(Algorithm::Sha256, b"");
    let other_case =
        format!(r#""config":{{"digest":"{digest}","size":1,"Digest":"{digest}"}},"layers":[]"#);
    let braces = image("").replace('[', "{").replace(']', "}");
    all_are_refused(&[
        ("empty", String::new(), None, "not one JSON document"),
        ("garbage", "garbage".into(), Some(OCI_MANIFEST), "not one JSON document"),
        ("list", "[]".into(), Some(OCI_MANIFEST), "not a JSON object"),
        ("two documents", image("") + "{}", None, "not one JSON document"),
        ("layers as object", braces, None, "not one JSON document"),
        ("too large", image(&annotations(MANIFEST_BYTES_MAX)), None, "at most 4194304 bytes"),
        ("too deep", deep, None, "more than 64 deep"),
        ("key twice", image(r#","layers":[]"#), None, "\"layers\" stands twice"),
        ("key in other case", image(r#","Config":{}"#), None, "must be written \"config\""),
        ("digest in other case", document(&other_case), None, "must be written \"digest\""),
    ]);
}

#[test]
fn documents_of_another_type_than_they_say_are_refused() {
    let typed = |t: &str| image(&format!(r#","mediaType":"{t}""#));
    let both = |more: &str| index(&format!(",{more}"));
    let with_config = both(&format!(r#""config":{}"#, config()));
    let signed = Some(media_type::DOCKER_SCHEMA1_SIGNED);
    let schema1 = "schema 1 is no longer supported";
    let ambiguous = "must not have both";
    let fs_layers = r#"{"schemaVersion":1,"fsLayers":[]}"#.into();
    let version = |text: &str| image("").replacen(":2", text, 1);
    let no_version = image("").replacen("schemaVersion", "v", 1);
    let layers_only = document(r#""layers":[]"#);
    all_are_refused(&[
        ("other type", image(""), Some("application/json"), "is not that of a manifest"),
        ("other type in the body", typed("text/plain"), None, "is not that of a manifest"),
        ("two types", typed(DOCKER_MANIFEST), Some(OCI_MANIFEST), "but the manifest says it is"),
        ("no type to tell", document(""), None, "cannot be told"),
        ("schema 1 by header", image(""), signed, schema1),
        ("schema 1 by type", typed(media_type::DOCKER_SCHEMA1), None, schema1),
        ("schema 1 by version", fs_layers, None, schema1),
        ("schema 3", version(":3"), None, "schemaVersion must be 2"),
        ("no version", no_version, None, "schemaVersion must be 2"),
        ("version as text", version(":\"two\""), None, "does not read"),
        ("version as a fraction", version(":2.0"), None, "does not read"),
        ("index with layers", both(r#""layers":[]"#), None, ambiguous),
        ("index with config", with_config, Some(OCI_INDEX), ambiguous),
        ("image with children", image(r#","manifests":[]"#), Some(OCI_MANIFEST), ambiguous),
        ("image said to be an index", image(""), Some(OCI_INDEX), "needs the field \"manifests\""),
        ("index said to be an image", index(""), Some(OCI_MANIFEST), "needs the field \"config\""),
        ("layers alone", layers_only, Some(OCI_MANIFEST), "needs the field \"config\""),
    ]);
}

#[test]
fn documents_with_a_wrong_descriptor_are_refused() {
    let with_config = |config: &str| document(&format!(r#""config":{config},"layers":[]"#));
    let digest = digest_of(Algorithm::Sha256, b"");
    let sized = |size: &str| with_config(&format!(r#"{{"digest":"{digest}","size":{size}}}"#));
    let named = |name: &str| with_config(&format!(r#"{{"digest":"{name}","size":1}}"#));
    let other_data = descriptor("x", "config", r#","data":"e30=""#);
    let layer_data = descriptor("x", "layer", r#","data":"?""#);
    let bad_layer = document(&format!(r#""config":{},"layers":[{layer_data}]"#, config()));
    let many = vec![layer(); REFERENCES_MAX].join(",");
    let too_many = document(&format!(r#""config":{},"layers":[{many}]"#, config()));
    let unread = "does not read";
    all_are_refused(&[
        ("data of other bytes", with_config(&other_data), None, "descriptor at config is wrong"),
        ("data that is no base64", bad_layer, None, "descriptor at layers[0] is wrong"),
        ("size below zero", sized("-1"), None, unread),
        ("size as text", sized("\"1\""), None, unread),
        ("size with a fraction", sized("1.5"), None, unread),
        ("size of 2^63", sized("9223372036854775808"), None, "descriptor at config is wrong"),
        ("size beyond all", sized("99999999999999999999999"), None, unread),
        ("no size", with_config(&format!(r#"{{"digest":"{digest}"}}"#)), None, "`size`"),
        ("no digest", with_config(r#"{"size":1}"#), None, "`digest`"),
        ("bad digest", named("sha256:zz"), None, "64 lower-case hex digits"),
        ("unknown algorithm", named("sha384:zz"), None, "use sha256 or sha512"),
        ("bad subject", image(r#","subject":{"digest":"x","size":1}"#), None, unread),
        ("config as text", with_config("\"x\""), None, unread),
        ("config as list", with_config("[]"), None, unread),
        ("layers as text", image("").replace(['[', ']'], "\""), None, "JSON"),
        ("annotation as number", image(r#","annotations":{"a":1}"#), None, unread),
        ("too many references", too_many, None, "this one 2001"),
    ]);
}

#[test]
fn limits_are_taken_to_the_last_one() {
    let many = vec![layer(); REFERENCES_MAX - 1].join(",");
    let full = document(&format!(r#""config":{},"layers":[{many}]"#, config()));
    assert_eq!(parse(&full, None).unwrap().references().len(), REFERENCES_MAX);
    let empty = image(&annotations(0)).len();
    let longest = image(&annotations(MANIFEST_BYTES_MAX - empty));
    assert_eq!(longest.len(), MANIFEST_BYTES_MAX);
    assert!(parse(&longest, None).is_ok());
}

#[test]
fn foreign_layers_need_not_exist_and_everything_else_must() {
    let foreign = descriptor(media_type::DOCKER_FOREIGN_LAYER, "a", "");
    let elsewhere = descriptor(media_type::OCI_LAYER, "b", r#","urls":["https://a.example/b"]"#);
    let subject = descriptor(OCI_MANIFEST, "subject", "");
    let text = document(&format!(
        r#""config":{},"layers":[{foreign},{elsewhere},{}],"subject":{subject}"#,
        config(),
        layer()
    ));
    let manifest = parse(&text, None).unwrap();
    let roles: Vec<Role> = manifest.references().iter().map(|(role, _)| *role).collect();
    assert_eq!(roles, [Role::Config, Role::Layer, Role::Layer, Role::Layer]);
    let required: Vec<_> =
        manifest.required().iter().map(|(role, one)| (*role, one.digest.clone())).collect();
    assert_eq!(
        required,
        [
            (Role::Config, digest_of(Algorithm::Sha256, b"config")),
            (Role::Layer, digest_of(Algorithm::Sha256, b"layer")),
        ]
    );
    assert_eq!(manifest.subject.unwrap().digest, digest_of(Algorithm::Sha256, b"subject"));
}

#[test]
fn the_artifact_type_is_its_own_else_the_configurations() {
    let own = r#","artifactType":"application/x""#;
    for (name, text, expected) in [
        ("an image's own", image(own), Some("application/x")),
        ("an image's configuration", image(""), Some(media_type::OCI_CONFIG)),
        ("an index's own", index(own), Some("application/x")),
        ("an index without", index(""), None),
        ("empty counts as none", index(r#","artifactType":"""#), None),
    ] {
        let manifest = parse(&text, None).unwrap();
        assert_eq!(manifest.artifact_type.as_deref(), expected, "{name}");
    }
}

proptest! {
    #[test]
    fn parse_never_panics_on_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Manifest::parse(&bytes, Some(OCI_MANIFEST));
    }

    #[test]
    fn parse_never_panics_on_a_manifest_with_bytes_changed(
        at in 0_usize..600,
        with in prop::collection::vec(any::<u8>(), 0..6),
        cut in 0_usize..6,
        indexed: bool,
    ) {
        let mut bytes = if indexed { index("") } else { image("") }.into_bytes();
        let at = at.min(bytes.len());
        let end = (at + cut).min(bytes.len());
        bytes.splice(at..end, with);
        if let Ok(manifest) = Manifest::parse(&bytes, None) {
            prop_assert!(manifest.references().len() <= REFERENCES_MAX);
        }
    }
}

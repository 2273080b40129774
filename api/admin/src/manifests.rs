//! `/api/v0/repositories/{ns}/{repo}/manifests`: what a repository holds, and what is in an image.
//!
//! Source: dtr-interface 2.2, 3.2.

use axum::response::Response;
use consensus::cluster::Freshness;
use content::content::Content;
use edge::answer;
use edge::problem::Problem;
use http::StatusCode;
use metadata::access::Action;
use metadata::manifests::delete::ManifestDelete;
use metadata::manifests::{self, ManifestRow};
use oci::digest::Digest;
use oci::image::ImageConfig;
use oci::manifest::{Kind, Manifest};
use serde_json::{Map, Value, json};

use crate::call::Call;
use crate::moment;
use crate::paging::{self, Part};
use crate::reading::read;
use crate::repositories::{named, permit};

/// Images that one answer opens, at most.
pub(crate) const OPENED_MAX: usize = 500;
/// An image's configuration in bytes, and its steps that are shown, at most.
const CONFIG_BYTES_MAX: u64 = 1024 * 1024;
const STEPS_MAX: usize = 512;

/// A part of a repository's manifests, by digest.
pub async fn list(call: Call) -> Result<Response, Problem> {
    let repository = named(&call)?;
    let caller = call.signed_in().await?;
    permit(&call.context, &caller, &repository, Action::Pull).await?;
    let mut part = Part::of_page(&call.query)?;
    part.limit = part.limit.min(OPENED_MAX);
    let start = match part.start.as_str() {
        "" => None,
        text => Some(Digest::parse(text).map_err(|_| {
            Problem::Parameter("pageStart is an X-Next-Page-Start of this list".to_owned())
        })?),
    };
    let found = read(&call.context.cluster, Freshness::Local, |view| {
        Ok(manifests::listing(view, &repository, start.as_ref(), part.limit)?)
    });
    let found = found.await?;
    let mut shown = Vec::with_capacity(found.items.len());
    for (digest, row) in &found.items {
        shown.push(described(&call.context.content, digest, row).await?);
    }
    let mut response = answer::json(StatusCode::OK, &shown);
    let next = found.next.map(|(digest, _)| digest.to_string());
    paging::tell(&mut response, next.as_deref(), None);
    Ok(response)
}

/// Deletes a manifest with the tags that point at it.
pub async fn delete(call: Call) -> Result<Response, Problem> {
    let repository = named(&call)?;
    let caller = call.signed_in().await?;
    permit(&call.context, &caller, &repository, Action::Delete).await?;
    let digest = Digest::parse(call.place("ref")).map_err(Problem::Digest)?;
    let delete = ManifestDelete { repository, digest, actor: caller.account().to_owned() };
    edge::manifest_deletion::run(&call.context.cluster, &caller, delete).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// One manifest as this API shows it: an image's configuration is opened, and its history set
/// beside its layers.
pub(crate) async fn described(
    content: &Content,
    digest: &Digest,
    row: &ManifestRow,
) -> Result<Value, Problem> {
    let mut shown = Map::new();
    shown.insert("digest".to_owned(), json!(digest.as_str()));
    shown.insert("mediaType".to_owned(), json!(row.media_type));
    shown.insert("createdAt".to_owned(), json!(moment::to_millisecond(row.pushed_wall_ms)));
    shown.insert("author".to_owned(), json!(row.pushed_by));
    let bytes = content.read_small(digest, row.size).await?;
    let Ok(manifest) = Manifest::parse(&bytes, Some(&row.media_type)) else {
        return Ok(shown.into());
    };
    if manifest.kind == Kind::Index {
        return Ok(shown.into());
    }
    // A foreign layer's size is whatever its pusher wrote.
    let sizes = manifest.layers.iter().map(|layer| layer.size);
    let size = sizes.fold(0_u64, u64::saturating_add);
    shown.insert("size".to_owned(), json!(size));
    let Some(config) = &manifest.config else { return Ok(shown.into()) };
    shown.insert("configDigest".to_owned(), json!(config.digest.as_str()));
    shown.insert("configMediaType".to_owned(), json!(config.media_type));
    if config.size <= CONFIG_BYTES_MAX {
        let bytes = content.read_small(&config.digest, config.size).await?;
        // An artifact's configuration is not an image's.
        if let Ok(image) = ImageConfig::parse(&bytes) {
            shown.extend(of_image(&image, &manifest));
        }
    }
    Ok(shown.into())
}

fn of_image(image: &ImageConfig, manifest: &Manifest) -> Map<String, Value> {
    let mut shown = Map::new();
    let mut add = |name: &str, text: &str| {
        if !text.is_empty() {
            shown.insert(name.to_owned(), json!(text));
        }
    };
    add("os", &image.os);
    add("architecture", &image.architecture);
    add("osVersion", image.os_version.as_deref().unwrap_or_default());
    add("author", image.author.as_deref().unwrap_or_default());
    add("createdAt", image.created.as_deref().unwrap_or_default());
    shown.insert("dockerfile".to_owned(), dockerfile(image, manifest).into());
    shown
}

/// The steps that made an image, each with the layer it left; layers that no step tells of follow.
fn dockerfile(image: &ImageConfig, manifest: &Manifest) -> Vec<Value> {
    let mut layers = manifest.layers.iter();
    let mut lines: Vec<Value> = Vec::new();
    for step in image.history.iter().take(STEPS_MAX) {
        let line = step.created_by.as_deref().unwrap_or_default();
        let layer = if step.empty_layer { None } else { layers.next() };
        lines.push(match layer {
            Some(layer) => with_layer(line, layer),
            None => json!({ "line": line, "layerDigest": "", "size": 0, "isEmpty": true }),
        });
    }
    let left = STEPS_MAX.saturating_sub(lines.len());
    lines.extend(layers.take(left).map(|layer| with_layer("", layer)));
    lines
}

fn with_layer(line: &str, layer: &oci::descriptor::Descriptor) -> Value {
    let mut shown = json!({
        "line": line,
        "layerDigest": layer.digest.as_str(),
        "mediaType": layer.media_type,
        "size": layer.size,
        "isEmpty": false,
    });
    if !layer.urls.is_empty() {
        shown["urls"] = json!(layer.urls);
    }
    shown
}

#[cfg(test)]
mod tests {
    use oci::image::ImageConfig;
    use oci::manifest::Manifest;
    use serde_json::{Value, json};

    use super::dockerfile;

    fn lines(history: &Value, layers: usize) -> Vec<(String, u64, bool)> {
        let digest = |n: usize| format!("sha256:{n:064x}");
        let layer = |n| json!({ "mediaType": "l", "digest": digest(n), "size": n });
        let layers: Vec<Value> = (1..=layers).map(layer).collect();
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let config = json!({ "mediaType": "c", "digest": digest(0), "size": 2 });
        let manifest = json!({
            "schemaVersion": 2, "mediaType": media_type, "config": config, "layers": layers,
        });
        let manifest = Manifest::parse(manifest.to_string().as_bytes(), Some(media_type)).unwrap();
        let image = json!({ "os": "linux", "history": history }).to_string();
        let image = ImageConfig::parse(image.as_bytes()).unwrap();
        let line = |line: &Value| {
            let text = line["line"].as_str().unwrap().to_owned();
            (text, line["size"].as_u64().unwrap(), line["isEmpty"].as_bool().unwrap())
        };
        dockerfile(&image, &manifest).iter().map(line).collect()
    }

    #[test]
    fn steps_stand_beside_their_layers() {
        let add = json!({ "created_by": "ADD" });
        let env = json!({ "created_by": "ENV", "empty_layer": true });
        let line = |text: &str, size, is_empty| (text.to_owned(), size, is_empty);
        let both = [line("ADD", 1, false), line("ENV", 0, true), line("ADD", 2, false)];
        assert_eq!(lines(&json!([add, env, add]), 2), both);
        // A history that is short, or tells of layers that are not there.
        assert_eq!(lines(&json!([add]), 2), [line("ADD", 1, false), line("", 2, false)]);
        assert_eq!(lines(&json!([add, add]), 1), [line("ADD", 1, false), line("ADD", 0, true)]);
        assert_eq!(lines(&json!([]), 0), []);
    }
}

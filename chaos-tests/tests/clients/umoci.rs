//! umoci: an OCI layout built with real tools, carried by skopeo, unpacked again and compared.

use chaos_tests::cluster::Cluster;
use chaos_tests::executable::text;
use chaos_tests::programs::Program;

use crate::hosts;
use crate::layout::{Layer, folder_digests, unpack};
use crate::skopeo::Flags;

/// Builds an image of two layers, pushes it through one replica, and unpacks it from the others.
pub(crate) async fn builds_what_comes_back_the_same(cluster: &Cluster) {
    let (Some(umoci), Some(skopeo)) = (Program::new("umoci"), Program::new("skopeo")) else {
        return;
    };
    let (hosts, folder) = (hosts(cluster), tempfile::tempdir().unwrap());
    let flags = Flags::of(cluster, folder.path()).await;
    let own = text(&folder.path().join("own"));
    umoci.run(&["init", "--layout", &own]).await.unwrap();
    let image = format!("{own}:v1");
    umoci.run(&["new", "--image", &image]).await.unwrap();
    let wanted = folder.path().join("wanted");
    for (name, seed) in [("below", 41), ("above", 42)] {
        let layer = Layer::make(folder.path(), name, seed, 1).await;
        unpack(&layer.tar, &wanted).await;
        umoci.run(&["raw", "add-layer", "--image", &image, &text(&layer.tar)]).await.unwrap();
    }
    umoci.run(&["config", "--image", &image, "--config.env", "FROM=umoci"]).await.unwrap();
    // What earlier steps left would not come back: nothing refers to it.
    umoci.run(&["gc", "--layout", &own]).await.unwrap();
    let to = format!("docker://{}/umoci/app:v1", hosts[2]);
    flags.copy_in(&skopeo, &format!("oci:{image}"), &to).await;
    for (place, host) in hosts.iter().enumerate().take(2) {
        let other = text(&folder.path().join(format!("other-{place}")));
        let from = format!("docker://{host}/umoci/app:v1");
        flags.copy_out(&skopeo, &from, &format!("oci:{other}:v1")).await;
        let blobs = |layout: &str| folder_digests(&std::path::Path::new(layout).join("blobs"));
        assert_eq!(blobs(&other), blobs(&own), "from replica {place}");
        let root = folder.path().join(format!("root-{place}"));
        let unpack = ["raw", "unpack", "--rootless", "--image", &format!("{other}:v1")];
        umoci.run(&[&unpack[..], &[&text(&root)]].concat()).await.unwrap();
        assert_eq!(folder_digests(&root), folder_digests(&wanted), "from replica {place}");
    }
}

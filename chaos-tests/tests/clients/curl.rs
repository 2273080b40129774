//! curl: what a shell script does, by hand, one request after the other, each at the next replica.

use std::fs;

use chaos_tests::cluster::Cluster;
use chaos_tests::executable::text;
use chaos_tests::image::{Image, MANIFEST};
use chaos_tests::programs::Program;

use crate::layout::file_digest;
use crate::{credentials, ends_well, gone_everywhere};

/// curl with the cluster's authority and the administrator's credentials.
async fn curl(cluster: &Cluster) -> Option<Program> {
    let ca = text(&cluster.ca_file().await.unwrap());
    let who = credentials(cluster);
    Some(Program::new("curl")?.with(&["-sS", "--fail-with-body", "--cacert", &ca, "-u", &who]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curl_pushes_each_step_to_another_replica_and_reads_the_same_everywhere() {
    let cluster = Cluster::start(3).await.unwrap();
    let Some(curl) = curl(&cluster).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let urls: Vec<String> = cluster.replicas.iter().map(|it| it.url.clone()).collect();
    let image = Image::with_layer(6, 3 << 20);
    for (number, blob) in image.blobs.iter().enumerate() {
        let file = folder.path().join(format!("blob-{number}"));
        fs::write(&file, &blob.bytes).unwrap();
        let place = start_upload(&curl, &urls[0]).await;
        let body = format!("@{}", text(&file));
        let (to, octets) =
            (format!("{}{place}", urls[1]), "content-type: application/octet-stream");
        curl.run(&["-X", "PATCH", "-H", octets, "--data-binary", &body, &to]).await.unwrap();
        let close = format!("{}{place}?digest={}", urls[2], blob.digest);
        curl.run(&["-X", "PUT", "-H", "content-length: 0", &close]).await.unwrap();
    }
    let manifest = folder.path().join("manifest");
    fs::write(&manifest, &image.manifest.bytes).unwrap();
    let (kind, body) = (format!("content-type: {MANIFEST}"), format!("@{}", text(&manifest)));
    let to = format!("{}/v2/curl/app/manifests/v1", urls[0]);
    curl.run(&["-X", "PUT", "-H", &kind, "--data-binary", &body, &to]).await.unwrap();
    for url in &urls {
        let came = folder.path().join("came");
        for blob in &image.blobs {
            let from = format!("{url}/v2/curl/app/blobs/{}", blob.digest);
            curl.run(&["-o", &text(&came), &from]).await.unwrap();
            assert_eq!(file_digest(&came), blob.digest, "{url}");
        }
        curl.run(&["-o", &text(&came), &format!("{url}/v2/curl/app/manifests/v1")]).await.unwrap();
        assert_eq!(fs::read(&came).unwrap(), image.manifest.bytes, "{url}");
        let list = curl.run(&[&format!("{url}/v2/curl/app/tags/list")]).await.unwrap();
        assert_eq!(list, "{\"name\":\"curl/app\",\"tags\":[\"v1\"]}", "{url}");
        let catalog = curl.run(&["--http2", &format!("{url}/v2/_catalog")]).await.unwrap();
        assert!(catalog.contains("curl/app"), "{catalog}");
    }
    let delete = format!("{}/v2/curl/app/manifests/{}", urls[2], image.manifest.digest);
    curl.run(&["-X", "DELETE", &delete]).await.unwrap();
    gone_everywhere(&cluster, "curl/app", "v1").await;
    ends_well(&cluster);
}

/// Opens an upload and gives its path, which is the same on every replica.
async fn start_upload(curl: &Program, url: &str) -> String {
    let to = format!("{url}/v2/curl/app/blobs/uploads/");
    let headers = curl.run(&["-X", "POST", "-D", "-", "-o", "/dev/null", &to]).await.unwrap();
    let line = headers.lines().find(|line| line.to_lowercase().starts_with("location:"));
    let place =
        line.and_then(|line| line.split_once(':')).map(|(_, place)| place.trim().to_owned());
    let place = place.unwrap_or_else(|| panic!("no location in {headers}"));
    assert!(place.starts_with("/v2/curl/app/blobs/uploads/"), "{place}");
    place
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curl_reads_the_health_pages_without_credentials() {
    let cluster = Cluster::start(1).await.unwrap();
    let ca = text(&cluster.ca_file().await.unwrap());
    let Some(curl) = Program::new("curl") else { return };
    let curl = curl.with(&["-sS", "--fail-with-body", "--cacert", &ca]);
    let url = &cluster.replicas[0].url;
    for path in ["/_ping", "/health"] {
        let said = curl.run(&[&format!("{url}{path}")]).await.unwrap();
        assert_eq!(said, "{\"Error\":\"\",\"Healthy\":true}", "{path}");
    }
    let page = curl.run(&[&format!("{url}/load_balancer_status")]).await.unwrap();
    assert!(page.contains("<table"), "{page}");
    let counts = curl.run(&[&format!("{url}/nginx_status")]).await.unwrap();
    assert!(counts.starts_with("Active connections: "), "{counts}");
    assert!(counts.contains("server accepts handled requests"), "{counts}");
    let authority = curl.run(&[&format!("{url}/ca")]).await.unwrap();
    assert!(authority.contains("BEGIN CERTIFICATE"), "{authority}");
    ends_well(&cluster);
}

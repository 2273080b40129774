//! Counts of requests, for `/metrics` and `/nginx_status`.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use http::{Method, StatusCode};

/// The surfaces that are counted apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    /// `/v2` and `/auth/token`.
    Registry,
    /// `/api/v0` and `/enzi/v0`.
    Management,
    /// The health paths.
    Health,
    /// Anything else.
    Other,
}

const SURFACES: [(Surface, &str); 4] = [
    (Surface::Registry, "registry"),
    (Surface::Management, "management"),
    (Surface::Health, "health"),
    (Surface::Other, "other"),
];
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OTHER"];
/// Status codes from 0xx to 9xx, by hundreds.
const CLASSES: usize = 10;
/// Upper ends of the histogram's buckets in milliseconds.
const BUCKETS_MS: [u64; 10] = [1, 5, 10, 50, 100, 500, 1_000, 5_000, 10_000, 60_000];

impl Surface {
    /// The surface a path belongs to.
    pub fn of(path: &str) -> Self {
        let begins = |with: &str| path == with || path.starts_with(&format!("{with}/"));
        if begins("/v2") || begins("/auth") {
            Self::Registry
        } else if begins("/api") || begins("/enzi") {
            Self::Management
        } else if matches!(
            path,
            "/_ping" | "/health" | "/load_balancer_status" | "/nginx_status" | "/ca" | "/metrics"
        ) {
            Self::Health
        } else {
            Self::Other
        }
    }
}

/// One surface's requests.
#[derive(Default)]
struct PerSurface {
    by_method_and_class: [[AtomicU64; CLASSES]; METHODS.len()],
    buckets: [AtomicU64; BUCKETS_MS.len()],
    duration_ms: AtomicU64,
}

/// All counts of this process.
#[derive(Default)]
pub struct Traffic {
    surfaces: [PerSurface; SURFACES.len()],
    received_bytes: AtomicU64,
    sent_bytes: AtomicU64,
    in_flight: AtomicI64,
    connections_accepted: AtomicU64,
    connections_handled: AtomicU64,
    connections_open: AtomicI64,
}

/// Connections, as `/nginx_status` shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// Open now.
    pub open: i64,
    /// Accepted so far.
    pub accepted: u64,
    /// Of these, served: not turned away for a failed handshake or the bound.
    pub handled: u64,
    /// Requests so far.
    pub requests: u64,
    /// Requests under way.
    pub in_flight: i64,
}

impl Traffic {
    /// Counts a request whose answer's head is ready.
    pub fn answered(&self, surface: Surface, method: &Method, status: StatusCode, took: Duration) {
        let surface = &self.surfaces[surface as usize];
        let method = METHODS.iter().position(|name| *name == method.as_str());
        let method = method.unwrap_or(METHODS.len() - 1);
        let class = usize::from(status.as_u16() / 100).min(CLASSES - 1);
        add(&surface.by_method_and_class[method][class], 1);
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        add(&surface.duration_ms, took_ms);
        if let Some(bucket) = BUCKETS_MS.iter().position(|bound| took_ms <= *bound) {
            add(&surface.buckets[bucket], 1);
        }
    }

    /// Counts bytes of request bodies.
    pub fn received(&self, bytes: usize) {
        add(&self.received_bytes, bytes as u64);
    }

    /// Counts bytes of answer bodies.
    pub fn sent(&self, bytes: usize) {
        add(&self.sent_bytes, bytes as u64);
    }

    /// A request begins (+1) or its answer's last byte is gone (-1).
    pub fn under_way(&self, change: i64) {
        self.in_flight.fetch_add(change, Ordering::Relaxed);
    }

    /// A connection was accepted.
    pub fn connection_accepted(&self) {
        add(&self.connections_accepted, 1);
        self.connections_open.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection is ready for requests.
    pub fn connection_handled(&self) {
        add(&self.connections_handled, 1);
    }

    /// A connection ended.
    pub fn connection_closed(&self) {
        self.connections_open.fetch_sub(1, Ordering::Relaxed);
    }

    /// The counts of connections.
    pub fn connections(&self) -> Connections {
        let all = self.surfaces.iter().flat_map(|surface| surface.by_method_and_class.iter());
        Connections {
            open: self.connections_open.load(Ordering::Relaxed),
            accepted: get(&self.connections_accepted),
            handled: get(&self.connections_handled),
            requests: all.flatten().map(get).sum(),
            in_flight: self.in_flight.load(Ordering::Relaxed),
        }
    }

    /// The counts in Prometheus' text form.
    pub fn render(&self, out: &mut String) {
        out.push_str("# HELP holdfast_http_requests_total Requests answered.\n");
        out.push_str("# TYPE holdfast_http_requests_total counter\n");
        for (surface, name) in SURFACES {
            self.surfaces[surface as usize].render_counts(name, out);
        }
        out.push_str("# HELP holdfast_http_request_seconds Time to the head of the answer.\n");
        out.push_str("# TYPE holdfast_http_request_seconds histogram\n");
        for (surface, name) in SURFACES {
            self.surfaces[surface as usize].render_times(name, out);
        }
        let connections = self.connections();
        let totals = [
            ("holdfast_http_received_bytes_total", "counter", get(&self.received_bytes)),
            ("holdfast_http_sent_bytes_total", "counter", get(&self.sent_bytes)),
            ("holdfast_http_connections_total", "counter", connections.accepted),
            ("holdfast_http_connections_open", "gauge", floor(connections.open)),
            ("holdfast_http_requests_in_flight", "gauge", floor(connections.in_flight)),
        ];
        for (name, kind, value) in totals {
            out.push_str(&format!("# TYPE {name} {kind}\n{name} {value}\n"));
        }
    }
}

impl PerSurface {
    fn render_counts(&self, surface: &str, out: &mut String) {
        for (method, classes) in METHODS.iter().zip(&self.by_method_and_class) {
            for (class, count) in classes.iter().map(get).enumerate().filter(|(_, n)| *n > 0) {
                out.push_str(&format!(
                    "holdfast_http_requests_total{{surface=\"{surface}\",method=\"{method}\",\
                     status=\"{class}xx\"}} {count}\n"
                ));
            }
        }
    }

    fn render_times(&self, surface: &str, out: &mut String) {
        let name = "holdfast_http_request_seconds";
        let all: u64 = self.by_method_and_class.iter().flatten().map(get).sum();
        let mut below = 0;
        for (bound_ms, bucket) in BUCKETS_MS.iter().zip(&self.buckets) {
            below += get(bucket);
            let bound = seconds(*bound_ms);
            out.push_str(&format!(
                "{name}_bucket{{surface=\"{surface}\",le=\"{bound}\"}} {below}\n"
            ));
        }
        let sum = seconds(get(&self.duration_ms));
        out.push_str(&format!("{name}_bucket{{surface=\"{surface}\",le=\"+Inf\"}} {all}\n"));
        out.push_str(&format!("{name}_sum{{surface=\"{surface}\"}} {sum}\n"));
        out.push_str(&format!("{name}_count{{surface=\"{surface}\"}} {all}\n"));
    }
}

fn add(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn floor(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// Milliseconds as a decimal number of seconds.
fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1_000, ms % 1_000)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{Method, StatusCode};

    use super::{Surface, Traffic};

    #[test]
    fn paths_belong_to_surfaces() {
        let cases = [
            ("/v2", Surface::Registry),
            ("/v2/a/blobs/x", Surface::Registry),
            ("/auth/token", Surface::Registry),
            ("/api/v0/meta/settings", Surface::Management),
            ("/enzi/v0/accounts", Surface::Management),
            ("/_ping", Surface::Health),
            ("/v2x", Surface::Other),
            ("/", Surface::Other),
        ];
        for (path, expected) in cases {
            assert_eq!(Surface::of(path), expected, "{path}");
        }
    }

    #[test]
    fn every_request_is_in_the_counts_once() {
        let traffic = Traffic::default();
        let took = Duration::from_millis(7);
        traffic.answered(Surface::Registry, &Method::GET, StatusCode::OK, took);
        traffic.answered(Surface::Registry, &Method::GET, StatusCode::NOT_FOUND, took);
        traffic.answered(Surface::Health, &Method::TRACE, StatusCode::OK, took);
        assert_eq!(traffic.connections().requests, 3);
        let mut text = String::new();
        traffic.render(&mut text);
        for line in [
            "holdfast_http_requests_total{surface=\"registry\",method=\"GET\",status=\"2xx\"} 1",
            "holdfast_http_requests_total{surface=\"health\",method=\"OTHER\",status=\"2xx\"} 1",
            "holdfast_http_request_seconds_bucket{surface=\"registry\",le=\"0.005\"} 0",
            "holdfast_http_request_seconds_bucket{surface=\"registry\",le=\"0.010\"} 2",
            "holdfast_http_request_seconds_sum{surface=\"registry\"} 0.014",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }
}

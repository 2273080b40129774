//! The public listeners: accept, bound, drain.

use std::sync::Arc;
use std::time::Duration;

use edge::context::Context;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use wire::listen::Listen;
use wire::server_tls::ServerTls;

use crate::answers::Door;
use crate::bounds::Bounds;
use crate::connection::{self, Shared};
use crate::inflow::Unread;
use crate::plain::Plain;
use crate::surfaces::Surfaces;
use crate::windows::Budget;

/// After an error of accepting, which concerns one connection or the lack of file descriptors.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(50);

/// What the public listeners are started with.
pub struct PublicOptions {
    /// Connections and requests run here.
    pub runtime: Handle,
    /// The replica.
    pub context: Arc<Context>,
    /// What answers.
    pub surfaces: Arc<Surfaces>,
    /// Where HTTPS listens.
    pub listen: Arc<dyn Listen>,
    /// Its certificate.
    pub tls: Arc<ServerTls>,
    /// Where plain HTTP listens and what it does, where it is on.
    pub plain: Option<(Arc<dyn Listen>, Plain)>,
    /// What connections may take.
    pub bounds: Bounds,
}

/// The public listeners of a replica.
pub struct Public {
    context: Arc<Context>,
    drain: watch::Sender<bool>,
    accepting: Vec<JoinHandle<()>>,
    slots: Arc<Semaphore>,
    connections_max: usize,
}

impl Public {
    /// Begins to accept connections.
    pub fn start(options: PublicOptions) -> Self {
        let (drain, draining) = watch::channel(false);
        let bounds = options.bounds;
        let slots = Arc::new(Semaphore::new(bounds.connections_max));
        let budget = Budget::of(bounds.unread_bytes_max);
        let unread = Arc::new(Unread::new(bounds.unread_bytes_max));
        let shared = |plain: Option<Plain>, tls: Option<Arc<ServerTls>>| {
            let door = Door { surfaces: Arc::clone(&options.surfaces), plain: plain.map(Arc::new) };
            let (context, draining) = (Arc::clone(&options.context), draining.clone());
            let (budget, unread) = (budget.clone(), Arc::clone(&unread));
            Arc::new(Shared { context, door, tls, budget, unread, bounds, draining })
        };
        let secure = shared(None, Some(Arc::clone(&options.tls)));
        let mut ports = vec![(Arc::clone(&options.listen), secure)];
        if let Some((listen, plain)) = &options.plain {
            let open = shared(Some(plain.clone()), None);
            ports.push((Arc::clone(listen), open));
        }
        let accepting = ports.into_iter().map(|(listen, shared)| {
            options.runtime.spawn(accept(listen, shared, Arc::clone(&slots)))
        });
        let accepting = accepting.collect();
        let (context, connections_max) = (options.context, bounds.connections_max);
        Self { context, drain, accepting, slots, connections_max }
    }

    /// Stops accepting, lets requests finish for at most `drain_max`, then closes what is left.
    ///
    /// `/_ping` turns unhealthy at once, so that balancers look elsewhere.
    pub async fn drain(self, drain_max: Duration) {
        self.context.start_draining();
        for accepting in &self.accepting {
            accepting.abort();
        }
        let _ = self.drain.send(true);
        let all = u32::try_from(self.connections_max).unwrap_or(u32::MAX);
        let ended = self.slots.acquire_many(all);
        if tokio::time::timeout(drain_max, ended).await.is_err() {
            tracing::info!("closing connections that did not end in time");
        }
    }
}

async fn accept(listen: Arc<dyn Listen>, shared: Arc<Shared>, slots: Arc<Semaphore>) {
    loop {
        // Beyond the bound, newcomers wait in the system's queue.
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        match listen.accept().await {
            Ok((stream, from)) => {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    let _slot = slot;
                    let context = Arc::clone(&shared.context);
                    context.traffic.connection_accepted();
                    connection::serve(shared, stream, from).await;
                    context.traffic.connection_closed();
                });
            }
            Err(error) => {
                tracing::warn!("accepting a connection failed: {error}");
                tokio::time::sleep(PAUSE_AFTER_ERROR).await;
            }
        }
    }
}

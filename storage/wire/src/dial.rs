//! Opening connections, as a trait that a simulation can stand in for.

use std::io;
use std::time::Duration;

use async_trait::async_trait;
use tokio::net::TcpStream;

use crate::keep_alive;
use crate::stream::BoxStream;

/// A way to reach other machines.
#[async_trait]
pub trait Dial: Send + Sync {
    /// Opens a connection to `address`, `HOST:PORT`.
    async fn dial(&self, address: &str) -> io::Result<BoxStream>;
}

/// Dials over TCP.
#[derive(Clone, Debug)]
pub struct TcpDial {
    /// A connection that is not open by then has failed; looking up the name counts too.
    pub connect_max: Duration,
}

impl Default for TcpDial {
    fn default() -> Self {
        Self { connect_max: Duration::from_secs(3) }
    }
}

#[async_trait]
impl Dial for TcpDial {
    async fn dial(&self, address: &str) -> io::Result<BoxStream> {
        let named = |error: io::Error| {
            io::Error::new(error.kind(), format!("cannot connect to {address}: {error}"))
        };
        let stream = tokio::time::timeout(self.connect_max, TcpStream::connect(address))
            .await
            .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "no answer")))
            .map_err(named)?;
        keep_alive::set_up(&stream)?;
        Ok(Box::new(stream))
    }
}

#[cfg(test)]
mod tests {
    use super::{Dial, TcpDial};
    use crate::listen::{Listen, TcpListen};

    #[tokio::test]
    async fn dialling_reaches_a_listener_and_names_an_address_that_refuses() {
        let listener = TcpListen::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let dial = TcpDial::default();
        let (dialled, accepted) = tokio::join!(dial.dial(&address), listener.accept());
        assert!(dialled.is_ok() && accepted.is_ok());
        drop(listener);
        let error = dial.dial(&address).await.err().unwrap();
        assert!(error.to_string().contains(&address), "{error}");
    }
}

//! Finding out that a machine is gone which did not say so.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// A connection that is silent for so long is asked for a sign of life …
const IDLE: Duration = Duration::from_secs(15);
/// … as often as this …
const BETWEEN: Duration = Duration::from_secs(5);
/// … and closed after so many without an answer.
const TRIES: u32 = 3;

/// Sets a connection up as all of ours are: small writes leave at once, dead ones end by
/// themselves.
pub(crate) fn set_up(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keep_alive = TcpKeepalive::new().with_time(IDLE).with_interval(BETWEEN).with_retries(TRIES);
    SockRef::from(stream).set_tcp_keepalive(&keep_alive)
}

//! Names and ports: the advertised name is this machine's, and nobody else listens where we want
//! to.

use std::net::{IpAddr, SocketAddr, TcpListener, ToSocketAddrs, UdpSocket};

/// Checks that `advertised`, `HOST:PORT`, resolves and that at least one of its addresses is ours.
pub fn is_ours(advertised: &str) -> Result<(), String> {
    let host = advertised.rsplit_once(':').map_or(advertised, |(host, _)| host);
    let addresses: Vec<IpAddr> = advertised
        .to_socket_addrs()
        .map_err(|error| {
            format!(
                "the other replicas would look for this one at {advertised}, but {host} does not \
                 resolve ({error}): set `peer.advertise` to a name or an address of this machine"
            )
        })?
        .map(|address| address.ip())
        .collect();
    // Only an address of this machine can be bound; UDP, since no port is taken away so.
    if addresses.iter().any(|address| UdpSocket::bind((*address, 0)).is_ok()) {
        return Ok(());
    }
    let list = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    Err(format!(
        "{host} is {list}, and none of that is an address of this machine: set `peer.advertise` to \
         a name or an address of this machine, or mend DNS or /etc/hosts"
    ))
}

/// Checks that `address` of the key `key` can be listened on.
pub fn port_is_free(key: &str, address: &str) -> Result<(), String> {
    let resolved: Vec<SocketAddr> = address
        .to_socket_addrs()
        .map_err(|error| format!("`{key}` is {address}, which does not resolve: {error}"))?
        .collect();
    match TcpListener::bind(&*resolved) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("`{key}` cannot listen on {address}: {}", in_words(&error))),
    }
}

/// Why an address cannot be listened on, and what to do.
pub fn in_words(error: &std::io::Error) -> String {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::AddrInUse => {
            "another program listens there; stop it or choose another port (`ss -ltnp` shows who)"
                .into()
        }
        ErrorKind::PermissionDenied => {
            "ports below 1024 need root or CAP_NET_BIND_SERVICE (the systemd unit has it)".into()
        }
        ErrorKind::AddrNotAvailable => "that is not an address of this machine".into(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_address_is_ours_and_another_is_not() {
        assert_eq!(is_ours("127.0.0.1:1"), Ok(()));
        assert_eq!(is_ours("localhost:1"), Ok(()));
        // TEST-NET-1 is nobody's.
        assert!(is_ours("192.0.2.1:1").unwrap_err().contains("peer.advertise"));
        assert!(is_ours("nobody.invalid:1").unwrap_err().contains("nobody.invalid"));
    }

    #[test]
    fn a_taken_port_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let error = port_is_free("peer.listen", &address).unwrap_err();
        assert!(error.contains(&address) && error.contains("another program"), "{error}");
        drop(taken);
        assert_eq!(port_is_free("peer.listen", &address), Ok(()));
    }
}

//! The generated messages: what is on the disk ([`records`]) and what replicas say ([`peer`]).

#![allow(missing_docs, unreachable_pub, clippy::pedantic, clippy::wildcard_imports)]

pub(crate) mod holdfast {
    pub(crate) mod records {
        pub(crate) mod v1 {
            tonic::include_proto!("holdfast.records.v1");
        }
    }
    pub(crate) mod peer {
        pub(crate) mod v1 {
            tonic::include_proto!("holdfast.peer.v1");
        }
    }
}

pub(crate) use holdfast::peer::v1 as peer;
pub(crate) use holdfast::records::v1 as records;

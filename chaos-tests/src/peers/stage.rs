//! All contenders of a ground, running side by side and idle until it is their turn.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};

use super::docker_registry::DockerRegistry;
use super::figures::{self, Access, Figures, Run};
use super::lines::{Contender, Ground};
use super::machine;
use super::nginx::{self, Nginx};
use super::quick_start::QuickStart;
use super::running::Running;

/// Whoever could be started, and how they are reached.
pub struct Stage {
    accesses: BTreeMap<Contender, Access>,
    three: Vec<u32>,
    /// Whoever leaves the stage is stopped.
    servers: Vec<Running>,
}

impl Stage {
    /// Starts the contenders of a ground with all their data in `folder`.
    pub fn start(ground: Ground, folder: &Path) -> Result<Self> {
        let mut stage = Self { accesses: BTreeMap::new(), three: Vec::new(), servers: Vec::new() };
        if ground == Ground::Scale {
            stage.add(QuickStart::start(&folder.join("small"), 1)?, Contender::Small);
            stage.add(QuickStart::start(&folder.join("large"), 1)?, Contender::Large);
            return Ok(stage);
        }
        stage.add(QuickStart::start(&folder.join("one"), 1)?, Contender::One);
        stage.add(QuickStart::start(&folder.join("three"), 3)?, Contender::Three);
        if let Some(registry) = DockerRegistry::start(&folder.join("registry"))? {
            let access = Access { urls: vec![registry.url.clone()], ..Access::default() };
            stage.accesses.insert(Contender::Registry, access);
            stage.servers.push(registry.running);
        }
        if ground == Ground::Disk
            && let Some(nginx) = Nginx::start(&folder.join("nginx"))?
        {
            stage.add_nginx(nginx);
        }
        Ok(stage)
    }

    fn add(&mut self, cluster: QuickStart, as_whom: Contender) {
        let access = Access {
            urls: cluster.urls.clone(),
            password_file: Some(cluster.password_file.clone()),
            ..Access::default()
        };
        match as_whom {
            Contender::One => {
                let (urls, ca) = (cluster.tls_urls.clone(), Some(cluster.ca.clone()));
                let tls = Access { urls, ca, ..access.clone() };
                self.accesses.insert(Contender::OneTls, tls);
            }
            Contender::Three => self.three.clone_from(&cluster.pids),
            _ => {}
        }
        self.accesses.insert(as_whom, access);
        self.servers.push(cluster.running);
    }

    fn add_nginx(&mut self, nginx: Nginx) {
        let images = Some(nginx::REPOSITORY);
        let plain = Access { urls: vec![nginx.url.clone()], images, ..Access::default() };
        let (urls, ca) = (vec![nginx.tls_url.clone()], Some(nginx.certificate.clone()));
        let tls = Access { urls, ca, images, ..Access::default() };
        self.accesses.insert(Contender::Nginx, plain);
        self.accesses.insert(Contender::NginxTls, tls);
        self.servers.push(nginx.running);
    }

    /// Measures one of them; `None` where it could not be started here.
    pub fn measure(&self, contender: Contender, run: Run) -> Result<Option<Figures>> {
        let Some(access) = self.accesses.get(&contender) else { return Ok(None) };
        machine::settle();
        let figures = figures::measure(access, run);
        figures.map(Some).with_context(|| contender.name().to_owned())
    }

    /// The processes of the three replicas.
    pub fn three(&self) -> &[u32] {
        &self.three
    }
}

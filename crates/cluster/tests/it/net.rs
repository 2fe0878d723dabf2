//! A network in memory: addresses, listeners and pipes, no kernel.

use backlot_core::BoxFuture;
use backlot_core::net::{Listener, Network, Stream};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;

/// One network for all who hold a clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory(Arc<Mutex<BTreeMap<SocketAddr, mpsc::Sender<DuplexStream>>>>);

struct Bound {
    net: Memory,
    address: SocketAddr,
    callers: mpsc::Receiver<DuplexStream>,
}

fn parse(address: &str) -> io::Result<SocketAddr> {
    address.parse().map_err(|_| {
        io::Error::new(
            io::ErrorKind::AddrNotAvailable,
            "not an address of this world",
        )
    })
}

impl Network for Memory {
    fn bind<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        Box::pin(async move {
            let address = parse(address)?;
            let mut listeners = self.0.lock().unwrap();
            if listeners.contains_key(&address) {
                return Err(io::ErrorKind::AddrInUse.into());
            }
            let (sender, callers) = mpsc::channel(1024);
            listeners.insert(address, sender);
            Ok(Box::new(Bound {
                net: self.clone(),
                address,
                callers,
            }) as Box<dyn Listener>)
        })
    }

    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Stream>> {
        Box::pin(async move {
            let listener = self.0.lock().unwrap().get(&parse(address)?).cloned();
            let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
            let (ours, theirs) = tokio::io::duplex(64 * 1024);
            listener
                .ok_or_else(refused)?
                .try_send(theirs)
                .map_err(|_| refused())?;
            Ok(Stream::Other(Box::new(ours)))
        })
    }
}

impl Listener for Bound {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(Stream, SocketAddr)>> {
        Box::pin(async move {
            match self.callers.recv().await {
                Some(stream) => Ok((Stream::Other(Box::new(stream)), self.address)),
                None => std::future::pending().await,
            }
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        self.net.0.lock().unwrap().remove(&self.address);
    }
}

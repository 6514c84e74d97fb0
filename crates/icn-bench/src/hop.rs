//! What one message between two processes costs: bare libp2p request-response over QUIC on loopback.

use std::io;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, StreamExt as _};
use libp2p::request_response::{Behaviour, Codec, Config, Event, Message, ProtocolSupport};
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, PeerId, StreamProtocol, Swarm, SwarmBuilder};
use tokio::runtime::Runtime;

use crate::measure::Samples;

/// The largest message that the codec reads, in bytes.
const BYTES_MAX: u64 = 1 << 20;

/// How long the two may take to meet.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Raw bytes, ended by closing the write side.
#[derive(Debug, Clone, Default)]
pub(crate) struct Raw;

impl Codec for Raw {
    type Protocol = StreamProtocol;
    type Request = Vec<u8>;
    type Response = Vec<u8>;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        read(io).await
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        read(io).await
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, bytes: Vec<u8>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&bytes).await
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, bytes: Vec<u8>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&bytes).await
    }
}

async fn read<T: AsyncRead + Unpin + Send>(io: &mut T) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io.take(BYTES_MAX).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

/// Measures requests of so many bytes and their responses, one after another, each side on a thread of its own.
///
/// # Errors
///
/// When there is no loopback network.
pub fn round_trips(each: Duration, bytes: usize) -> Result<Samples> {
    let runtime = crate::process::runtime()?;
    // QUIC's sockets belong to the runtime in whose context they are opened.
    let _context = runtime.enter();
    let mut answering = swarm()?;
    let peer = *answering.local_peer_id();
    let address = runtime.block_on(listen(&mut answering))?;
    let task = runtime.spawn(answer(answering));
    let measured = ask(&runtime, peer, address, each, bytes);
    task.abort();
    measured
}

fn ask(runtime: &Runtime, peer: PeerId, address: Multiaddr, each: Duration, bytes: usize) -> Result<Samples> {
    let mut asking = swarm()?;
    asking.dial(address).context("dialling on loopback")?;
    let meet = async {
        loop {
            if let SwarmEvent::ConnectionEstablished { .. } = asking.select_next_some().await {
                return;
            }
        }
    };
    runtime
        .block_on(async { tokio::time::timeout(CONNECT_TIMEOUT, meet).await })
        .context("QUIC on loopback")?;
    Samples::collect(each, || runtime.block_on(round_trip(&mut asking, &peer, vec![42; bytes])))
}

fn swarm() -> Result<Swarm<Behaviour<Raw>>> {
    let protocol = (StreamProtocol::new("/icn/bench/1.0.0"), ProtocolSupport::Full);
    Ok(SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_quic()
        .with_behaviour(|_| Behaviour::<Raw>::new([protocol], Config::default()))?
        .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(60)))
        .build())
}

async fn listen(swarm: &mut Swarm<Behaviour<Raw>>) -> Result<Multiaddr> {
    swarm.listen_on("/ip4/127.0.0.1/udp/0/quic-v1".parse()?)?;
    loop {
        if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
            return Ok(address);
        }
    }
}

/// Sends each request back.
async fn answer(mut swarm: Swarm<Behaviour<Raw>>) {
    loop {
        let event = swarm.select_next_some().await;
        if let SwarmEvent::Behaviour(Event::Message {
            message: Message::Request { request, channel, .. },
            ..
        }) = event
        {
            // An asker that has gone needs no answer.
            drop(swarm.behaviour_mut().send_response(channel, request));
        }
    }
}

async fn round_trip(swarm: &mut Swarm<Behaviour<Raw>>, peer: &PeerId, request: Vec<u8>) -> Result<()> {
    let id = swarm.behaviour_mut().send_request(peer, request);
    loop {
        let event = swarm.select_next_some().await;
        if let SwarmEvent::Behaviour(Event::Message {
            message: Message::Response { request_id, .. }, ..
        }) = event
        {
            if request_id == id {
                return Ok(());
            }
        } else if let SwarmEvent::Behaviour(Event::OutboundFailure { error, .. }) = event {
            return Err(error).context("a request on loopback");
        } else if let SwarmEvent::ConnectionClosed { .. } = event {
            bail!("the connection on loopback was closed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_swarms_exchange_messages() {
        let samples = round_trips(Duration::from_millis(20), 256).unwrap();
        assert!(samples.quantile(0.5) > Duration::from_micros(1));
    }
}

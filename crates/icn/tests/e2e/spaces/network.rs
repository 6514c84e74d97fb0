//! A network of our own: every node in a network namespace, two switches, and a cable between them that can be pulled.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// Networks that this process has made, so that two tests do not take one name.
static MADE: AtomicU32 = AtomicU32::new(0);

/// The namespaces of one test. Dropping it takes them and all that is in them away; drop the nodes before.
pub(super) struct Network {
    ip: PathBuf,
    prefix: String,
    places: usize,
}

impl Network {
    /// Makes places of which the first `left` hang on one switch and the others on the other; none where that is not
    /// allowed, with the reason on stderr.
    pub(super) fn new(places: usize, left: usize) -> Option<Self> {
        let folders = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];
        let Some(ip) = folders.iter().map(|folder| Path::new(folder).join("ip")).find(|path| path.exists())
        else {
            eprintln!(
                "DID NOT RUN: there is no `ip` (Debian package iproute2) to make network namespaces with"
            );
            return None;
        };
        let prefix = format!("icn-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let network = Self { ip, prefix, places };
        match network.build(left) {
            Ok(()) => Some(network),
            Err(error) => {
                eprintln!("DID NOT RUN: this user may not make network namespaces: {error}");
                None
            }
        }
    }

    /// Names the namespace of a place.
    pub(super) fn place(&self, number: usize) -> String {
        format!("{}-{number}", self.prefix)
    }

    /// Says where a place is on the network.
    pub(super) fn listen(number: usize) -> String {
        format!("/ip4/10.77.0.{}/udp/7700/quic-v1", number + 1)
    }

    /// Pulls the cable between the switches.
    pub(super) fn cut(&self) {
        self.inside(&self.hub(), "link set cable down").unwrap();
    }

    /// Puts it back.
    pub(super) fn heal(&self) {
        self.inside(&self.hub(), "link set cable up").unwrap();
    }

    fn hub(&self) -> String {
        format!("{}-hub", self.prefix)
    }

    fn build(&self, left: usize) -> Result<(), String> {
        let hub = self.hub();
        self.run(&["netns", "add", &hub])?;
        for line in [
            "link add left type bridge",
            "link add right type bridge",
            "link add cable type veth peer name socket",
            "link set cable master left",
            "link set socket master right",
            "link set left up",
            "link set right up",
            "link set cable up",
            "link set socket up",
        ] {
            self.inside(&hub, line)?;
        }
        for number in 0..self.places {
            let place = self.place(number);
            self.run(&["netns", "add", &place])?;
            let switch = if number < left { "left" } else { "right" };
            self.inside(&hub, &format!("link add port{number} type veth peer name eth0 netns {place}"))?;
            self.inside(&hub, &format!("link set port{number} master {switch}"))?;
            self.inside(&hub, &format!("link set port{number} up"))?;
            self.inside(&place, &format!("address add 10.77.0.{}/24 dev eth0", number + 1))?;
            self.inside(&place, "link set lo up")?;
            self.inside(&place, "link set eth0 up")?;
        }
        Ok(())
    }

    fn inside(&self, place: &str, line: &str) -> Result<(), String> {
        let words: Vec<&str> = ["-n", place].into_iter().chain(line.split(' ')).collect();
        self.run(&words)
    }

    fn run(&self, args: &[&str]) -> Result<(), String> {
        let done = Command::new(&self.ip).args(args).output().map_err(|error| error.to_string())?;
        let said = || format!("`ip {}`: {}", args.join(" "), String::from_utf8_lossy(&done.stderr).trim());
        if done.status.success() { Ok(()) } else { Err(said()) }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for number in 0..self.places {
            // One that was never made cannot be taken away, which is what is wanted.
            let _ = self.run(&["netns", "delete", &self.place(number)]);
        }
        let _ = self.run(&["netns", "delete", &self.hub()]);
    }
}

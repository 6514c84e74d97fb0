//! A co-op of four members, each with a node of its own: real processes on loopback.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use icn_bench::Context;
use icn_bench::process::{Node, Usage};
use icn_gateway::api::books::{
    Invited, JoinRequest, NewCurrency, NewInvitation, NewSpace, Order, PayRequest, Rule, RuleRequest, Space,
    Written,
};
use icn_types::Cid;
use tempfile::TempDir;

/// How many nodes.
pub(super) const NODES: usize = 4;

const NAMES: [&str; NODES] = ["ada", "bob", "cleo", "dan"];
/// How far everybody's balance may go below zero: nobody reaches it.
const LINE: &str = "100000000 hours";
/// How long the nodes may take to agree on something.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(50);

/// The co-op. Dropping it kills the nodes and removes their folders.
pub(super) struct Coop {
    pub(super) nodes: Vec<Node>,
    /// The root of the space.
    pub(super) space: String,
    _folder: TempDir,
}

impl Coop {
    /// Founds a co-op on the first node and lets the others join it.
    pub(super) async fn found(context: &Context, accepts: bool) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("icn-bench-").tempdir_in(&context.dir)?;
        let settings = [("ICN_LEDGER_ACCEPT", if accepts { "true" } else { "false" })];
        let mut nodes: Vec<Node> = Vec::new();
        for name in NAMES {
            let data_dir = folder.path().join(name);
            Node::init(&context.icn, &data_dir)?;
            let mut flags = vec!["--no-executor"];
            for node in &nodes {
                flags.extend(["--peer", node.address()?]);
            }
            let node = Node::start_with(&context.icn, &data_dir, &flags, &settings)?;
            nodes.push(node);
        }
        let [founder, others @ ..] = nodes.as_slice() else { bail!("no nodes") };
        let currency = NewCurrency { code: "hours".to_owned(), decimals: Some(2) };
        let new = NewSpace {
            name: "Bakery".to_owned(),
            nickname: NAMES.first().map(|name| (*name).to_owned()),
            currency: Some(currency),
            identity: None,
        };
        let space: Space = founder.client.post("/v1/spaces", &new).await?;
        let space = space.id.to_string();
        for (node, name) in others.iter().zip(NAMES.iter().skip(1)) {
            let path = format!("/v1/spaces/{space}/invitations");
            let invited: Invited = founder.client.post(&path, &NewInvitation::default()).await?;
            let join = JoinRequest {
                invitation: invited.invitation,
                nickname: Some((*name).to_owned()),
                identity: None,
            };
            let _joined: Space = node.client.post("/v1/join", &join).await?;
        }
        let coop = Self { nodes, space, _folder: folder };
        coop.until("all members and nodes", |space| {
            space.members > NODES as u64 && space.peers as usize == NODES - 1
        })
        .await?;
        for name in NAMES {
            coop.rule(Rule::Line { account: name.to_owned(), limit: LINE.to_owned() }).await?;
        }
        coop.until_equal().await?;
        Ok(coop)
    }

    /// Makes all members witnesses, and waits until every node knows.
    pub(super) async fn name_witnesses(&self) -> Result<()> {
        self.rule(Rule::Witnesses { members: NAMES.map(str::to_owned).to_vec() }).await?;
        self.until("the witnesses", |space| space.witnesses.members.len() == NODES).await
    }

    /// Pays 0.01 hours from the member of one node to that of the next, and returns the entry.
    pub(super) async fn pay(&self, from: usize) -> Result<Cid> {
        let to = NAMES.get((from + 1) % NODES).copied().unwrap_or_default();
        let request =
            PayRequest { to: to.to_owned(), amount: "0.01 hours".to_owned(), ..PayRequest::default() };
        let node = self.nodes.get(from).context("there is no such node")?;
        let order: Order = node.client.post(&format!("/v1/spaces/{}/pay", self.space), &request).await?;
        let (entry, _) = order.reference.split_once('#').context("a reference has another form")?;
        Ok(entry.parse()?)
    }

    /// Reads what each node uses now.
    pub(super) fn usage(&self) -> Result<Vec<Usage>> {
        self.nodes.iter().map(Node::usage).collect()
    }

    /// Waits until every node has as many entries as the others.
    pub(super) async fn until_equal(&self) -> Result<()> {
        let begun = Instant::now();
        loop {
            let spaces = self.looks().await?;
            let entries: Vec<u64> = spaces.iter().map(|space| space.entries).collect();
            if entries.iter().all(|count| entries.first() == Some(count)) {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                bail!("the nodes do not have the same entries: {entries:?}");
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn rule(&self, act: Rule) -> Result<()> {
        let founder = self.nodes.first().context("no nodes")?;
        let request = RuleRequest { act, identity: None, key: None };
        let path = format!("/v1/spaces/{}/rules", self.space);
        let _written: Written = founder.client.post(&path, &request).await?;
        Ok(())
    }

    async fn until(&self, what: &str, is_so: impl Fn(&Space) -> bool) -> Result<()> {
        let begun = Instant::now();
        while !self.looks().await?.iter().all(&is_so) {
            if begun.elapsed() > PATIENCE {
                bail!("some node does not see {what}");
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    async fn looks(&self) -> Result<Vec<Space>> {
        let path = format!("/v1/spaces/{}", self.space);
        futures::future::try_join_all(self.nodes.iter().map(|node| node.client.get(&path))).await
    }
}

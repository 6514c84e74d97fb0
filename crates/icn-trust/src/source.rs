//! What somebody may do now: trust, standing and policy put together.

use icn_types::{Did, Timestamp, TrustContext};

use crate::policy::{Access, Policy};
use crate::standing::Standing;
use crate::view::TrustView;

/// Whoever can say what a member may do (TRU-17).
pub trait PolicySource {
    /// Returns what a member may do at a moment. Whoever is not known is isolated.
    fn policy_for(&mut self, did: &Did, now: Timestamp) -> Access;
}

/// Says it from a view of the trust graph, from what members did wrong, and from a table.
#[derive(Debug)]
pub struct DefaultPolicySource {
    /// Who is trusted.
    pub view: TrustView,
    /// Who did something wrong.
    pub standing: Standing,
    /// What each class may do.
    pub policy: Policy,
    /// In which graph.
    pub graph: TrustContext,
}

impl PolicySource for DefaultPolicySource {
    fn policy_for(&mut self, did: &Did, now: Timestamp) -> Access {
        let class = self.view.class(self.graph, did, now);
        self.policy.access(class, self.standing.action(did, now))
    }
}

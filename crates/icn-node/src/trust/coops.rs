//! In which co-ops members are, for the quotas that their jobs take.

use std::collections::{BTreeMap, BTreeSet};

use icn_types::Did;

use crate::core::Node;

/// Lists the spaces of this node that each of their members is in; nothing where nobody has a quota.
pub(super) fn read(node: &Node) -> BTreeMap<Did, BTreeSet<Did>> {
    let mut coops: BTreeMap<Did, BTreeSet<Did>> = BTreeMap::new();
    let is_asked = node.config.quotas != crate::config::QuotasConfig::default();
    for space in node.spaces.all().into_iter().filter(|_| is_asked) {
        for member in space.replica().books().members() {
            coops.entry(member.did).or_default().insert(space.root);
        }
    }
    coops
}

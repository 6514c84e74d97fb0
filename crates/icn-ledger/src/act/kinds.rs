//! Which kind of act is which, and what it speaks of.

use icn_types::Cid;

use super::Act;

impl Act {
    /// Tells whether this changes the rules of the space: an act for stewards and witnesses.
    #[must_use]
    pub const fn is_rule(&self) -> bool {
        match self {
            Self::Found { .. }
            | Self::Policy(_)
            | Self::Appoint { .. }
            | Self::Dismiss { .. }
            | Self::Admit { .. }
            | Self::Expel { .. }
            | Self::Join { .. }
            | Self::Currency { .. }
            | Self::Line { .. }
            | Self::Freeze { .. }
            | Self::Unfreeze { .. }
            | Self::Witnesses { .. }
            | Self::Treasury { .. }
            | Self::Seal { .. }
            | Self::Demurrage { .. }
            | Self::WriteOff { .. } => true,
            Self::Pay { .. }
            | Self::Request { .. }
            | Self::Accept { .. }
            | Self::Decline { .. }
            | Self::Return { .. }
            | Self::Hold { .. }
            | Self::Capture { .. }
            | Self::Claim { .. }
            | Self::Repair { .. }
            | Self::Trust { .. }
            | Self::Rate { .. }
            | Self::Dispute(_)
            | Self::EndStanding { .. }
            | Self::Standing(_)
            | Self::Propose(_)
            | Self::Approve { .. }
            | Self::Withdraw { .. }
            | Self::Budget(_)
            | Self::EndBudget { .. } => false,
        }
    }

    /// Adds the entries that this speaks of.
    pub(super) fn add_refs(&self, refs: &mut Vec<Cid>) {
        match self {
            Self::Pay { request, .. } => refs.extend(request.map(|request| request.entry)),
            Self::Accept { order } | Self::Decline { order, .. } => refs.push(order.entry),
            Self::Return { order, decline } => refs.extend([order.entry, *decline]),
            Self::Capture { hold, .. } | Self::Claim { hold, .. } => refs.push(hold.entry),
            Self::Seal { prev, .. } => refs.extend(prev),
            Self::Dispute(step) => refs.extend(step.refs()),
            Self::EndStanding { standing } => refs.push(standing.entry),
            Self::Standing(terms) => refs.extend(terms.budget.map(|budget| budget.entry)),
            Self::Propose(proposal) => {
                refs.extend(proposal.budget.map(|budget| budget.entry));
                proposal.acts.iter().for_each(|act| act.add_refs(refs));
            }
            Self::Approve { proposal } | Self::Withdraw { proposal } => refs.push(proposal.entry),
            Self::EndBudget { budget } => refs.push(budget.entry),
            // What a repair gives up may be known to others only.
            Self::Repair { .. }
            | Self::Found { .. }
            | Self::Policy(_)
            | Self::Appoint { .. }
            | Self::Dismiss { .. }
            | Self::Admit { .. }
            | Self::Expel { .. }
            | Self::Join { .. }
            | Self::Currency { .. }
            | Self::Line { .. }
            | Self::Freeze { .. }
            | Self::Unfreeze { .. }
            | Self::Witnesses { .. }
            | Self::Treasury { .. }
            | Self::Request { .. }
            | Self::Hold { .. }
            | Self::Trust { .. }
            | Self::Rate { .. }
            | Self::Demurrage { .. }
            | Self::WriteOff { .. }
            | Self::Budget(_) => {}
        }
    }

    /// Tells whether this is a word about somebody that moves no money and changes no rule.
    #[must_use]
    pub const fn is_word(&self) -> bool {
        matches!(self, Self::Trust { .. } | Self::Rate { .. })
    }
}

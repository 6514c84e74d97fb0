//! What happens, in words.

use icn_gossip::SignedEntry;
use icn_ledger::replica::{Event, Live};
use icn_ledger::{Act, DisputeAct};

use super::check::read;
use super::world::Federation;

impl Federation {
    pub(super) fn event_line(&self, event: &Event) -> String {
        match event {
            Event::Live { from, message, .. } => {
                let what = match message {
                    Live::Entry(checked) => self.entry_line(checked.entry.signed()),
                    Live::Proof(_) => "a proof of a fork".to_owned(),
                    Live::Vote(vote) => format!(
                        "a vote of {} for {}/{} {}",
                        self.name(&vote.by),
                        self.name(&vote.vote.author),
                        vote.vote.seq,
                        vote.vote.entry.short()
                    ),
                };
                format!("hears from {} {what}", self.name(from))
            }
            Event::Post { ticket, .. } => format!("is asked to write, ticket {ticket}"),
            Event::Submit { .. } => "is given an entry".to_owned(),
            Event::PeerUp(node) => format!("is connected with {}", self.name(node)),
            Event::PeerDown(node) => format!("has lost {}", self.name(node)),
            Event::SessionOpened { session, is_ours, .. } => {
                format!("{} {}", if *is_ours { "has opened" } else { "answers" }, self.session_name(*session))
            }
            Event::SessionFailed { node } => format!("cannot reach {}", self.name(node)),
            Event::SessionFrame { session, bytes } => {
                format!("reads {} bytes on {}", bytes.len(), self.session_name(*session))
            }
            Event::SessionClosed { session } => format!("has closed {}", self.session_name(*session)),
            Event::SessionDrained { session } => format!("has sent all on {}", self.session_name(*session)),
            Event::Checked { arrived, .. } => {
                let entries: Vec<String> = arrived
                    .entries
                    .iter()
                    .map(|entry| match entry {
                        Ok(checked) => self.entry_line(checked.entry.signed()),
                        Err(error) => format!("refused: {error}"),
                    })
                    .collect();
                format!("takes in {entries:?}, {} votes", arrived.votes.len())
            }
            Event::Durable { entries } => format!("has {entries} entries on disk"),
            Event::Tick => "looks around".to_owned(),
        }
    }

    pub(super) fn entry_line(&self, signed: &SignedEntry) -> String {
        let Some((author, seq, id, post)) = read(signed) else { return "bytes that are no entry".to_owned() };
        let certificates = match post.certificates.len() {
            0 => String::new(),
            some => format!(" with {some} certificates"),
        };
        format!("{}/{seq} {} ({}{certificates})", self.name(&author), id.short(), self.acts_line(&post.acts))
    }

    pub(super) fn acts_line(&self, acts: &[Act]) -> String {
        let lines: Vec<String> = acts.iter().take(4).map(|act| self.act_line(act)).collect();
        let more = if acts.len() > 4 { format!(" and {} more", acts.len() - 4) } else { String::new() };
        format!("{}{more}", lines.join("; "))
    }

    fn act_line(&self, act: &Act) -> String {
        match act {
            Act::Pay { to, amount, memo, .. } => {
                format!("pay {} {amount} for {}", self.name(to), memo.as_deref().unwrap_or("a request"))
            }
            Act::Hold { to, amount, .. } => format!("hold {amount} for {}", self.name(to)),
            Act::Request { of, amount, .. } => format!("ask {} for {amount}", self.name(of)),
            Act::Accept { order } => format!("accept {}", order.entry.short()),
            Act::Decline { order, .. } => format!("decline {}", order.entry.short()),
            Act::Return { order, .. } => format!("take back {}", order.entry.short()),
            Act::Capture { hold, amount, .. } => format!("capture {amount} of {}", hold.entry.short()),
            Act::Claim { hold, amount, .. } => format!("claim {amount} of {}", hold.entry.short()),
            Act::Line { account, limit, number, .. } => {
                format!("line {number} of {}: {limit}", self.name(account))
            }
            Act::Freeze { account, .. } => format!("freeze {}", self.name(account)),
            Act::Unfreeze { account } => format!("unfreeze {}", self.name(account)),
            Act::Witnesses { number, members } => format!("witnesses no. {number}: {}", members.len()),
            Act::Seal { number, .. } => format!("seal {number}"),
            Act::Admit { member, .. } => format!("admit {}", self.name(member)),
            Act::Appoint { member } => format!("appoint {}", self.name(member)),
            Act::Found { .. } => "found".to_owned(),
            Act::Policy(_) => "policy".to_owned(),
            Act::Dismiss { .. } => "dismiss".to_owned(),
            Act::Expel { .. } => "expel".to_owned(),
            Act::Join { .. } => "join".to_owned(),
            Act::Currency { .. } => "currency".to_owned(),
            Act::Treasury { .. } => "treasury".to_owned(),
            Act::Repair { .. } => "repair".to_owned(),
            Act::Trust { of, score_ppm, .. } => format!("trust {} by {score_ppm}", self.name(of)),
            Act::Rate { executor, outcome, .. } => format!("rate {} {outcome}", self.name(executor)),
            Act::Demurrage { rule: None, .. } => "no demurrage".to_owned(),
            Act::Demurrage { .. } => "demurrage".to_owned(),
            Act::Dispute(DisputeAct::File { order, .. }) => format!("dispute {}", order.entry.short()),
            Act::Dispute(_) => "a step of a dispute".to_owned(),
            Act::Propose(proposal) => format!("ask the treasury {}", self.name(&proposal.treasury)),
            Act::Approve { proposal } => format!("approve the proposal {}", proposal.entry.short()),
            Act::Withdraw { proposal } => format!("withdraw from the proposal {}", proposal.entry.short()),
            Act::Budget(terms) => format!("allot {} of {}", terms.amount, self.name(&terms.treasury)),
            Act::EndBudget { budget } => format!("end the budget {}", budget.entry.short()),
            Act::EndStanding { standing } => format!("end the standing order {}", standing.entry.short()),
            Act::Standing(terms) => format!("standing order: {} to {}", terms.amount, self.name(&terms.to)),
            Act::WriteOff { account, amount, .. } => format!("write off {amount} of {}", self.name(account)),
        }
    }
}

//! Common books that answer from memory: two spaces at most, and what the last request was.

use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use icn_gateway::api::books::*;
use icn_gateway::api::{ByteStream, Problem};
use icn_types::{Cid, Page, Timestamp};
use serde_json::{Value, json};

use super::did;

/// The fake.
pub(crate) struct FakeBooks {
    /// The names of the spaces.
    pub(crate) spaces: Vec<&'static str>,
    /// What was asked, as `route` and what came with it.
    pub(crate) asked: Mutex<Vec<(String, Value)>>,
    /// How many times an order is looked at until it is certified.
    pub(crate) patience: Mutex<u32>,
}

pub(super) fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_795_167_000_000 + seconds * 1_000)
}

pub(super) fn party(number: u8) -> Party {
    let nickname = [None, Some("ada"), Some("bob"), None].get(usize::from(number)).copied().flatten();
    Party { did: did(number), nickname: nickname.map(str::to_owned) }
}

fn hours(smallest: i64) -> Amount {
    Amount::new(smallest, "hours", 2)
}

pub(crate) fn order_id() -> Cid {
    Cid::of_dag_cbor(b"the order")
}

fn read(text: &str) -> Result<Amount, Problem> {
    Amount::parse(text, [("hours", 2)])
}

fn explained(requested: Option<Amount>) -> Explanation {
    let allowed = requested.as_ref().map(|amount| amount.smallest <= 300);
    Explanation {
        account: party(1),
        requested,
        allowed,
        rule: "a debit may not exceed what is available: line and final balance, less what is reserved"
            .to_owned(),
        line: hours(2_000),
        line_from: None,
        booked: hours(-1_600),
        derived: Some(hours(-100)),
        reserved: hours(100),
        pending: hours(1_250),
        available: hours(300),
        recommended: Some(hours(2_500)),
        frozen: None,
        would_raise: vec![
            "12.50 hours become final once they are certified".to_owned(),
            "a steward may raise the line: `icn ledger limits ada --set '25.00 hours'`".to_owned(),
        ],
    }
}

fn order(status: OrderStatus, kind: OrderKind, amount: Amount) -> Order {
    let is_final = matches!(status, OrderStatus::Certified | OrderStatus::Sealed);
    Order {
        reference: format!("{}#0", order_id()),
        kind,
        status,
        is_final,
        final_at: FinalityLevel::Certified,
        from: party(1),
        to: party(2),
        amount,
        captured: None,
        memo: Some("two loaves".to_owned()),
        request: None,
        purpose: None,
        expires: (kind == OrderKind::Hold).then(|| at(86_400)),
        reason: (status == OrderStatus::Declined).then(|| "not ordered".to_owned()),
        at: at(0),
        steps: vec![
            OrderStep { status: OrderStatus::Sent, entry: order_id(), at: at(0) },
            OrderStep { status, entry: Cid::of_dag_cbor(b"answer"), at: at(1) },
        ],
    }
}

fn health() -> LedgerHealth {
    let figure = |text: &str, value| HealthFigure { text: text.to_owned(), value, unit: HealthUnit::Ppm };
    let sign = |code: &str, level, judged, figure, watch, alarm| HealthSign {
        code: code.to_owned(),
        level,
        judged,
        figure,
        watch,
        alarm,
        lower_is_worse: code == "velocity",
        more: Vec::new(),
        who: Vec::new(),
        who_total: 0,
        finding: "as it should be".to_owned(),
        advice: String::new(),
        source: "chosen here".to_owned(),
    };
    let takers = HealthSign {
        more: vec![NamedFigure { name: "of_debt".to_owned(), figure: figure("60.0 %", 600_000) }],
        who: vec![party(2), party(3)],
        who_total: 12,
        finding: "12 of 40 members owe and have earned nothing for 90 days: 60.0 % of all debt".to_owned(),
        advice: "talk to them early and kindly".to_owned(),
        source: "seed 002, scenario 4".to_owned(),
        ..sign(
            "takers",
            HealthLevel::Alarm,
            true,
            figure("30.0 %", 300_000),
            figure("8.0 %", 80_000),
            figure("20.0 %", 200_000),
        )
    };
    let velocity = sign(
        "velocity",
        HealthLevel::Ok,
        false,
        figure("100.0 %", 1_000_000),
        figure("70.0 %", 700_000),
        figure("40.0 %", 400_000),
    );
    LedgerHealth {
        currency: "hours".to_owned(),
        at: at(0),
        level: HealthLevel::Alarm,
        members: 40,
        active: 31,
        credit: hours(125_000),
        volume_30: hours(40_000),
        volume_90: hours(130_000),
        signs: vec![takers, velocity],
    }
}

fn standing() -> Standing {
    Standing {
        reference: format!("{}#0", order_id()),
        from: party(1),
        to: party(2),
        amount: hours(2_000),
        memo: Some("rent".to_owned()),
        every: Every::Months(1),
        start: at(0),
        count: Some(12),
        until: None,
        ended: false,
        paid: 3,
        next_due: Some(at(86_400)),
        refused: None,
    }
}

fn proposal(status: ProposalStatus) -> Proposal {
    Proposal {
        reference: format!("{}#0", order_id()),
        treasury: party(3),
        by: party(1),
        does: vec!["pays 5.00 hours to bob: tools".to_owned()],
        budget: None,
        expires: None,
        at: at(0),
        approvers: vec![party(1), party(2)],
        approved: vec![party(1)],
        needed: 2,
        status,
        entry: (status == ProposalStatus::Enacted).then(|| Cid::of_dag_cbor(b"the entry")),
        trouble: None,
    }
}

fn budget() -> Budget {
    Budget {
        reference: format!("{}#0", order_id()),
        treasury: party(3),
        holder: Some(party(2)),
        purpose: Some("garden tools".to_owned()),
        amount: hours(5_000),
        every: Some(Every::Months(1)),
        start: at(0),
        until: None,
        spent: hours(1_250),
        left: hours(3_750),
        period_ends: Some(at(2_678_400)),
        ended: false,
    }
}

fn dispute_of(reason: &str) -> Dispute {
    Dispute {
        reference: format!("{}#0", Cid::of_dag_cbor(b"the dispute")),
        order: format!("{}#0", order_id()),
        by: party(1),
        payer: party(1),
        payee: party(2),
        amount: hours(1_000),
        reason: reason.to_owned(),
        status: DisputeStatus::Contested,
        mediator: None,
        outcome: None,
        escalates_at: Some(at(14 * 86_400)),
        evidence: vec![Exhibit {
            by: party(2),
            items: vec![order_id()],
            note: Some("it was new when I sold it".to_owned()),
            at: at(60),
        }],
        at: at(30),
    }
}

fn asked(status: AskStatus) -> Asked {
    Asked {
        reference: format!("{}#1", Cid::of_dag_cbor(b"the request")),
        status,
        by: party(2),
        of: party(1),
        amount: hours(250),
        memo: Some("two loaves".to_owned()),
        expires: None,
        payment: None,
        at: at(2),
    }
}

fn listed<T: Clone>(item: &[T], part: &Listing) -> Page<T> {
    let all: Vec<T> = item.iter().cloned().cycle().take(157).collect();
    Page::cut(all.into_iter(), part.offset, part.limit)
}

impl FakeBooks {
    pub(crate) fn new(spaces: Vec<&'static str>) -> Self {
        Self { spaces, asked: Mutex::default(), patience: Mutex::new(2) }
    }

    /// Gives the last request of a route.
    pub(crate) fn last(&self, route: &str) -> Value {
        let asked = self.asked.lock().unwrap();
        let found = asked.iter().rev().find(|(asked, _)| asked == route);
        found.unwrap_or_else(|| panic!("nobody asked for `{route}`: {asked:?}")).1.clone()
    }

    fn note(&self, route: &str, with: Value) {
        self.asked.lock().unwrap().push((route.to_owned(), with));
    }

    /// Notes a question about a space, and checks that the space exists.
    pub(super) fn note_in(&self, space: &str, route: &str, with: Value) -> Result<(), Problem> {
        self.note(route, with);
        find_space(space, self.known()).map(drop)
    }

    fn note_part(&self, space: &str, route: &str, part: &Listing) -> Result<(), Problem> {
        let with =
            json!({ "account": part.account, "as": part.identity, "all": part.all, "offset": part.offset });
        self.note_in(space, route, with)
    }

    fn known(&self) -> impl Iterator<Item = (icn_types::Did, &'static str)> {
        self.spaces.iter().zip(1..).map(|(name, number)| (did(number), *name))
    }

    fn shown(&self, name: &str, number: u8) -> Space {
        Space {
            id: did(number),
            name: name.to_owned(),
            created: at(0),
            state: SpaceState::Ready,
            note: None,
            own: vec![OwnMember {
                identity: "node".to_owned(),
                did: did(1),
                nickname: Some("ada".to_owned()),
                steward: true,
            }],
            members: 3,
            stewards: vec![party(1)],
            witnesses: WitnessSet::default(),
            currencies: vec![Currency {
                code: "hours".to_owned(),
                decimals: 2,
                issuer: party(1),
                policy: CreditRules::default(),
            }],
            rules: SpaceRules {
                finality: vec![],
                free_jobs: true,
                epoch_seconds: 60,
                fund: None,
                mediators: vec![],
            },
            entries: 157,
            peers: 2,
            sealed: 4,
        }
    }
}

fn sample_entries() -> Vec<EntryView> {
    let entry = |seq, acts, sealed_in, certified, forked| EntryView {
        id: Cid::of_dag_cbor(&[seq]),
        author: party(1),
        seq: u64::from(seq),
        at: at(0),
        acts,
        certified,
        sealed_in,
        forked,
    };
    let act = |kind: &str, text: &str, reason: Option<&str>| JudgedAct {
        kind: kind.to_owned(),
        text: text.to_owned(),
        valid: reason.is_none(),
        reason: reason.map(str::to_owned),
    };
    vec![
        entry(12, vec![act("pay", "pays 2.50 hours to bob", None)], None, true, false),
        entry(11, vec![act("pay", "pays 90.00 hours to bob", Some("limit exceeded"))], None, false, false),
        entry(10, vec![act("accept", "takes 1.00 hours of bob", None)], Some(4), true, false),
        entry(9, vec![act("pay", "pays 1.00 hours to bob", None)], None, false, true),
    ]
}

#[async_trait]
impl Books for FakeBooks {
    async fn identities(&self, part: Listing) -> Result<Page<OwnIdentity>, Problem> {
        let identity = |name: &str, number, node, locked: bool| OwnIdentity {
            name: name.to_owned(),
            did: Some(did(number)).filter(|_| !locked),
            node,
            locked,
        };
        let all = vec![
            identity("node", 1, true, false),
            identity("shop", 3, false, true),
            identity("till", 2, false, false),
        ];
        Ok(Page::cut(all.into_iter(), part.offset, part.limit))
    }

    async fn create_identity(&self, request: NewIdentity) -> Result<OwnIdentity, Problem> {
        self.note("new-identity", json!(request));
        if request.name == "till" {
            return Err(Problem::new(
                409,
                "identity-exists",
                "there is an identity `till` already: choose another name",
            ));
        }
        Ok(OwnIdentity { name: request.name, did: Some(did(4)), node: false, locked: false })
    }

    async fn spaces(&self, part: Listing) -> Result<Page<Space>, Problem> {
        let all: Vec<Space> =
            self.spaces.iter().zip(1..).map(|(name, number)| self.shown(name, number)).collect();
        Ok(Page::cut(all.into_iter(), part.offset, part.limit))
    }

    async fn create_space(&self, request: NewSpace) -> Result<Space, Problem> {
        self.note("new-space", json!(request));
        Ok(self.shown(&request.name, 1))
    }

    async fn join_space(&self, request: JoinRequest) -> Result<Space, Problem> {
        self.note("join", json!(request));
        Ok(Space { state: SpaceState::Joining, own: vec![], ..self.shown("Bakery", 1) })
    }

    async fn follow_space(&self, request: FollowRequest) -> Result<Space, Problem> {
        self.note("follow", json!(request));
        Ok(Space { own: vec![], ..self.shown("Bakery", 1) })
    }

    async fn unfollow_space(&self, request: UnfollowRequest) -> Result<Unfollowed, Problem> {
        self.note("unfollow", json!(request));
        let space = find_space(&request.space, self.known())?;
        Ok(Unfollowed { space, name: Some("Bakery".to_owned()), entries: 7, deleted: request.delete })
    }

    async fn space(&self, space: &str) -> Result<Space, Problem> {
        let id = find_space(space, self.known())?;
        let (name, number) = self.spaces.iter().zip(1..).find(|(_, number)| did(*number) == id).unwrap();
        Ok(self.shown(name, number))
    }

    async fn invite(&self, space: &str, request: NewInvitation) -> Result<Invited, Problem> {
        self.note_in(space, "invite", json!(request))?;
        Ok(Invited {
            invitation: "icn-invite:3mJr7A".to_owned(),
            member: request.member,
            expires: at(request.expires_seconds.unwrap_or(604_800)),
            peers: vec!["/ip4/192.0.2.7/udp/7100/quic-v1".to_owned()],
        })
    }

    async fn members(&self, space: &str, part: Listing) -> Result<Page<Member>, Problem> {
        self.note_part(space, "members", &part)?;
        let member = |number, identity: Option<&str>, frozen: Option<&str>| Member {
            did: did(number),
            nickname: party(number).nickname,
            since: at(u64::from(number)),
            steward: number == 1,
            witness: number < 3,
            treasury: false,
            frozen: frozen.map(str::to_owned),
            identity: identity.map(str::to_owned),
        };
        let all =
            vec![member(1, Some("node"), None), member(2, None, None), member(3, None, Some("key stolen"))];
        Ok(Page::cut(all.into_iter(), part.offset, part.limit))
    }

    async fn grant(&self, space: &str, request: GrantRequest) -> Result<Granted, Problem> {
        self.note_in(space, "grant", json!(request))?;
        let grants = vec![Grant {
            account: party(2),
            before: hours(2_000),
            after: hours(3_500),
            trust_ppm: 750_000,
            why: "20.00 to start with; trust of 0.75 flows from the stewards".to_owned(),
        }];
        Ok(Granted { grants, entry: Some(order_id()).filter(|_| !request.dry_run) })
    }

    async fn rule(&self, space: &str, request: RuleRequest) -> Result<Written, Problem> {
        self.note_in(space, "rule", json!(request))?;
        let (note, overrun) = match &request.act {
            Rule::Line { .. } => (None, Some(hours(450))),
            Rule::Witnesses { .. } => (Some("counts once witness set 1 has certified it".to_owned()), None),
            Rule::Dismiss { .. } => {
                return Err(Problem::refused(
                    "not-a-steward",
                    "`till` is no steward of this space: only stewards change its rules",
                ));
            }
            Rule::Admit { .. }
            | Rule::Expel { .. }
            | Rule::Appoint { .. }
            | Rule::Currency { .. }
            | Rule::Freeze { .. }
            | Rule::Unfreeze { .. }
            | Rule::Treasury { .. }
            | Rule::Policy { .. }
            | Rule::Demurrage { .. }
            | Rule::EndDemurrage { .. }
            | Rule::WriteOff { .. } => (None, None),
        };
        Ok(Written { entry: order_id(), author: did(1), seq: 7, repeated: false, note, overrun })
    }

    async fn witnesses(&self, space: &str) -> Result<WitnessSet, Problem> {
        self.note_in(space, "witnesses", json!({}))?;
        let members = vec![party(1), party(2), party(3)];
        Ok(WitnessSet { number: 1, members, quorum: 3, change_pending: true })
    }

    async fn split(&self, space: &str, request: SplitRequest) -> Result<Vec<Order>, Problem> {
        self.note_in(space, "split", json!(request))?;
        let amount = read(&request.amount)?;
        let half = || order(OrderStatus::Sent, OrderKind::Payment, hours(amount.smallest / 2));
        Ok(vec![half(), half()])
    }

    async fn standings(&self, space: &str, part: Listing) -> Result<Page<Standing>, Problem> {
        self.note_part(space, "standings", &part)?;
        let refused = Standing {
            refused: Some("ada can spend 1.00 hours, but this takes 20.00 hours".to_owned()),
            ..standing()
        };
        let mut all = vec![standing(), refused];
        if part.all {
            all.push(Standing { ended: true, next_due: None, ..standing() });
        }
        Ok(Page::cut(all.into_iter(), part.offset, part.limit))
    }

    async fn place_standing(&self, space: &str, request: StandingRequest) -> Result<Standing, Problem> {
        self.note_in(space, "place_standing", json!(request))?;
        Ok(Standing { amount: read(&request.amount)?, every: request.every, paid: 0, ..standing() })
    }

    async fn end_standing(
        &self,
        space: &str,
        reference: &str,
        request: TurnRequest,
    ) -> Result<Standing, Problem> {
        self.note_in(space, "end_standing", json!([reference, request]))?;
        Ok(Standing { ended: true, next_due: None, ..standing() })
    }

    async fn proposals(&self, space: &str, part: Listing) -> Result<Page<Proposal>, Problem> {
        self.note_part(space, "proposals", &part)?;
        let trouble = Some("the treasury can spend 1.00 hours, but this takes 5.00 hours".to_owned());
        let mut all = vec![proposal(ProposalStatus::Waiting)];
        all.push(Proposal { trouble, budget: Some(format!("{}#0", order_id())), ..all[0].clone() });
        if part.all {
            all.push(proposal(ProposalStatus::Enacted));
        }
        Ok(Page::cut(all.into_iter(), part.offset, part.limit))
    }

    async fn propose(&self, space: &str, request: ProposalRequest) -> Result<Proposal, Problem> {
        self.note_in(space, "propose", json!(request))?;
        Ok(proposal(ProposalStatus::Waiting))
    }

    async fn proposal(&self, space: &str, reference: &str) -> Result<Proposal, Problem> {
        self.note_in(space, "proposal", json!(reference))?;
        Ok(proposal(ProposalStatus::Enacted))
    }

    async fn turn_proposal(
        &self,
        space: &str,
        reference: &str,
        turn: ProposalTurn,
        request: TurnRequest,
    ) -> Result<Proposal, Problem> {
        self.note_in(space, "turn_proposal", json!([reference, format!("{turn:?}"), request]))?;
        Ok(match turn {
            ProposalTurn::Approve => proposal(ProposalStatus::Waiting),
            ProposalTurn::Withdraw => proposal(ProposalStatus::Withdrawn),
        })
    }

    async fn budgets(&self, space: &str, part: Listing) -> Result<Page<Budget>, Problem> {
        self.note_part(space, "budgets", &part)?;
        let mut all = vec![budget(), Budget { holder: None, every: None, period_ends: None, ..budget() }];
        if part.all {
            all.push(Budget { ended: true, ..budget() });
        }
        Ok(Page::cut(all.into_iter(), part.offset, part.limit))
    }

    async fn allot_budget(&self, space: &str, request: BudgetRequest) -> Result<Budget, Problem> {
        self.note_in(space, "allot_budget", json!(request))?;
        Ok(Budget { amount: read(&request.terms.amount)?, ..budget() })
    }

    async fn end_budget(
        &self,
        space: &str,
        reference: &str,
        request: TurnRequest,
    ) -> Result<Budget, Problem> {
        self.note_in(space, "end_budget", json!([reference, request]))?;
        Ok(Budget { ended: true, ..budget() })
    }

    async fn transfers(&self, space: &str, part: Listing) -> Result<Page<Transfer>, Problem> {
        self.note_part(space, "transfers", &part)?;
        let transfer = |from, to, amount, cause: &str| Transfer {
            id: order_id(),
            from: party(from),
            to: party(to),
            amount: hours(amount),
            cause: cause.to_owned(),
            by: format!("{}#0", order_id()),
            at: at(9),
        };
        let all = [transfer(1, 3, 146, "demurrage"), transfer(2, 1, 250, "dispute")];
        Ok(Page::cut(all.into_iter(), part.offset, part.limit))
    }

    async fn demurrage(&self, space: &str, part: Listing) -> Result<Page<DemurrageRule>, Problem> {
        self.note_part(space, "demurrage", &part)?;
        let rule = DemurrageRule {
            currency: "hours".to_owned(),
            above: hours(5_000),
            rate_ppm: 20_000,
            period_days: 30,
            fund: party(3),
            pot: hours(146),
        };
        Ok(Page::cut(vec![rule].into_iter(), part.offset, part.limit))
    }

    async fn disputes(&self, space: &str, part: Listing) -> Result<Page<Dispute>, Problem> {
        self.note_part(space, "disputes", &part)?;
        let mediated = Dispute {
            status: DisputeStatus::UnderMediation,
            mediator: Some(party(3)),
            ..dispute_of("the wheel is loose")
        };
        let all = vec![dispute_of("never came"), mediated];
        Ok(Page::cut(all.into_iter(), part.offset, part.limit))
    }

    async fn file_dispute(&self, space: &str, request: DisputeRequest) -> Result<Dispute, Problem> {
        self.note_in(space, "file_dispute", json!(request))?;
        Ok(dispute_of(&request.reason))
    }

    async fn dispute(&self, space: &str, reference: &str) -> Result<Dispute, Problem> {
        self.note_in(space, "dispute", json!(reference))?;
        Ok(dispute_of("the wheel is loose"))
    }

    async fn dispute_step(
        &self,
        space: &str,
        reference: &str,
        request: DisputeStepRequest,
    ) -> Result<Dispute, Problem> {
        self.note_in(space, "dispute_step", json!([reference, request.step]))?;
        Ok(Dispute {
            status: DisputeStatus::Resolved,
            mediator: Some(party(3)),
            outcome: Some("2.50 hours went back to the payer".to_owned()),
            ..dispute_of("the wheel is loose")
        })
    }

    async fn balances(&self, space: &str, part: Listing) -> Result<Page<Balance>, Problem> {
        self.note_part(space, "balances", &part)?;
        let balance = |number, booked, reserved, pending, frozen: Option<&str>| Balance {
            account: party(number),
            balance: hours(booked),
            reserved: hours(reserved),
            pending: hours(pending),
            line: hours(2_000),
            available: hours(2_000 + booked - reserved - pending),
            frozen: frozen.map(str::to_owned),
        };
        let all = [
            balance(1, -1_250, 100, 0, None),
            balance(2, 1_000, 0, 250, None),
            balance(3, 250, 0, 0, Some("key stolen")),
        ];
        let shown = if part.all { all.len() } else { 1 };
        Ok(Page::cut(all.into_iter().take(shown).collect::<Vec<_>>().into_iter(), part.offset, part.limit))
    }

    async fn history(&self, space: &str, part: Listing) -> Result<Page<Movement>, Problem> {
        self.note_part(space, "history", &part)?;
        let movement = |way, amount, status, is_final, kind, memo: Option<&str>| Movement {
            reference: format!("{}#{}", order_id(), u8::from(kind == OrderKind::Hold)),
            kind,
            way,
            counterparty: party(2),
            amount: hours(amount),
            status,
            is_final,
            memo: memo.map(str::to_owned),
            at: at(3),
        };
        let all = [
            movement(Way::Out, 250, OrderStatus::Certified, true, OrderKind::Payment, Some("two loaves")),
            movement(Way::In, 1_250, OrderStatus::Accepted, false, OrderKind::Payment, None),
            movement(Way::Out, 5, OrderStatus::Declined, false, OrderKind::Payment, Some("\u{1b}[2Jwiped")),
            movement(Way::Out, 500, OrderStatus::Placed, false, OrderKind::Hold, None),
        ];
        Ok(listed(&all, &part))
    }

    async fn limits(&self, space: &str, part: Listing) -> Result<Page<Explanation>, Problem> {
        self.note_part(space, "limits", &part)?;
        Ok(Page::cut(vec![explained(None)].into_iter(), part.offset, part.limit))
    }

    async fn explain(&self, space: &str, question: Explain) -> Result<Explanation, Problem> {
        self.note_in(space, "explain", json!({ "account": question.account, "amount": question.amount }))?;
        question.amount.as_deref().map(read).transpose().map(explained)
    }

    async fn pay(&self, space: &str, request: PayRequest) -> Result<Order, Problem> {
        self.note_in(space, "pay", json!(request))?;
        let amount = read(&request.amount)?;
        find_member(&request.to, [(did(1), Some("ada")), (did(2), Some("bob"))], [(did(2), "till")])?;
        let explained = explained(Some(amount.clone()));
        if explained.allowed == Some(false) {
            let detail = format!("`ada` can spend 3.00 hours, but the payment needs {}", amount.text);
            return Err(Problem::refused("limit-exceeded", detail).with_explanation(explained));
        }
        let mut sent = order(OrderStatus::Sent, OrderKind::Payment, amount);
        sent.steps.truncate(1);
        Ok(sent)
    }

    async fn ask(&self, space: &str, request: AskRequest) -> Result<Asked, Problem> {
        self.note_in(space, "request", json!(request))?;
        Ok(Asked { amount: read(&request.amount)?, ..asked(AskStatus::Open) })
    }

    async fn requests(&self, space: &str, part: Listing) -> Result<Page<Asked>, Problem> {
        self.note_part(space, "requests", &part)?;
        Ok(listed(&[asked(AskStatus::Open), asked(AskStatus::Paid), asked(AskStatus::Declined)], &part))
    }

    async fn decline_request(
        &self,
        space: &str,
        reference: &str,
        request: TurnRequest,
    ) -> Result<Asked, Problem> {
        self.note_in(space, &format!("requests/{reference}/decline"), json!(request))?;
        Ok(asked(AskStatus::Declined))
    }

    async fn place_hold(&self, space: &str, request: HoldRequest) -> Result<Order, Problem> {
        self.note_in(space, "hold", json!(request))?;
        Ok(order(OrderStatus::Placed, OrderKind::Hold, read(&request.amount)?))
    }

    async fn holds(&self, space: &str, part: Listing) -> Result<Page<Order>, Problem> {
        self.note_part(space, "holds", &part)?;
        if !part.all {
            return Ok(Page::cut([].into_iter(), 0, 1));
        }
        let all = OrderStatus::ALL.map(|status| order(status, OrderKind::Hold, hours(500)));
        Ok(Page::cut(all.into_iter(), part.offset, part.limit))
    }

    async fn order(&self, space: &str, reference: &str) -> Result<Order, Problem> {
        self.note_in(space, "order", json!(reference))?;
        if !order_id().to_string().starts_with(reference.split('#').next().unwrap()) {
            return Err(Problem::not_found("order-not-found", format!("no order begins with `{reference}`")));
        }
        let mut patience = self.patience.lock().unwrap();
        *patience = patience.saturating_sub(1);
        let status = if *patience > 0 { OrderStatus::Accepted } else { OrderStatus::Certified };
        Ok(order(status, OrderKind::Payment, hours(250)))
    }

    async fn turn(
        &self,
        space: &str,
        reference: &str,
        turn: OrderTurn,
        request: TurnRequest,
    ) -> Result<Order, Problem> {
        self.note_in(space, &format!("orders/{reference}/{}", turn.as_str()), json!(request))?;
        if reference.starts_with("bafyask") {
            return Err(Problem::not_found("order-not-found", "this is a request"));
        }
        let (status, kind) = match turn {
            OrderTurn::Accept => (OrderStatus::Accepted, OrderKind::Payment),
            OrderTurn::Decline => (OrderStatus::Declined, OrderKind::Payment),
            OrderTurn::Return => (OrderStatus::Returned, OrderKind::Payment),
            OrderTurn::Capture => (OrderStatus::Captured, OrderKind::Hold),
            OrderTurn::Claim => (OrderStatus::Claimed, OrderKind::Hold),
            OrderTurn::Release => (OrderStatus::Released, OrderKind::Hold),
        };
        Ok(order(status, kind, hours(500)))
    }

    async fn follow(&self, space: &str) -> Result<EntryStream, Problem> {
        self.note_in(space, "follow", json!({}))?;
        Ok(futures::stream::iter(sample_entries()).boxed())
    }

    async fn entries(&self, space: &str, part: Listing) -> Result<Page<EntryView>, Problem> {
        self.note_part(space, "entries", &part)?;
        Ok(listed(&sample_entries(), &part))
    }

    async fn prepare(&self, _space: &str, _request: PrepareRequest) -> Result<Bytes, Problem> {
        Ok(Bytes::from_static(b"unsigned"))
    }

    async fn append(&self, _space: &str, _entry: Bytes) -> Result<Written, Problem> {
        Err(Problem::internal("not used here"))
    }

    async fn forks(&self, space: &str, part: Listing) -> Result<Page<Fork>, Problem> {
        self.note_part(space, "forks", &part)?;
        let branch = |name: &[u8], stands| Branch {
            entry: Cid::of_dag_cbor(name),
            stands,
            certified: stands,
            sealed_in: None,
        };
        let fork = |repaired| Fork {
            author: party(2),
            seq: 5,
            branches: vec![branch(b"a", true), branch(b"b", false)],
            winner: Cid::of_dag_cbor(b"a"),
            rule: if repaired { "repaired" } else { "certified" }.to_owned(),
            repaired,
            frozen: !repaired,
            proof: "a2616161".to_owned(),
        };
        Ok(Page::cut(vec![fork(false), fork(true)].into_iter(), part.offset, part.limit))
    }

    async fn claims(&self, space: &str, part: Listing) -> Result<Page<DebtClaim>, Problem> {
        self.note_part(space, "claims", &part)?;
        let claim = DebtClaim {
            id: Cid::of_dag_cbor(b"claim"),
            creditor: party(1),
            debtor: party(2),
            amount: hours(750),
            cause: format!("{}#2", order_id()),
        };
        Ok(Page::cut(vec![claim].into_iter(), part.offset, part.limit))
    }

    async fn quarantine(&self, space: &str, part: Listing) -> Result<Page<Quarantined>, Problem> {
        self.note_part(space, "quarantine", &part)?;
        let item = Quarantined {
            reference: format!("{}#0", order_id()),
            author: party(3),
            reason: "not-a-member".to_owned(),
            detail: "the author is no member in what the entry has seen: it counts once a steward admits it"
                .to_owned(),
        };
        Ok(Page::cut(vec![item].into_iter(), part.offset, part.limit))
    }

    async fn misbehaviour(&self, space: &str, part: Listing) -> Result<Page<Misbehaviour>, Problem> {
        self.note_part(space, "misbehaviour", &part)?;
        let item = |kind: &str, who: Option<Party>| Misbehaviour {
            at: at(9),
            kind: kind.to_owned(),
            who,
            peer: Some("12D3KooWLiar".to_owned()),
            detail: "an entry whose signature does not hold".to_owned(),
            evidence: None,
        };
        let all = vec![item("equivocation", Some(party(2))), item("bad-signature", None)];
        Ok(Page::cut(all.into_iter(), part.offset, part.limit))
    }

    async fn seals(&self, space: &str, part: Listing) -> Result<Page<Seal>, Problem> {
        self.note_part(space, "seals", &part)?;
        let seal = |number, counts| Seal {
            number,
            entry: order_id(),
            author: party(1),
            time: at(number * 60),
            counts,
            entries: 31,
            digest: "0f".repeat(32),
        };
        Ok(Page::cut(vec![seal(4, true), seal(4, false), seal(3, true)].into_iter(), part.offset, part.limit))
    }

    async fn verify(&self, space: &str) -> Result<LedgerVerdict, Problem> {
        self.note_in(space, "verify", json!({}))?;
        let ok = find_space(space, self.known())? == did(1);
        Ok(LedgerVerdict {
            ok,
            space: did(1),
            entries: 157,
            digest: "ab".repeat(32),
            currencies: vec![CurrencySum {
                currency: "hours".to_owned(),
                accounts: 3,
                sum: if ok { 0 } else { 5 },
                credit: hours(1_250),
            }],
            forks: 2,
            claims: 1,
            quarantined: 1,
            waiting: 0,
            differences: if ok {
                vec![]
            } else {
                vec!["the balances of `hours` sum to 0.05 hours".to_owned()]
            },
            elapsed_us: 12_345,
        })
    }

    async fn export(&self, space: &str, wanted: Export) -> Result<ByteStream, Problem> {
        self.note_in(space, "export", json!({ "format": wanted.format, "account": wanted.account }))?;
        let text = format!("; the books as {}\n", wanted.format);
        Ok(futures::stream::iter([Ok(Bytes::from(text))]).boxed())
    }

    async fn health(&self, space: &str, currency: Option<String>) -> Result<LedgerHealth, Problem> {
        self.note_in(space, "health", json!({ "currency": currency }))?;
        Ok(health())
    }

    async fn statement(&self, space: &str, wanted: StatementRequest) -> Result<ByteStream, Problem> {
        let StatementRequest { account, identity, currency, from, to, month, format } = wanted;
        let with = json!({
            "account": account, "as": identity, "currency": currency, "from": from, "to": to, "month": month,
            "format": format,
        });
        self.note_in(space, "statement", with)?;
        let text = format!("the statement as {}\n", format.as_str());
        Ok(futures::stream::iter([Ok(Bytes::from(text))]).boxed())
    }
}

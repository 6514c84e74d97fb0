//! `icn space …`: co-ops that keep common books.

use icn_gateway::api::books::{
    CreditRules, Currency, FollowRequest, JoinRequest, Member, NewCurrency, NewInvitation, NewSpace, Rule,
    RuleRequest, Space, SpaceRules, SpaceState, UnfollowRequest, WitnessSet, Written,
};
use icn_types::Page;

use super::Context;
use super::scope::{Books, print_page};
use crate::cli::{
    PageArgs, ScopeArgs, SpaceArgs, SpaceCommand, SpaceCreateArgs, SpaceCurrencyArgs, SpaceFollowArgs,
    SpaceInviteArgs, SpaceJoinArgs, SpacePolicyArgs, SpaceTreasuryArgs, SpaceUnfollowArgs,
    SpaceWitnessesArgs, YesNo,
};
use crate::error::{CliError, Exit};
use crate::output::{Cell, Column, Stream, Style, clean, party};

/// Carries out one of the commands about spaces.
pub(crate) async fn run(context: &Context<'_>, args: SpaceArgs) -> Result<Exit, CliError> {
    let scope = &args.scope;
    match args.command {
        SpaceCommand::Create(args) => create(context, scope, args).await,
        SpaceCommand::Join(args) => join(context, scope, args).await,
        SpaceCommand::Follow(args) => follow(context, args).await,
        SpaceCommand::Unfollow(args) => unfollow(context, args).await,
        SpaceCommand::List(page) => list(context, page).await,
        SpaceCommand::Show => show(context, scope).await,
        SpaceCommand::Invite(args) => invite(context, scope, &args).await,
        SpaceCommand::Members(page) => members(context, scope, page).await,
        SpaceCommand::Admit(args) => {
            let act = Rule::Admit { member: args.member, nickname: args.nickname };
            rule(context, scope, act, "admitted").await
        }
        SpaceCommand::Expel(args) => {
            rule(context, scope, Rule::Expel { member: args.member }, "expelled").await
        }
        SpaceCommand::Appoint(args) => {
            rule(context, scope, Rule::Appoint { member: args.member }, "appointed").await
        }
        SpaceCommand::Dismiss(args) => {
            rule(context, scope, Rule::Dismiss { member: args.member }, "dismissed").await
        }
        SpaceCommand::Currency(args) => currency(context, scope, args).await,
        SpaceCommand::Witnesses(args) => witnesses(context, scope, args).await,
        SpaceCommand::Treasury(args) => treasury(context, scope, args).await,
        SpaceCommand::Policy(args) => policy(context, scope, args).await,
    }
}

async fn create(context: &Context<'_>, scope: &ScopeArgs, args: SpaceCreateArgs) -> Result<Exit, CliError> {
    let currency =
        (!args.no_currency).then_some(NewCurrency { code: args.currency, decimals: Some(args.decimals) });
    let identity = scope.identity.clone();
    let request = NewSpace { name: args.name, nickname: args.nickname, currency, identity };
    let space = context.client()?.create_space(&request).await?;
    print(context, &space)?;
    context.out.note("invite others with `icn space invite`");
    Ok(Exit::DONE)
}

async fn join(context: &Context<'_>, scope: &ScopeArgs, args: SpaceJoinArgs) -> Result<Exit, CliError> {
    let request = JoinRequest {
        invitation: args.invitation,
        nickname: args.nickname,
        identity: scope.identity.clone(),
    };
    let space = context.client()?.join_space(&request).await?;
    print(context, &space)?;
    Ok(Exit::DONE)
}

async fn follow(context: &Context<'_>, args: SpaceFollowArgs) -> Result<Exit, CliError> {
    let request = FollowRequest { space: args.root, peers: args.peer };
    let space = context.client()?.follow_space(&request).await?;
    print(context, &space)?;
    Ok(Exit::DONE)
}

async fn unfollow(context: &Context<'_>, args: SpaceUnfollowArgs) -> Result<Exit, CliError> {
    let request = UnfollowRequest { space: args.followed, delete: args.delete };
    let ended = context.client()?.unfollow_space(&request).await?;
    if context.out.is_json() {
        context.out.json(&ended)?;
        return Ok(Exit::DONE);
    }
    let (root, entries) = (ended.space, ended.entries);
    match &ended.name {
        Some(name) => context.out.line(&format!("this node follows {} ({root}) no more", clean(name)))?,
        None => context.out.line(&format!("this node keeps nothing of {root} any more"))?,
    }
    context.out.note(&match (ended.deleted, entries) {
        (true, _) => format!("{entries} entries of its books were deleted here"),
        (false, 0) => "none of its books had come".to_owned(),
        (false, _) => format!(
            "{entries} entries of its books stay on this disk: `icn space follow {root}` goes on from there, and \
             `icn space unfollow {root} --delete` deletes them"
        ),
    });
    Ok(Exit::DONE)
}

async fn list(context: &Context<'_>, page: PageArgs) -> Result<Exit, CliError> {
    let spaces = context.client()?.spaces(page.offset, page.limit).await?;
    let heading = [
        Column::Left("NAME"),
        Column::Left("BOOKS"),
        Column::Right("MEMBERS"),
        Column::Right("ENTRIES"),
        Column::Left("YOU"),
        Column::Left("DID"),
    ];
    let empty = "no spaces yet: found one with `icn space create NAME`, or take up an invitation with `icn space join`";
    print_page(context, &spaces, page.offset, empty, &heading, |space| {
        vec![
            clean(&space.name).into(),
            Cell::styled(state(space.state), state_style(space.state)),
            space.members.to_string().into(),
            space.entries.to_string().into(),
            own(space).into(),
            space.id.to_string().into(),
        ]
    })
}

async fn show(context: &Context<'_>, scope: &ScopeArgs) -> Result<Exit, CliError> {
    let space = Books::find(context, scope).await?.books.space().await?;
    print(context, &space)?;
    Ok(Exit::DONE)
}

fn print(context: &Context<'_>, space: &Space) -> Result<(), CliError> {
    if context.out.is_json() {
        return context.out.json(space);
    }
    let stewards: Vec<String> = space.stewards.iter().map(party).collect();
    let books = format!(
        "{}, {} entries, {} peers with the same books{}",
        state(space.state),
        space.entries,
        space.peers,
        if space.sealed > 0 { format!(", sealed up to epoch {}", space.sealed) } else { String::new() }
    );
    let mut pairs = vec![
        ("space", context.out.paint(Stream::Stdout, Style::Bold, &clean(&space.name))),
        ("did", space.id.to_string()),
        ("since", space.created.to_string()),
        ("books", books),
        ("you", own(space)),
        ("members", format!("{}; stewards: {}", space.members, stewards.join(", "))),
        ("witnesses", witness_words(&space.witnesses)),
    ];
    pairs.extend(space.currencies.iter().map(|currency| ("currency", currency_words(currency))));
    if space.currencies.is_empty() {
        pairs.push(("currency", "none yet: bring one in with `icn space currency CODE`".to_owned()));
    }
    pairs.push(("rules", rule_words(&space.rules, !space.witnesses.members.is_empty())));
    pairs.extend(space.note.iter().map(|note| ("note", clean(note))));
    context.out.pairs(&pairs)
}

const fn state(state: SpaceState) -> &'static str {
    match state {
        SpaceState::Ready => "ready",
        SpaceState::Joining => "joining",
        SpaceState::Recovering => "recovering",
    }
}

const fn state_style(state: SpaceState) -> Option<Style> {
    match state {
        SpaceState::Ready => Some(Style::Green),
        SpaceState::Joining | SpaceState::Recovering => Some(Style::Yellow),
    }
}

/// Says as whom this node writes.
fn own(space: &Space) -> String {
    let members: Vec<String> = space
        .own
        .iter()
        .map(|member| {
            let name = member.nickname.as_ref().unwrap_or(&member.identity);
            format!("{}{}", clean(name), if member.steward { " (steward)" } else { "" })
        })
        .collect();
    if members.is_empty() { "no member".to_owned() } else { members.join(", ") }
}

fn witness_words(set: &WitnessSet) -> String {
    let pending = if set.change_pending { "; a change waits for their certificate" } else { "" };
    if set.members.is_empty() {
        return format!(
            "none: nobody certifies payments, and a member who signs two in one place is found out only when both \
             meet{pending}"
        );
    }
    let names: Vec<String> = set.members.iter().map(party).collect();
    format!("{} of {} certify: {}{pending}", set.quorum, names.len(), names.join(", "))
}

fn currency_words(currency: &Currency) -> String {
    let CreditRules { initial, max, ramp_days, .. } = currency.policy;
    let code = clean(&currency.code);
    format!(
        "{code}: {} decimals, lines from {initial} to {max} {code} over {ramp_days} days, issued by {}",
        currency.decimals,
        party(&currency.issuer)
    )
}

fn rule_words(rules: &SpaceRules, has_witnesses: bool) -> String {
    let finality = if rules.finality.is_empty() {
        format!("final when {}", if has_witnesses { "certified" } else { "accepted" })
    } else {
        let tiers: Vec<String> =
            rules.finality.iter().map(|tier| format!("from {} when {}", tier.from, tier.level)).collect();
        format!("final {}", tiers.join(", "))
    };
    let jobs = if rules.free_jobs { "jobs may be free" } else { "jobs must be paid" };
    let epoch = match rules.epoch_seconds {
        0 => "nobody seals by itself".to_owned(),
        seconds => format!("sealed every {seconds} s"),
    };
    let fund =
        rules.fund.as_ref().map_or_else(String::new, |fund| format!("; losses borne by {}", party(fund)));
    let mediators: Vec<String> = rules.mediators.iter().map(party).collect();
    let mediators = match mediators.as_slice() {
        [] => String::new(),
        some => format!("; mediators {}", some.join(", ")),
    };
    format!("{finality}; {jobs}; {epoch}{fund}{mediators}")
}

async fn invite(context: &Context<'_>, scope: &ScopeArgs, args: &SpaceInviteArgs) -> Result<Exit, CliError> {
    let Books { books, identity } = Books::find(context, scope).await?;
    let request = NewInvitation { member: args.member, expires_seconds: args.expires, identity };
    let invited = books.invite(&request).await?;
    if context.out.is_json() {
        context.out.json(&invited)?;
        return Ok(Exit::DONE);
    }
    context.out.line(&clean(&invited.invitation))?;
    let whom = match invited.member {
        Some(member) => format!("for {member}"),
        None => "for whoever holds it".to_owned(),
    };
    context
        .out
        .note(&format!("{whom}, until {}; to be taken up with `icn space join INVITATION`", invited.expires));
    if invited.peers.is_empty() {
        context.out.note("it names no address of this node: the newcomer must be connected by other means");
    }
    Ok(Exit::DONE)
}

async fn members(context: &Context<'_>, scope: &ScopeArgs, page: PageArgs) -> Result<Exit, CliError> {
    let books = Books::find(context, scope).await?;
    let members: Page<Member> = books.books.get("members", &books.part(page)).await?;
    let heading = [Column::Left("MEMBER"), Column::Left("ROLE"), Column::Left("DID"), Column::Left("SINCE")];
    print_page(context, &members, page.offset, "no members", &heading, |member| {
        vec![
            member.nickname.as_deref().map_or_else(|| "-".to_owned(), clean).into(),
            role(member),
            member.did.to_string().into(),
            member.since.to_string().into(),
        ]
    })
}

fn role(member: &Member) -> Cell {
    let roles = [
        (member.identity.is_some(), "you"),
        (member.steward, "steward"),
        (member.witness, "witness"),
        (member.treasury, "treasury"),
        (member.frozen.is_some(), "frozen"),
    ];
    let words: Vec<&str> = roles.iter().filter(|(is_so, _)| *is_so).map(|(_, word)| *word).collect();
    let text = if words.is_empty() { "-".to_owned() } else { words.join(", ") };
    Cell::styled(text, member.frozen.as_ref().map(|_| Style::Red))
}

async fn currency(
    context: &Context<'_>,
    scope: &ScopeArgs,
    args: SpaceCurrencyArgs,
) -> Result<Exit, CliError> {
    let figures = [
        args.initial,
        args.max,
        args.growth,
        args.growth_per,
        args.required_cleared,
        args.per_counterparty_max,
        args.ramp_days.map(i64::from),
        args.max_balance,
    ];
    let policy = if figures.iter().any(Option::is_some) {
        let space = Books::find(context, scope).await?.books.space().await?;
        let before = space.currencies.into_iter().find(|known| known.code == args.code);
        let before = before.map_or_else(CreditRules::default, |known| known.policy);
        Some(CreditRules {
            initial: args.initial.unwrap_or(before.initial),
            max: args.max.unwrap_or(before.max),
            growth: args.growth.unwrap_or(before.growth),
            growth_per: args.growth_per.unwrap_or(before.growth_per),
            trust_multiplier_ppm: before.trust_multiplier_ppm,
            ramp_days: args.ramp_days.unwrap_or(before.ramp_days),
            required_cleared: args.required_cleared.unwrap_or(before.required_cleared),
            per_counterparty_max: args.per_counterparty_max.unwrap_or(before.per_counterparty_max),
            balance_max: args.max_balance.map_or(before.balance_max, |max| (max > 0).then_some(max)),
        })
    } else {
        None
    };
    let act = Rule::Currency { code: args.code, decimals: args.decimals, policy };
    rule(context, scope, act, "written").await
}

async fn witnesses(
    context: &Context<'_>,
    scope: &ScopeArgs,
    args: SpaceWitnessesArgs,
) -> Result<Exit, CliError> {
    if args.members.is_empty() && !args.none {
        let set = Books::find(context, scope).await?.books.witnesses().await?;
        if context.out.is_json() {
            context.out.json(&set)?;
        } else {
            context.out.line(&witness_words(&set))?;
        }
        return Ok(Exit::DONE);
    }
    rule(context, scope, Rule::Witnesses { members: args.members }, "named").await
}

async fn treasury(
    context: &Context<'_>,
    scope: &ScopeArgs,
    args: SpaceTreasuryArgs,
) -> Result<Exit, CliError> {
    let SpaceTreasuryArgs { account, approvers, threshold } = args;
    rule(context, scope, Rule::Treasury { account, approvers, threshold }, "written").await
}

async fn policy(context: &Context<'_>, scope: &ScopeArgs, args: SpacePolicyArgs) -> Result<Exit, CliError> {
    let free_jobs = args.free_jobs.map(|choice| choice == YesNo::Yes);
    let finality = (!args.finality.is_empty()).then_some(args.finality);
    let mediators = (!args.mediators.is_empty()).then_some(args.mediators);
    let changes = [args.epoch, args.assign, args.mediation].iter().any(Option::is_some)
        || finality.is_some()
        || free_jobs.is_some()
        || args.fund.is_some()
        || mediators.is_some();
    if !changes {
        let space = Books::find(context, scope).await?.books.space().await?;
        if context.out.is_json() {
            context.out.json(&space.rules)?;
        } else {
            context.out.line(&rule_words(&space.rules, !space.witnesses.members.is_empty()))?;
        }
        return Ok(Exit::DONE);
    }
    let act = Rule::Policy {
        finality,
        free_jobs,
        epoch_seconds: args.epoch,
        fund: args.fund,
        mediators,
        assign_seconds: args.assign,
        mediation_seconds: args.mediation,
    };
    rule(context, scope, act, "written").await
}

async fn rule(context: &Context<'_>, scope: &ScopeArgs, act: Rule, done: &str) -> Result<Exit, CliError> {
    let books = Books::find(context, scope).await?;
    write_rule(context, &books, act, None, done).await
}

/// Writes a rule act and says what came of it.
pub(super) async fn write_rule(
    context: &Context<'_>,
    books: &Books,
    act: Rule,
    key: Option<String>,
    done: &str,
) -> Result<Exit, CliError> {
    let request = RuleRequest { act, identity: books.identity.clone(), key };
    let written: Written = books.books.rule(&request).await?;
    if context.out.is_json() {
        context.out.json(&written)?;
        return Ok(Exit::DONE);
    }
    let again = if written.repeated { " (it was already)" } else { "" };
    context.out.line(&format!("{done}{again} with entry {}", written.entry))?;
    if let Some(note) = &written.note {
        context.out.note(&clean(note));
    }
    if let Some(overrun) = &written.overrun {
        context.out.note(&format!(
            "until every node has seen this, up to {} more can be spent",
            clean(&overrun.text)
        ));
    }
    Ok(Exit::DONE)
}

//! The view: what is kept, when it is made anew, what it explains, and what it lets members do.

mod support;

use icn_trust::{
    Action, Capability, DefaultPolicySource, Edge, Policy, PolicySource as _, Score, Settings, SettingsError,
    Standing, TrustClass, TrustView, Viewpoint, Violation,
};
use icn_types::{Timestamp, TrustContext};
use support::{GIVEN, days_later, did, dids, edge, graph};

const NOW: Timestamp = GIVEN;

fn view(edges: &str) -> Result<TrustView, SettingsError> {
    let viewpoint = Viewpoint { sources: dids("a"), seeds: dids("as") };
    TrustView::new(graph(edges), viewpoint, Settings::default())
}

#[test]
fn a_changed_edge_shows_at_once() {
    let mut view = view("ab 0.8").unwrap();
    assert_eq!(
        view.score(TrustContext::General, &did('c'), NOW),
        Score { ppm: 0, class: TrustClass::Isolated }
    );
    view.graph_mut().set(&edge('b', 'c', 500_000)).unwrap();
    assert_eq!(
        view.score(TrustContext::General, &did('c'), NOW),
        Score { ppm: 320_000, class: TrustClass::Partner }
    );
    view.graph_mut().remove(TrustContext::General, &did('a'), &did('b'));
    assert_eq!(view.class(TrustContext::General, &did('c'), NOW), TrustClass::Isolated);
    // Oneself is trusted in full, even if no edge names one.
    assert_eq!(view.class(TrustContext::General, &did('a'), NOW), TrustClass::Intimate);
}

#[test]
fn what_was_read_holds_until_an_edge_expires_or_the_day_ends() {
    let mut view = view("ab 0.8").unwrap();
    let soon = Timestamp::from_millis(NOW.as_millis() + 1_000);
    view.graph_mut().set(&Edge { expires: Some(soon), ..edge('a', 'c', 900_000) }).unwrap();
    let read = |view: &mut TrustView, now| {
        let ppm = (
            view.score(TrustContext::General, &did('b'), now).ppm,
            view.score(TrustContext::General, &did('c'), now).ppm,
        );
        (ppm, view.cache_counts().readings)
    };
    assert_eq!(read(&mut view, NOW), ((800_000, 900_000), 1));
    assert_eq!(view.until(TrustContext::General, NOW), soon);
    assert_eq!(read(&mut view, Timestamp::from_millis(soon.as_millis() - 1)), ((800_000, 900_000), 1));
    assert_eq!(read(&mut view, soon), ((800_000, 0), 2));
    assert_eq!(read(&mut view, days_later(365)), ((400_000, 0), 3));
    // A clock that goes back is believed.
    assert_eq!(read(&mut view, NOW), ((800_000, 900_000), 4));
    let counts = view.cache_counts();
    assert_eq!((counts.hits, counts.misses), (2, 8));
}

#[test]
fn the_cache_is_bounded_and_changes_no_answer() {
    let settings = Settings { cache_size: 2, ..Settings::default() };
    let viewpoint = Viewpoint { sources: dids("a"), seeds: dids("a") };
    let mut small = TrustView::new(graph("ab 0.9, ac 0.5, ad 0.2, ae 0.05"), viewpoint, settings).unwrap();
    for _ in 0..3 {
        for (letter, ppm, class) in [
            ('b', 900_000, TrustClass::Intimate),
            ('c', 500_000, TrustClass::Partner),
            ('d', 200_000, TrustClass::Known),
            ('e', 50_000, TrustClass::Isolated),
        ] {
            assert_eq!(small.score(TrustContext::General, &did(letter), NOW), Score { ppm, class });
        }
    }
    assert_eq!(small.cache_counts().hits, 0, "two are kept, and four are asked for in turn");
}

#[test]
fn scores_below_the_lowest_that_counts_are_isolated() {
    let settings = Settings { default_min_score_ppm: 400_000, ..Settings::default() };
    let viewpoint = Viewpoint { sources: dids("a"), seeds: dids("a") };
    let mut strict = TrustView::new(graph("ab 0.39, ac 0.4"), viewpoint, settings).unwrap();
    assert_eq!(strict.class(TrustContext::General, &did('b'), NOW), TrustClass::Isolated);
    assert_eq!(strict.class(TrustContext::General, &did('c'), NOW), TrustClass::Partner);
    let explained = strict.explain(TrustContext::General, &did('b'), NOW);
    assert!(explained.to_string().contains("less than the 400000 that counts"), "{explained}");
}

#[test]
fn settings_and_viewpoints_are_checked() {
    let wrong = Settings { cache_size: 0, ..Settings::default() };
    assert!(TrustView::new(graph(""), Viewpoint::default(), wrong).is_err());
    let mut key = [0; 32];
    let crowd = (0..=icn_trust::VIEWPOINT_MAX as u64).map(|number| {
        key[..8].copy_from_slice(&number.to_be_bytes());
        icn_types::Did::from_public_key(key)
    });
    let viewpoint = Viewpoint { seeds: crowd.collect(), ..Viewpoint::default() };
    assert!(view("").unwrap().set_viewpoint(viewpoint).unwrap_err().to_string().contains("`seeds` is 1001"));
    let mut moved = view("bc 0.6").unwrap();
    assert_eq!(moved.score(TrustContext::General, &did('c'), NOW).ppm, 0);
    moved.set_viewpoint(Viewpoint { sources: dids("b"), seeds: dids("b") }).unwrap();
    assert_eq!(moved.score(TrustContext::General, &did('c'), NOW).ppm, 600_000);
}

#[test]
fn an_explanation_names_the_way_and_what_limits() {
    // a ─0.9→ b ─0.5→ d, a ─0.3→ c ─1→ d
    let mut view = view("ab 0.9, bd 0.5, ac 0.3, cd 1").unwrap();
    let explained = view.explain(TrustContext::Ledger, &did('d'), NOW);
    assert_eq!(explained.score.ppm, 360_000);
    assert_eq!((explained.flow.amount, explained.flow.cut.len()), (800_000, 2));
    assert_eq!(explained.next, Some((TrustClass::Federated, 700_000)));
    let (a, b, c, d) = (did('a'), did('b'), did('c'), did('d'));
    let expected = format!(
        "{d} is partner in `ledger`: 360000 of 1000000.\n\
         The best way there, with what is left after each step:\n  \
         {a} vouches for {b} with 900000, in general: 900000\n  \
         {b} vouches for {d} with 500000, in general, times 800000 for the distance: 360000\n\
         From the seeds 800000 of 1000000 arrives. What limits it is:\n  \
         the introduction of {c} by {a}, which carries 300000\n  \
         the introduction of {d} by {b}, which carries 500000\n\
         To become federated it needs 700000: somebody nearer vouches for it, or somebody on the way raises a score."
    );
    assert_eq!(explained.to_string(), expected);
    let stranger = view.explain(TrustContext::Ledger, &did('z'), NOW).to_string();
    assert!(
        stranger.contains("No row of introductions") && stranger.contains("nothing arrives"),
        "{stranger}"
    );
    let own = view.explain(TrustContext::General, &did('a'), NOW).to_string();
    assert!(own.contains("counts in full") && own.contains("nothing limits it"), "{own}");
    let faded = view.explain(TrustContext::General, &did('b'), days_later(365)).to_string();
    assert!(faded.contains("with 900000, faded to 450000: 450000"), "{faded}");
}

#[test]
fn trust_standing_and_the_table_make_the_limits() {
    let mut source = DefaultPolicySource {
        view: view("ab 0.8").unwrap(),
        standing: Standing::default(),
        policy: Policy::default(),
        graph: TrustContext::Compute,
    };
    let friend = source.policy_for(&did('b'), NOW);
    assert_eq!((friend.class, friend.constraints().messages_per_second), (TrustClass::Federated, 1_000));
    assert!(friend.has_capability(Capability::ModifyTrust));
    let stranger = source.policy_for(&did('z'), NOW);
    assert_eq!((stranger.class, stranger.constraints().messages_per_second), (TrustClass::Isolated, 1));
    // A colleague's word lifts it, and taking it back lowers it again.
    source.view.graph_mut().set(&edge('b', 'z', 600_000)).unwrap();
    assert_eq!(source.policy_for(&did('z'), NOW).constraints().messages_per_second, 100);
    source.view.graph_mut().set(&edge('b', 'z', 0)).unwrap();
    assert_eq!(source.policy_for(&did('z'), NOW).constraints().messages_per_second, 1);
    for _ in 0..3 {
        source.standing.record(NOW, did('b'), Violation::InvalidSignature, None);
    }
    let throttled = source.policy_for(&did('b'), NOW);
    assert_eq!((throttled.action, throttled.constraints().messages_per_second), (Action::Throttle, 100));
}

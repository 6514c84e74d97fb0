//! The rules of `job_params`, one by one.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod samples;

use icn_protocol::{
    ExecutionPolicy, InputSource, MeshJobParams, NamedCid, Params, ProtocolError, Stage, WorkflowType,
};
use icn_types::{Cid, Value, codec};
use samples::*;

fn fault(change: impl FnOnce(&mut MeshJobParams)) -> Option<&'static str> {
    let mut params = mesh_params();
    change(&mut params);
    match Params::new(params) {
        Ok(_) => None,
        Err(ProtocolError::Field { field, .. }) => Some(field),
        Err(error) => panic!("{error:?}"),
    }
}

fn policy(change: impl FnOnce(&mut ExecutionPolicy)) -> Option<&'static str> {
    fault(|params| change(params.execution_policy.as_mut().unwrap()))
}

#[test]
fn ranges_hold() {
    assert_eq!(fault(|_| {}), None);
    assert_eq!(fault(|p| p.timeout_seconds = 0), Some("timeout_seconds"));
    assert_eq!(fault(|p| p.timeout_seconds = 7 * 24 * 3_600 + 1), Some("timeout_seconds"));
    assert_eq!(fault(|p| p.max_fuel = 0), Some("max_fuel"));
    assert_eq!(fault(|p| p.max_fuel = 1 << 63), Some("max_fuel"));
    assert_eq!(fault(|p| p.memory_bytes_max = (4 << 30) + 1), Some("memory_bytes_max"));
    assert_eq!(fault(|p| p.output_bytes_max = 0), None);
    assert_eq!(fault(|p| p.replicas = Some(0)), Some("replicas"));
    assert_eq!(fault(|p| p.entry = Some(String::new())), Some("entry"));
    assert_eq!(fault(|p| p.description = Some("x".repeat(4_097))), Some("description"));
    assert_eq!(policy(|p| p.rep_weight = 1_000_001), Some("rep_weight"));
    assert_eq!(policy(|p| p.allowed_executors = vec![executor().did(); 257]), Some("allowed_executors"));
    assert_eq!(policy(|p| p.max_price = Some(hours(1 << 63))), Some("max_price"));
}

#[test]
fn a_space_makes_another_job_and_none_leaves_the_bytes_as_they_were() {
    let with = |space| Params::new(MeshJobParams { space, ..mesh_params() }).unwrap();
    let (without, named) = (with(None), with(Some(originator().did())));
    assert_eq!(without.bytes(), params().bytes());
    assert!(!without.bytes().windows(5).any(|bytes| bytes == b"space"));
    assert_ne!(named.cid(), without.cid());
    assert_eq!(Params::from_bytes(named.bytes()).unwrap().space, Some(originator().did()));
}

#[test]
fn arguments_are_bounded_and_fit_into_c() {
    assert_eq!(fault(|p| p.args = vec!["a\0b".into()]), Some("args"));
    assert_eq!(fault(|p| p.args = vec!["x".repeat(65_536)]), Some("args"));
    assert_eq!(fault(|p| p.args = vec![String::new(); 1_025]), Some("args"));
    for key in ["", "A=B", "A\0"] {
        assert_eq!(fault(|p| drop(p.env.insert(key.into(), "x".into()))), Some("env"), "{key:?}");
    }
    assert_eq!(fault(|p| drop(p.env.insert("EMPTY".into(), String::new()))), None);
}

#[test]
fn inputs_have_paths_of_their_own() {
    let named = |name: &str| NamedCid { name: name.into(), cid: Cid::of_raw(b"") };
    for names in [vec!["../x"], vec!["/x"], vec!["a", "a"], vec!["a", "a/b"], vec!["stdout"], vec![""]] {
        let inputs = names.iter().map(|name| named(name)).collect();
        assert_eq!(fault(|p| p.input_cids = inputs), Some("input_cids"), "{names:?}");
    }
}

#[test]
fn both_names_of_the_price_agree() {
    assert_eq!(fault(|p| p.max_acceptable_bid_tokens = Some(hours(10))), None);
    assert_eq!(fault(|p| p.max_acceptable_bid_tokens = Some(hours(11))), Some("max_acceptable_bid_tokens"));
    let mut params = mesh_params();
    params.execution_policy = None;
    params.max_acceptable_bid_tokens = Some(hours(3));
    assert_eq!(Params::new(params).unwrap().max_price(), Some(&hours(3)));
}

#[test]
fn workflows_name_earlier_stages() {
    let stage = |id: &str, source: &str| Stage {
        stage_id: id.into(),
        description: None,
        wasm_cid: Cid::of_raw(b"x"),
        input_source: source.parse().unwrap(),
        resources_required: None,
        deadline: None,
    };
    let check = |kind, stages: Vec<Stage>| {
        fault(|p| {
            p.workflow_type = kind;
            p.stages = stages;
        })
    };
    let dag = || vec![stage("a", "job"), stage("b", "job"), stage("c", "stages:a,b")];
    assert_eq!(check(WorkflowType::DagWorkflow, dag()), None);
    assert_eq!(check(WorkflowType::SequentialPipeline, dag()), Some("input_source"));
    assert_eq!(check(WorkflowType::SequentialPipeline, dag()[..2].to_vec()), None);
    assert_eq!(check(WorkflowType::SingleWasmModule, dag()), Some("stages"));
    assert_eq!(check(WorkflowType::DagWorkflow, vec![]), Some("stages"));
    assert_eq!(check(WorkflowType::DagWorkflow, vec![stage("a", "stages:a")]), Some("input_source"));
    assert_eq!(
        check(WorkflowType::DagWorkflow, vec![stage("a", "job"), stage("a", "job")]),
        Some("stage_id")
    );
    assert_eq!(check(WorkflowType::DagWorkflow, vec![stage("A", "job")]), Some("stage_id"));
    for text in ["", "stages:", "stages:a,,b", "jobs", "stages:A"] {
        assert!(text.parse::<InputSource>().is_err(), "{text}");
    }
}

#[test]
fn what_cannot_be_announced_is_refused() {
    let mut params = mesh_params();
    params.input_cids =
        (0..5_000).map(|n| NamedCid { name: format!("{n}"), cid: Cid::of_raw(b"") }).collect();
    assert!(matches!(Params::new(params), Err(ProtocolError::TooLarge { .. })));
}

#[test]
fn blocks_of_parameters_are_strict() {
    let bytes = samples::params().bytes().to_vec();
    assert_eq!(Params::from_bytes(&bytes).unwrap(), samples::params());
    assert!(Params::from_bytes(&bytes[1..]).is_err());
    let Value::Map(mut map) = codec::decode_value(&bytes).unwrap() else { panic!("a map") };
    map.insert("entry".into(), Value::Null);
    assert!(Params::from_bytes(&codec::encode(&map).unwrap()).is_err());
}

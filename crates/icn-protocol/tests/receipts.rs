//! Which receipts count.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod samples;

use std::collections::BTreeMap;

use icn_identity::{Ed25519Verifier, Keypair};
use icn_protocol::{
    ExecutionReceipt, GuestError, JobAssignment, OutputCid, ProtocolError, ReceiptBundle, ReceiptError,
    SignedReceipt, receipt as receipts, sign, verify_receipt,
};
use icn_types::{Cid, End, Mode, StandardJobStatus, Value, codec};
use proptest::prelude::*;
use samples::*;

fn verify(receipt: &[u8], assignment: Option<&[u8]>, params: Option<&[u8]>) -> Result<(), ReceiptError> {
    verify_receipt(receipt, assignment, params, &Ed25519Verifier::new()).map(drop)
}

/// Verifies a receipt with the sample's assignment and parameters.
fn judge(receipt: &SignedReceipt) -> Result<(), ReceiptError> {
    verify(receipt.bytes(), Some(assignment().inner()), Some(params().bytes()))
}

fn changed(change: impl FnOnce(&mut ExecutionReceipt)) -> Result<(), ReceiptError> {
    let mut body = receipt_body();
    change(&mut body);
    judge(&body.sign(&executor()).unwrap())
}

fn fault(change: impl FnOnce(&mut ExecutionReceipt)) -> Option<&'static str> {
    let mut body = receipt_body();
    change(&mut body);
    match body.sign(&executor()) {
        Err(ProtocolError::Field { field, .. }) => Some(field),
        Ok(_) => None,
        Err(error) => panic!("{error:?}"),
    }
}

#[test]
fn a_whole_receipt_counts() {
    let verified = bundle().verify(&Ed25519Verifier::new()).unwrap();
    assert_eq!(verified.receipt, receipt());
    assert_eq!(&verified.assignment, assignment().body());
    assert_eq!(verified.params, params());
    assert_eq!(receipt().cid(), Cid::of_dag_cbor(receipt().bytes()));
}

#[test]
fn what_is_missing_is_named() {
    let (assigned, params) = (assignment(), params());
    assert_eq!(
        verify(receipt().bytes(), None, None),
        Err(ReceiptError::AssignmentMissing { cid: assigned.cid() })
    );
    assert_eq!(
        verify(receipt().bytes(), Some(assigned.inner()), None),
        Err(ReceiptError::ParamsMissing { cid: params.cid() })
    );
    let other = ReceiptError::OtherAssignment { cid: assigned.cid() };
    assert_eq!(verify(receipt().bytes(), Some(bid().inner()), None), Err(other));
    let other = ReceiptError::OtherParams { cid: params.cid() };
    assert_eq!(verify(receipt().bytes(), Some(assigned.inner()), Some(b"\xa0")), Err(other));
}

#[test]
fn every_changed_byte_of_a_bundle_is_noticed() {
    let good = bundle().encode();
    for at in 0..good.len() {
        for flip in [0x01, 0x20, 0x80] {
            let mut bytes = good.clone();
            bytes[at] ^= flip;
            let counts = ReceiptBundle::decode(&bytes)
                .is_ok_and(|bundle| bundle.verify(&Ed25519Verifier::new()).is_ok());
            assert!(!counts, "byte {at} ^ {flip:#x}");
        }
    }
    assert!((0..good.len()).all(|len| ReceiptBundle::decode(&good[..len]).is_err()));
}

#[test]
fn bundles_hold_three_blocks_and_no_more() {
    assert_eq!(ReceiptBundle::decode(&bundle().encode()).unwrap(), bundle());
    assert!(ReceiptBundle::is_bundle(&bundle().encode()));
    assert!(!ReceiptBundle::is_bundle(receipt().bytes()));
    let (name, map) = open(&bundle().encode());
    for field in ["receipt", "assignment", "params"] {
        let mut less = map.clone();
        less.remove(field);
        assert!(ReceiptBundle::decode(&close(&name, &less)).is_err());
    }
    let mut more = map.clone();
    more.insert("note".into(), Value::String("hello".into()));
    assert!(ReceiptBundle::decode(&close(&name, &more)).is_err());
    assert!(ReceiptBundle::decode(&close("ReceiptBundleV2", &map)).is_err());
}

#[test]
fn only_the_executor_signs_and_only_as_a_receipt() {
    let Value::Map(map) = codec::decode_value(receipt().bytes()).unwrap() else { panic!("a map") };
    let signed = |name: &str, by: &Keypair| {
        let mut map = map.clone();
        sign_map(name, &mut map, by);
        judge_bytes(&codec::encode(&map).unwrap())
    };
    assert_eq!(signed(receipts::NAME, &executor()), Ok(()));
    for (name, by) in [
        ("JobBidV1", executor()),
        ("ExecutionReceiptV2", executor()),
        (receipts::NAME, originator()),
        (receipts::NAME, stranger()),
    ] {
        assert!(matches!(signed(name, &by), Err(ReceiptError::Signature(_))), "{name}");
    }
    let refused = receipt_body().sign(&stranger());
    assert!(matches!(refused, Err(ProtocolError::WrongSigner { .. })));
}

fn judge_bytes(bytes: &[u8]) -> Result<(), ReceiptError> {
    verify(bytes, Some(assignment().inner()), Some(params().bytes()))
}

#[test]
fn fields_of_newer_executors_are_signed_and_ignored() {
    let Value::Map(mut map) = codec::decode_value(receipt().bytes()).unwrap() else { panic!("a map") };
    map.insert("zz_proof".into(), Value::Bytes(vec![1]));
    sign_map(receipts::NAME, &mut map, &executor());
    let bytes = codec::encode(&map).unwrap();
    assert_eq!(judge_bytes(&bytes), Ok(()));
    map.remove("zz_proof");
    assert!(matches!(judge_bytes(&codec::encode(&map).unwrap()), Err(ReceiptError::Signature(_))));
    map.insert("exit_code".into(), Value::Null);
    sign_map(receipts::NAME, &mut map, &executor());
    assert!(matches!(judge_bytes(&codec::encode(&map).unwrap()), Err(ReceiptError::Receipt(_))));
}

#[test]
fn fields_agree_with_each_other() {
    use StandardJobStatus::{Cancelled, CompletedSuccessfully, Failed, Pending, Running};
    let end = |end, exit_code, status| {
        fault(|r| {
            r.end = end;
            r.exit_code = exit_code;
            r.status = status;
        })
    };
    assert_eq!(end(End::Exit, Some(0), CompletedSuccessfully), None);
    assert_eq!(end(End::Exit, Some(0), Failed), Some("status"));
    assert_eq!(end(End::Exit, Some(3), Failed), None);
    assert_eq!(end(End::Exit, Some(3), CompletedSuccessfully), Some("status"));
    assert_eq!(end(End::Exit, None, Failed), Some("exit_code"));
    assert_eq!(end(End::Trap, Some(1), Failed), Some("exit_code"));
    assert_eq!(end(End::Trap, None, Failed), None);
    assert_eq!(end(End::Cancelled, None, Cancelled), None);
    assert_eq!(end(End::Cancelled, None, Failed), Some("status"));
    assert_eq!(end(End::Timeout, None, Cancelled), Some("status"));
    assert_eq!(end(End::Exit, Some(0), Running), Some("status"));
    assert_eq!(end(End::Exit, Some(0), Pending), Some("status"));
    assert_eq!(
        fault(|r| r.finished_at = r.started_at.minus(icn_types::Duration::from_millis(1))),
        Some("finished_at")
    );
    assert_eq!(fault(|r| r.error = Some(GuestError::new("trap", "x"))), Some("error"));
    assert_eq!(fault(|r| r.lease_epoch = 0), Some("lease_epoch"));
    assert_eq!(fault(|r| r.runtime.engine = String::new()), Some("runtime.engine"));
    let many: BTreeMap<String, u64> = (0..129).map(|n| (format!("f{n}"), 1)).collect();
    assert_eq!(fault(|r| r.host_calls = many), Some("host_calls"));
}

#[test]
fn outputs_stay_in_their_folder() {
    let outputs = |names: &[&str]| {
        fault(|r| {
            r.output_cids = names
                .iter()
                .map(|name| OutputCid { name: (*name).into(), cid: Cid::of_raw(b""), bytes: 0 })
                .collect();
        })
    };
    assert_eq!(outputs(&["stdout", "stderr", "a/b", "a/c"]), None);
    for names in [
        ["stdout", "stdout"],
        ["a", "a"],
        ["../a", "b"],
        ["/etc/passwd", "b"],
        ["a", "a/b"],
        ["a\\b", "c"],
        ["", "c"],
    ] {
        assert_eq!(outputs(&names), Some("output_cids"), "{names:?}");
    }
}

#[test]
fn nobody_is_paid_for_what_was_not_assigned() {
    let assigned = |change: &dyn Fn(&mut JobAssignment), by: &Keypair| {
        let mut body = assignment().into_body();
        change(&mut body);
        let signed = sign(body, by).unwrap();
        let mut receipt = receipt_body();
        receipt.assignment_cid = signed.cid();
        let receipt = receipt.sign(&executor()).unwrap();
        verify(receipt.bytes(), Some(signed.inner()), Some(params().bytes()))
    };
    let differs = |field| Err(ReceiptError::AssignmentDiffers { field });
    assert_eq!(assigned(&|_| {}, &originator()), Ok(()));
    assert_eq!(assigned(&|a| a.executor_did = stranger().did(), &originator()), differs("executor_did"));
    assert_eq!(assigned(&|a| a.lease_epoch = 2, &originator()), differs("lease_epoch"));
    assert_eq!(assigned(&|a| a.params_cid = job(), &originator()), differs("params_cid"));
    assert_eq!(assigned(&|a| a.announcement_id = params().cid(), &originator()), differs("announcement_id"));
    // The executor assigns the job to itself, in its own name or in the originator's.
    assert_eq!(assigned(&|a| a.originator_did = executor().did(), &executor()), differs("originator_did"));
    let mut forged = open(assignment().wire()).1;
    sign_map("AssignJobV1", &mut forged, &executor());
    let forged = codec::encode(&forged).unwrap();
    let mut body = receipt_body();
    body.assignment_cid = Cid::of_dag_cbor(&forged);
    let receipt = body.clone().sign(&executor()).unwrap();
    let verdict = verify(receipt.bytes(), Some(&forged), Some(params().bytes()));
    assert!(matches!(verdict, Err(ReceiptError::Assignment(ProtocolError::Signature(_)))));
    // Another object of the originator's in the place of an assignment.
    let cancel = cancel();
    body.assignment_cid = cancel.cid();
    let receipt = body.sign(&executor()).unwrap();
    let verdict = verify(receipt.bytes(), Some(cancel.inner()), Some(params().bytes()));
    assert!(matches!(verdict, Err(ReceiptError::Assignment(_))));
}

#[test]
fn the_job_that_was_run_is_the_one_that_was_announced() {
    let differ = |field| Err(ReceiptError::ParamsDiffer { field });
    assert_eq!(changed(|r| r.wasm_cid = Cid::of_raw(b"other")), differ("wasm_cid"));
    assert_eq!(changed(|r| r.stdin_cid = None), differ("stdin_cid"));
    assert_eq!(changed(|r| r.input_cids.clear()), differ("input_cids"));
    assert_eq!(changed(|r| r.runtime.mode = Mode::Fast), differ("runtime.mode"));
    assert_eq!(changed(|r| r.fuel_used = 1_000_000_000_001), differ("fuel_used"));
    assert_eq!(changed(|r| r.memory_peak_bytes = (512 << 20) + 1), differ("memory_peak_bytes"));
    assert_eq!(changed(|r| r.price = Some(hours(11))), differ("price"));
    assert_eq!(changed(|r| r.price = None), Ok(()));
}

#[test]
fn replay_knows_its_limits() {
    let replayable = |change: &dyn Fn(&mut ExecutionReceipt)| {
        let mut body = receipt_body();
        change(&mut body);
        body.is_replayable()
    };
    assert!(replayable(&|_| {}));
    assert!(replayable(&|r| r.end = End::OutOfFuel));
    assert!(!replayable(&|r| r.end = End::Timeout));
    assert!(!replayable(&|r| r.runtime.mode = Mode::Fast));
    assert!(!replayable(&|r| r.host_calls.extend([("host_job_get_id".into(), 1)])));
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(receipts::parse(&bytes).is_err());
        prop_assert!(ReceiptBundle::decode(&bytes).is_err());
    }
}

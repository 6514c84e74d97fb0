//! The DID document: what the world may know about a key.

use icn_types::Did;
use serde_json::{Value, json};

use crate::key::encryption_key;
use crate::peer::peer_id;

/// Multicodec prefix of an X25519 public key (`x25519-pub`, varint 0xec).
const X25519_PUB: [u8; 2] = [0xec, 0x01];

/// Writes the DID document (W3C DID Core 1.0 with Multikey verification methods), as JSON.
///
/// `addresses` are multiaddrs; each becomes a service. A DID whose bytes are not a usable key has no key agreement.
#[must_use]
pub fn did_document(did: &Did, addresses: &[String]) -> Value {
    let signing_id = format!("{did}#{}", did.to_multikey());
    let mut document = json!({
        "@context": ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1"],
        "id": did,
        "alsoKnownAs": [did.to_did_key(), format!("urn:libp2p:{}", peer_id(did))],
        "verificationMethod": [multikey(did, &signing_id, &did.to_multikey())],
        "authentication": [signing_id],
        "assertionMethod": [signing_id],
    });
    let Some(fields) = document.as_object_mut() else { return document };
    if let Some(key) = encryption_key(did) {
        let text = format!("z{}", bs58::encode([X25519_PUB.as_slice(), &key].concat()).into_string());
        let id = format!("{did}#{text}");
        fields.insert("keyAgreement".into(), json!([multikey(did, &id, &text)]));
    }
    if !addresses.is_empty() {
        let services: Vec<Value> = addresses
            .iter()
            .enumerate()
            .map(|(n, address)| {
                json!({"id": format!("{did}#libp2p-{n}"), "type": "Libp2pNode", "serviceEndpoint": address})
            })
            .collect();
        fields.insert("service".into(), services.into());
    }
    document
}

fn multikey(did: &Did, id: &str, key: &str) -> Value {
    json!({"id": id, "type": "Multikey", "controller": did, "publicKeyMultibase": key})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_says_what_did_key_says() {
        let did: Did = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK".parse().unwrap();
        let document = did_document(&did, &["/ip4/127.0.0.1/udp/1/quic-v1".into()]);
        let key = "z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK";
        assert_eq!(document["id"], did.to_string());
        assert_eq!(document["alsoKnownAs"][0], format!("did:key:{key}"));
        assert_eq!(document["verificationMethod"][0]["publicKeyMultibase"], key);
        assert_eq!(document["verificationMethod"][0]["id"], document["assertionMethod"][0]);
        assert_eq!(document["authentication"], document["assertionMethod"]);
        assert_eq!(
            document["keyAgreement"][0]["publicKeyMultibase"],
            "z6LSj72tK8brWgZja8NLRwPigth2T9QRiG1uH9oKZuKjdh9p"
        );
        assert_eq!(document["service"][0]["serviceEndpoint"], "/ip4/127.0.0.1/udp/1/quic-v1");
    }

    #[test]
    fn what_is_not_there_is_left_out() {
        let document = did_document(&Did::from_public_key([0; 32]), &[]);
        assert!(document.get("keyAgreement").is_none());
        assert!(document.get("service").is_none());
    }
}

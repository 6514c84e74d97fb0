//! Which gossip topics are those of a space.

use icn_types::Did;

/// What the topics of spaces begin with, and their common label in metrics.
const SPACE: &str = "/icn/space";
/// The longest name of a topic inside its space, in bytes.
const NAME_BYTES_MAX: usize = 64;
/// The longest base58 text of 32 bytes.
const ROOT_BYTES_MAX: usize = 44;

/// Tells whether a gossip topic is that of a space's log: `/icn/space/<root>/<topic>/v1`.
///
/// The root is the base58 form of 32 bytes, in its one spelling; the topic is 1 to 64 of `a-z`, `0-9`, `:`, `-`, `_`,
/// `.`. Such topics need not be allowed by [`crate::Config::topic_allowed`].
#[must_use]
pub fn is_space_topic(topic: &str) -> bool {
    let parts = topic
        .strip_prefix(SPACE)
        .and_then(|rest| rest.strip_prefix('/')?.strip_suffix("/v1")?.split_once('/'));
    parts.is_some_and(|(root, name)| is_root(root) && is_name(name))
}

/// Gives the label of a topic in metrics: one for all spaces, since their names are the members' choice.
pub(crate) fn label(topic: &str) -> &str {
    if is_space_topic(topic) { SPACE } else { topic }
}

fn is_root(root: &str) -> bool {
    if root.len() > ROOT_BYTES_MAX {
        return false;
    }
    let spelled = format!("did:icn:{root}");
    spelled.parse::<Did>().is_ok_and(|did| did.to_string() == spelled)
}

fn is_name(name: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b":-_.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn root(key: [u8; 32]) -> String {
        Did::from_public_key(key).to_string().trim_start_matches("did:icn:").to_owned()
    }

    #[test]
    fn only_the_exact_form_is_a_space() {
        let (root, name) = (root([7; 32]), "x".repeat(NAME_BYTES_MAX));
        for good in ["ledger:sync", "a", "x.y-z_1", &name] {
            assert!(is_space_topic(&format!("/icn/space/{root}/{good}/v1")), "{good}");
        }
        for bad in ["", "A", "a b", "a/b", "ä", "a\n", "../x", &format!("{name}x")] {
            assert!(!is_space_topic(&format!("/icn/space/{root}/{bad}/v1")), "{bad}");
        }
        for bad in [
            String::new(),
            "/icn/space".to_owned(),
            "/icn/space//v1".to_owned(),
            "/icn/space//ledger:sync/v1".to_owned(),
            format!("/icn/space/{root}/v1"),
            format!("/icn/space/{root}/a/v2"),
            format!("/icn/space/{root}/a/v1/"),
            format!("/icn/space/{root}/a"),
            format!("/icn/spaces/{root}/a/v1"),
            format!(" /icn/space/{root}/a/v1"),
            format!("/icn/space/did:icn:{root}/a/v1"),
            format!("/icn/space/1{root}/a/v1"),
            format!("/icn/space/{}/a/v1", &root[1..]),
            format!("/icn/space/{}/a/v1", "1".repeat(100_000)),
            "/icn/mesh/capabilities/v1".to_owned(),
        ] {
            assert!(!is_space_topic(&bad), "{}", &bad[..bad.len().min(80)]);
        }
    }

    #[test]
    fn spaces_share_one_label() {
        assert_eq!(label(&format!("/icn/space/{}/a/v1", root([1; 32]))), "/icn/space");
        assert_eq!(label("/icn/mesh/capabilities/v1"), "/icn/mesh/capabilities/v1");
    }

    proptest! {
        #[test]
        fn every_root_and_name_makes_a_topic(key: [u8; 32], name in "[a-z0-9:_.-]{1,64}") {
            let topic = format!("/icn/space/{}/{}/v1", root(key), name);
            prop_assert!(is_space_topic(&topic));
        }

        #[test]
        fn nothing_else_does(root in ".{0,50}", name in ".{0,70}") {
            // A text of printable strangers is a space by chance only, and then it is spelled as one.
            if is_space_topic(&format!("/icn/space/{root}/{name}/v1")) {
                prop_assert!(is_root(&root) && is_name(&name) && !root.contains('/'));
            }
        }
    }
}

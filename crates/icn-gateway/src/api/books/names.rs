//! Finding what people mean by a name.

use icn_types::Did;

use crate::api::Problem;

/// The shortest beginning of a DID's key that is looked up.
const PREFIX_CHARS_MIN: usize = 4;
/// The most choices that an error lists.
const CHOICES_SHOWN: usize = 10;

/// Finds a space by its root DID, a unique beginning of the base58 of it, or its name if only one space has it.
///
/// # Errors
///
/// 404 `space-not-found`; 409 `space-ambiguous` with the choices.
pub fn find_space<'a>(text: &str, spaces: impl IntoIterator<Item = (Did, &'a str)>) -> Result<Did, Problem> {
    let spaces: Vec<(Did, &str)> = spaces.into_iter().collect();
    let given = text.parse::<Did>().ok();
    if let Some((did, _)) = spaces.iter().find(|(did, _)| Some(*did) == given) {
        return Ok(*did);
    }
    let named: Vec<(Did, &str)> = spaces.iter().copied().filter(|(_, name)| *name == text).collect();
    let found = if named.is_empty() {
        spaces.iter().copied().filter(|(did, _)| begins_with(did, text)).collect()
    } else {
        named
    };
    match found.as_slice() {
        [(did, _)] => Ok(*did),
        [] => Err(Problem::not_found(
            "space-not-found",
            format!("this node keeps no books of a space `{}`: see `icn space list`", cut(text)),
        )),
        several => Err(Problem::new(
            409,
            "space-ambiguous",
            format!("`{}` means several spaces: name one by its DID: {}", cut(text), choices(several)),
        )),
    }
}

/// Finds a member of a space by DID, by a nickname that only one member has, by the name of an identity of this node,
/// or by a unique beginning of the DID's base58.
///
/// A DID need not be of a member: what may be done to strangers is for the rules to say. A nickname goes before an own
/// identity's name.
///
/// # Errors
///
/// 404 `member-not-found`; 409 `member-ambiguous` with the choices.
pub fn find_member<'a>(
    text: &str,
    members: impl IntoIterator<Item = (Did, Option<&'a str>)>,
    own: impl IntoIterator<Item = (Did, &'a str)>,
) -> Result<Did, Problem> {
    if let Ok(did) = text.parse::<Did>() {
        return Ok(did);
    }
    let (mut named, mut begun) = (Vec::new(), Vec::new());
    for (did, nickname) in members {
        if nickname == Some(text) {
            named.push((did, text));
        } else if begins_with(&did, text) {
            begun.push((did, nickname.unwrap_or("-")));
        }
    }
    if named.is_empty() {
        named = own.into_iter().filter(|(_, name)| *name == text).collect();
    }
    match if named.is_empty() { begun.as_slice() } else { named.as_slice() } {
        [(did, _)] => Ok(*did),
        [] => Err(Problem::not_found(
            "member-not-found",
            format!("nobody here is called `{}`: see `icn space members`, or give the DID", cut(text)),
        )),
        several => Err(Problem::new(
            409,
            "member-ambiguous",
            format!("`{}` means several members: name one by the DID: {}", cut(text), choices(several)),
        )),
    }
}

fn begins_with(did: &Did, text: &str) -> bool {
    let key = text.strip_prefix("did:icn:").unwrap_or(text);
    key.len() >= PREFIX_CHARS_MIN
        && did.to_string().strip_prefix("did:icn:").is_some_and(|full| full.starts_with(key))
}

fn cut(text: &str) -> String {
    text.chars().take(80).collect()
}

fn choices(found: &[(Did, &str)]) -> String {
    let mut texts: Vec<String> =
        found.iter().take(CHOICES_SHOWN).map(|(did, name)| format!("{did} ({name})")).collect();
    if found.len() > CHOICES_SHOWN {
        texts.push(format!("and {} more", found.len() - CHOICES_SHOWN));
    }
    texts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn did(number: u8) -> Did {
        Did::from_public_key([number; 32])
    }

    #[test]
    fn spaces_are_found_by_did_name_or_beginning() {
        let spaces = || [(did(1), "Food"), (did(2), "Care"), (did(3), "Care")];
        let beginning: String = did(2).to_string().chars().take("did:icn:".len() + 6).collect();
        assert_eq!(find_space("Food", spaces()), Ok(did(1)));
        assert_eq!(find_space(&did(3).to_string(), spaces()), Ok(did(3)));
        assert_eq!(find_space(&beginning, spaces()), Ok(did(2)));
        assert_eq!(find_space(beginning.trim_start_matches("did:icn:"), spaces()), Ok(did(2)));
        let code = |text: &str| find_space(text, spaces()).unwrap_err().code;
        assert_eq!(code("Care"), "space-ambiguous");
        for unknown in ["", "food", "Foo", "did:icn:", &did(9).to_string()] {
            assert_eq!(code(unknown), "space-not-found", "{unknown}");
        }
    }

    #[test]
    fn members_are_found_as_people_call_them() {
        let members =
            || [(did(1), Some("ada")), (did(2), Some("bob")), (did(3), Some("bob")), (did(4), None)];
        let own = || [(did(5), "ada"), (did(4), "till")];
        let find = |text: &str| find_member(text, members(), own());
        assert_eq!(find("ada"), Ok(did(1)), "a nickname goes before a name of our own");
        assert_eq!(find("till"), Ok(did(4)));
        assert_eq!(find(&did(9).to_string()), Ok(did(9)), "a DID needs no membership");
        let beginning: String = did(3).to_string().chars().skip("did:icn:".len()).take(7).collect();
        assert_eq!(find(&beginning), Ok(did(3)));
        assert_eq!(find("bob").unwrap_err().code, "member-ambiguous");
        for unknown in ["", "eve", "a"] {
            assert_eq!(find(unknown).unwrap_err().code, "member-not-found", "{unknown}");
        }
    }
}

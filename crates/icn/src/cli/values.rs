//! Values as people type them: sizes, durations, prices, names, addresses.

use icn_types::{Did, Duration, ResourceType, TokenAmount};

/// The currency of a price that names none.
pub(crate) const CURRENCY_DEFAULT: &str = "hours";

/// A name and what it stands for, typed `NAME=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// Reads a size such as `64MiB`, `1.5 GB` or `4096`; at least one byte.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    match text.parse::<bytesize::ByteSize>() {
        Ok(size) if size.as_u64() > 0 => Ok(size.as_u64()),
        Ok(_) => Err("it must be at least one byte".to_owned()),
        Err(_) => Err("expected a size such as `64MiB`, `2GB` or a number of bytes".to_owned()),
    }
}

/// Reads a duration such as `3s`, `2m`, `1h30m` or `PT30S`; more than nothing, at most ten years.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    const TEN_YEARS_MS: i128 = 10 * 366 * 24 * 3_600 * 1_000;
    let length: jiff::SignedDuration = text.parse().map_err(|_| {
        "expected a duration with its unit, such as `500ms`, `3s`, `2m` or `1h30m`".to_owned()
    })?;
    match length.as_millis() {
        ms @ 1..=TEN_YEARS_MS => Ok(Duration::from_millis(ms.try_into().unwrap_or(u64::MAX))),
        _ => Err("it must be between one millisecond and ten years".to_owned()),
    }
}

/// Reads a duration in whole seconds, rounded up: half a second of patience is one second of limit.
pub(crate) fn seconds(text: &str) -> Result<u64, String> {
    duration(text).map(|length| length.as_millis().div_ceil(1_000))
}

/// Reads a price such as `5 hours`; a bare number is in hours.
pub(crate) fn price(text: &str) -> Result<TokenAmount, String> {
    let text = text.trim();
    let bare = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let full = if bare { format!("{text} {CURRENCY_DEFAULT}") } else { text.to_owned() };
    full.parse().map_err(|error: icn_types::AmountError| error.to_string())
}

/// Reads a length of time that may be of days or weeks, such as `12h`, `7d` or `2w`, in whole seconds, rounded up.
pub(crate) fn long_seconds(text: &str) -> Result<u64, String> {
    const DAY_SECONDS: u64 = 24 * 3_600;
    const TEN_YEARS_SECONDS: u64 = 10 * 366 * DAY_SECONDS;
    let days = |count: &str, days: u64| {
        let seconds = count.parse::<u64>().ok()?.checked_mul(days * DAY_SECONDS)?;
        (1..=TEN_YEARS_SECONDS).contains(&seconds).then_some(seconds)
    };
    let whole = match (text.strip_suffix('d'), text.strip_suffix('w')) {
        (Some(count), _) => days(count, 1),
        (None, Some(count)) => days(count, 7),
        (None, None) => None,
    };
    whole.map_or_else(|| seconds(text), Ok).map_err(|error| error.replace("`3s`, `2m`", "`2m`, `7d`"))
}

/// Takes what looks like a price: digits, decimals if need be, and a currency. How many decimals there may be is the
/// currency's affair.
pub(crate) fn price_text(text: &str) -> Result<String, String> {
    let text = text.trim();
    let (number, currency) = text.split_once(' ').unwrap_or((text, CURRENCY_DEFAULT));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let are_digits = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let currency = icn_types::TokenAmount { amount: 0, currency: currency.trim().to_owned() };
    if are_digits(whole) && are_digits(fraction) && currency.is_valid() {
        Ok(text.to_owned())
    } else {
        Err("expected a number and a currency, such as `5 hours` or `2.50 hours`".to_owned())
    }
}

/// Reads `NAME=VALUE`, split at the first `=`.
pub(crate) fn named(text: &str) -> Result<Named, String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => {
            Ok(Named { name: name.to_owned(), value: value.to_owned() })
        }
        _ => Err("expected `NAME=VALUE`".to_owned()),
    }
}

/// Reads `NAME=FILE` or `NAME=CID`, where the name is one that an input may have.
pub(crate) fn input(text: &str) -> Result<Named, String> {
    let input = named(text).map_err(|_| "expected `NAME=FILE` or `NAME=CID`".to_owned())?;
    icn_types::check_path(&input.name).map_err(|error| error.to_string())?;
    if input.value.is_empty() {
        return Err("the file or CID after `=` is missing".to_owned());
    }
    Ok(input)
}

/// Reads a score, such as `0.7` or `70%`, and writes it in its usual form.
pub(crate) fn score(text: &str) -> Result<String, String> {
    icn_types::parse_score(text).map(icn_types::format_score).map_err(|error| error.to_string())
}

/// Reads `KIND=N`, a resource and how much of it, in the unit that its name says.
pub(crate) fn resource(text: &str) -> Result<(ResourceType, u64), String> {
    let Named { name, value } =
        named(text).map_err(|_| "expected `KIND=N`, such as `cpu_millicores=4000`".to_owned())?;
    let amount = value.parse().map_err(|_| format!("`{value}` is not a whole number"))?;
    Ok((ResourceType::from(name), amount))
}

/// Reads a peer's address, a multiaddr or `icn://<did>@host:port`, and gives the multiaddr.
///
/// `icn://` names the QUIC port of the node that holds the DID's key.
pub(crate) fn peer(text: &str) -> Result<String, String> {
    if let Some(rest) = text.strip_prefix("icn://") {
        return icn_address(rest);
    }
    multiaddr(text).map_err(|error| format!("{error}, or `icn://did:icn:…@192.0.2.7:7100`"))
}

/// Takes what looks like a multiaddr; the node reads it in full.
pub(crate) fn multiaddr(text: &str) -> Result<String, String> {
    if text.starts_with('/') && text.len() > 1 {
        return Ok(text.to_owned());
    }
    Err("expected a multiaddr such as `/ip4/192.0.2.7/udp/7100/quic-v1`".to_owned())
}

fn icn_address(rest: &str) -> Result<String, String> {
    let shape = || "expected `icn://<did>@host:port`".to_owned();
    let (did, place) = rest.split_once('@').ok_or_else(shape)?;
    let did: Did = did.parse().map_err(|error: icn_types::DidError| error.to_string())?;
    let (host, port) = place.rsplit_once(':').ok_or_else(shape)?;
    let port: u16 = port.parse().map_err(|_| format!("`{port}` is not a port: expected 1 to 65535"))?;
    let host = host_part(host).ok_or_else(shape)?;
    Ok(format!("{host}/udp/{port}/quic-v1/p2p/{}", icn_identity::peer_id(&did)))
}

/// Spells a host as the start of a multiaddr.
fn host_part(host: &str) -> Option<String> {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if let Some(address) = bare {
        return address.parse::<std::net::Ipv6Addr>().ok().map(|address| format!("/ip6/{address}"));
    }
    if let Ok(address) = host.parse::<std::net::Ipv4Addr>() {
        return Some(format!("/ip4/{address}"));
    }
    let valid = !host.is_empty()
        && host.len() <= 253
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.');
    valid.then(|| format!("/dns/{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let check = |text: &str, expected: u64| assert_eq!(size(text), Ok(expected), "{text}");
        check("64MiB", 64 << 20);
        check("64 MiB", 64 << 20);
        check("1.5GB", 1_500_000_000);
        check("4096", 4_096);
        check("1KiB", 1_024);
        for bad in ["", "0", "many", "-1", "64 parrots", "0MiB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations() {
        let check = |text: &str, ms: u64| assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        check("3s", 3_000);
        check("2m", 120_000);
        check("1h30m", 5_400_000);
        check("250ms", 250);
        check("PT30S", 30_000);
        for bad in ["", "3", "s", "-3s", "0s", "11 parrots", "200000h"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        assert_eq!(seconds("2m"), Ok(120));
        assert_eq!(seconds("1500ms"), Ok(2), "a limit is never shorter than asked");
    }

    #[test]
    fn prices() {
        let check =
            |text: &str, expected: &str| assert_eq!(price(text).unwrap().to_string(), expected, "{text}");
        check("5 hours", "5 hours");
        check("5", "5 hours");
        check(" 12 coop-credits ", "12 coop-credits");
        for bad in ["", "hours", "-5", "5.5", "5 ho urs", "99999999999999999999"] {
            assert!(price(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn long_times() {
        let check = |text: &str, expected: u64| assert_eq!(long_seconds(text), Ok(expected), "{text}");
        check("90s", 90);
        check("12h", 43_200);
        check("7d", 604_800);
        check("2w", 1_209_600);
        for bad in ["", "d", "0d", "-1d", "1.5d", "4000d", "7", "99999999999999999999w"] {
            assert!(long_seconds(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn prices_may_have_decimals() {
        for good in ["5", "5 hours", "2.50 hours", "0.5"] {
            assert_eq!(price_text(good).as_deref(), Ok(good));
        }
        for bad in ["", "cheap", "-5", "5.", ".5", "1e3", "5 ho urs", "2,5 hours"] {
            assert!(price_text(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn inputs() {
        assert_eq!(
            input("docs/a.txt=../x=y"),
            Ok(Named { name: "docs/a.txt".to_owned(), value: "../x=y".to_owned() })
        );
        for bad in ["a.txt", "=a.txt", "a.txt=", "../a=b", "/a=b", "stdout=b", "a//b=c"] {
            assert!(input(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn peers() {
        let did = Did::from_public_key([
            0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
            0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
        ]);
        let id = icn_identity::peer_id(&did);
        let check = |place: &str, start: &str| {
            let expected = format!("{start}/quic-v1/p2p/{id}");
            assert_eq!(peer(&format!("icn://{did}@{place}")), Ok(expected), "{place}");
        };
        check("192.0.2.7:7100", "/ip4/192.0.2.7/udp/7100");
        check("[2001:db8::7]:7100", "/ip6/2001:db8::7/udp/7100");
        check("node.example:7100", "/dns/node.example/udp/7100");
        assert_eq!(peer("/ip4/192.0.2.7/tcp/1"), Ok("/ip4/192.0.2.7/tcp/1".to_owned()));
        for bad in ["", "/", "192.0.2.7:7100", "icn://192.0.2.7:7100", "icn://did:icn:abc@h:1"] {
            assert!(peer(bad).is_err(), "{bad}");
        }
        for bad in ["", "host", "host:x", "host:99999", "a/b:1", "[zz]:1"] {
            assert!(peer(&format!("icn://{did}@{bad}")).is_err(), "{bad}");
        }
    }
}

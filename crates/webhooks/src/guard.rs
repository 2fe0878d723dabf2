//! Where nothing is sent to: addresses inside of somebody's network, which an endpoint's URL must not
//! lead to, whatever its name says.
//!
//! The ranges are those that IANA's registries of special-purpose addresses keep from being reached
//! from everywhere (RFC 6890 and what came after it), with addresses that carry an IPv4 one judged by
//! that one. Of IPv6 only what is assigned as global unicast (2000::/3) is let through at all.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use url::Url;

/// IPv4 ranges that are not for everybody.
const INSIDE_4: &[(&str, &str)] = &[
    ("0.0.0.0/8", "of this network"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "shared by a carrier"),
    ("127.0.0.0/8", "loopback"),
    ("169.254.0.0/16", "link-local"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "for protocols"),
    ("192.0.2.0/24", "for documentation"),
    ("192.88.99.0/24", "a relay's"),
    ("192.168.0.0/16", "private"),
    ("198.18.0.0/15", "for benchmarks"),
    ("198.51.100.0/24", "for documentation"),
    ("203.0.113.0/24", "for documentation"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),
];
/// IPv6 ranges within 2000::/3 that are not for everybody.
const INSIDE_6: &[(&str, &str)] = &[
    ("2001::/23", "for protocols"),
    ("2001:db8::/32", "for documentation"),
    ("3fff::/20", "for documentation"),
];

/// What may be called.
#[derive(Clone, Debug)]
pub struct Guard {
    inside: Vec<(IpNet, &'static str)>,
    /// Inside, and allowed all the same.
    allowed: Vec<IpNet>,
    ports: Vec<u16>,
    allows_plain: bool,
}

/// Why something must not be called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is none.
    #[error("{text:?} is no URL: {problem}")]
    NoUrl {
        /// What was given.
        text: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Neither https nor an http that is allowed.
    #[error(
        "the scheme {scheme:?} is not allowed: take https, or set webhooks.plain to allow http"
    )]
    Scheme {
        /// Which.
        scheme: String,
    },
    /// It has a name and a password in it.
    #[error("a URL with a user or a password is not allowed: the signature says who calls")]
    User,
    /// Not one of those allowed.
    #[error("port {port} is not allowed: take one of {allowed}, or add it to webhooks.ports")]
    Port {
        /// Which.
        port: u16,
        /// Those that are.
        allowed: String,
    },
    /// It is inside of a network.
    #[error("{address} is {kind}, and not allowed: add its range to webhooks.allow if it is meant")]
    Inside {
        /// Which.
        address: IpAddr,
        /// What kind of address that is.
        kind: &'static str,
    },
}

impl Guard {
    /// Lets through public addresses, those of `allowed`, https, http if it `allows_plain`, and
    /// these ports.
    #[must_use]
    pub fn new(allowed: Vec<IpNet>, ports: Vec<u16>, allows_plain: bool) -> Self {
        let four = INSIDE_4.iter().map(|(net, kind)| {
            let net = net.parse::<Ipv4Net>();
            (IpNet::V4(net.unwrap_or_default()), *kind)
        });
        let six = INSIDE_6.iter().map(|(net, kind)| {
            let net = net.parse::<Ipv6Net>();
            (IpNet::V6(net.unwrap_or_default()), *kind)
        });
        Guard {
            inside: four.chain(six).collect(),
            allowed,
            ports,
            allows_plain,
        }
    }

    /// A URL, by all that can be said of it without asking anybody where its host is.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn url(&self, text: &str) -> Result<Url, Refusal> {
        let url = Url::parse(text).map_err(|error| Refusal::NoUrl {
            text: text.to_owned(),
            problem: error.to_string(),
        })?;
        match url.scheme() {
            "https" => {}
            "http" if self.allows_plain => {}
            other => {
                return Err(Refusal::Scheme {
                    scheme: other.to_owned(),
                });
            }
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::User);
        }
        let port = url.port_or_known_default().unwrap_or_default();
        if !self.ports.contains(&port) {
            let allowed: Vec<String> = self.ports.iter().map(u16::to_string).collect();
            return Err(Refusal::Port {
                port,
                allowed: allowed.join(", "),
            });
        }
        match url.host() {
            Some(url::Host::Ipv4(address)) => self.address(address.into())?,
            Some(url::Host::Ipv6(address)) => self.address(address.into())?,
            // Known when it is resolved.
            Some(url::Host::Domain(_)) => {}
            None => {
                return Err(Refusal::NoUrl {
                    text: text.to_owned(),
                    problem: "it names no host".to_owned(),
                });
            }
        }
        Ok(url)
    }

    /// An address that a name led to.
    ///
    /// # Errors
    /// [`Refusal::Inside`].
    pub fn address(&self, address: IpAddr) -> Result<(), Refusal> {
        let judged = carried(address);
        let is_in = |net: &IpNet| net.contains(&address) || net.contains(&judged);
        if self.allowed.iter().any(is_in) {
            return Ok(());
        }
        let refuse = |kind| Err(Refusal::Inside { address, kind });
        if let Some((_, kind)) = self.inside.iter().find(|(net, _)| net.contains(&judged)) {
            return refuse(kind);
        }
        match judged {
            IpAddr::V4(_) => Ok(()),
            IpAddr::V6(address) if address.segments()[0] & 0xe000 == 0x2000 => Ok(()),
            IpAddr::V6(Ipv6Addr::LOCALHOST) => refuse("loopback"),
            IpAddr::V6(address) if address.is_unicast_link_local() => refuse("link-local"),
            IpAddr::V6(address) if address.is_unique_local() => refuse("private"),
            IpAddr::V6(address) if address.is_multicast() => refuse("multicast"),
            IpAddr::V6(_) => refuse("not for everybody"),
        }
    }
}

/// The IPv4 address that an IPv6 one stands for: mapped (RFC 4291), compatible (the same, long out of
/// use), translated (RFC 6052), 6to4 (RFC 3056). Itself, if it stands for none.
fn carried(address: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = address else {
        return address;
    };
    let octets = six.octets();
    let four =
        |at: usize| Ipv4Addr::from([octets[at], octets[at + 1], octets[at + 2], octets[at + 3]]);
    let begins = |with: &[u8]| octets.starts_with(with);
    if six == Ipv6Addr::LOCALHOST || six == Ipv6Addr::UNSPECIFIED {
        return address;
    }
    if begins(&[0; 12]) || begins(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]) {
        return four(12).into();
    }
    if begins(&[0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0]) {
        return four(12).into();
    }
    if begins(&[0x20, 0x02]) {
        return four(2).into();
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usual() -> Guard {
        Guard::new(Vec::new(), vec![443, 8443], false)
    }

    #[test]
    fn every_range_that_is_written_here_is_one() {
        let nets: Vec<_> = usual()
            .inside
            .iter()
            .map(|(net, _)| net.to_string())
            .collect();
        let written = INSIDE_4
            .iter()
            .chain(INSIDE_6)
            .map(|(net, _)| (*net).to_owned());
        assert_eq!(nets, written.collect::<Vec<_>>());
    }

    #[test]
    fn addresses_inside_are_refused_however_they_are_written() {
        let inside = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.1.2.3",
            "169.254.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.0.171",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "192.168.255.255",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::10.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.1.2.3",
            "::ffff:169.254.169.254",
            "::ffff:192.168.1.1",
            "::ffff:0:127.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:0:53aa:64c::1",
            "2001:10::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:a00:1::",
            "2002:c0a8:101::",
            "2002:a9fe:a9fe::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00::1",
            "fdff:ffff::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "ff0e::1",
            "fd00:ec2::254",
        ];
        for address in inside {
            let refused = usual().address(address.parse().unwrap());
            assert!(matches!(refused, Err(Refusal::Inside { .. })), "{address}");
        }
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.255.255",
            "172.32.0.1",
            "192.167.1.1",
            "198.17.255.255",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:4860::8888",
            "2a00:1450::1",
            "2002:808:808::",
            "64:ff9b::8.8.8.8",
            "::ffff:8.8.8.8",
        ] {
            assert_eq!(
                usual().address(address.parse().unwrap()),
                Ok(()),
                "{address}"
            );
        }
    }

    #[test]
    fn urls_are_refused_by_scheme_port_user_and_address() {
        let guard = usual();
        for url in [
            "https://example.com/hook",
            "https://example.com:8443/?a=b",
            "https://8.8.8.8/",
        ] {
            assert!(guard.url(url).is_ok(), "{url}");
        }
        for (url, named) in [
            ("http://example.com/", "scheme"),
            ("ftp://example.com/", "scheme"),
            ("file:///etc/passwd", "scheme"),
            ("https://example.com:22/", "port 22"),
            ("https://user:pass@example.com/", "user or a password"),
            ("https://127.0.0.1/", "loopback"),
            ("https://2130706433/", "loopback"),
            ("https://0x7f.1/", "loopback"),
            ("https://0177.0.0.1/", "loopback"),
            ("https://[::1]/", "loopback"),
            ("https://[::ffff:10.0.0.1]/", "private"),
            ("example.com", "no URL"),
            ("https://", "no URL"),
        ] {
            let refused = guard.url(url).unwrap_err().to_string();
            assert!(refused.contains(named), "{url}: {refused}");
        }
    }

    #[test]
    fn what_is_allowed_is_let_through() {
        let allowed = vec!["127.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let guard = Guard::new(allowed, vec![80, 443, 9000], true);
        for url in [
            "http://127.0.0.1:9000/",
            "https://[fd00::1]/",
            "http://example.com/",
        ] {
            assert!(guard.url(url).is_ok(), "{url}");
        }
        assert!(guard.url("http://10.0.0.1/").is_err());
        assert!(guard.address("::ffff:127.0.0.1".parse().unwrap()).is_ok());
    }
}

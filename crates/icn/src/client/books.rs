//! The routes of common books.

use icn_gateway::api::books::{
    EntryView, FollowRequest, Invited, JoinRequest, LedgerVerdict, NewIdentity, NewInvitation, NewSpace,
    Order, OwnIdentity, RuleRequest, Space, UnfollowRequest, Unfollowed, WitnessSet, Written,
};
use icn_types::Page;
use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Client, Download, JsonLines};
use crate::error::CliError;

/// The parts of a URL after `?`.
pub(crate) type Query<'a> = Vec<(&'a str, String)>;

impl Client {
    pub(crate) async fn identities(&self, offset: u64, limit: u64) -> Result<Page<OwnIdentity>, CliError> {
        self.get(&format!("/v1/identities?offset={offset}&limit={limit}")).await
    }

    pub(crate) async fn create_identity(&self, request: &NewIdentity) -> Result<OwnIdentity, CliError> {
        self.post("/v1/identities", request).await
    }

    pub(crate) async fn spaces(&self, offset: u64, limit: u64) -> Result<Page<Space>, CliError> {
        self.get(&format!("/v1/spaces?offset={offset}&limit={limit}")).await
    }

    pub(crate) async fn create_space(&self, request: &NewSpace) -> Result<Space, CliError> {
        self.post("/v1/spaces", request).await
    }

    pub(crate) async fn join_space(&self, request: &JoinRequest) -> Result<Space, CliError> {
        self.post("/v1/join", request).await
    }

    pub(crate) async fn follow_space(&self, request: &FollowRequest) -> Result<Space, CliError> {
        self.post("/v1/follow", request).await
    }

    pub(crate) async fn unfollow_space(&self, request: &UnfollowRequest) -> Result<Unfollowed, CliError> {
        self.post("/v1/unfollow", request).await
    }

    pub(crate) async fn space(&self, space: &str) -> Result<Space, CliError> {
        self.get(&format!("/v1/spaces/{}", escaped(space))).await
    }
}

/// The common books of one space.
#[derive(Debug, Clone)]
pub(crate) struct BooksClient {
    client: Client,
    base: String,
}

impl BooksClient {
    /// Means the space that is called so.
    pub(crate) fn new(client: Client, space: &str) -> Self {
        Self { client, base: format!("/v1/spaces/{}", escaped(space)) }
    }

    pub(crate) async fn space(&self) -> Result<Space, CliError> {
        self.client.get(&self.base).await
    }

    pub(crate) async fn invite(&self, request: &NewInvitation) -> Result<Invited, CliError> {
        self.post("invitations", request).await
    }

    pub(crate) async fn witnesses(&self) -> Result<WitnessSet, CliError> {
        self.get("witnesses", &Query::new()).await
    }

    pub(crate) async fn rule(&self, request: &RuleRequest) -> Result<Written, CliError> {
        self.post("rules", request).await
    }

    pub(crate) async fn order(&self, reference: &str) -> Result<Order, CliError> {
        self.get(&format!("orders/{}", escaped(reference)), &Query::new()).await
    }

    /// Follows the books: each entry from now on, and again once it is certified.
    pub(crate) async fn follow(&self) -> Result<JsonLines<EntryView>, CliError> {
        self.client.lines(&format!("{}/events", self.base)).await
    }

    pub(crate) async fn verify(&self) -> Result<LedgerVerdict, CliError> {
        self.get("verify", &Query::new()).await
    }

    pub(crate) async fn export(&self, query: &Query<'_>) -> Result<Download, CliError> {
        self.client.download(&self.path("export", query)).await
    }

    pub(crate) async fn statement(&self, query: &Query<'_>) -> Result<Download, CliError> {
        self.client.download(&self.path("statement", query)).await
    }

    /// Asks one of the questions of the books.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        route: &str,
        query: &Query<'_>,
    ) -> Result<T, CliError> {
        self.client.parsed(self.client.request(Method::GET, &self.path(route, query))).await
    }

    /// Writes something into the books.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        route: &str,
        body: &impl Serialize,
    ) -> Result<T, CliError> {
        self.client.post(&format!("{}/{route}", self.base), body).await
    }

    fn path(&self, route: &str, query: &Query<'_>) -> String {
        let mut path = format!("{}/{route}", self.base);
        for (index, (name, value)) in query.iter().enumerate() {
            path.push(if index == 0 { '?' } else { '&' });
            path.push_str(name);
            path.push('=');
            path.push_str(&escaped(value));
        }
        path
    }
}

/// Writes a text as one part of a URL: whatever means something there is written as `%` and its code.
pub(crate) fn escaped(text: &str) -> String {
    use std::fmt::Write as _;
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            let _infallible = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_one_part_of_a_url() {
        let check = |text: &str, expected: &str| assert_eq!(escaped(text), expected);
        check("Bakery-1", "Bakery-1");
        check("a b/c?d#e&f=%", "a%20b%2Fc%3Fd%23e%26f%3D%25");
        check("..", "%2E%2E");
        check("ü", "%C3%BC");
    }
}

//! The eleven messages of the mesh.

mod capability;
mod interactive;
mod offer;
mod work;

use icn_types::{Did, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::capability::{NodeCapability, capacity};
pub use self::interactive::{JobInteractiveInput, JobInteractiveOutput};
pub use self::offer::{JobAnnouncement, JobBid, JobDecline, JobInterest, PriceRates};
pub use self::work::{CancelJob, ExecutionReceiptAvailable, JobAssignment, JobStatusUpdate};
use crate::error::ProtocolError;

mod sealed {
    pub trait Sealed {}
}

/// The content of one kind of message, without its signature.
pub trait Body: Serialize + DeserializeOwned + Clone + sealed::Sealed {
    /// The variant's name on the wire and under the signature.
    const NAME: &'static str;
    /// Whether it travels by gossip (also, or only).
    const IS_GOSSIP: bool;
    /// Whether it travels as a direct request (also, or only).
    const IS_DIRECT: bool;

    /// Names who speaks: the DID whose key signs.
    fn speaker(&self) -> Did;

    /// Tells when the message was made.
    fn timestamp(&self) -> Timestamp;

    /// Checks every field's range (`docs/protocol.md`, section 6).
    ///
    /// # Errors
    ///
    /// [`ProtocolError::Field`] with the first field that is wrong.
    fn check(&self) -> Result<(), ProtocolError>;

    /// Wraps the content as one of all messages.
    fn into_message(self) -> Message;
}

macro_rules! messages {
    ($($(#[$doc:meta])* $variant:ident($body:ident), speaker $speaker:ident, gossip $gossip:literal, direct $direct:literal;)*) => {
        /// One of the eleven messages.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Message {
            $($(#[$doc])* $variant(Box<$body>),)*
        }

        impl Message {
            /// The variants' names, in the order of the specification.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($variant),)*];

            /// Returns the variant's name.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => stringify!($variant),)*
                }
            }

            /// Names who speaks: the DID whose key signs.
            #[must_use]
            pub fn speaker(&self) -> Did {
                match self {
                    $(Self::$variant(body) => body.speaker(),)*
                }
            }

            /// Tells when the message was made.
            #[must_use]
            pub fn timestamp(&self) -> Timestamp {
                match self {
                    $(Self::$variant(body) => body.timestamp(),)*
                }
            }

            /// Tells whether the message may travel by gossip.
            #[must_use]
            pub const fn is_gossip(&self) -> bool {
                match self {
                    $(Self::$variant(_) => $gossip,)*
                }
            }

            /// Tells whether the message may travel as a direct request.
            #[must_use]
            pub const fn is_direct(&self) -> bool {
                match self {
                    $(Self::$variant(_) => $direct,)*
                }
            }

            pub(crate) fn check(&self) -> Result<(), ProtocolError> {
                match self {
                    $(Self::$variant(body) => body.check(),)*
                }
            }

            /// Reads the fields of the variant called `name` out of the inner map; nothing when there is no such variant.
            pub(crate) fn from_inner(name: &str, inner: &[u8]) -> Option<Result<Self, ProtocolError>> {
                match name {
                    $(stringify!($variant) => Some(
                        crate::bounds::typed::<$body>(inner)
                            .map(Body::into_message)
                            .map_err(|source| ProtocolError::Shape { name: stringify!($variant), source }),
                    ),)*
                    _ => None,
                }
            }
        }

        $(
            impl sealed::Sealed for $body {}

            impl Body for $body {
                const NAME: &'static str = stringify!($variant);
                const IS_GOSSIP: bool = $gossip;
                const IS_DIRECT: bool = $direct;

                fn speaker(&self) -> Did {
                    self.$speaker
                }

                fn timestamp(&self) -> Timestamp {
                    self.timestamp
                }

                fn check(&self) -> Result<(), ProtocolError> {
                    self.check_fields(crate::bounds::Fields(Self::NAME))
                }

                fn into_message(self) -> Message {
                    Message::$variant(Box::new(self))
                }
            }
        )*
    };
}

messages! {
    /// What a node can run. Gossip.
    CapabilityAdvertisementV1(NodeCapability), speaker node_did, gossip true, direct false;
    /// A job that wants an executor. Gossip.
    JobAnnouncementV1(JobAnnouncement), speaker originator_did, gossip true, direct false;
    /// An executor's offer. Direct, to the originator.
    JobBidV1(JobBid), speaker executor_did, gossip false, direct true;
    /// The originator's choice. Direct, to the executor; the response accepts or declines.
    AssignJobV1(JobAssignment), speaker originator_did, gossip false, direct true;
    /// How the job goes; renews the lease. Direct, to the originator.
    JobStatusUpdateV1(JobStatusUpdate), speaker executor_did, gossip false, direct true;
    /// A receipt exists. Direct, to the originator, and gossip.
    ExecutionReceiptAvailableV1(ExecutionReceiptAvailable), speaker executor_did, gossip true, direct true;
    /// Bytes for the running guest. Direct, to the executor.
    JobInteractiveInputV1(JobInteractiveInput), speaker originator_did, gossip false, direct true;
    /// Bytes from the running guest. Direct, to the originator.
    JobInteractiveOutputV1(JobInteractiveOutput), speaker executor_did, gossip false, direct true;
    /// An executor considers a bid. Direct, to the originator.
    JobInterestV1(JobInterest), speaker executor_did, gossip false, direct true;
    /// Why an executor does not bid. Direct, to the originator.
    JobDeclineV1(JobDecline), speaker executor_did, gossip false, direct true;
    /// The originator takes the job back. Direct, to the executor.
    CancelJobV1(CancelJob), speaker originator_did, gossip false, direct true;
}

impl Message {
    /// Names the job that the message is about; nothing for advertisements.
    #[must_use]
    pub fn announcement_id(&self) -> Option<icn_types::Cid> {
        Some(match self {
            Self::CapabilityAdvertisementV1(_) => return None,
            Self::JobAnnouncementV1(body) => body.announcement_id,
            Self::JobBidV1(body) => body.announcement_id,
            Self::AssignJobV1(body) => body.announcement_id,
            Self::JobStatusUpdateV1(body) => body.announcement_id,
            Self::ExecutionReceiptAvailableV1(body) => body.announcement_id,
            Self::JobInteractiveInputV1(body) => body.announcement_id,
            Self::JobInteractiveOutputV1(body) => body.announcement_id,
            Self::JobInterestV1(body) => body.announcement_id,
            Self::JobDeclineV1(body) => body.announcement_id,
            Self::CancelJobV1(body) => body.announcement_id,
        })
    }
}

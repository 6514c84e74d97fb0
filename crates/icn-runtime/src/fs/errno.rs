//! The error numbers of WASI preview 1, and what a file operation can fail with.

use crate::stop::Stop;

macro_rules! errnos {
    ($($name:ident $number:literal;)*) => {
        /// An error number that the guest gets as the answer.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u16)]
        pub(crate) enum Errno { $($name = $number),* }
    };
}

errnos! {
    BadDescriptor 8;
    Exists 20;
    TooBig 22;
    NotUtf8 25;
    Invalid 28;
    IsFolder 31;
    TooManyOpen 33;
    NameTooLong 37;
    NotFound 44;
    NotFolder 54;
    NotEmpty 55;
    NotSupported 58;
    ReadOnly 69;
    IllegalSeek 70;
    NotCapable 76;
}

/// Why an operation did not do what was asked: an answer for the guest, or its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    Answer(Errno),
    End(Stop),
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self::Answer(errno)
    }
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Self {
        Self::End(stop)
    }
}

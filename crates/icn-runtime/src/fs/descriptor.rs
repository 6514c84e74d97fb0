//! What a guest has open.

use super::{Errno, FileType, NodeId, Tree};

/// The most descriptors that a guest may have open.
pub(crate) const DESCRIPTORS_MAX: u32 = 1_024;

/// The rights of WASI preview 1, as bits.
pub(crate) mod rights {
    pub(crate) const FD_READ: u64 = 1 << 1;
    pub(crate) const FD_SEEK: u64 = 1 << 2;
    pub(crate) const FD_TELL: u64 = 1 << 5;
    pub(crate) const FD_WRITE: u64 = 1 << 6;
    pub(crate) const FD_ALLOCATE: u64 = 1 << 8;
    pub(crate) const FD_FILESTAT_SET_SIZE: u64 = 1 << 22;
    pub(crate) const SOCK: u64 = 0b11 << 28;
    /// Everything that preview 1 knows, without the rights of sockets.
    pub(crate) const ALL: u64 = ((1 << 30) - 1) & !SOCK;
    /// What only writing needs.
    pub(crate) const WRITING: u64 = FD_WRITE | FD_ALLOCATE | FD_FILESTAT_SET_SIZE;
    /// What makes no sense for a folder.
    pub(crate) const FILES_ONLY: u64 = FD_READ | FD_SEEK | FD_TELL | WRITING;
    /// What makes no sense for a file: `path_*` and `fd_readdir`.
    pub(crate) const FOLDERS_ONLY: u64 = 0b111_1111_1111_1110_0000_0000;
}

/// The flag of a descriptor whose writes go to the end.
pub(crate) const FLAG_APPEND: u16 = 1;
/// The flags that are kept and told again but change nothing here: non-blocking and the three kinds of sync.
pub(crate) const FLAGS_KNOWN: u16 = 0b1_1111;

/// What a descriptor stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Stdin,
    Stdout,
    Stderr,
    Node(NodeId),
}

/// An open stream, file or folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Descriptor {
    pub(crate) target: Target,
    pub(crate) file_type: FileType,
    /// The name under which a folder was opened before the guest started.
    pub(crate) preopen: Option<&'static str>,
    pub(crate) position: u64,
    pub(crate) flags: u16,
    pub(crate) rights: u64,
    pub(crate) rights_inheriting: u64,
    /// Where the last listing ended: the cookie after an entry, and its name.
    pub(crate) listed: Option<(u64, String)>,
}

impl Descriptor {
    fn stream(target: Target, right: u64) -> Self {
        Self {
            target,
            file_type: FileType::Unknown,
            preopen: None,
            position: 0,
            flags: 0,
            rights: right,
            rights_inheriting: 0,
            listed: None,
        }
    }

    /// Makes the descriptor of a file or folder.
    pub(crate) fn node(node: NodeId, file_type: FileType, rights: u64, rights_inheriting: u64) -> Self {
        let unfit = if file_type == FileType::Folder { rights::FILES_ONLY } else { rights::FOLDERS_ONLY };
        Self {
            target: Target::Node(node),
            file_type,
            rights: rights & !unfit,
            rights_inheriting: if file_type == FileType::Folder { rights_inheriting } else { 0 },
            ..Self::stream(Target::Stdin, 0)
        }
    }

    fn preopened(node: NodeId, name: &'static str) -> Self {
        Self { preopen: Some(name), ..Self::node(node, FileType::Folder, rights::ALL, rights::ALL) }
    }

    /// Returns the node of a folder to look paths up in.
    pub(crate) fn folder(&self) -> Result<NodeId, Errno> {
        match (&self.target, self.file_type) {
            (Target::Node(node), FileType::Folder) => Ok(*node),
            _ => Err(Errno::NotFolder),
        }
    }

    /// Returns the node of a file; `right` must have been asked for when it was opened.
    pub(crate) fn file(&self, right: u64) -> Result<NodeId, Errno> {
        match (&self.target, self.file_type) {
            (Target::Node(_), FileType::Folder) => Err(Errno::IsFolder),
            (Target::Node(node), _) if right == 0 || self.rights & right != 0 => Ok(*node),
            (Target::Node(_), _) => Err(Errno::BadDescriptor),
            (Target::Stdin | Target::Stdout | Target::Stderr, _) => Err(Errno::IllegalSeek),
        }
    }
}

/// The open descriptors by number.
#[derive(Debug)]
pub(crate) struct Descriptors(Vec<Option<Descriptor>>);

impl Descriptors {
    /// Opens the standard streams and the three folders.
    pub(crate) fn new(tree: &mut Tree) -> Self {
        for node in [Tree::IN, Tree::OUT, Tree::ROOT] {
            tree.hold(node);
        }
        Self(vec![
            Some(Descriptor::stream(Target::Stdin, rights::FD_READ)),
            Some(Descriptor::stream(Target::Stdout, rights::FD_WRITE)),
            Some(Descriptor::stream(Target::Stderr, rights::FD_WRITE)),
            Some(Descriptor::preopened(Tree::IN, "/in")),
            Some(Descriptor::preopened(Tree::OUT, "/out")),
            Some(Descriptor::preopened(Tree::ROOT, "/")),
        ])
    }

    pub(crate) fn get(&self, number: u32) -> Result<&Descriptor, Errno> {
        let slot = usize::try_from(number).ok().and_then(|number| self.0.get(number));
        slot.and_then(Option::as_ref).ok_or(Errno::BadDescriptor)
    }

    pub(crate) fn get_mut(&mut self, number: u32) -> Result<&mut Descriptor, Errno> {
        let slot = usize::try_from(number).ok().and_then(|number| self.0.get_mut(number));
        slot.and_then(Option::as_mut).ok_or(Errno::BadDescriptor)
    }

    /// Finds the lowest free number.
    pub(crate) fn free(&self) -> Result<u32, Errno> {
        let free = self.0.iter().position(Option::is_none).unwrap_or(self.0.len());
        u32::try_from(free).ok().filter(|free| *free < DESCRIPTORS_MAX).ok_or(Errno::TooManyOpen)
    }

    /// Puts a descriptor under a number that [`Descriptors::free`] gave, or in the place of another.
    pub(crate) fn put(&mut self, number: u32, descriptor: Descriptor) {
        let Ok(at) = usize::try_from(number) else { return };
        if at >= self.0.len() {
            self.0.resize(at + 1, None);
        }
        if let Some(slot) = self.0.get_mut(at) {
            *slot = Some(descriptor);
        }
    }

    /// Takes a descriptor away.
    pub(crate) fn take(&mut self, number: u32) -> Result<Descriptor, Errno> {
        let slot = usize::try_from(number).ok().and_then(|number| self.0.get_mut(number));
        slot.and_then(Option::take).ok_or(Errno::BadDescriptor)
    }
}

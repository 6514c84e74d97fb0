//! Files and folders.

use std::collections::BTreeMap;
use std::sync::Arc;

use icn_types::check_path;

use super::{Errno, Failure, FileType};
use crate::Blob;
use crate::stop::Stop;

/// The longest path that is looked up, in bytes.
const PATH_BYTES_MAX: usize = 4_096;

/// The longest path of an output below `/out`, in bytes (`icn_types::check_path`).
const OUTPUT_PATH_BYTES_MAX: usize = 255;

/// What gaps are filled with.
static ZEROS: [u8; 65_536] = [0; 65_536];

/// A file or folder, by its place in the tree's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NodeId(usize);

/// What `path_open` asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct OpenFlags {
    pub(crate) create: bool,
    pub(crate) folder: bool,
    pub(crate) exclusive: bool,
    pub(crate) truncate: bool,
    /// The descriptor is to be written through.
    pub(crate) write: bool,
}

/// What is known of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) file_type: FileType,
    pub(crate) size: u64,
}

enum Content {
    Folder(BTreeMap<String, NodeId>),
    Input(Arc<dyn Blob>),
    File(Vec<u8>),
}

struct Node {
    content: Content,
    name: String,
    parent: NodeId,
    writable: bool,
    /// How many descriptors hold it; a file lives on unlinked until the last is closed.
    open: u32,
    linked: bool,
}

/// The whole file system of one guest.
pub(crate) struct Tree {
    nodes: Vec<Option<Node>>,
    free: Vec<NodeId>,
    /// Bytes in writable files, those unlinked but open included, plus what else counts as output.
    bytes: u64,
    /// Files and folders below `/out`, those unlinked but open included.
    written: u32,
    bytes_max: u64,
    written_max: u32,
}

/// Where a path leads: the folder and the name in it, and what is there.
struct Place {
    parent: NodeId,
    /// Absent when the path ends at a folder by way of `.` or `..`.
    name: Option<String>,
    node: Option<NodeId>,
    /// The path ended in `/`.
    wants_folder: bool,
}

impl Tree {
    /// The root, `/`.
    pub(crate) const ROOT: NodeId = NodeId(0);
    /// The folder of inputs.
    pub(crate) const IN: NodeId = NodeId(1);
    /// The folder of outputs.
    pub(crate) const OUT: NodeId = NodeId(2);

    pub(crate) fn new(bytes_max: u64, written_max: u32) -> Self {
        let folder = |name: &str, writable| {
            Some(Node {
                content: Content::Folder(BTreeMap::new()),
                name: name.to_owned(),
                parent: Self::ROOT,
                writable,
                open: 0,
                linked: true,
            })
        };
        let mut tree = Self {
            nodes: vec![folder("", false), folder("in", false), folder("out", true)],
            free: Vec::new(),
            bytes: 0,
            written: 0,
            bytes_max,
            written_max,
        };
        if let Ok(entries) = tree.entries_mut(Self::ROOT) {
            entries.insert("in".to_owned(), Self::IN);
            entries.insert("out".to_owned(), Self::OUT);
        }
        tree
    }

    /// Adds an input. The caller has checked the names (`icn_types::check_paths`).
    pub(crate) fn add_input(&mut self, path: &str, blob: Arc<dyn Blob>) -> Result<(), Errno> {
        let mut folder = Self::IN;
        let (folders, name) = path.rsplit_once('/').map_or(("", path), |(folders, name)| (folders, name));
        for part in folders.split('/').filter(|part| !part.is_empty()) {
            let known = self.entries(folder)?.get(part).copied();
            folder = match known {
                Some(node) => node,
                None => self.insert(folder, part, Content::Folder(BTreeMap::new()), false)?,
            };
        }
        self.insert(folder, name, Content::Input(blob), false).map(drop)
    }

    fn node(&self, id: NodeId) -> Result<&Node, Errno> {
        self.nodes.get(id.0).and_then(Option::as_ref).ok_or(Errno::NotFound)
    }

    fn node_mut(&mut self, id: NodeId) -> Result<&mut Node, Errno> {
        self.nodes.get_mut(id.0).and_then(Option::as_mut).ok_or(Errno::NotFound)
    }

    /// Borrows the entries of a folder, in the order of their bytes.
    pub(crate) fn entries(&self, id: NodeId) -> Result<&BTreeMap<String, NodeId>, Errno> {
        match &self.node(id)?.content {
            Content::Folder(entries) => Ok(entries),
            Content::Input(_) | Content::File(_) => Err(Errno::NotFolder),
        }
    }

    fn entries_mut(&mut self, id: NodeId) -> Result<&mut BTreeMap<String, NodeId>, Errno> {
        match &mut self.node_mut(id)?.content {
            Content::Folder(entries) => Ok(entries),
            Content::Input(_) | Content::File(_) => Err(Errno::NotFolder),
        }
    }

    fn insert(
        &mut self,
        parent: NodeId,
        name: &str,
        content: Content,
        writable: bool,
    ) -> Result<NodeId, Errno> {
        let node = Node { content, name: name.to_owned(), parent, writable, open: 0, linked: true };
        let id = match self.free.pop() {
            Some(id) => id,
            None => {
                self.nodes.push(None);
                NodeId(self.nodes.len() - 1)
            }
        };
        if let Some(slot) = self.nodes.get_mut(id.0) {
            *slot = Some(node);
        }
        self.entries_mut(parent)?.insert(name.to_owned(), id);
        Ok(id)
    }

    /// Follows a path from `base`, which it cannot leave.
    fn find(&self, base: NodeId, path: &str) -> Result<Place, Errno> {
        if path.is_empty() {
            return Err(Errno::NotFound);
        }
        if path.len() > PATH_BYTES_MAX {
            return Err(Errno::NameTooLong);
        }
        if path.contains('\0') {
            return Err(Errno::Invalid);
        }
        if path.starts_with('/') {
            return Err(Errno::NotCapable);
        }
        // The folders from `base` down to where the walk is.
        let mut folders = vec![base];
        let mut place =
            Place { parent: base, name: None, node: Some(base), wants_folder: path.ends_with('/') };
        for part in path.split('/').filter(|part| !part.is_empty()) {
            // Whatever came before has to be a folder.
            let here = place.node.ok_or(Errno::NotFound)?;
            let entries = self.entries(here)?;
            if place.name.is_some() {
                folders.push(here);
            }
            place = match part {
                "." => Place { parent: here, name: None, node: Some(here), ..place },
                ".." => {
                    folders.pop();
                    let up = *folders.last().ok_or(Errno::NotCapable)?;
                    Place { parent: up, name: None, node: Some(up), ..place }
                }
                name => Place {
                    parent: here,
                    name: Some(name.to_owned()),
                    node: entries.get(name).copied(),
                    ..place
                },
            };
        }
        Ok(place)
    }

    /// Finds what is at a path.
    pub(crate) fn lookup(&self, base: NodeId, path: &str) -> Result<NodeId, Errno> {
        let place = self.find(base, path)?;
        let node = place.node.ok_or(Errno::NotFound)?;
        if place.wants_folder {
            self.entries(node)?;
        }
        Ok(node)
    }

    pub(crate) fn stat(&self, id: NodeId) -> Result<Stat, Errno> {
        Ok(match &self.node(id)?.content {
            Content::Folder(_) => Stat { file_type: FileType::Folder, size: 0 },
            Content::Input(blob) => Stat { file_type: FileType::File, size: blob.len() },
            Content::File(bytes) => Stat { file_type: FileType::File, size: bytes.len() as u64 },
        })
    }

    /// Tells whether a file may be written, or a folder's entries changed.
    pub(crate) fn is_writable(&self, id: NodeId) -> bool {
        self.node(id).is_ok_and(|node| node.writable)
    }

    /// Checks that a new name may stand in a folder, by the rules for names of outputs.
    fn check_name(&self, parent: NodeId, name: &str) -> Result<String, Errno> {
        let node = self.node(parent)?;
        if !node.writable {
            return Err(Errno::ReadOnly);
        }
        // A folder that was removed while open takes nothing new.
        if !node.linked {
            return Err(Errno::NotFound);
        }
        let path = self.path(parent, name)?;
        if path.len() > OUTPUT_PATH_BYTES_MAX {
            return Err(Errno::NameTooLong);
        }
        check_path(&path).map_err(|_| Errno::Invalid)?;
        Ok(path)
    }

    /// Gives the path below `/out` of a name in a folder.
    fn path(&self, mut folder: NodeId, name: &str) -> Result<String, Errno> {
        let mut parts = vec![name];
        while folder != Self::OUT && folder != Self::ROOT {
            let node = self.node(folder)?;
            parts.push(&node.name);
            folder = node.parent;
        }
        parts.reverse();
        Ok(parts.join("/"))
    }

    fn create(&mut self, parent: NodeId, name: &str, content: Content) -> Result<NodeId, Failure> {
        self.check_name(parent, name)?;
        if self.written >= self.written_max {
            let message =
                format!("the guest wants more than {} files and folders in `/out`", self.written_max);
            return Err(Stop::OutputLimit(message).into());
        }
        self.written += 1;
        Ok(self.insert(parent, name, content, true)?)
    }

    /// Opens a file or folder; the caller gives it back with [`Tree::close`].
    pub(crate) fn open(&mut self, base: NodeId, path: &str, flags: OpenFlags) -> Result<NodeId, Failure> {
        let place = self.find(base, path)?;
        let node = match (place.node, place.name) {
            (Some(_), _) if flags.create && flags.exclusive => return Err(Errno::Exists.into()),
            (Some(node), _) => {
                self.check_open(node, place.wants_folder, flags)?;
                node
            }
            (None, Some(name)) if flags.create => {
                if place.wants_folder || flags.folder {
                    return Err(Errno::Invalid.into());
                }
                self.create(place.parent, &name, Content::File(Vec::new()))?
            }
            (None, _) => return Err(Errno::NotFound.into()),
        };
        self.node_mut(node)?.open += 1;
        if flags.truncate {
            self.set_len(node, 0)?;
        }
        Ok(node)
    }

    fn check_open(&self, id: NodeId, wants_folder: bool, flags: OpenFlags) -> Result<(), Errno> {
        let node = self.node(id)?;
        let changes = flags.write || flags.truncate;
        match node.content {
            Content::Folder(_) if changes || flags.create => Err(Errno::IsFolder),
            Content::Folder(_) => Ok(()),
            Content::Input(_) | Content::File(_) if wants_folder || flags.folder => Err(Errno::NotFolder),
            Content::Input(_) | Content::File(_) if changes && !node.writable => Err(Errno::ReadOnly),
            Content::Input(_) | Content::File(_) => Ok(()),
        }
    }

    /// Notes one more descriptor for an open node.
    pub(crate) fn hold(&mut self, id: NodeId) {
        if let Ok(node) = self.node_mut(id) {
            node.open += 1;
        }
    }

    /// Takes back what [`Tree::open`] gave.
    pub(crate) fn close(&mut self, id: NodeId) {
        if let Ok(node) = self.node_mut(id) {
            node.open = node.open.saturating_sub(1);
        }
        self.release(id);
    }

    /// Frees a node that neither a name nor a descriptor holds.
    fn release(&mut self, id: NodeId) {
        let Some(slot) = self.nodes.get_mut(id.0) else { return };
        if let Some(node) = slot.take_if(|node| node.open == 0 && !node.linked) {
            self.written = self.written.saturating_sub(1);
            if let Content::File(bytes) = node.content {
                self.bytes = self.bytes.saturating_sub(bytes.len() as u64);
            }
            self.free.push(id);
        }
    }

    fn unlink(&mut self, parent: NodeId, name: &str, id: NodeId) -> Result<(), Errno> {
        self.entries_mut(parent)?.remove(name);
        self.node_mut(id)?.linked = false;
        self.release(id);
        Ok(())
    }

    pub(crate) fn create_folder(&mut self, base: NodeId, path: &str) -> Result<(), Failure> {
        let place = self.find(base, path)?;
        match (place.node, place.name) {
            (None, Some(name)) => {
                self.create(place.parent, &name, Content::Folder(BTreeMap::new())).map(drop)
            }
            _ => Err(Errno::Exists.into()),
        }
    }

    pub(crate) fn remove_file(&mut self, base: NodeId, path: &str) -> Result<(), Errno> {
        let (place, name, node) = self.find_to_change(base, path)?;
        if matches!(self.node(node)?.content, Content::Folder(_)) {
            return Err(Errno::IsFolder);
        }
        if place.wants_folder {
            return Err(Errno::NotFolder);
        }
        self.unlink(place.parent, &name, node)
    }

    pub(crate) fn remove_folder(&mut self, base: NodeId, path: &str) -> Result<(), Errno> {
        let (place, name, node) = self.find_to_change(base, path)?;
        if !self.entries(node)?.is_empty() {
            return Err(Errno::NotEmpty);
        }
        self.unlink(place.parent, &name, node)
    }

    /// Finds an existing name in a folder whose entries may be changed.
    fn find_to_change(&self, base: NodeId, path: &str) -> Result<(Place, String, NodeId), Errno> {
        let mut place = self.find(base, path)?;
        let node = place.node.ok_or(Errno::NotFound)?;
        if !self.is_writable(place.parent) {
            return Err(Errno::ReadOnly);
        }
        let name = place.name.take().ok_or(Errno::Invalid)?;
        Ok((place, name, node))
    }

    /// Renames as POSIX does; answers how many nodes were walked, for the costs.
    pub(crate) fn rename(&mut self, from: (NodeId, &str), to: (NodeId, &str)) -> Result<u64, Errno> {
        let (source, old_name, node) = self.find_to_change(from.0, from.1)?;
        let target = self.find(to.0, to.1)?;
        let new_name =
            target.name.ok_or(if target.node.is_some() { Errno::Exists } else { Errno::NotFound })?;
        let new_path = self.check_name(target.parent, &new_name)?;
        let is_folder = matches!(self.node(node)?.content, Content::Folder(_));
        if !is_folder && (source.wants_folder || target.wants_folder) {
            return Err(Errno::NotFolder);
        }
        if target.node == Some(node) {
            return Ok(1);
        }
        let walked = if is_folder { self.check_subtree(node, target.parent, new_path.len())? } else { 1 };
        if let Some(replaced) = target.node {
            match (is_folder, &self.node(replaced)?.content) {
                (true, Content::Folder(entries)) if !entries.is_empty() => return Err(Errno::NotEmpty),
                (true, Content::Folder(_)) | (false, Content::Input(_) | Content::File(_)) => {}
                (true, Content::Input(_) | Content::File(_)) => return Err(Errno::NotFolder),
                (false, Content::Folder(_)) => return Err(Errno::IsFolder),
            }
            self.unlink(target.parent, &new_name, replaced)?;
        }
        self.entries_mut(source.parent)?.remove(&old_name);
        let moved = self.node_mut(node)?;
        moved.parent = target.parent;
        moved.name.clone_from(&new_name);
        self.entries_mut(target.parent)?.insert(new_name, node);
        Ok(walked)
    }

    /// Checks that a folder is not moved into itself and that all paths in it stay short enough.
    fn check_subtree(&self, folder: NodeId, into: NodeId, path_len: usize) -> Result<u64, Errno> {
        let mut above = into;
        while above != Self::ROOT {
            if above == folder {
                return Err(Errno::Invalid);
            }
            above = self.node(above)?.parent;
        }
        let mut open = vec![(folder, path_len)];
        let mut walked = 0;
        while let Some((node, len)) = open.pop() {
            walked += 1;
            if len > OUTPUT_PATH_BYTES_MAX {
                return Err(Errno::NameTooLong);
            }
            if let Content::Folder(entries) = &self.node(node)?.content {
                open.extend(entries.iter().map(|(name, child)| (*child, len + 1 + name.len())));
            }
        }
        Ok(walked)
    }

    /// Reads from a file; fewer bytes than fit mean its end.
    pub(crate) fn read_at(&self, id: NodeId, offset: u64, buffer: &mut [u8]) -> Result<usize, Failure> {
        match &self.node(id)?.content {
            Content::Folder(_) => Err(Errno::IsFolder.into()),
            Content::Input(blob) => Ok(read_blob(blob.as_ref(), offset, buffer)?),
            Content::File(bytes) => Ok(read_blob(bytes, offset, buffer)?),
        }
    }

    /// Tells how many bytes a file would grow by, were it to reach to `end`.
    pub(crate) fn growth(&self, id: NodeId, end: u64) -> u64 {
        match self.node(id).map(|node| &node.content) {
            Ok(Content::File(bytes)) => end.saturating_sub(bytes.len() as u64),
            _ => 0,
        }
    }

    /// Counts bytes against the output limit.
    pub(crate) fn count(&mut self, more: u64) -> Result<(), Stop> {
        let bytes = self.bytes.saturating_add(more);
        if bytes > self.bytes_max {
            return Err(Stop::OutputLimit(format!(
                "the guest wants to write more than {} bytes",
                self.bytes_max
            )));
        }
        self.bytes = bytes;
        Ok(())
    }

    /// Writes to a file, which grows when it has to; a gap is filled with zeros.
    pub(crate) fn write_at(&mut self, id: NodeId, offset: u64, from: &[u8]) -> Result<(), Failure> {
        if from.is_empty() {
            return Ok(());
        }
        let end = offset.checked_add(from.len() as u64).ok_or(Errno::TooBig)?;
        if self.growth(id, end) > 0 {
            self.set_len(id, end)?;
        }
        let bytes = self.file_mut(id)?;
        let start = usize::try_from(offset).map_err(|_| Errno::TooBig)?;
        if let Some(to) = bytes.get_mut(start..).and_then(|rest| rest.get_mut(..from.len())) {
            to.copy_from_slice(from);
        }
        Ok(())
    }

    /// Cuts a file or fills it up with zeros.
    pub(crate) fn set_len(&mut self, id: NodeId, len: u64) -> Result<(), Failure> {
        let old = self.file_mut(id)?.len() as u64;
        self.count(len.saturating_sub(old))?;
        self.bytes = self.bytes.saturating_sub(old.saturating_sub(len));
        let bytes = self.file_mut(id)?;
        let len = usize::try_from(len).map_err(|_| Errno::TooBig)?;
        bytes.truncate(len);
        // Page by page: `Vec::resize` goes byte by byte in unoptimised builds.
        while bytes.len() < len {
            let more = ZEROS.len().min(len - bytes.len());
            bytes.extend_from_slice(ZEROS.get(..more).unwrap_or_default());
        }
        if len == 0 {
            bytes.shrink_to_fit();
        }
        Ok(())
    }

    fn file_mut(&mut self, id: NodeId) -> Result<&mut Vec<u8>, Errno> {
        let node = self.node_mut(id)?;
        match &mut node.content {
            Content::File(bytes) => Ok(bytes),
            Content::Folder(_) => Err(Errno::IsFolder),
            Content::Input(_) => Err(Errno::ReadOnly),
        }
    }

    /// Takes the files of `/out` out of the tree, by path, sorted by the bytes of the whole path.
    pub(crate) fn into_outputs(mut self) -> BTreeMap<String, Vec<u8>> {
        let mut outputs = BTreeMap::new();
        let entries = self.entries_mut(Self::OUT).map(std::mem::take).unwrap_or_default();
        let mut open = vec![(entries, String::new())];
        while let Some((entries, prefix)) = open.pop() {
            for (name, id) in entries {
                let path = format!("{prefix}{name}");
                match self.nodes.get_mut(id.0).and_then(Option::take).map(|node| node.content) {
                    Some(Content::File(bytes)) => drop(outputs.insert(path, bytes)),
                    Some(Content::Folder(entries)) => open.push((entries, format!("{path}/"))),
                    Some(Content::Input(_)) | None => {}
                }
            }
        }
        outputs
    }
}

/// Reads until the buffer is full or the blob ends, so that how a blob is cut never shows.
pub(crate) fn read_blob(blob: &dyn Blob, offset: u64, buffer: &mut [u8]) -> Result<usize, Stop> {
    let left = usize::try_from(blob.len().saturating_sub(offset)).unwrap_or(usize::MAX);
    let wanted = left.min(buffer.len());
    let buffer = buffer.get_mut(..wanted).unwrap_or_default();
    let mut read = 0;
    while read < wanted {
        let place = offset.saturating_add(read as u64);
        let rest = buffer.get_mut(read..).unwrap_or_default();
        match blob.read_at(place, rest) {
            Ok(0) => {
                return Err(Stop::NodeFault(format!("an input ends at byte {place}, before its length")));
            }
            Ok(more) => read = read.saturating_add(more).min(wanted),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => {
                return Err(Stop::NodeFault(format!("an input cannot be read at byte {place}: {error}")));
            }
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn tree() -> Tree {
        let mut tree = Tree::new(1_000, 12);
        tree.add_input("a/b", Arc::new(b"input".to_vec())).unwrap();
        tree
    }

    fn open(tree: &mut Tree, path: &str, create: bool) -> Result<NodeId, Failure> {
        tree.open(Tree::OUT, path, OpenFlags { create, write: true, ..OpenFlags::default() })
    }

    #[test]
    fn bytes_and_nodes_come_free_again() {
        let mut tree = tree();
        for round in 0..100 {
            let file = open(&mut tree, "f", true).unwrap();
            tree.write_at(file, 0, &[round; 900]).unwrap();
            assert!(matches!(tree.write_at(file, 900, &[0; 101]), Err(Failure::End(Stop::OutputLimit(_)))));
            tree.remove_file(Tree::OUT, "f").unwrap();
            assert_eq!(tree.bytes, 900, "still open");
            tree.close(file);
            assert_eq!((tree.bytes, tree.written), (0, 0));
        }
        assert!(tree.nodes.len() < 10);
    }

    #[test]
    fn too_many_names_end_the_guest() {
        let mut tree = tree();
        for n in 0..12 {
            tree.create_folder(Tree::OUT, &n.to_string()).unwrap();
        }
        assert!(matches!(tree.create_folder(Tree::OUT, "x"), Err(Failure::End(Stop::OutputLimit(_)))));
        tree.remove_folder(Tree::OUT, "3").unwrap();
        tree.create_folder(Tree::OUT, "x").unwrap();
    }

    #[test]
    fn renaming_cannot_make_paths_too_long() {
        let mut tree = tree();
        let name = "n".repeat(200);
        tree.create_folder(Tree::OUT, "d").unwrap();
        let file = open(&mut tree, &format!("d/{name}"), true).unwrap();
        tree.close(file);
        let long = "m".repeat(60);
        assert_eq!(tree.rename((Tree::OUT, "d"), (Tree::OUT, &long)), Err(Errno::NameTooLong));
        assert_eq!(tree.rename((Tree::OUT, "d"), (Tree::OUT, &long[..50])), Ok(2));
    }

    /// What may be done to the tree, with paths of a few short parts.
    #[derive(Debug, Clone)]
    enum Step {
        Write(String, Vec<u8>),
        Folder(String),
        RemoveFile(String),
        RemoveFolder(String),
        Rename(String, String),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let path = || "[ab](/[ab]){0,2}";
        let step = prop_oneof![
            (path(), proptest::collection::vec(any::<u8>(), 0..4))
                .prop_map(|(path, bytes)| Step::Write(path, bytes)),
            path().prop_map(Step::Folder),
            path().prop_map(Step::RemoveFile),
            path().prop_map(Step::RemoveFolder),
            (path(), path()).prop_map(|(from, to)| Step::Rename(from, to)),
        ];
        proptest::collection::vec(step, 0..40)
    }

    /// The same by whole paths: slow, and plain to see.
    #[derive(Default)]
    struct Model {
        files: BTreeMap<String, Vec<u8>>,
        folders: BTreeSet<String>,
    }

    impl Model {
        fn parent_is_there(&self, path: &str) -> bool {
            path.rsplit_once('/').is_none_or(|(parent, _)| self.folders.contains(parent))
        }

        fn is_empty(&self, folder: &str) -> bool {
            let inside = format!("{folder}/");
            !self.files.keys().chain(&self.folders).any(|path| path.starts_with(&inside))
        }

        /// Does a step and tells whether it was possible.
        fn step(&mut self, step: &Step) -> bool {
            match step {
                Step::Write(path, bytes) => {
                    if !self.parent_is_there(path) || self.folders.contains(path) {
                        return false;
                    }
                    let file = self.files.entry(path.clone()).or_default();
                    file.splice(..file.len().min(bytes.len()), bytes.iter().copied());
                    true
                }
                Step::Folder(path) => {
                    self.parent_is_there(path)
                        && !self.files.contains_key(path)
                        && self.folders.insert(path.clone())
                }
                Step::RemoveFile(path) => self.files.remove(path).is_some(),
                Step::RemoveFolder(path) => self.is_empty(path) && self.folders.remove(path),
                Step::Rename(from, to) => self.rename(from, to),
            }
        }

        fn rename(&mut self, from: &str, to: &str) -> bool {
            if !self.parent_is_there(to) {
                return false;
            }
            if from == to {
                return self.files.contains_key(from) || self.folders.contains(from);
            }
            if self.files.contains_key(from) {
                if self.folders.contains(to) {
                    return false;
                }
                let bytes = self.files.remove(from).unwrap();
                self.files.insert(to.to_owned(), bytes);
                return true;
            }
            let inside = format!("{from}/");
            if !self.folders.contains(from)
                || to.starts_with(&inside)
                || self.files.contains_key(to)
                || !self.is_empty(to)
            {
                return false;
            }
            let moved = |path: &String| match path.strip_prefix(from) {
                Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("{to}{rest}"),
                _ => path.clone(),
            };
            self.files = self.files.iter().map(|(path, bytes)| (moved(path), bytes.clone())).collect();
            self.folders = self.folders.iter().map(moved).collect();
            true
        }
    }

    fn apply(tree: &mut Tree, step: &Step) -> bool {
        match step {
            Step::Write(path, bytes) => match open(tree, path, true) {
                Ok(file) => {
                    tree.write_at(file, 0, bytes).unwrap();
                    tree.close(file);
                    true
                }
                Err(_) => false,
            },
            Step::Folder(path) => tree.create_folder(Tree::OUT, path).is_ok(),
            Step::RemoveFile(path) => tree.remove_file(Tree::OUT, path).is_ok(),
            Step::RemoveFolder(path) => tree.remove_folder(Tree::OUT, path).is_ok(),
            Step::Rename(from, to) => tree.rename((Tree::OUT, from), (Tree::OUT, to)).is_ok(),
        }
    }

    proptest! {
        #[test]
        fn the_tree_does_what_a_list_of_paths_does(steps in steps()) {
            let (mut tree, mut model) = (Tree::new(u64::MAX, u32::MAX), Model::default());
            for step in &steps {
                prop_assert_eq!(apply(&mut tree, step), model.step(step), "{:?}", step);
                let bytes: usize = model.files.values().map(Vec::len).sum();
                prop_assert_eq!(tree.bytes, bytes as u64);
                prop_assert_eq!(tree.written as usize, model.files.len() + model.folders.len());
            }
            prop_assert_eq!(tree.into_outputs(), model.files);
        }
    }
}

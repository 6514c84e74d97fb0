//! `icn add`, `icn get`, `icn cat`, `icn stat`: content by CID.

use std::io::Write as _;
use std::path::Path;

use icn_gateway::api::Content;
use icn_types::{Cid, Page};
use indicatif::ProgressBar;
use serde::Serialize;

use super::Context;
use crate::cli::{AddArgs, CatArgs, GetArgs, StatArgs};
use crate::client::{Client, file_pieces};
use crate::error::{CliError, Exit};
use crate::output::{Output, size};

/// The name that means stdin.
const STDIN: &str = "-";

/// An added file, as JSON.
#[derive(Debug, Serialize)]
struct Added<'a> {
    file: &'a Path,
    #[serde(flatten)]
    content: Content,
}

/// A fetched file, as JSON.
#[derive(Debug, Serialize)]
struct Fetched<'a> {
    cid: Cid,
    bytes: u64,
    file: &'a Path,
}

/// Adds files.
pub(crate) async fn add(context: &Context<'_>, args: &AddArgs) -> Result<Exit, CliError> {
    let client = context.client()?;
    let mut added = Vec::new();
    for file in &args.files {
        let content = add_file(&client, context.out, file).await?;
        if !context.out.is_json() {
            let name = crate::output::clean(&file.display().to_string());
            context.out.line(&format!("{}  {:>10}  {name}", content.cid, size(content.bytes)))?;
        }
        added.push(Added { file, content });
    }
    if context.out.is_json() {
        let total = added.len() as u64;
        context.out.json(&Page { items: added, total, has_more: false })?;
    }
    Ok(Exit::DONE)
}

/// Adds one file, or stdin, with a progress bar.
pub(super) async fn add_file(client: &Client, out: &Output, path: &Path) -> Result<Content, CliError> {
    if path == Path::new(STDIN) {
        let bar = out.progress("stdin", None);
        let result = client.add(file_pieces(tokio::io::stdin(), advance(&bar))).await;
        bar.finish_and_clear();
        return result;
    }
    let file = tokio::fs::File::open(path).await.map_err(CliError::file("read", path))?;
    let meta = file.metadata().await.map_err(CliError::file("read", path))?;
    if meta.is_dir() {
        let shown = path.display();
        return Err(CliError::Usage(format!(
            "`{shown}` is a folder: add its files one by one, or as an archive with `tar c {shown} | icn add -`"
        )));
    }
    let bar = out.progress(&path.display().to_string(), Some(meta.len()));
    let result = client.add(file_pieces(file, advance(&bar))).await;
    bar.finish_and_clear();
    result
}

fn advance(bar: &ProgressBar) -> impl Fn(u64) + Send + 'static {
    let bar = bar.clone();
    move |bytes| bar.inc(bytes)
}

/// Fetches content into a file, which appears once it is whole.
pub(crate) async fn get(context: &Context<'_>, args: &GetArgs) -> Result<Exit, CliError> {
    let client = context.client()?;
    let mut download = client.cat(&args.cid).await?;
    let mut file = new_file_beside(&args.output)?;
    let bar = context.out.progress(&args.cid.short(), download.length);
    let mut bytes = 0;
    while let Some(piece) = download.next().await? {
        file.write_all(&piece).map_err(CliError::file("write", &args.output))?;
        bytes += piece.len() as u64;
        bar.set_position(bytes);
    }
    bar.finish_and_clear();
    file.persist(&args.output).map_err(|error| CliError::file("write", &args.output)(error.error))?;
    if context.out.is_json() {
        context.out.json(&Fetched { cid: args.cid, bytes, file: &args.output })?;
    } else {
        context.out.note(&format!("wrote {} to `{}`", size(bytes), args.output.display()));
    }
    Ok(Exit::DONE)
}

/// Makes a file that vanishes unless it is given its name, with the permissions of an ordinary new file.
pub(super) fn new_file_beside(output: &Path) -> Result<tempfile::NamedTempFile, CliError> {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = match output.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    tempfile::Builder::new()
        .prefix(".icn-")
        .suffix(".part")
        .permissions(std::fs::Permissions::from_mode(0o666))
        .tempfile_in(folder)
        .map_err(CliError::file("write into", folder))
}

/// Prints content on stdout.
pub(crate) async fn cat(context: &Context<'_>, args: &CatArgs) -> Result<Exit, CliError> {
    let mut download = context.client()?.cat(&args.cid).await?;
    while let Some(piece) = download.next().await? {
        context.out.bytes(&piece)?;
    }
    Ok(Exit::DONE)
}

/// Describes content.
pub(crate) async fn stat(context: &Context<'_>, args: &StatArgs) -> Result<Exit, CliError> {
    let content = context.client()?.stat(&args.cid).await?;
    if context.out.is_json() {
        context.out.json(&content)?;
        return Ok(Exit::DONE);
    }
    let here = if content.local { "all of it" } else { "not all of it" };
    context.out.pairs(&[
        ("cid", content.cid.to_string()),
        ("kind", crate::output::clean(&content.kind)),
        ("size", format!("{} ({} bytes)", size(content.bytes), content.bytes)),
        ("blocks", content.blocks.to_string()),
        ("here", here.to_owned()),
    ])?;
    Ok(Exit::DONE)
}

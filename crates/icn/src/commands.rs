//! What each command does.

mod backup;
mod completions;
mod console;
mod content;
mod demo;
mod doctor;
mod init;
mod job;
mod node;
mod receipt;
mod secret;
mod status;

use std::future::Future;
use std::path::Path;

use crate::cli::{Cli, Command, IdCommand, ReceiptCommand};
use crate::client::{Client, Target, data_dir_default};
use crate::error::{CliError, Exit};
use crate::output::Output;

/// What every command can reach.
#[derive(Debug, Clone)]
pub(crate) struct Context<'a> {
    pub(crate) target: Target,
    pub(crate) out: &'a Output,
}

impl Context<'_> {
    /// Makes a client of the node that the command is about.
    pub(crate) fn client(&self) -> Result<Client, CliError> {
        Client::new(&self.target)
    }

    /// Returns the node's folder.
    pub(crate) fn data_dir(&self) -> &Path {
        &self.target.data_dir
    }
}

/// Carries out what was typed.
pub(crate) fn run(cli: Cli, out: &Output) -> Result<Exit, CliError> {
    let command = match cli.command {
        // These need no node and no folder, and work where there is no home.
        Command::Completions(args) => return completions::completions(&args, out),
        Command::Man(args) => return completions::man(&args, out),
        command => command,
    };
    let data_dir = cli.global.data_dir.map_or_else(data_dir_default, Ok)?;
    let context = Context { target: Target { data_dir, api: cli.global.api }, out };
    match command {
        Command::Init(args) => init::run(&context, &args),
        Command::Node(args) => node::run(&context, &args),
        command => block_on(ask(context, command)),
    }
}

/// Runs one command to its end. What it left in the background, such as a question nobody answered, is dropped.
fn block_on(command: impl Future<Output = Result<Exit, CliError>>) -> Result<Exit, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CliError::because("cannot start the asynchronous runtime"))?;
    let result = runtime.block_on(command);
    runtime.shutdown_background();
    result
}

async fn ask(context: Context<'_>, command: Command) -> Result<Exit, CliError> {
    match command {
        Command::Status => status::status(&context).await,
        Command::Peers => status::peers(&context).await,
        Command::Id(IdCommand::Show(args)) => status::identity(&context, &args).await,
        Command::Add(args) => content::add(&context, &args).await,
        Command::Get(args) => content::get(&context, &args).await,
        Command::Cat(args) => content::cat(&context, &args).await,
        Command::Stat(args) => content::stat(&context, &args).await,
        Command::Job(command) => job::run(&context, command).await,
        Command::Receipt(ReceiptCommand::Show(args)) => receipt::show(&context, &args).await,
        Command::Receipt(ReceiptCommand::Verify(args)) => receipt::verify(&context, &args).await,
        Command::Receipt(ReceiptCommand::Replay(args)) => receipt::replay(&context, &args).await,
        Command::Backup(args) => backup::backup(&context, &args).await,
        Command::Restore(args) => backup::restore(&context, &args).await,
        Command::Doctor => doctor::run(&context).await,
        Command::Demo(args) => demo::run(&context, &args).await,
        Command::Console(args) => console::run(&context, &args).await,
        Command::Init(_) | Command::Node(_) | Command::Completions(_) | Command::Man(_) => Ok(Exit::DONE),
    }
}

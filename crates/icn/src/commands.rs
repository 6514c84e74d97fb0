//! What each command does.

mod backup;
mod completions;
mod console;
mod content;
mod demo;
mod doctor;
mod identity;
mod init;
mod job;
mod ledger;
mod node;
mod receipt;
mod restore;
mod scope;
mod secret;
mod simulate;
mod space;
mod status;
mod trust;

use std::future::Future;
use std::path::Path;

use crate::cli::{Cli, Command, IdCommand, Question, ReceiptCommand};
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
    let Cli { global, command } = cli;
    let context = || {
        let data_dir = global.data_dir.clone().map_or_else(data_dir_default, Ok)?;
        Ok::<_, CliError>(Context { target: Target { data_dir, api: global.api.clone() }, out })
    };
    match command {
        // These need no node and no folder, and work where there is no home.
        Command::Completions(args) => completions::completions(&args, out),
        Command::Man(args) => completions::man(&args, out),
        Command::ConfigReference(_) => completions::config_reference(out),
        Command::Simulate(args) => simulate::simulate(&args, out),
        Command::Init(args) => init::run(&context()?, &args),
        Command::Node(args) => node::run(&context()?, &args),
        Command::Restore(args) => restore::restore(&context()?, &args),
        Command::Ask(question) => block_on(ask(context()?, question)),
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

async fn ask(context: Context<'_>, question: Question) -> Result<Exit, CliError> {
    match question {
        Question::Status => status::status(&context).await,
        Question::Peers => status::peers(&context).await,
        Question::Id(IdCommand::Show(args)) => status::identity(&context, &args).await,
        Question::Id(IdCommand::New(args)) => identity::new(&context, &args).await,
        Question::Id(IdCommand::List(page)) => identity::list(&context, page).await,
        Question::Space(args) => space::run(&context, args).await,
        Question::Ledger(args) => ledger::run(&context, args).await,
        Question::Trust(args) => trust::run(&context, args).await,
        Question::Reputation(args) => trust::run_reputation(&context, args).await,
        Question::Add(args) => content::add(&context, &args).await,
        Question::Get(args) => content::get(&context, &args).await,
        Question::Cat(args) => content::cat(&context, &args).await,
        Question::Stat(args) => content::stat(&context, &args).await,
        Question::Job(command) => job::run(&context, command).await,
        Question::Receipt(ReceiptCommand::Show(args)) => receipt::show(&context, &args).await,
        Question::Receipt(ReceiptCommand::Verify(args)) => receipt::verify(&context, &args).await,
        Question::Receipt(ReceiptCommand::Replay(args)) => receipt::replay(&context, &args).await,
        Question::Receipt(ReceiptCommand::Export(args)) => receipt::export(&context, &args).await,
        Question::Backup(args) => backup::backup(&context, &args).await,
        Question::Doctor => doctor::run(&context).await,
        Question::Demo(args) => demo::run(&context, &args).await,
        Question::Console(args) => console::run(&context, &args).await,
    }
}

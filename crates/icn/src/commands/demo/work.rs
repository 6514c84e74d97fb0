//! What the demonstration runs: a word count over a real text, or the person's own job.

use std::path::PathBuf;

use bytes::Bytes;
use icn_gateway::api::{Content, JobRequest, NamedCid};
use icn_types::TokenAmount;

use super::story::Story;
use crate::cli::DemoArgs;
use crate::cli::values::CURRENCY_DEFAULT;
use crate::client::Client;
use crate::error::CliError;

/// The word count guest; its source is in `examples/guests/wordcount`.
const MODULE: &[u8] = include_bytes!("../../../../../examples/guests/bin/wordcount.wasm");

/// The text that is counted.
const INPUT: &str = include_str!("input.txt");

/// The name of the text among the guest's inputs.
const INPUT_NAME: &str = "mutual-aid.txt";

/// A file, here or on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    Embedded(&'static [u8]),
    File(PathBuf),
}

/// What is to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Work {
    name: String,
    module: Source,
    inputs: Vec<(String, Source)>,
    args: Vec<String>,
}

impl Work {
    /// Takes the person's job, or ours.
    pub(super) fn from_args(args: &DemoArgs) -> Result<Self, CliError> {
        icn_types::check_paths(args.inputs.iter().map(|input| input.name.as_str()))
            .map_err(|error| CliError::Usage(error.to_string()))?;
        let own_inputs: Vec<(String, Source)> = args
            .inputs
            .iter()
            .map(|input| (input.name.clone(), Source::File(PathBuf::from(&input.value))))
            .collect();
        let work = match &args.module {
            Some(module) => Self {
                name: module.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
                module: Source::File(module.clone()),
                inputs: own_inputs,
                args: args.args.clone(),
            },
            None => Self {
                name: "the word count guest".to_owned(),
                module: Source::Embedded(MODULE),
                inputs: if own_inputs.is_empty() { default_inputs() } else { own_inputs },
                args: args.args.clone(),
            },
        };
        work.check()?;
        Ok(work)
    }

    /// Finds files that are missing before anything is started.
    fn check(&self) -> Result<(), CliError> {
        for source in std::iter::once(&self.module).chain(self.inputs.iter().map(|(_, source)| source)) {
            if let Source::File(path) = source {
                std::fs::File::open(path)
                    .map_err(|source| CliError::Unreadable { path: path.clone(), source })?;
            }
        }
        Ok(())
    }

    /// Names it for people.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Adds module and inputs to a node, and writes the request.
    pub(super) async fn add(&self, client: &Client, story: &Story<'_>) -> Result<JobRequest, CliError> {
        let module = add(client, &self.module).await?;
        story.added("module", &module);
        let mut inputs = Vec::with_capacity(self.inputs.len());
        for (name, source) in &self.inputs {
            let content = add(client, source).await?;
            story.added(&format!("input {name}"), &content);
            inputs.push(NamedCid { name: name.clone(), cid: content.cid });
        }
        Ok(JobRequest {
            wasm_cid: Some(module.cid),
            description: Some(self.name.clone()),
            args: self.args.clone(),
            inputs,
            // More than any node of the demonstration asks.
            max_price: Some(TokenAmount { amount: 100, currency: CURRENCY_DEFAULT.to_owned() }),
            remote: true,
            ..JobRequest::default()
        })
    }
}

fn default_inputs() -> Vec<(String, Source)> {
    vec![(INPUT_NAME.to_owned(), Source::Embedded(INPUT.as_bytes()))]
}

async fn add(client: &Client, source: &Source) -> Result<Content, CliError> {
    match source {
        Source::Embedded(bytes) => {
            let bytes = Bytes::from_static(bytes);
            client.add(futures::stream::once(async move { Ok(bytes) })).await
        }
        Source::File(path) => {
            let file = tokio::fs::File::open(path).await.map_err(CliError::file("read", path))?;
            client.add(crate::client::file_pieces(file, |_| {})).await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::values::Named;

    fn args() -> DemoArgs {
        DemoArgs { exit: true, nodes: 3, module: None, inputs: Vec::new(), args: Vec::new() }
    }

    #[test]
    fn the_word_count_has_a_text_to_count() {
        let work = Work::from_args(&args()).unwrap();
        assert_eq!(work.module, Source::Embedded(MODULE));
        assert_eq!(work.inputs, default_inputs());
        assert!(MODULE.starts_with(b"\0asm"));
        assert!(INPUT.split_whitespace().count() > 200);
    }

    #[test]
    fn missing_files_are_found_at_once() {
        let missing = Named { name: "a".to_owned(), value: "no/such/file".to_owned() };
        let error = Work::from_args(&DemoArgs { inputs: vec![missing], ..args() }).unwrap_err();
        assert_eq!(error.exit(), crate::error::Exit::USAGE);
        let module = Some(PathBuf::from("no/such/module.wasm"));
        assert!(Work::from_args(&DemoArgs { module, ..args() }).is_err());
    }
}

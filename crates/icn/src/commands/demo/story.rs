//! What a person sees of the demonstration. With `--json` it goes to stderr, so that stdout has the object alone.

use icn_gateway::api::{Bid, Content, Job, Replay, Verdict, Why};
use icn_types::{Cid, Did};

use super::super::job::{History, score, turn_line};
use super::super::receipt::{replay_line, verdict_line};
use super::Shown;
use super::books::Payment;
use super::nodes::{DemoNode, Nodes};
use crate::client::Client;
use crate::error::CliError;
use crate::output::{Output, Stream, Style, clean, micros, size};

/// How much of the guest's stdout is shown, in bytes.
const STDOUT_SHOWN_BYTES: usize = 64 * 1024;

/// How many lines of the guest's stdout are shown.
const STDOUT_SHOWN_LINES: usize = 12;

/// The teller.
#[derive(Debug)]
pub(super) struct Story<'a> {
    out: &'a Output,
    stream: Stream,
}

/// What of a job has been told already.
#[derive(Debug, Default)]
pub(super) struct Seen {
    history: History,
    bids: Vec<Did>,
    turns: usize,
}

impl Seen {
    /// Tells whether there can be bids that were not told: something happened, and nothing was assigned before.
    pub(super) fn may_have_bids(&mut self, job: &Job) -> bool {
        let more = job.history.len() > self.turns;
        self.turns = job.history.len();
        more
    }
}

impl<'a> Story<'a> {
    pub(super) fn new(out: &'a Output) -> Self {
        Self { out, stream: if out.is_json() { Stream::Stderr } else { Stream::Stdout } }
    }

    /// Says a line. A closed stdout must not keep the nodes from being ended, so it is nobody's concern.
    pub(super) fn say(&self, text: &str) {
        match self.stream {
            Stream::Stdout => {
                let _closed = self.out.line(text);
            }
            Stream::Stderr => self.out.note(text),
        }
    }

    pub(super) fn title(&self, text: &str) {
        self.say("");
        self.say(&self.paint(Style::Bold, text));
    }

    fn paint(&self, style: Style, text: &str) -> String {
        self.out.paint(self.stream, style, text)
    }

    pub(super) fn node(&self, node: &DemoNode) {
        let address = node.file.listen.first().map_or("", String::as_str);
        self.say(&format!(
            "{}  process {}  {}",
            node.file.did,
            node.file.pid,
            self.paint(Style::Dim, &clean(address))
        ));
    }

    pub(super) fn added(&self, what: &str, content: &Content) {
        self.say(&format!(
            "{} {}  ({})",
            clean(what),
            self.paint(Style::Dim, &content.cid.to_string()),
            size(content.bytes)
        ));
    }

    /// Tells the turns that are new.
    pub(super) fn turns(&self, seen: &mut Seen, job: &Job) {
        let submitted = job.submitted_at;
        let lines: Vec<String> = seen
            .history
            .take_new(job)
            .map(|turn| turn_line(self.out, self.stream, submitted, turn))
            .collect();
        lines.iter().for_each(|line| self.say(line));
    }

    /// Tells the bids that are new.
    pub(super) fn bids(&self, seen: &mut Seen, bids: &[Bid]) {
        for bid in bids {
            if !seen.bids.contains(&bid.executor) {
                seen.bids.push(bid.executor);
                self.say(&self.bid_line(bid));
            }
        }
    }

    fn bid_line(&self, bid: &Bid) -> String {
        let price = bid.price.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
        let word = self.paint(Style::Yellow, "bid");
        format!("            {word} {} asks {price}, score {}", bid.executor.short(), score(bid.score))
    }

    pub(super) fn why(&self, why: &Why) {
        self.say(&format!("{} {}", self.paint(Style::Bold, "why there:"), clean(&why.summary)));
        for known in &why.executors {
            self.say(&format!(
                "  {}  {}: {}",
                known.executor.short(),
                clean(&known.standing),
                clean(&known.detail)
            ));
        }
    }

    /// Shows the beginning of the guest's stdout and names the other outputs.
    pub(super) async fn outputs(&self, client: &Client, job: &Job) -> Result<(), CliError> {
        self.title("Output");
        for output in &job.outputs {
            let cid = self.paint(Style::Dim, &output.cid.to_string());
            self.say(&format!("{}  {}  {cid}", clean(&output.name), size(output.bytes)));
        }
        let Some(stdout) = job.outputs.iter().find(|output| output.name == "stdout" && output.bytes > 0)
        else {
            return Ok(());
        };
        let mut download = client.cat(&stdout.cid).await?;
        let mut bytes = Vec::new();
        while bytes.len() < STDOUT_SHOWN_BYTES
            && let Some(piece) = download.next().await?
        {
            bytes.extend_from_slice(&piece);
        }
        let text = String::from_utf8_lossy(&bytes);
        for line in text.lines().take(STDOUT_SHOWN_LINES) {
            self.say(&format!("  | {}", clean(line)));
        }
        if text.lines().nth(STDOUT_SHOWN_LINES).is_some() {
            self.say("  | …");
        }
        Ok(())
    }

    pub(super) fn verdict(&self, cid: &Cid, verdict: &Verdict) {
        self.say(&format!("receipt {cid}"));
        self.say(&format!("receipt {}", verdict_line(self.out, self.stream, verdict)));
    }

    pub(super) fn replay(&self, node: &DemoNode, replay: &Replay) {
        let line = replay_line(self.out, self.stream, replay);
        self.say(&format!("replay on {} {line}", node.file.did.short()));
        for difference in &replay.differences {
            self.say(&format!("  {}", clean(difference)));
        }
    }

    pub(super) fn payment(&self, payment: &Payment) {
        self.say(&format!(
            "{} {} for the job, {}  {}",
            self.paint(Style::Bold, "paid"),
            clean(&payment.amount),
            payment.status,
            self.paint(Style::Dim, &clean(&payment.reference))
        ));
        for (word, side) in [("payer", &payment.payer), ("payee", &payment.payee)] {
            self.say(&format!("{word}  {}  balance {}", side.did.short(), clean(&side.balance)));
        }
        self.say("both nodes have the same books, and they sum to zero");
    }

    pub(super) fn end(&self, shown: &Shown) {
        let time = micros(shown.elapsed_ms.saturating_mul(1_000));
        if shown.is_good() {
            self.say(
                &self.paint(
                    Style::Green,
                    &format!("all of it in {time}, from the start of the first process"),
                ),
            );
        } else {
            let error = shown.job.job.error.as_ref();
            let reason = error.map_or("see above", |error| error.message.as_str());
            self.say(&self.paint(Style::Red, &format!("it did not go well: {}", clean(reason))));
        }
    }

    /// Says how to talk to the nodes that stay.
    pub(super) fn where_to_go_on(&self, nodes: &Nodes) {
        self.title("The nodes stay until Ctrl-C");
        for node in nodes.iter() {
            self.say(&format!("{}  {}", node.file.did.short(), node.file.api));
        }
        let Ok(submitter) = nodes.submitter() else { return };
        let folder = submitter.data_dir().display();
        self.say("In another terminal:");
        self.say(&format!("  export ICN_DATA_DIR={folder}"));
        for line in [
            "icn status",
            "icn peers",
            "icn job list",
            "icn ledger balance --all",
            "icn ledger history",
            "icn console",
        ] {
            self.say(&format!("  {line}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use icn_types::{Timestamp, TokenAmount};

    use super::*;
    use crate::cli::ColorChoice;

    #[test]
    fn a_bid_is_told_with_price_and_score() {
        let out = Output::new(false, ColorChoice::Never);
        let story = Story::new(&out);
        let bid = Bid {
            executor: Did::from_public_key([1; 32]),
            price: Some(TokenAmount { amount: 5, currency: "hours".to_owned() }),
            score: 873_456,
            region: None,
            at: Timestamp::from_millis(0),
            chosen: true,
            outcome: None,
        };
        let line = story.bid_line(&bid);
        assert!(line.contains("asks 5 hours, score 0.873"), "{line}");
    }
}

//! `icn console`: the node, live.

use std::io::IsTerminal as _;

use icn_gateway::api::{Job, Peer, Status};
use icn_types::Page;
use ratatui::Frame;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyModifiers};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style, Stylize as _};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Block, Paragraph, Row, Table};
use tokio::sync::mpsc;

use super::Context;
use super::job::{JOB_HEADING, job_row};
use super::status::{PEER_HEADING, peer_row, status_pairs};
use crate::cli::ConsoleArgs;
use crate::client::Client;
use crate::error::{CliError, Exit};

/// How many jobs are asked for: more than a screen has lines.
const JOBS_SHOWN: u64 = 100;

/// What the screen shows.
#[derive(Debug, Default)]
struct View {
    status: Option<Status>,
    peers: Option<Page<Peer>>,
    jobs: Option<Page<Job>>,
    trouble: Option<String>,
}

/// Shows the node until `q`.
pub(crate) async fn run(context: &Context<'_>, args: &ConsoleArgs) -> Result<Exit, CliError> {
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        return Err(CliError::Usage(
            "the console needs a terminal: for scripts, use `icn status --json`".to_owned(),
        ));
    }
    // The first answer decides whether there is anything to show.
    let mut view = View::default();
    view.load(&context.client()?).await?;
    let mut terminal = ratatui::try_init().map_err(CliError::because("cannot take over the terminal"))?;
    let result = watch(context, args, &mut terminal, &mut view).await;
    ratatui::restore();
    result.map(|()| Exit::DONE)
}

async fn watch(
    context: &Context<'_>,
    args: &ConsoleArgs,
    terminal: &mut ratatui::DefaultTerminal,
    view: &mut View,
) -> Result<(), CliError> {
    let mut keys = keys();
    let mut ticks = tokio::time::interval(args.interval.to_std());
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        terminal.draw(|frame| view.draw(frame)).map_err(CliError::because("cannot draw on the terminal"))?;
        tokio::select! {
            key = keys.recv() => match key {
                Some(Key::Redraw) => {}
                Some(Key::Quit) | None => return Ok(()),
            },
            _ = ticks.tick() => view.refresh(context).await,
        }
    }
}

/// What a person can do.
enum Key {
    Quit,
    Redraw,
}

/// Reads the keyboard in a thread of its own, which ends with the process.
fn keys() -> mpsc::Receiver<Key> {
    let (sender, receiver) = mpsc::channel(16);
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            if let Some(key) = meaning(&event)
                && sender.blocking_send(key).is_err()
            {
                return;
            }
        }
    });
    receiver
}

fn meaning(event: &Event) -> Option<Key> {
    if event.is_resize() {
        return Some(Key::Redraw);
    }
    let key = event.as_key_press_event()?;
    let quits = matches!(key.code, KeyCode::Char('q') | KeyCode::Esc)
        || (key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL));
    quits.then_some(Key::Quit)
}

impl View {
    async fn load(&mut self, client: &Client) -> Result<(), CliError> {
        let (status, peers, jobs) =
            tokio::try_join!(client.status(), client.peers(), client.jobs(0, JOBS_SHOWN))?;
        *self = Self { status: Some(status), peers: Some(peers), jobs: Some(jobs), trouble: None };
        Ok(())
    }

    /// Asks again; what cannot be had is said, and the last answer stays on the screen.
    async fn refresh(&mut self, context: &Context<'_>) {
        let result = match context.client() {
            Ok(client) => self.load(&client).await,
            Err(error) => Err(error),
        };
        self.trouble = result.err().map(|error| error.to_string());
    }

    fn draw(&self, frame: &mut Frame<'_>) {
        let peers = self.peers.as_ref().map_or(0, |page| page.items.len());
        let [status, peer_area, jobs, foot] = Layout::vertical([
            Constraint::Length(12),
            Constraint::Length(u16::try_from(peers).unwrap_or(u16::MAX).clamp(1, 10) + 3),
            Constraint::Min(4),
            Constraint::Length(1),
        ])
        .areas(frame.area());
        self.draw_status(frame, status);
        self.draw_peers(frame, peer_area);
        self.draw_jobs(frame, jobs);
        let foot_line = match &self.trouble {
            Some(trouble) => Line::from(format!(" {trouble}")).red(),
            None => Line::from(" q quits").dim(),
        };
        frame.render_widget(foot_line, foot);
    }

    fn draw_status(&self, frame: &mut Frame<'_>, area: Rect) {
        let lines: Vec<Line<'_>> = self
            .status
            .iter()
            .flat_map(status_pairs)
            .map(|(key, value)| {
                let value = value.replace('\n', " ");
                Line::from(vec![format!("{key:<9}").dim(), value.into()])
            })
            .collect();
        frame.render_widget(Paragraph::new(Text::from(lines)).block(Block::bordered().title(" Node ")), area);
    }

    fn draw_peers(&self, frame: &mut Frame<'_>, area: Rect) {
        let (rows, total) = match &self.peers {
            Some(page) => (page.items.iter().map(peer_row).collect(), page.total),
            None => (Vec::new(), 0),
        };
        // In proportion: where the wishes of columns exceed the screen, the library chooses anew each time.
        let widths = [48, 43, 9, 10, 12, 10, 16, 14].map(Constraint::Fill);
        frame.render_widget(table(&PEER_HEADING, rows, &widths, format!(" Peers ({total}) ")), area);
    }

    fn draw_jobs(&self, frame: &mut Frame<'_>, area: Rect) {
        let (rows, total) = match &self.jobs {
            Some(page) => (page.items.iter().map(job_row).collect(), page.total),
            None => (Vec::new(), 0),
        };
        let widths = [18, 22, 20, 10, 24, 40].map(Constraint::Fill);
        frame.render_widget(table(&JOB_HEADING, rows, &widths, format!(" Jobs ({total}) ")), area);
    }
}

fn table<'a>(heading: &[&'a str], rows: Vec<Vec<String>>, widths: &[Constraint], title: String) -> Table<'a> {
    let heading = Row::new(heading.to_vec()).style(Style::new().add_modifier(Modifier::BOLD));
    Table::new(rows.into_iter().map(Row::new), widths.iter().copied())
        .header(heading)
        .block(Block::bordered().title(title))
}

#[cfg(test)]
mod tests {
    use icn_types::{Did, Timestamp};
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::output::sample_job;

    fn view() -> View {
        let did = Did::from_public_key([1; 32]);
        let status = Status {
            version: "0.1.0".to_owned(),
            did,
            peer_id: "12D3KooWTest".to_owned(),
            listen: vec!["/ip4/127.0.0.1/udp/7100/quic-v1/p2p/12D3KooWTest".to_owned()],
            api: "http://127.0.0.1:7171".to_owned(),
            started_at: Timestamp::from_millis(1_000),
            peers: 1,
            executor: true,
            region: None,
            jobs_running: 0,
            jobs_open: 1,
            jobs_total: 1,
            executors_known: 2,
            blocks: 12,
            block_bytes: 5 << 20,
            block_bytes_max: 10 << 30,
        };
        let peer = Peer {
            peer_id: "12D3KooWOther".to_owned(),
            did: Some(Did::from_public_key([2; 32])),
            address: "/ip4/127.0.0.1/udp/7101/quic-v1".to_owned(),
            direction: "inbound".to_owned(),
            rtt_us: Some(850),
            agent: Some("icn/0.1.0".to_owned()),
            executor: true,
            region: None,
            class: Some("partner".to_owned()),
            neighbors: Some("local_cluster".to_owned()),
        };
        View {
            status: Some(status),
            peers: Some(Page { items: vec![peer], total: 1, has_more: false }),
            jobs: Some(Page { items: vec![sample_job()], total: 1, has_more: false }),
            trouble: None,
        }
    }

    fn screen(view: &View, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| view.draw(frame)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn the_screen() {
        insta::assert_snapshot!(screen(&view(), 150, 24));
    }

    #[test]
    fn any_size_can_be_drawn() {
        for (width, height) in [(1, 1), (20, 5), (80, 24), (400, 100)] {
            screen(&view(), width, height);
            screen(&View::default(), width, height);
        }
    }
}

//! PostgreSQL doing the same double entry: a private cluster in a temporary folder, driven by its own `pgbench`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use icn_bench::Context;
use icn_bench::measure::Samples;

/// Connections, as the specification says.
const CONNECTIONS: &str = "8";

/// Payments in one large transaction.
const PER_BULK: usize = 100;

/// Accounts, transfers and their two legs. A payment checks the line of the payer; both accounts are locked in the order
/// of their numbers, so that payments never wait for each other in a circle.
const SCHEMA: &str = "
CREATE TABLE account (id int PRIMARY KEY, line bigint NOT NULL, balance bigint NOT NULL DEFAULT 0,
    CHECK (balance >= -line)) WITH (fillfactor = 50);
CREATE TABLE transfer (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, payer int NOT NULL, payee int NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0), at timestamptz NOT NULL DEFAULT now());
CREATE TABLE entry (transfer bigint NOT NULL, account int NOT NULL, amount bigint NOT NULL,
    PRIMARY KEY (transfer, account));
INSERT INTO account SELECT n, 1000000000 FROM generate_series(0, 9999) n;
CREATE FUNCTION pay(a int, b int, units bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE number bigint;
BEGIN
    INSERT INTO transfer (payer, payee, amount) VALUES (a, b, units) RETURNING id INTO number;
    IF a < b THEN
        UPDATE account SET balance = balance - units WHERE id = a;
        UPDATE account SET balance = balance + units WHERE id = b;
    ELSE
        UPDATE account SET balance = balance + units WHERE id = b;
        UPDATE account SET balance = balance - units WHERE id = a;
    END IF;
    INSERT INTO entry VALUES (number, a, -units), (number, b, units);
    RETURN number;
END $$;
CREATE FUNCTION pay_many(a int, many int, units bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    WITH made AS (
        INSERT INTO transfer (payer, payee, amount) SELECT a, a + n, units FROM generate_series(1, many) n
        RETURNING id, payee)
    INSERT INTO entry SELECT id, a, -units FROM made UNION ALL SELECT id, payee, units FROM made;
    UPDATE account SET balance = balance - units * many WHERE id = a;
    FOR n IN 1..many LOOP
        UPDATE account SET balance = balance + units WHERE id = a + n;
    END LOOP;
END $$;
VACUUM ANALYZE;
";

const SINGLE: &str =
    "\\set a random(0, 9999)\n\\set b (:a + random(1, 9999)) % 10000\nSELECT pay(:a, :b, 1);\n";
const BULK: &str = "\\set a random(0, 9899)\nSELECT pay_many(:a, 100, 1);\n";

/// What came of it.
pub(super) enum Outcome {
    /// Transactions of one payment, and of many.
    Measured { single: Samples, bulk: Samples, per_bulk: usize },
    /// It cannot run here.
    Skipped(&'static str),
}

/// Measures payments of one transaction each, and many to a transaction.
pub(super) fn measure(context: &Context) -> Result<Outcome> {
    let Some(bin) = programs() else {
        return Ok(Outcome::Skipped("install the package `postgresql` to see it"));
    };
    let is_root = output(Command::new("id").arg("-u"))?.trim() == "0";
    if is_root
        && !Command::new("id").arg("postgres").stdout(Stdio::null()).stderr(Stdio::null()).status()?.success()
    {
        return Ok(Outcome::Skipped("it does not run as root, and there is no user `postgres`"));
    }
    let folder = tempfile::tempdir_in(&context.dir)?;
    // The path of a socket has about a hundred bytes.
    let socket = tempfile::tempdir()?;
    if is_root {
        for dir in [folder.path(), socket.path()] {
            run(Command::new("chown").arg("postgres").arg(dir))?;
        }
    }
    let server = Server { bin, is_root, data: folder.path().join("data"), socket: socket.path().to_owned() };
    if !server.can_reach(folder.path())? {
        return Ok(Outcome::Skipped(
            "its user may not enter the folder that is measured: choose another with `--dir`",
        ));
    }
    server.start()?;
    server.schema(folder.path())?;
    let single = server.bench(folder.path(), "single", SINGLE, context.plan.books.load)?;
    let bulk = server.bench(folder.path(), "bulk", BULK, context.plan.books.load)?;
    let broken = output(server.client("psql").args([
        "-Atc",
        "SELECT (SELECT count(*) FROM transfer) * 2 - (SELECT count(*) FROM entry) + (SELECT sum(balance) FROM account)",
    ]))?;
    ensure!(broken.trim() == "0", "PostgreSQL's books do not sum to zero");
    Ok(Outcome::Measured { single, bulk, per_bulk: PER_BULK })
}

/// A cluster; dropping it ends it.
struct Server {
    bin: PathBuf,
    is_root: bool,
    data: PathBuf,
    socket: PathBuf,
}

impl Server {
    /// Begins a command as the user that may run the server.
    fn command(&self, program: &Path) -> Command {
        let mut command = if self.is_root {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir("/").stdin(Stdio::null());
        command
    }

    fn tool(&self, name: &str) -> Command {
        self.command(&self.bin.join(name))
    }

    fn client(&self, name: &str) -> Command {
        let mut command = self.tool(name);
        command.arg("-h").arg(&self.socket).args(["-U", "bench", "-d", "postgres"]);
        command
    }

    fn can_reach(&self, dir: &Path) -> Result<bool> {
        let mut look = self.command(Path::new("test"));
        Ok(look.arg("-w").arg(dir).stderr(Stdio::null()).status()?.success())
    }

    fn start(&self) -> Result<()> {
        let mut init = self.tool("initdb");
        run(init.arg("-D").arg(&self.data).args(["-U", "bench", "-A", "trust", "--no-sync"]))?;
        // As shipped but for memory, and for checkpoints, which would fall into some runs and not into others.
        let options = format!(
            "-c listen_addresses='' -c unix_socket_directories='{}' -c fsync=on -c synchronous_commit=on \
             -c shared_buffers=512MB -c max_wal_size=8GB -c checkpoint_timeout=1h",
            self.socket.display()
        );
        let mut start = self.tool("pg_ctl");
        start
            .arg("-D")
            .arg(&self.data)
            .arg("-l")
            .arg(self.data.join("log"))
            .args(["-w", "-o", &options, "start"]);
        // The server keeps what it inherits.
        start.stdout(Stdio::null()).stderr(Stdio::null());
        ensure!(start.status()?.success(), "PostgreSQL did not start: {}", self.log());
        Ok(())
    }

    /// Loads the schema from a file: `psql -c` would put all of it into one transaction, and `VACUUM` cannot be in one.
    fn schema(&self, dir: &Path) -> Result<()> {
        let file = dir.join("schema.sql");
        fs::write(&file, SCHEMA)?;
        run(self.client("psql").args(["-q", "-v", "ON_ERROR_STOP=1", "-f"]).arg(&file))
    }

    fn bench(&self, dir: &Path, name: &str, script: &str, time: Duration) -> Result<Samples> {
        let file = dir.join(format!("{name}.sql"));
        fs::write(&file, script)?;
        let seconds = time.as_secs().max(1);
        let mut bench = self.client("pgbench");
        bench.args(["-n", "-c", CONNECTIONS, "-j", "4", "-M", "prepared", "-l"]);
        bench.arg("--log-prefix").arg(dir.join(name)).arg("-T").arg(seconds.to_string()).arg("-f").arg(&file);
        run(&mut bench)?;
        let mut durations = Vec::new();
        for log in fs::read_dir(dir)? {
            let log = log?;
            let name_of = log.file_name().to_string_lossy().into_owned();
            if name_of.starts_with(name) && !name_of.ends_with(".sql") {
                durations.extend(times(&fs::read_to_string(log.path())?));
            }
        }
        Samples::of(&durations, Duration::from_secs(seconds))
    }

    fn log(&self) -> String {
        fs::read_to_string(self.data.join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut stop = self.tool("pg_ctl");
        stop.arg("-D").arg(&self.data).args(["-w", "-m", "immediate", "stop"]);
        // An error says that it does not run.
        drop(stop.stdout(Stdio::null()).stderr(Stdio::null()).status());
    }
}

/// Reads `pgbench`'s log: client, number, time in microseconds, script, and when.
fn times(log: &str) -> impl Iterator<Item = Duration> {
    let time = |line: &str| line.split(' ').nth(2)?.parse().ok().map(Duration::from_micros);
    log.lines().filter_map(time)
}

/// Finds the folder of the server's programs.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut bins: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    bins.extend(
        std::env::var_os("PATH").iter().flat_map(|path| std::env::split_paths(path).collect::<Vec<_>>()),
    );
    let has_all =
        |dir: &PathBuf| ["initdb", "pg_ctl", "pgbench", "psql"].iter().all(|name| dir.join(name).exists());
    bins.into_iter().find(has_all)
}

fn run(command: &mut Command) -> Result<()> {
    output(command).map(drop)
}

fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("starting `{name}`"))?;
    ensure!(output.status.success(), "`{command:?}` failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_the_third_column() {
        let found: Vec<Duration> = times("0 1 1520 0 1790000000 1\n0 2 800 0 1790000000 2\nodd\n").collect();
        assert_eq!(found, [Duration::from_micros(1_520), Duration::from_micros(800)]);
    }
}

//! `fargateer get`: agents of a running daemon, or of a table of specs, one line each.

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use comfy_table::{Table, presets};
use fargateer_api::status::{ConditionType, Truth};
use fargateer_api::{schema, visible};
use jiff::{SpanRound, Timestamp, Unit};
use serde_json::Value;

use crate::cli::{Format, GetArgs};
use crate::commands::{rows, server};
use crate::output::{self, hinted};

/// How often `-w` asks.
const WATCH: Duration = Duration::from_secs(1);

/// Runs the command: exit code 1 when an agent asked for by name is not ready, 2 when there is none of that name. A list is an
/// answer, whatever is in it: 0, as with kubectl; `--status ready=false -o name` is what a script asks.
pub(crate) async fn run(args: GetArgs) -> anyhow::Result<ExitCode> {
    let mut shown = Value::Null;
    loop {
        let list = selected(&args, asked(&args).await?)?;
        if rows_of(&list) != rows_of(&shown) {
            // One agent asked for by name is a document of its own, as in kubectl.
            let one = args.name.as_ref().and_then(|_| items(&list).first());
            match (one, args.output) {
                (Some(agent), Format::Json | Format::Yaml) => output::document(agent, args.output)?,
                (Some(_), Format::Text | Format::Wide | Format::Name) | (None, _) => print(&list, args.output)?,
            };
        }
        if !args.watch {
            let not_ready = args.name.is_some() && !items(&list).iter().all(is_ready);
            return Ok(ExitCode::from(u8::from(not_ready)));
        }
        shown = list;
        drop(tokio::time::timeout(WATCH, std::future::pending::<()>()).await);
    }
}

/// The agents as whoever is asked knows them.
async fn asked(args: &GetArgs) -> anyhow::Result<Value> {
    match &args.from {
        Some(table) => rows::list(table).await,
        None => server::get(&args.server.server, "/api/v1/agents").await,
    }
}

/// Prints a list of agents.
pub(crate) fn print(list: &Value, format: Format) -> anyhow::Result<ExitCode> {
    if items(list).is_empty() && matches!(format, Format::Text | Format::Wide) {
        output::note("no agents");
        return Ok(ExitCode::SUCCESS);
    }
    match format {
        Format::Json | Format::Yaml => output::document(list, format),
        Format::Name => {
            let names = items(list).iter().filter_map(|item| item["metadata"]["name"].as_str());
            let names: Vec<String> = names.map(visible).collect();
            output::data(&names.join("\n"))
        }
        Format::Wide => output::data(&table(list, Width::Wide)),
        Format::Text => {
            let width = if std::io::stdout().is_terminal() { Width::Screen } else { Width::Full };
            output::data(&table(list, width))
        }
    }
}

/// The Ready condition of an agent's document.
pub(crate) fn ready(item: &Value) -> Option<&Value> {
    item["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == "Ready")
}

fn is_ready(item: &Value) -> bool {
    ready(item).is_some_and(|ready| ready["status"] == "True")
}

fn items(list: &Value) -> &[Value] {
    list["items"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// What a watcher would see change.
fn rows_of(list: &Value) -> String {
    table(list, Width::Wide)
}

/// How much of an agent is told on its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Width {
    /// As much as a line of a screen has room for: messages are cut off.
    Screen,
    /// For whoever reads a pipe or a file: messages are whole.
    Full,
    /// More columns.
    Wide,
}

fn table(list: &Value, width: Width) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let mut head = vec!["NAME", "READY", "REASON", "RUNNING", "DESIRED", "REVISION", "DRIFT", "AGE", "MESSAGE"];
    if width == Width::Wide {
        head.extend(["REGION", "CLUSTER", "IMAGE DIGEST", "SOURCE", "$/MONTH"]);
    }
    table.set_header(head);
    for item in items(list) {
        table.add_row(row(item, width));
    }
    let lines: Vec<String> =
        table.trim_fmt().lines().map(|line| line.strip_prefix(' ').unwrap_or(line).to_owned()).collect();
    lines.join("\n")
}

fn row(item: &Value, width: Width) -> Vec<String> {
    let status = &item["status"];
    let condition = |kind: &str| {
        let conditions = status["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
        conditions.iter().find(|condition| condition["type"] == kind).cloned().unwrap_or_default()
    };
    let (ready, drift) = (condition("Ready"), condition("DriftDetected"));
    // On one line: what a daemon says must not look like a row of ours.
    let text = |value: &Value| value.as_str().map_or_else(|| "-".to_owned(), visible);
    // A row whose agent nobody looked at yet has none.
    let count = |field: &str| status[field].as_u64().map_or_else(|| "-".to_owned(), |count| count.to_string());
    let revision = text(&status["taskDefinitionArn"]).rsplit(':').next().unwrap_or("-").to_owned();
    let valid = condition("SpecValid");
    // What runs may be fine while the newest wording of its spec is not: that must not hide behind Ready.
    let message = text(if valid["status"] == "False" { &valid["message"] } else { &ready["message"] });
    let message = if width == Width::Screen { shortened(&message) } else { message };
    let mut row = vec![
        text(&item["metadata"]["name"]),
        text(&ready["status"]),
        text(&ready["reason"]),
        count("runningCount"),
        count("desiredCount"),
        revision,
        text(&drift["status"]),
        age(&text(&ready["lastTransitionTime"])),
        message,
    ];
    if width == Width::Wide {
        row.extend([
            text(&item["spec"]["region"]),
            text(&item["spec"]["cluster"]),
            text(&status["imageDigest"]).chars().take(19).collect(),
            text(&status["source"]["location"]),
            status["cost"]["monthlyUsd"].as_f64().map_or_else(|| "-".to_owned(), |usd| format!("{usd:.2}")),
        ]);
    }
    row
}

/// The beginning of a message, told to be one.
fn shortened(message: &str) -> String {
    const MOST: usize = 100;
    if message.chars().count() <= MOST {
        return message.to_owned();
    }
    let words = message.chars().take(MOST).collect::<String>();
    format!("{} ...", words.rsplit_once(' ').map_or(words.as_str(), |(start, _)| start))
}

/// How long ago `time` was, such as `3m 20s`.
fn age(time: &str) -> String {
    let Ok(then) = time.parse::<Timestamp>() else { return "-".to_owned() };
    let span = Timestamp::now().since(then).and_then(|span| {
        let largest = if Timestamp::now().as_second() - then.as_second() > 86_400 { Unit::Hour } else { Unit::Minute };
        span.round(SpanRound::new().largest(largest).smallest(Unit::Second))
    });
    span.map_or_else(|_| "-".to_owned(), |span| format!("{span:#}").replace(", ", " "))
}

fn selected(args: &GetArgs, mut list: Value) -> anyhow::Result<Value> {
    let labels =
        args.labels.iter().flat_map(|labels| labels.split(',')).map(pair).collect::<anyhow::Result<Vec<_>>>()?;
    let status = args.status.as_deref().map(stated).transpose()?;
    let fits = |item: &&Value| {
        let named = args.name.as_deref().is_none_or(|name| item["metadata"]["name"] == name);
        let labelled = labels.iter().all(|(key, value)| item["metadata"]["labels"][key] == *value);
        let conditions = item["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
        let stated = status.as_ref().is_none_or(|(kind, value)| {
            let same = |text: &Value, other: &str| text.as_str().is_some_and(|text| text.eq_ignore_ascii_case(other));
            conditions.iter().any(|condition| same(&condition["type"], kind) && same(&condition["status"], value))
        });
        named && labelled && stated
    };
    let items: Vec<Value> = items(&list).iter().filter(fits).cloned().collect();
    if let (Some(name), true) = (&args.name, items.is_empty()) {
        return Err(hinted(format!("no agent {name}"), "`fargateer get` lists all"));
    }
    list["items"] = Value::Array(items);
    Ok(list)
}

/// A condition and what it is to be, as the status has them.
fn stated(text: &str) -> anyhow::Result<(String, String)> {
    let (kind, value) = pair(text)?;
    let known = schema::words::<ConditionType>();
    if !known.iter().any(|word| word.eq_ignore_ascii_case(&kind)) {
        return Err(hinted(format!("{kind} is no condition"), format!("one of {}", known.join(", "))));
    }
    let values = schema::words::<Truth>();
    if !values.iter().any(|word| word.eq_ignore_ascii_case(&value)) {
        return Err(hinted(format!("{value} is nothing a condition can be"), format!("one of {}", values.join(", "))));
    }
    Ok((kind, value))
}

fn pair(text: &str) -> anyhow::Result<(String, String)> {
    let (key, value) =
        text.split_once('=').ok_or_else(|| hinted(format!("{text} is no key=value"), "as in team=support"))?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn messages_are_cut_off_on_a_screen_alone() {
        let message = format!("{} the end", "word ".repeat(40));
        let ready = json!({"type": "Ready", "status": "False", "message": message});
        let list = json!({"items": [{"metadata": {"name": "bot"}, "status": {"conditions": [ready]}}]});
        let on = |width: Width| table(&list, width);
        assert!(on(Width::Screen).ends_with("word ..."), "{}", on(Width::Screen));
        assert!(on(Width::Full).ends_with("the end"), "{}", on(Width::Full));
        assert!(on(Width::Wide).contains("the end"), "{}", on(Width::Wide));
    }
}

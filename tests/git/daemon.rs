//! The daemon with git sources: what people see of commits, pushes, misfortunes and secrets.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use super::hosts::{Https, Ssh, TOKEN};
use super::install::run;
use super::repository::Repository;
use super::spec;
use crate::binary;
use crate::daemon::{Daemon, is_ready};
use crate::running;

/// The secret of webhooks.
const SECRET: &str = "webhook-canary-0123456789";

/// A daemon on `source` with options `more`, in the folder of `repository`.
fn daemon(repository: &Repository, source: &str, more: &[&str], environment: &[(&str, &str)]) -> Daemon {
    let environment: Vec<(String, String)> =
        environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Daemon::with(repository.home(), &environment, &[&[source], more].concat())
}

/// The condition `kind` of an agent.
fn condition(agent: &Value, kind: &str) -> Value {
    let conditions = agent["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.into_iter().find(|condition| condition["type"] == kind).unwrap_or_default()
}

/// Waits until `name` says that its newest wording is not usable because of `why`, and is otherwise left alone.
#[track_caller]
fn until_kept(daemon: &Daemon, name: &str, why: &str) {
    daemon.until(why, |daemon| {
        let valid = condition(&daemon.agent(name), "SpecValid");
        valid["status"] == "False" && valid["message"].as_str().is_some_and(|message| message.contains(why))
    });
    assert!(is_ready(&daemon.agent(name)), "{name} goes on");
}

fn source_of(agent: &Value) -> (String, String, String) {
    let text = |field: &str| agent["status"]["source"][field].as_str().unwrap_or_default().to_owned();
    (text("location"), text("commit"), text("author"))
}

/// The life of a repository from the first commit to the last, by whichever way.
fn lives(daemon: &mut Daemon, repository: &Repository) {
    daemon.until("two agents", |daemon| ["one", "two"].iter().all(|name| is_ready(&daemon.agent(name))));
    let first = repository.git(&["rev-parse", "HEAD"]);
    let (location, commit, author) = source_of(&daemon.agent("one"));
    assert!(location.ends_with("specs.git:agents/one.yaml:1"), "{location}");
    assert_eq!((commit.as_str(), author.as_str()), (first.as_str(), "Ada <ada@example.com>"));
    let page = binary::run(repository.home(), &[], &["describe", "one", "--server", daemon.server()]);
    assert!(page.out.contains(&format!("Commit:    {first} by Ada <ada@example.com>")), "{}{}", page.out, page.err);

    let second = repository.commit(&[("agents/one.yaml", &spec("one", "2.0"))]);
    daemon.until("the second commit", |daemon| source_of(&daemon.agent("one")).1 == second);
    daemon.until("its image", |daemon| {
        let agent = daemon.agent("one");
        is_ready(&agent) && agent["spec"]["image"]["uri"].as_str().is_some_and(|uri| uri.ends_with(":2.0"))
    });
    assert_eq!(source_of(&daemon.agent("two")).1, first, "the commit that brought its wording");

    repository.commit(&[("agents/two.yaml", "")]);
    daemon.until("the deletion", |daemon| daemon.agent("two")["error"] == "no agent two");
    assert!(is_ready(&daemon.agent("one")));
}

fn repository() -> Repository {
    Repository::with(&[("agents/one.yaml", &spec("one", "1.0")), ("agents/two.yaml", &spec("two", "1.0"))])
}

#[test]
fn a_repository_of_this_machine_is_followed() {
    let repository = repository();
    let mut daemon = daemon(&repository, &format!("{}#main:agents", repository.shown()), &["--poll", "1s"], &[]);
    lives(&mut daemon, &repository);
    assert_eq!(daemon.end(), Some(0));
}

#[test]
fn a_repository_is_followed_by_https_and_the_token_is_never_seen() {
    let repository = repository();
    let host = Https::of(&repository);
    let file = repository.home().join("our-token");
    fs::write(&file, format!("{TOKEN}\n")).expect("a file for the token");
    let (authority, file_text) = (host.authority().display().to_string(), file.display().to_string());
    let options = [
        "--poll",
        "1s",
        "--git-ca-file",
        &authority,
        "--git-token-file",
        &file_text,
        "--log",
        "trace",
        "--log-secrets",
    ];
    let mut daemon = daemon(&repository, &host.address("specs.git", "main:agents"), &options, &[]);
    lives(&mut daemon, &repository);

    // Tokens run out and are replaced.
    host.set_token("ghp-another");
    let list = |daemon: &Daemon| running::json(&running::http(daemon.server(), "GET", "/api/v1/agents", &[], ""));
    let refused = |daemon: &Daemon| list(daemon)["faults"].to_string().contains("does not accept the token");
    daemon.until("word of the refusal", refused);
    assert!(is_ready(&daemon.agent("one")));
    fs::write(&file, "ghp-another").expect("a file for the token");
    daemon.until("the new token", |daemon| !refused(daemon));

    let metrics = running::http(daemon.server(), "GET", "/metrics", &[], "");
    let told = [list(&daemon).to_string(), daemon.agent("one").to_string(), metrics].concat();
    assert_eq!(daemon.end(), Some(0));
    let basic = run(Command::new("sh").arg("-c").arg(format!("printf x-access-token:{TOKEN} | base64 -w0")));
    for secret in [TOKEN, "ghp-another", basic.trim()] {
        assert!(!told.contains(secret) && !daemon.heard().contains(secret), "{secret} was told");
    }
}

#[test]
fn a_repository_is_followed_by_ssh() {
    let repository = repository();
    let host = Ssh::of(&repository);
    let (key, hosts) = (host.key("ours").display().to_string(), host.known_hosts().display().to_string());
    let environment = [("FARGATEER_GIT_SSH_KEY", key.as_str()), ("FARGATEER_GIT_KNOWN_HOSTS", &hosts)];
    let mut daemon = daemon(&repository, &host.address("main:agents"), &["--poll", "1s"], &environment);
    lives(&mut daemon, &repository);
    assert_eq!(daemon.end(), Some(0));
}

#[test]
fn whatever_befalls_a_repository_its_agents_go_on_and_say_why() {
    let repository = repository();
    let mut daemon = daemon(&repository, &format!("{}#main:agents", repository.shown()), &["--poll", "1s"], &[]);
    daemon.until("two agents", |daemon| ["one", "two"].iter().all(|name| is_ready(&daemon.agent(name))));
    repository.commit(&[("agents/one.yaml", "apiVersion: ["), ("agents/two.yaml", "- nothing")]);
    until_kept(&daemon, "one", "agents/one.yaml:");
    until_kept(&daemon, "two", "agents/two.yaml:");
    repository.commit(&[("agents/one.yaml", ""), ("agents/two.yaml", "")]);
    until_kept(&daemon, "one", "has no agents");
    until_kept(&daemon, "two", "has no agents");
    repository.bare(&["branch", "--delete", "--force", "main"]);
    until_kept(&daemon, "one", "there is no branch or tag main");
    let one = spec("one", "3.0");
    repository.commit(&[("agents/one.yaml", &one), ("agents/two.yaml", &spec("two", "1.0"))]);
    daemon.until("a sound commit", |daemon| condition(&daemon.agent("one"), "SpecValid")["status"] == "True");
    repository.git(&["reset", "--quiet", "--hard", "HEAD~3"]);
    repository.commit(&[("agents/two.yaml", "")]);
    let deleted = daemon.aws("DescribeServices", &json!({"cluster": "agents", "services": ["one", "two"]}));
    assert_eq!(deleted["services"].as_array().map(Vec::len), Some(2), "nothing was deleted: {deleted}");
    assert_eq!(daemon.end(), Some(0));
}

#[test]
fn a_commit_nobody_we_trust_has_signed_is_not_run() {
    let repository = Repository::empty();
    let key = repository.home().join("ada");
    run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key));
    let public = fs::read_to_string(key.with_extension("pub")).expect("the key");
    let allowed = repository.home().join("allowed");
    fs::write(&allowed, format!("ada@example.com {public}")).expect("a file of allowed signers");
    for (name, value) in
        [("gpg.format", "ssh"), ("commit.gpgsign", "true"), ("user.signingkey", &key.display().to_string())]
    {
        repository.git(&["config", name, value]);
    }
    repository.commit(&[("one.yaml", &spec("one", "1.0")), ("two.yaml", &spec("two", "1.0"))]);
    let options = ["--poll", "1s", "--git-allowed-signers", &allowed.display().to_string()];
    let mut daemon = daemon(&repository, &format!("{}#main", repository.shown()), &options, &[]);
    daemon.until("two agents", |daemon| ["one", "two"].iter().all(|name| is_ready(&daemon.agent(name))));
    repository.git(&["config", "commit.gpgsign", "false"]);
    repository.commit(&[("one.yaml", &spec("one", "6.6")), ("two.yaml", "")]);
    until_kept(&daemon, "one", "is not verified: it is not signed");
    until_kept(&daemon, "two", "is not verified: it is not signed");
    assert!(daemon.agent("one")["spec"]["image"]["uri"].as_str().is_some_and(|uri| uri.ends_with(":1.0")));
    assert_eq!(daemon.end(), Some(0));
}

/// The status and body of a message to the webhook.
fn tell(daemon: &Daemon, headers: &[(&str, String)], body: &str) -> (u16, Value) {
    let answer = running::exchange(daemon.server(), "POST", "/webhooks/git", headers, body);
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, running::json(answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)))
}

/// The HMAC of `text`, by a program that is not ours.
fn hmac(text: &str) -> String {
    let script = "import hmac, sys; print(hmac.new(sys.argv[1].encode(), sys.argv[2].encode(), 'sha256').hexdigest())";
    run(Command::new("python3").args(["-c", script, SECRET, text])).trim().to_owned()
}

fn now() -> u64 {
    run(Command::new("date").arg("+%s")).trim().parse().expect("a number")
}

#[test]
fn a_push_that_is_told_is_fetched_at_once_and_nobody_else_can_tell_one() {
    let repository = repository();
    let file = repository.home().join("secret");
    fs::write(&file, format!("{SECRET}\n")).expect("a file for the secret");
    let options = ["--poll", "1d", "--webhook-secret-file", &file.display().to_string()];
    let mut daemon = daemon(&repository, &format!("{}#main:agents", repository.shown()), &options, &[]);
    daemon.until("two agents", |daemon| ["one", "two"].iter().all(|name| is_ready(&daemon.agent(name))));

    let github =
        |body: &str| [("x-hub-signature-256", format!("sha256={}", hmac(body))), ("x-github-event", "push".to_owned())];
    let is_there = |daemon: &Daemon, name: &str| is_ready(&daemon.agent(name));
    for (number, name) in ["three", "four", "five"].iter().enumerate() {
        repository.commit(&[(&format!("agents/{name}.yaml"), &spec(name, "1.0"))]);
        let body = format!("{{\"number\": {number}}}");
        let time = now().to_string();
        let answer = match number {
            0 => tell(&daemon, &github(&body), &body),
            1 => {
                tell(&daemon, &[("x-gitlab-token", SECRET.to_owned()), ("x-gitlab-event-uuid", "1".to_owned())], &body)
            }
            _ => tell(&daemon, &[("x-signature-256", hmac(&format!("{time}.{body}"))), ("x-timestamp", time)], &body),
        };
        assert_eq!(answer, (202, json!({"sources": 1})), "{name}");
        daemon.until("the agent of the push", |daemon| is_there(daemon, name));
    }

    let body = "{\"number\": 0}";
    assert_eq!(tell(&daemon, &github(body), body), (202, json!({"sources": 0})), "heard before");
    let other = "{\"repository\": {\"clone_url\": \"https://github.com/org/other.git\"}}";
    assert_eq!(tell(&daemon, &github(other), other), (202, json!({"sources": 0})), "not ours");
    assert_eq!(tell(&daemon, &[], body).0, 401);
    assert_eq!(tell(&daemon, &github("another"), body).0, 401);
    assert_eq!(tell(&daemon, &[("x-gitlab-token", "webhook-canary".to_owned())], body).0, 401);
    let old = (now() - 400).to_string();
    let stale = [("x-signature-256", hmac(&format!("{old}.{body}"))), ("x-timestamp", old)];
    assert_eq!(tell(&daemon, &stale, body).0, 401);
    let large = " ".repeat((1 << 20) + 1);
    assert_eq!(tell(&daemon, &[("x-gitlab-token", SECRET.to_owned())], &large).0, 413);
    // Nothing but a length that is said, and nothing but bytes that come.
    let chunked = running::chunked(daemon.server(), "/webhooks/git", &[("x-gitlab-token", SECRET.to_owned())], 40);
    assert!(chunked.starts_with("HTTP/1.1 413 "), "{chunked}");
    assert_eq!(daemon.end(), Some(0));
    assert!(!daemon.heard().contains(SECRET));
}

#[test]
fn without_a_secret_there_is_no_endpoint_and_a_short_one_is_refused() {
    let repository = repository();
    let source = format!("{}#main:agents", repository.shown());
    let mut daemon = daemon(&repository, &source, &[], &[]);
    assert_eq!(tell(&daemon, &[("x-gitlab-token", String::new())], "{}").0, 404);
    assert_eq!(daemon.end(), Some(0));
    let environment = [("FARGATEER_WEBHOOK_SECRET".to_owned(), "guess me".to_owned())];
    let said = binary::run(repository.home(), &environment, &["run", "--local", &source]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("fewer than 16 characters") && !said.err.contains("guess me"), "{}", said.err);
}

#[test]
fn an_address_that_is_wrong_is_refused_and_what_it_hides_is_not_told() {
    let repository = repository();
    for (source, why) in [
        ("git+https://user:hunter2@git.example.com/specs", "can be read by everybody on the machine"),
        ("git+http://git.example.com/hunter2", "https, ssh or as files"),
        ("git+ssh://-ohunter2@git.example.com/specs", "names no host"),
        ("git+file:///srv/specs.git#main:../hunter2", "leads out of the repository"),
    ] {
        let said = binary::run(repository.home(), &[], &["run", "--local", source]);
        assert_eq!(said.code, 2, "{source}: {}", said.err);
        assert!(said.err.contains(why) && said.err.contains("hint:"), "{source}: {}", said.err);
        assert!(!said.err.contains("hunter2") || source.contains("/hunter2"), "{source}: {}", said.err);
    }
    let missing = ["run", "--local", "--git-known-hosts", "nowhere/hosts", "git+ssh://git@git.example.com/specs"];
    let said = binary::run(repository.home(), &[], &missing);
    assert!(said.code == 2 && said.err.contains("--git-known-hosts nowhere/hosts cannot be read"), "{}", said.err);
}

#[test]
fn one_run_on_a_repository_ends_with_its_verdict() {
    let repository = repository();
    let once = |part: &str| {
        let source = format!("{}#{part}", repository.shown());
        binary::run(repository.home(), &[], &["run", "--once", "--local", "--speed", "50", "-o", "json", &source])
    };
    let said = once("main:agents");
    assert_eq!(said.code, 0, "{}", said.err);
    let items = said.json()["items"].as_array().cloned().unwrap_or_default();
    assert!(items.len() == 2 && items.iter().all(is_ready));
    let said = once("no-such:agents");
    assert_eq!(said.code, 2, "{}", said.err);
    assert!(said.err.contains("there is no branch or tag no-such"), "{}", said.err);
}

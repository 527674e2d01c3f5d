//! The file of allowed signers, as `ssh-keygen(1)` describes it: `principals [options] keytype base64-key`.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use ssh_key::PublicKey;
use ssh_key::public::KeyData;

/// What git signs.
pub(super) const NAMESPACE: &str = "git";

/// Who may sign with `key` at `time`, as `file` says: the principals of the first line that allows it.
pub(super) fn principals(file: &str, key: &KeyData, time: i64) -> Option<String> {
    let lines = file.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.filter_map(Line::parse).find(|line| line.key == *key && line.allows(time)).map(|line| line.principals)
}

struct Line {
    principals: String,
    /// Empty: all.
    namespaces: Vec<String>,
    after: Option<Timestamp>,
    before: Option<Timestamp>,
    key: KeyData,
}

impl Line {
    /// Nothing, where a line says anything that is not understood: it might be a restriction.
    fn parse(line: &str) -> Option<Self> {
        let fields = fields(line)?;
        let (principals, rest) = fields.split_first()?;
        let (options, key) = match rest {
            [kind, key, ..] if is_key_type(kind) => (None, (kind, key)),
            [options, kind, key, ..] if is_key_type(kind) => (Some(options), (kind, key)),
            _ => return None,
        };
        let key = PublicKey::from_openssh(&format!("{} {}", key.0, key.1)).ok()?.key_data().clone();
        let mut parsed =
            Self { principals: unquoted(principals), namespaces: Vec::new(), after: None, before: None, key };
        for option in options.map(|options| split(options, ',')).unwrap_or_default() {
            let (name, value) = option.split_once('=')?;
            let value = unquoted(value);
            match name.to_ascii_lowercase().as_str() {
                "namespaces" => parsed.namespaces = value.split(',').map(str::to_owned).collect(),
                "valid-after" => parsed.after = Some(moment(&value)?),
                "valid-before" => parsed.before = Some(moment(&value)?),
                // Certificate authorities above all: a certificate is not checked here.
                _ => return None,
            }
        }
        Some(parsed)
    }

    fn allows(&self, time: i64) -> bool {
        let Ok(time) = Timestamp::from_second(time) else { return false };
        let namespace =
            self.namespaces.is_empty() || self.namespaces.iter().any(|name| name == NAMESPACE || name == "*");
        namespace && self.after.is_none_or(|after| after <= time) && self.before.is_none_or(|before| time < before)
    }
}

fn is_key_type(text: &str) -> bool {
    ["ssh-", "ecdsa-", "sk-"].iter().any(|start| text.starts_with(start))
}

/// The fields of a line; blanks in quotes belong to a field. None, when a quote is not closed.
fn fields(line: &str) -> Option<Vec<String>> {
    let closed = line.matches('"').count().is_multiple_of(2);
    let fields = split(&line.replace('\t', " "), ' ').into_iter().filter(|field| !field.is_empty());
    closed.then(|| fields.collect())
}

/// `text` at every `separator` outside of quotes.
fn split(text: &str, separator: char) -> Vec<String> {
    let (mut parts, mut quoted) = (vec![String::new()], false);
    for letter in text.chars() {
        quoted ^= letter == '"';
        if letter == separator && !quoted {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(letter);
        }
    }
    parts
}

fn unquoted(text: &str) -> String {
    text.replace('"', "")
}

/// `YYYYMMDD[HHMM[SS]][Z]`, in our own time zone where there is no Z.
fn moment(text: &str) -> Option<Timestamp> {
    let (digits, zone) = text.strip_suffix('Z').map_or((text, TimeZone::system()), |digits| (digits, TimeZone::UTC));
    let padded = match digits.len() {
        8 => format!("{digits}000000"),
        12 => format!("{digits}00"),
        14 => digits.to_owned(),
        _ => return None,
    };
    let time = DateTime::strptime("%Y%m%d%H%M%S", &padded).ok()?;
    Some(time.to_zoned(zone).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";

    fn allowed(line: &str, time: &str) -> Option<String> {
        let key = PublicKey::from_openssh(KEY).unwrap().key_data().clone();
        principals(&format!("# who may\n\n{line}\n"), &key, time.parse::<Timestamp>().unwrap().as_second())
    }

    #[test]
    fn a_line_allows_its_key_in_its_namespaces_and_its_time() {
        let now = "2026-03-01T12:00:00Z";
        for (options, fits) in [
            ("", true),
            ("namespaces=\"git\"", true),
            ("namespaces=\"file,git\"", true),
            ("namespaces=\"file\"", false),
            ("valid-after=\"20260301Z\"", true),
            ("valid-after=\"20260301120001Z\"", false),
            ("valid-before=\"202603011201Z\",namespaces=\"git\"", true),
            ("valid-before=\"20260301Z\"", false),
            ("cert-authority", false),
            ("some-later-restriction=\"x\"", false),
            ("valid-after=\"soon\"", false),
        ] {
            let line = format!("\"a@example.com,b@example.com\" {options} {KEY} a comment");
            let expected = fits.then(|| "a@example.com,b@example.com".to_owned());
            assert_eq!(allowed(&line, now), expected, "{options}");
        }
    }

    #[test]
    fn another_key_and_half_a_line_allow_nobody() {
        let now = "2026-03-01T12:00:00Z";
        let other = KEY.replace("ILM+", "ILN+");
        for line in [
            format!("a@example.com {other}"),
            "a@example.com".to_owned(),
            format!("\"a@example.com {KEY}"),
            KEY.to_owned(),
        ] {
            assert_eq!(allowed(&line, now), None, "{line}");
        }
    }
}

//! Addresses as people may see them: a URL may hold a password or a token.

use reqwest::Url;

/// `url` without its user, password, query and fragment. What cannot be taken apart is not shown.
pub(crate) fn shown(url: &str) -> String {
    let Some((scheme, _)) = url.split_once("://") else {
        // Somebody forgot the scheme, perhaps in front of a password.
        return url.rsplit('@').next().unwrap_or_default().to_owned();
    };
    // No scheme is written with an `@`; then it is a password that holds `://`.
    let scheme = scheme.rsplit('@').next().unwrap_or_default();
    let Ok(mut parsed) = Url::parse(url) else { return format!("{scheme}://...") };
    let cut = parsed.query().is_some() || parsed.fragment().is_some();
    parsed.set_query(None);
    parsed.set_fragment(None);
    if parsed.set_username("").is_err() || parsed.set_password(None).is_err() {
        // A URL that cannot have a user has none.
        return format!("{scheme}://...");
    }
    let text = parsed.as_str().trim_end_matches('/');
    if cut { format!("{text}?...") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_what_it_keeps_in_confidence() {
        for (url, expected) in [
            ("http://127.0.0.1:8372", "http://127.0.0.1:8372"),
            ("http://127.0.0.1:8372/", "http://127.0.0.1:8372"),
            ("https://user:secret@host/specs.git", "https://host/specs.git"),
            ("https://user:s@secret@host:1/a@b", "https://host:1/a@b"),
            ("https://secret@host", "https://host"),
            ("https://host/a?token=secret#secret", "https://host/a?..."),
            ("https://host#secret", "https://host?..."),
            ("https://user:sec?ret@host", "https://..."),
            ("https://user:sec/ret@host", "https://..."),
            ("dynamodb://agents", "dynamodb://agents"),
            ("user:secret@host:8372", "host:8372"),
            ("127.0.0.1:8372", "127.0.0.1:8372"),
            ("", ""),
        ] {
            assert_eq!(shown(url), expected, "{url}");
        }
    }
}

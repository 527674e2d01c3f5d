//! Cutting a list into pages.
//!
//! A token is the offset of the next page, dressed so that nobody is tempted to count with it. A list that changes between
//! two pages may repeat or skip an item, as AWS's do.

/// One page and the token of the next.
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    pub(crate) next: Option<String>,
}

const PREFIX: &str = "page-";

/// The page that begins at `token`, or `None` when the token is not one of ours.
pub(crate) fn cut<T>(all: Vec<T>, token: Option<&str>, size: usize) -> Option<Page<T>> {
    let start = match token {
        None => 0,
        Some(token) => usize::from_str_radix(token.strip_prefix(PREFIX)?, 16).ok()?,
    };
    let total = all.len();
    let items: Vec<T> = all.into_iter().skip(start).take(size.max(1)).collect();
    let end = start.saturating_add(items.len());
    let next = (end < total).then(|| format!("{PREFIX}{end:08x}"));
    Some(Page { items, next })
}

//! Folders of specs and of statuses, on a real file system.

#[cfg(test)]
mod sources;
#[cfg(test)]
mod statuses;
#[cfg(test)]
mod watching;

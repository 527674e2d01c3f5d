//! Folders and git repositories of specs, folders of statuses, on a real file system.

#[cfg(test)]
mod git;
#[cfg(test)]
mod sources;
#[cfg(test)]
mod statuses;
#[cfg(test)]
mod watching;

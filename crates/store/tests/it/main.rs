//! Folders and git repositories of specs, folders of statuses, on a real file system; tables of specs, on the simulated AWS.

#[cfg(test)]
mod forgetful;
#[cfg(test)]
mod git;
#[cfg(test)]
mod rows;
#[cfg(test)]
mod sources;
#[cfg(test)]
mod statuses;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod tables;
#[cfg(test)]
mod watching;

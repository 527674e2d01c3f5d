//! What people write, from the outside: the text of a file in, agents and faults out.

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod builds;
#[cfg(test)]
mod cases;
#[cfg(test)]
mod fleet;
#[cfg(test)]
mod projects;
#[cfg(test)]
mod properties;

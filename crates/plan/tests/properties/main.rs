//! Laws of the planner, over generated specs and a small model of AWS written from its documentation alone.

#[cfg(test)]
mod describe;
#[cfg(test)]
mod driver;
#[cfg(test)]
mod generator;
#[cfg(test)]
mod handing;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod model;
#[cfg(test)]
mod rules;

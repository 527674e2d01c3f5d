//! What other tools get wrong, each as a scenario.

mod counts;
mod idempotence;
mod rollouts;

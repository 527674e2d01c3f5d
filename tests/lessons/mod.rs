//! What other tools get wrong, each as a scenario.

mod idempotence;

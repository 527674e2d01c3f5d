//! What other tools get wrong, each as a scenario.

mod accounts;
mod counts;
mod crashes;
mod deletion;
mod drift;
mod failures;
mod idempotence;
mod images;
mod ownership;
mod paging;
mod policies;
mod repositories;
mod rollouts;
mod secrets;
mod verification;
mod waves;

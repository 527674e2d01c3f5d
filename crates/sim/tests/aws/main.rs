//! What the simulated AWS answers and does, rule by rule.

mod place;
mod rollout;

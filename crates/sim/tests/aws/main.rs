//! What the simulated AWS answers and does, rule by rule.

#[cfg(test)]
mod place;

#[cfg(test)]
mod builds;
#[cfg(test)]
mod container_registry;
#[cfg(test)]
mod determinism;
#[cfg(test)]
mod dynamodb;
#[cfg(test)]
mod events;
#[cfg(test)]
mod fault;
#[cfg(test)]
mod load_balancing;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod nonsense;
#[cfg(test)]
mod objects;
#[cfg(test)]
mod registry;
#[cfg(test)]
mod rollout;
#[cfg(test)]
mod scaling;
#[cfg(test)]
mod served;
#[cfg(test)]
mod service;
#[cfg(test)]
mod task;
#[cfg(test)]
mod task_definition;
#[cfg(test)]
mod window;

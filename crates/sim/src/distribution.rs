//! The registry's door to the world: who logs in where, which fault strikes, and the record of the call.

use crate::call::Call;
use crate::clock;
use crate::ecr::registry;
use crate::fault::FaultKind;
use crate::wire::{Request, Response};
use crate::world::World;
use serde_json::json;
use std::time::{Duration, SystemTime};

/// What comes of a request to the registry.
#[derive(Clone, Debug)]
pub(crate) enum Pulled {
    Response(Response),
    /// The connection breaks.
    Reset,
    /// Nothing, ever.
    Hang,
}

/// The name under which faults and records know the registry.
const SERVICE: &str = "registry";

impl World {
    /// Answers a request of the OCI distribution API.
    pub(crate) fn distribute(&mut self, (now, epoch): (Duration, SystemTime), request: &Request) -> Pulled {
        let second = (epoch + now).duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let Some(place) = registry::authorized(request.authorization.as_deref(), second) else {
            return Pulled::Response(registry::unauthorized("us-east-1"));
        };
        let (operation, repository) = registry::operation(request);
        let input = json!({"repositoryName": repository, "path": request.path, "query": request.query});
        let fault = self.faults.strike(SERVICE, operation, &input);
        let pulled = match fault {
            Some(FaultKind::ResetBefore) => Pulled::Reset,
            Some(FaultKind::HangBefore) => Pulled::Hang,
            Some(FaultKind::ResetAfter) => {
                let _ = registry::answer(self.at(now, &place), request);
                Pulled::Reset
            }
            Some(FaultKind::HangAfter) => {
                let _ = registry::answer(self.at(now, &place), request);
                Pulled::Hang
            }
            Some(FaultKind::Throttle) => Pulled::Response(registry::error(429, "TOOMANYREQUESTS", "Rate exceeded")),
            Some(FaultKind::AccessDenied) => {
                let message = "User: arn:aws:iam::111122223333:user/simulated is not authorized to perform this action";
                Pulled::Response(registry::error(403, "DENIED", message))
            }
            Some(FaultKind::Error { code, message }) => Pulled::Response(registry::error(400, &code, &message)),
            Some(_) => Pulled::Response(registry::error(503, "UNAVAILABLE", "Service Unavailable")),
            None => Pulled::Response(registry::answer(self.at(now, &place), request)),
        };
        let error = match &pulled {
            Pulled::Response(response) => (response.status >= 400).then(|| response.status.to_string()),
            Pulled::Reset => Some("reset".to_owned()),
            Pulled::Hang => Some("hang".to_owned()),
        };
        self.calls.push(Call {
            at: now,
            caller: String::new(),
            region: place.1,
            service: SERVICE.to_owned(),
            operation: operation.to_owned(),
            mutating: crate::call::mutating(operation),
            resource: Some(repository),
            error,
            request: input,
        });
        pulled
    }
}

impl Pulled {
    /// The Date header of an answer.
    pub(crate) fn date(epoch: SystemTime, now: Duration) -> String {
        clock::http(epoch, now)
    }
}

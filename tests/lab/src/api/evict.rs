//! The eviction of a pod: what the budgets say, what of them it takes, and then the deletion.

use serde_json::{Value, json};

use super::answer::Answer;
use super::decode;
use super::delete::{self, Options};
use super::kind::Kind;
use super::managed::Writer;
use super::object::{meta, now, success};
use super::refusal::Refusal;
use super::request::Asked;
use super::restrict;
use super::store::Inner;

/// Confirmations that a budget waits for at most.
const MAX_DISRUPTED: usize = 2000;

pub(super) fn evict(inner: &mut Inner, asked: &Asked) -> Result<Answer, Refusal> {
    let eviction = decode::body("Eviction", &asked.body, asked.is_strict())?;
    if meta(&eviction, "name") != asked.name {
        let why = "name in URL does not match name in Eviction object";
        return Err(Refusal::bad_request(why));
    }
    restrict::eviction(inner, asked)?;
    let found = inner.get(Kind::Pod, &asked.namespace, &asked.name).cloned();
    let pod = found.ok_or_else(|| Refusal::not_found(Kind::Pod, &asked.name))?;
    let options = &eviction["deleteOptions"];
    let dry_run = options["dryRun"][0].as_str().unwrap_or_default();
    decode::options("DeleteOptions", "", dry_run)?;
    let options = Options {
        preconditions: &options["preconditions"],
        grace: options["gracePeriodSeconds"].as_i64(),
        dry: asked.is_dry_run() || options["dryRun"] == json!(["All"]),
    };
    if !needs_no_budget(&pod) {
        ask_budgets(inner, asked, &pod, options.dry)?;
    }
    if !options.dry {
        mark(inner, asked, pod, options.preconditions)?;
    }
    // The version in the precondition was that before the mark.
    let uid = json!({"uid": options.preconditions["uid"]});
    let options = if options.dry {
        options
    } else {
        Options {
            preconditions: &uid,
            ..options
        }
    };
    delete::delete(
        inner,
        &asked.user.name,
        Kind::Pod,
        &asked.namespace,
        &asked.name,
        &options,
    )?;
    Ok(Answer::Object(201, success(201, &Value::Null)))
}

/// It has not begun, has ended, or goes already.
fn needs_no_budget(pod: &Value) -> bool {
    let phase = pod["status"]["phase"].as_str();
    matches!(phase, Some("Succeeded" | "Failed" | "Pending"))
        || !pod["metadata"]["deletionTimestamp"].is_null()
}

/// Takes one disruption from the pod's budget.
fn ask_budgets(inner: &mut Inner, asked: &Asked, pod: &Value, dry: bool) -> Result<(), Refusal> {
    let budgets: Vec<Value> = inner
        .list(Kind::PodDisruptionBudget)
        .filter(|it| meta(it, "namespace") == asked.namespace && covers(it, pod))
        .cloned()
        .collect();
    let budget = match budgets.as_slice() {
        [] => return Ok(()),
        [budget] => budget,
        _ => {
            let message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
            return Err(Refusal::new(500, "", message));
        }
    };
    let status = &budget["status"];
    let number = |field: &str| status[field].as_i64().unwrap_or_default();
    if !is_ready(pod) {
        let always = budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow";
        let enough =
            number("currentHealthy") >= number("desiredHealthy") && number("desiredHealthy") > 0;
        if always || enough {
            return Ok(());
        }
    }
    check(budget)?;
    if dry {
        return Ok(());
    }
    let mut budget = budget.clone();
    let name = meta(&budget, "name").to_owned();
    budget["status"]["disruptionsAllowed"] = json!(number("disruptionsAllowed") - 1);
    budget["status"]["disruptedPods"][&asked.name] = json!(now());
    if budget["status"]["disruptionsAllowed"] == 0 {
        forbid_more(&mut budget);
    }
    let writer = Writer::new("kube-apiserver", "status");
    inner.update(&asked.user.name, &writer, Kind::PodDisruptionBudget, budget);
    debug_assert!(
        inner
            .get(Kind::PodDisruptionBudget, &asked.namespace, &name)
            .is_some()
    );
    Ok(())
}

/// Whether the budget gives anything.
fn check(budget: &Value) -> Result<(), Refusal> {
    let (status, name) = (&budget["status"], meta(budget, "name"));
    let number = |field: &str| status[field].as_i64().unwrap_or_default();
    let refused = || {
        let message = "Cannot evict pod as it would violate the pod's disruption budget.";
        Refusal::new(429, "TooManyRequests", message)
    };
    let cause = "DisruptionBudget";
    if number("observedGeneration")
        < budget["metadata"]["generation"]
            .as_i64()
            .unwrap_or_default()
    {
        let why = format!("The disruption budget {name} is still being processed by the server.");
        return Err(refused().after(10).because(cause, &why, ""));
    }
    let forbidden = |why: &str| {
        let message = format!("poddisruptionbudget.policy {name:?} is forbidden: {why}");
        Refusal::new(403, "Forbidden", message).about("policy", "poddisruptionbudget", name)
    };
    if number("disruptionsAllowed") < 0 {
        return Err(forbidden("pdb disruptions allowed is negative"));
    }
    if status["disruptedPods"]
        .as_object()
        .is_some_and(|it| it.len() > MAX_DISRUPTED)
    {
        let why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller";
        return Err(forbidden(why));
    }
    if number("disruptionsAllowed") > 0 {
        return Ok(());
    }
    let mut conditions = status["conditions"].as_array().into_iter().flatten();
    let allowed = conditions.find(|it| it["type"] == "DisruptionAllowed");
    let said = allowed.filter(|it| it["status"] == "False");
    let text = |field: &str| said.and_then(|it| it[field].as_str()).unwrap_or_default();
    let (reason, message) = (text("reason"), text("message"));
    let (healthy, desired) = (number("currentHealthy"), number("desiredHealthy"));
    let not_now = format!("The disruption budget {name} does not allow evicting pods currently");
    let why = if !message.is_empty() && reason == "SyncFailed" {
        format!("{not_now} because it failed sync: {message}")
    } else if healthy <= desired {
        format!(
            "The disruption budget {name} needs {desired} healthy pods and has {healthy} currently"
        )
    } else if !message.is_empty() {
        format!("{not_now} ({reason}): {message}")
    } else {
        not_now
    };
    Err(refused().because(cause, &why, ""))
}

/// The condition of a budget that has nothing more to give.
fn forbid_more(budget: &mut Value) {
    let generation = budget["metadata"]["generation"].clone();
    let condition = json!({
        "type": "DisruptionAllowed", "status": "False", "reason": "InsufficientPods", "message": "",
        "observedGeneration": generation, "lastTransitionTime": now(),
    });
    let mut conditions = budget["status"]["conditions"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    conditions.retain(|it| it["type"] != "DisruptionAllowed");
    conditions.push(condition);
    budget["status"]["conditions"] = json!(conditions);
}

/// Says on the pod why it goes, if it is the pod that was meant.
fn mark(
    inner: &mut Inner,
    asked: &Asked,
    mut pod: Value,
    preconditions: &Value,
) -> Result<(), Refusal> {
    delete::check(Kind::Pod, &pod, preconditions)?;
    let mut conditions = pod["status"]["conditions"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    if conditions
        .iter()
        .all(|it| it["type"] != "DisruptionTarget" || it["status"] != "True")
    {
        conditions.retain(|it| it["type"] != "DisruptionTarget");
        conditions.push(json!({
            "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI",
            "message": "Eviction API: evicting", "lastProbeTime": null, "lastTransitionTime": now(),
        }));
        pod["status"]["conditions"] = json!(conditions);
        inner.update(
            &asked.user.name,
            &Writer::new(asked.manager(), "eviction"),
            Kind::Pod,
            pod,
        );
    }
    Ok(())
}

fn is_ready(pod: &Value) -> bool {
    let mut conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    conditions.any(|it| it["type"] == "Ready" && it["status"] == "True")
}

/// Whether a budget is about this pod.
fn covers(budget: &Value, pod: &Value) -> bool {
    let selector = &budget["spec"]["selector"];
    if selector.is_null() {
        return false;
    }
    let labels = &pod["metadata"]["labels"];
    let mut exact = selector["matchLabels"].as_object().into_iter().flatten();
    let mut others = selector["matchExpressions"]
        .as_array()
        .into_iter()
        .flatten();
    exact.all(|(key, value)| labels[key] == *value)
        && others.all(|rule| {
            let value = &labels[rule["key"].as_str().unwrap_or_default()];
            let listed = rule["values"]
                .as_array()
                .is_some_and(|it| it.contains(value));
            match rule["operator"].as_str() {
                Some("In") => listed,
                Some("NotIn") => !listed,
                Some("Exists") => !value.is_null(),
                Some("DoesNotExist") => value.is_null(),
                _ => false,
            }
        })
}

//! Who may do what: accounts, roles, sessions, basic authentication.

use base64::Engine as _;
use serde_json::{Value, json};

use super::{
    ROOT, bmc_mut, collection, document, error, header, info, link, machine, missing, not_found, not_in_list, parse, resource, stale,
    status,
};
use crate::sim::core::Core;
use crate::sim::http::{Reply, Request};
use crate::sim::names;
use crate::sim::options::MachineFault;
use crate::sim::world::{Account, Bmc, Login, Machine};

/// Predefined roles with their privileges (DSP0266, section on roles).
const ROLES: [(&str, &[&str]); 3] = [
    ("Administrator", &["Login", "ConfigureManager", "ConfigureUsers", "ConfigureSelf", "ConfigureComponents"]),
    ("Operator", &["Login", "ConfigureSelf", "ConfigureComponents"]),
    ("ReadOnly", &["Login", "ConfigureSelf"]),
];

/// Id of the account that the design gives.
const OWNER: &str = "1";

/// A privilege that a change needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Right {
    ConfigureComponents,
    ConfigureUsers,
}

/// Who sends a request.
pub(super) struct User {
    name: String,
    role: String,
}

impl User {
    /// Somebody who has not logged in.
    pub(super) fn nobody() -> Self {
        Self { name: String::new(), role: String::new() }
    }

    fn has(&self, right: Right) -> bool {
        match right {
            Right::ConfigureComponents => matches!(self.role.as_str(), "Administrator" | "Operator"),
            Right::ConfigureUsers => self.role == "Administrator",
        }
    }

    /// Refuses what the user has no right to.
    pub(super) fn needs(&self, right: Right) -> Result<(), Reply> {
        if self.has(right) { Ok(()) } else { Err(forbidden()) }
    }
}

const FORBIDDEN: &str = "There are insufficient privileges for the account or credentials associated with the current session to perform the requested operation.";

fn forbidden() -> Reply {
    error(403, "InsufficientPrivilege", FORBIDDEN, "Abandon the operation or change the associated access rights and resubmit the request.")
}

fn unauthorized() -> Reply {
    error(
        401,
        "NoValidSession",
        "There is no valid session established with the implementation.",
        "Establish a session before attempting any operations.",
    )
    .with_header("www-authenticate", "Basic realm=\"Redfish\"")
}

/// All accounts: the design's, and those that were made.
fn accounts(bmc: &Bmc) -> Vec<(String, Account)> {
    let owner = Account {
        user: bmc.user.clone(),
        password: bmc.password.clone(),
        role: "Administrator".into(),
        enabled: true,
        etag: bmc.owner_etag,
    };
    let mut out = vec![(OWNER.to_owned(), owner)];
    out.extend(bmc.accounts.iter().map(|(id, a)| (id.clone(), a.clone())));
    out
}

fn account(m: &Machine, id: &str) -> Option<Account> {
    accounts(m.bmc.as_ref()?).into_iter().find(|(i, _)| i == id).map(|(_, a)| a)
}

fn verified(core: &Core, name: &str, user: &str, password: &str) -> Option<User> {
    if core.faults.is_permanent(name, MachineFault::WrongCredentials) {
        return None;
    }
    let bmc = core.world.machines.get(name)?.bmc.as_ref()?;
    let found = accounts(bmc).into_iter().find(|(_, a)| a.enabled && a.user == user && a.password == password)?;
    Some(User { name: found.1.user, role: found.1.role })
}

/// The user of a request, by token or password.
pub(super) fn authenticate(core: &mut Core, name: &str, request: &Request<'_>) -> Result<User, Reply> {
    if let Some(token) = header(request, "x-auth-token") {
        let drops = core.faults.is_permanent(name, MachineFault::BmcDropsSessions);
        let bmc = bmc_mut(core, name)?;
        let open = bmc.logins.iter().find(|(_, l)| l.token == token).map(|(id, l)| (id.clone(), l.user.clone()));
        let (id, user) = open.ok_or_else(unauthorized)?;
        let role = accounts(bmc).into_iter().find(|(_, a)| a.enabled && a.user == user).map(|(_, a)| a.role).ok_or_else(unauthorized)?;
        if drops {
            // It is good for one request.
            bmc.logins.remove(&id);
        }
        return Ok(User { name: user, role });
    }
    let basic = header(request, "authorization").and_then(|h| h.strip_prefix("Basic ")).ok_or_else(unauthorized)?;
    let bytes = base64::engine::general_purpose::STANDARD.decode(basic.trim()).map_err(|_| unauthorized())?;
    let text = String::from_utf8_lossy(&bytes);
    let (user, password) = text.split_once(':').ok_or_else(unauthorized)?;
    verified(core, name, user, password).ok_or_else(unauthorized)
}

pub(super) fn open_session(core: &mut Core, name: &str, request: &Request<'_>) -> Result<Reply, Reply> {
    let body = parse(request)?;
    let text = |k: &str| body.get(k).and_then(Value::as_str);
    let (Some(user), Some(password)) = (text("UserName"), text("Password")) else {
        return Err(missing("UserName or Password"));
    };
    let user = verified(core, name, user, password).ok_or_else(unauthorized)?.name;
    let slots = core.world.meta.options.hardware.bmc_sessions as usize;
    if slots > 0 && machine(core, name)?.bmc.as_ref().is_some_and(|b| b.logins.len() >= slots) {
        return Err(error(
            503,
            "SessionLimitExceeded",
            "The session establishment failed due to the number of simultaneous sessions exceeding the limit of the implementation.",
            "Reduce the number of other sessions before trying to establish the session or increase the limit of simultaneous sessions, if supported.",
        ));
    }
    let seed = core.world.meta.options.seed;
    let number = core.take_id("session");
    let (id, token) = (format!("{number:06}"), names::password(seed, &format!("{name} session {number}")));
    let bmc = bmc_mut(core, name)?;
    bmc.logins.insert(id.clone(), Login { token: token.clone(), user: user.clone() });
    // A BMC keeps few sessions: the oldest goes.
    if bmc.logins.len() > 16 {
        bmc.logins.pop_first();
    }
    let location = format!("{ROOT}/SessionService/Sessions/{id}");
    Ok(document(&session(&id, &user), "GET, HEAD, DELETE")
        .with_status(201)
        .with_header("x-auth-token", token)
        .with_header("location", location))
}

pub(super) fn close_session(core: &mut Core, name: &str, id: &str, user: &User) -> Result<Reply, Reply> {
    let bmc = bmc_mut(core, name)?;
    let owner = bmc.logins.get(id).map(|l| l.user.clone()).ok_or_else(|| not_found(&format!("{ROOT}/SessionService/Sessions/{id}")))?;
    if owner != user.name {
        user.needs(Right::ConfigureUsers)?;
    }
    bmc.logins.remove(id);
    Ok(Reply::new(204, "application/json", ""))
}

fn session(id: &str, user: &str) -> Value {
    resource("Session", "v1_3_0", &format!("/SessionService/Sessions/{id}"), id, "User Session", json!({ "UserName": user }))
}

fn etag(id: &str, account: &Account) -> String {
    format!("\"{id}-{}\"", account.etag)
}

fn shown(id: &str, account: &Account) -> Value {
    resource(
        "ManagerAccount",
        "v1_3_0",
        &format!("/AccountService/Accounts/{id}"),
        id,
        "User Account",
        json!({
            "@odata.etag": etag(id, account), "UserName": account.user, "Password": null, "RoleId": account.role, "Enabled": account.enabled,
            "Locked": false, "Links": { "Role": link(&format!("/AccountService/Roles/{}", account.role)) },
        }),
    )
}

/// Everything of both services that can be read.
pub(super) fn read(m: &Machine, parts: &[&str]) -> Option<Value> {
    let bmc = m.bmc.as_ref()?;
    Some(match parts {
        ["SessionService"] => resource(
            "SessionService",
            "v1_1_8",
            "/SessionService",
            "SessionService",
            "Session Service",
            json!({ "ServiceEnabled": true, "SessionTimeout": 1800, "Status": status(), "Sessions": link("/SessionService/Sessions") }),
        ),
        ["SessionService", "Sessions"] => {
            let open: Vec<String> = bmc.logins.keys().cloned().collect();
            collection("Session", "Session Collection", "/SessionService/Sessions", &open)
        }
        ["SessionService", "Sessions", id] => session(id, &bmc.logins.get(*id)?.user),
        ["AccountService"] => resource(
            "AccountService",
            "v1_5_0",
            "/AccountService",
            "AccountService",
            "Account Service",
            json!({
                "ServiceEnabled": true, "Status": status(), "MinPasswordLength": 8, "MaxPasswordLength": 64,
                "Accounts": link("/AccountService/Accounts"), "Roles": link("/AccountService/Roles"),
            }),
        ),
        ["AccountService", "Accounts"] => {
            let ids: Vec<String> = accounts(bmc).into_iter().map(|(id, _)| id).collect();
            collection("ManagerAccount", "Accounts Collection", "/AccountService/Accounts", &ids)
        }
        ["AccountService", "Accounts", id] => shown(id, &account(m, id)?),
        ["AccountService", "Roles"] => {
            let ids: Vec<String> = ROLES.iter().map(|r| r.0.to_owned()).collect();
            collection("Role", "Roles Collection", "/AccountService/Roles", &ids)
        }
        ["AccountService", "Roles", id] => {
            let (name, rights) = ROLES.iter().find(|r| r.0 == *id)?;
            resource(
                "Role",
                "v1_2_4",
                &format!("/AccountService/Roles/{name}"),
                name,
                "User Role",
                json!({ "RoleId": name, "IsPredefined": true, "AssignedPrivileges": rights, "OemPrivileges": [] }),
            )
        }
        _ => return None,
    })
}

fn password_of(body: &Value) -> Result<Option<String>, Reply> {
    let Some(given) = body.get("Password") else { return Ok(None) };
    match given.as_str().filter(|p| (8..=64).contains(&p.len())) {
        Some(password) => Ok(Some(password.to_owned())),
        None => Err(error(
            400,
            "PropertyValueFormatError",
            "The value for the property Password is of a different format than the property can accept.",
            "Correct the value for the property in the request body and resubmit the request.",
        )),
    }
}

fn role_of(body: &Value) -> Result<Option<String>, Reply> {
    match body.get("RoleId").map(|r| r.as_str().unwrap_or_default()) {
        None => Ok(None),
        Some(role) if ROLES.iter().any(|r| r.0 == role) => Ok(Some(role.to_owned())),
        Some(other) => Err(not_in_list("RoleId", other)),
    }
}

pub(super) fn create(core: &mut Core, name: &str, request: &Request<'_>, user: &User) -> Result<Reply, Reply> {
    user.needs(Right::ConfigureUsers)?;
    let body = parse(request)?;
    let wanted = body.get("UserName").and_then(Value::as_str).filter(|n| !n.is_empty()).ok_or_else(|| missing("UserName"))?.to_owned();
    let password = password_of(&body)?.ok_or_else(|| missing("Password"))?;
    let role = role_of(&body)?.ok_or_else(|| missing("RoleId"))?;
    let enabled = body.get("Enabled").and_then(Value::as_bool).unwrap_or(true);
    if machine(core, name)?.bmc.iter().flat_map(accounts).any(|(_, a)| a.user == wanted) {
        return Err(error(
            400,
            "ResourceAlreadyExists",
            &format!("The requested resource of type ManagerAccount with the property UserName with the value {wanted} already exists."),
            "Do not repeat the create operation as the resource has already been created.",
        ));
    }
    let id = (core.take_id("account") + 1).to_string();
    let account = Account { user: wanted, password, role, enabled, etag: 1 };
    let reply = document(&shown(&id, &account), "GET, HEAD, PATCH, DELETE").with_status(201);
    bmc_mut(core, name)?.accounts.insert(id.clone(), account);
    Ok(reply.with_header("location", format!("{ROOT}/AccountService/Accounts/{id}")))
}

/// Changes an account. What cannot be changed is told in the answer (DSP0266, PATCH: mixed results).
pub(super) fn change(core: &mut Core, name: &str, id: &str, request: &Request<'_>, user: &User) -> Result<Reply, Reply> {
    let missing_one = || not_found(&format!("{ROOT}/AccountService/Accounts/{id}"));
    let mut account = account(machine(core, name)?, id).ok_or_else(missing_one)?;
    let body = parse(request)?;
    let keys: Vec<&String> = body.as_object().into_iter().flatten().map(|(k, _)| k).collect();
    let own = account.user == user.name && keys.iter().all(|k| *k == "Password");
    if !own {
        user.needs(Right::ConfigureUsers)?;
    }
    if header(request, "if-match").is_some_and(|wanted| wanted != "*" && wanted != etag(id, &account)) {
        return Err(stale());
    }
    let (mut done, mut refused) = (0, Vec::new());
    for key in &keys {
        match key.as_str() {
            "Password" => account.password = password_of(&body)?.unwrap_or_default(),
            "RoleId" => account.role = role_of(&body)?.unwrap_or_default(),
            "UserName" => body["UserName"].as_str().unwrap_or_default().clone_into(&mut account.user),
            "Enabled" => account.enabled = body["Enabled"].as_bool().unwrap_or(account.enabled),
            "Id" | "Name" | "Links" | "Locked" => {
                refused.push((*key, "PropertyNotWritable", "is a read-only property and cannot be assigned a value."));
                continue;
            }
            annotation if annotation.starts_with('@') => continue,
            _ => {
                refused.push((*key, "PropertyUnknown", "is not in the list of valid properties for the resource."));
                continue;
            }
        }
        done += 1;
    }
    if done == 0 {
        return Err(match refused.first() {
            Some((key, id, why)) => error(400, id, &format!("The property {key} {why}"), "Remove the property from the request body."),
            None => error(
                400,
                "NoOperation",
                "The request body submitted contain no data to act upon and no changes to the resource took place.",
                "Add properties in the JSON object and resubmit the request.",
            ),
        });
    }
    account.etag += 1;
    let mut body = shown(id, &account);
    if !refused.is_empty() {
        let told = |(key, id, why): &(&String, &str, &str)| {
            info(id, &format!("The property {key} {why}"), "Remove the property from the request body.", "Warning")
        };
        body["@Message.ExtendedInfo"] = refused.iter().map(told).collect();
    }
    let bmc = bmc_mut(core, name)?;
    if id == OWNER {
        bmc.user = account.user;
        bmc.password = account.password;
        bmc.owner_etag = account.etag;
    } else {
        bmc.accounts.insert(id.to_owned(), account);
    }
    Ok(document(&body, "GET, HEAD, PATCH, DELETE"))
}

pub(super) fn remove(core: &mut Core, name: &str, id: &str, user: &User) -> Result<Reply, Reply> {
    user.needs(Right::ConfigureUsers)?;
    let bmc = bmc_mut(core, name)?;
    if id == OWNER {
        return Err(error(
            400,
            "ResourceCannotBeDeleted",
            "The delete request failed because the resource requested cannot be deleted.",
            "Do not attempt to delete a non-deletable resource.",
        ));
    }
    match bmc.accounts.remove(id) {
        Some(gone) => {
            bmc.logins.retain(|_, l| l.user != gone.user);
            Ok(Reply::new(204, "application/json", ""))
        }
        None => Err(not_found(&format!("{ROOT}/AccountService/Accounts/{id}"))),
    }
}

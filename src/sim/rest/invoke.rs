//! InvokeCommand: a call and its pages.

use super::super::binder::Binder;
use super::super::cmdlets::{self, MORE, MORE_BY_DEFAULT};
use super::super::faults::{FaultKind, Phase};
use super::super::tenant::Service;
use super::call::{Cursor, Page};
use super::{Allowed, Answer, Asked, ErrorShape, errors, json};
use crate::clixml::{self, Value};
use crate::lock::lock;
use crate::psrp::{Argument, Command, Merge, PowerShell};
use serde_json::{Value as Json, json};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use tokio::sync::Mutex as AsyncMutex;
use uuid::Uuid;

/// The largest page, and the usual one.
const PAGE: usize = 1000;

/// Calls whose next page may be asked for; the oldest goes where there are more.
const OPEN_CALLS: usize = 256;

const BACK_END: &str = "X-BackEndCookie";

/// Cursors by the tokens that lead on.
#[derive(Default)]
pub struct Pages {
    calls: HashMap<String, Arc<Open>>,
    order: VecDeque<String>,
}

impl std::fmt::Debug for Pages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pages").field("open", &self.calls.len()).finish()
    }
}

impl Pages {
    fn add(&mut self, token: &str, call: &Arc<Open>) {
        self.calls.insert(token.to_owned(), Arc::clone(call));
        self.order.push_back(token.to_owned());
        while self.order.len() > OPEN_CALLS {
            let oldest = self.order.pop_front().unwrap_or_default();
            self.calls.remove(&oldest);
        }
    }
}

/// A call that has more pages.
struct Open {
    organization: Uuid,
    input: Json,
    /// What the next requests must bring along as the first did.
    anchor: Option<String>,
    cookie: String,
    reading: AsyncMutex<Reading>,
}

struct Reading {
    cursor: Cursor,
    next: String,
    /// The last page again, for whom it did not reach.
    last: Option<(String, Answer)>,
}

/// What a request wants of its answer.
struct Wishes {
    clixml: bool,
    select: Vec<String>,
    page: usize,
    /// The warning where there is more, as the command's ResultSize has it.
    more: Option<&'static str>,
    warns: bool,
    shape: ErrorShape,
}

impl Wishes {
    fn of(service: &Service, asked: &Asked, input: &Json, limits: bool) -> Self {
        let is = |name: &str, value: &str| asked.header(name).is_some_and(|v| v.trim().eq_ignore_ascii_case(value));
        let prefer = asked.header("prefer").unwrap_or_default().split([',', ';']).filter_map(|p| p.trim().split_once('='));
        let mut prefer = prefer.filter(|(n, _)| n.trim().eq_ignore_ascii_case("odata.maxpagesize"));
        let asked_for = prefer.next().and_then(|(_, n)| n.trim().parse().ok()).unwrap_or(PAGE).clamp(1, PAGE);
        let size = member(&input["Parameters"], "ResultSize");
        let number = size.and_then(|s| s.as_u64().or_else(|| s.as_str()?.trim().parse().ok()));
        let (page, more) = match (limits, size, number) {
            (true, None | Some(Json::Null), _) => (asked_for, Some(MORE_BY_DEFAULT)),
            (true, _, Some(n)) => (asked_for.min(n as usize), Some(MORE)),
            _ => (asked_for, None),
        };
        let shape = match service.faults.fire(asked.operation(), Phase::Shape) {
            Some(FaultKind::ErrorShape(shape)) => shape,
            _ => ErrorShape::Hex,
        };
        Self {
            clixml: is("x-responseformat", "clixml"),
            select: asked
                .query_value("$select")
                .unwrap_or_default()
                .split(',')
                .map(|s| s.trim().to_owned())
                .filter(|s| !s.is_empty())
                .collect(),
            page,
            more,
            warns: !is("warningaction", "silentlycontinue") && !is("warningaction", "ignore"),
            shape,
        }
    }
}

fn member<'a>(parameters: &'a Json, name: &str) -> Option<&'a Json> {
    parameters.as_object()?.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v)
}

fn input(asked: &Asked) -> Result<Json, Box<Answer>> {
    let refuse = |why: &str| Err(Box::new(errors::service(400, "BadRequest", why)));
    let Ok(body) = serde_json::from_slice::<Json>(&asked.body) else { return refuse("The request body is not valid JSON.") };
    let input = &body["CmdletInput"];
    match (&input["CmdletName"], &input["Parameters"]) {
        (Json::String(_), Json::Object(_)) => Ok(input.clone()),
        (Json::String(_), _) => refuse("The property 'Parameters' is no Exchange.GenericHashTable."),
        _ => refuse("The property 'CmdletName' of CmdletInput is required."),
    }
}

fn cookie(asked: &Asked) -> Option<&str> {
    let sent = asked.headers.get_all("cookie").iter().filter_map(|c| c.to_str().ok()).flat_map(|c| c.split(';'));
    sent.filter_map(|c| c.trim().split_once('=')).find(|(n, _)| *n == BACK_END).map(|(_, v)| v)
}

/// The first page of a call.
pub async fn first(service: &Arc<Service>, asked: &Asked, allowed: &Allowed) -> Answer {
    asked.body.clone_into(&mut lock(&service.rest.last));
    let input = match input(asked) {
        Ok(input) => input,
        Err(refusal) => return *refusal,
    };
    let name = input["CmdletName"].as_str().unwrap_or_default();
    let hidden = service.options.hidden.iter().any(|h| h.eq_ignore_ascii_case(name.trim()));
    let Some(info) = cmdlets::find(name.trim()).filter(|i| cmdlets::is_exchange(i) && !hidden) else {
        return errors::forbidden(Some("The cmdlet is not in a role that is assigned to the user."));
    };
    let parameters = match json::parameters(input["Parameters"].as_object().unwrap_or(&serde_json::Map::new()), Some(info)) {
        Ok(parameters) => parameters,
        Err(json::Malformed(why)) => return errors::service(400, "BadRequest", &why),
    };
    let limits = info.parameters.iter().any(|p| p.name == "ResultSize");
    let wishes = Wishes::of(service, asked, &input, limits);
    let binder = Binder::new(info.name, info.parameters, info.confirms);
    if let Some(failure) = parameters.iter().find_map(|(name, _)| binder.unknown(name)) {
        return errors::failed(&failure.record(None), &[], wishes.shape);
    }
    // The page decides how many; a size that is none is for the cmdlet to refuse.
    let without_size =
        |(n, v): &(String, Value)| !(limits && n.eq_ignore_ascii_case("ResultSize") && (wishes.more.is_some() || matches!(v, Value::Nil)));
    let mut arguments: Vec<_> =
        parameters.into_iter().filter(without_size).map(|(name, value)| Argument { name: Some(name), value }).collect();
    if limits && wishes.more.is_some() {
        arguments.push(Argument { name: Some("ResultSize".to_owned()), value: "Unlimited".into() });
    }
    let command = Command {
        text: info.name.to_owned(),
        is_script: false,
        use_local_scope: None,
        arguments,
        merge: Merge::default(),
        end_of_statement: false,
    };
    let powershell = PowerShell {
        commands: vec![command],
        history: None,
        no_input: true,
        add_to_history: false,
        redirect_error: false,
        stream_options: 0,
        host: None,
    };
    let account = allowed.caller.account.as_deref().unwrap_or(&allowed.caller.app);
    let mut cursor = Cursor::start(service, Arc::clone(&allowed.organization), account, powershell);
    let Some(page) = cursor.page(wishes.page).await else { return broken_off() };
    let token = page.more.then(|| Uuid::new_v4().simple().to_string());
    let mut answer = told(service, asked, &page, &wishes, token.as_deref());
    let cookie = match cookie(asked) {
        Some(sent) => sent.to_owned(),
        None => {
            let new = Uuid::new_v4().simple().to_string();
            if service.options.cookie {
                answer.headers.push(("Set-Cookie", format!("{BACK_END}={new}; path=/adminapi; HttpOnly")));
            }
            new
        }
    };
    if let Some(token) = token {
        let open = Arc::new(Open {
            organization: allowed.organization.guid(0),
            input,
            anchor: asked.header("x-anchormailbox").map(str::to_owned),
            cookie,
            reading: AsyncMutex::new(Reading { cursor, next: token.clone(), last: None }),
        });
        lock(&service.rest.pages).add(&token, &open);
    }
    answer
}

fn broken_off() -> Answer {
    errors::service(500, "InternalServerError", "An unexpected error occurred and the cmdlet broke off.")
}

/// The page that a token leads to.
pub async fn next(service: &Arc<Service>, asked: &Asked, allowed: &Allowed) -> Answer {
    let input = match input(asked) {
        Ok(input) => input,
        Err(refusal) => return *refusal,
    };
    let token = asked.query_value("$skiptoken").unwrap_or_default();
    let open = lock(&service.rest.pages).calls.get(&token).cloned();
    let same = |open: &Arc<Open>| {
        open.organization == allowed.organization.guid(0)
            && open.input == input
            && open.anchor.as_deref() == asked.header("x-anchormailbox")
            && (!service.options.cookie || cookie(asked) == Some(&open.cookie))
    };
    // Without its cookie and anchor a request reaches another server, which knows nothing of the token.
    let Some(open) = open.filter(same) else { return errors::expired_page() };
    let limits = cmdlets::find(input["CmdletName"].as_str().unwrap_or_default());
    let limits = limits.is_some_and(|i| i.parameters.iter().any(|p| p.name == "ResultSize"));
    let wishes = Wishes::of(service, asked, &input, limits);
    let mut reading = open.reading.lock().await;
    if let Some((_, answer)) = reading.last.as_ref().filter(|(t, _)| *t == token) {
        return answer.clone();
    }
    if reading.next != token {
        return errors::expired_page();
    }
    let Some(page) = reading.cursor.page(wishes.page).await else { return broken_off() };
    let next = page.more.then(|| Uuid::new_v4().simple().to_string());
    let answer = told(service, asked, &page, &wishes, next.as_deref());
    reading.last = Some((token, answer.clone()));
    reading.next = next.unwrap_or_default();
    if page.more {
        lock(&service.rest.pages).add(&reading.next, &open);
    }
    answer
}

/// One page as its answer.
fn told(service: &Service, asked: &Asked, page: &Page, wishes: &Wishes, token: Option<&str>) -> Answer {
    let mut warnings = page.warnings.clone();
    warnings.extend(wishes.more.filter(|_| page.more).map(str::to_owned));
    if !wishes.warns {
        warnings.clear();
    }
    if let Some(record) = &page.failed {
        return errors::failed(record, &warnings, wishes.shape);
    }
    // A cmdlet that gave nothing but an error has failed, whichever kind of error it was.
    if let ([record], []) = (&page.errors[..], &page.items[..]) {
        return errors::failed(record, &warnings, wishes.shape);
    }
    let tenant = asked.place().map_or("", |p| p.0);
    let host = asked.host();
    let mut text = String::with_capacity(page.items.iter().map(|i| i.len() + i.len() / 8).sum::<usize>() + 1024);
    text.push_str(&format!(
        "{{\"@odata.context\":\"http://{host}/adminapi/beta/{tenant}/$metadata#Collection(Exchange.GenericHashTable)\",\"adminapi.warnings@odata.type\":\"#Collection(String)\",\"@adminapi.warnings\":{}",
        json!(warnings)
    ));
    if !page.errors.is_empty() {
        let lines: Vec<_> = page.errors.iter().map(errors::line).collect();
        text.push_str(&format!(",\"adminapi.errors@odata.type\":\"#Collection(String)\",\"@adminapi.errors\":{}", json!(lines)));
    }
    if let Some(message) = &page.confirmation {
        text.push_str(&format!(",\"@adminapi.confirmationmessage\":{}", json::quoted(message)));
    }
    if let Some(token) = token {
        let host = if service.options.port_446 { format!("{}:446", host.split(':').next().unwrap_or_default()) } else { host.to_owned() };
        let select = if wishes.select.is_empty() { String::new() } else { format!("%24select={}&", wishes.select.join(",")) };
        let link = format!("http://{host}{}?{select}%24skiptoken={token}", asked.path);
        text.push_str(&format!(",\"@odata.nextLink\":{}", json::quoted(&link)));
    }
    text.push_str(",\"value\":[");
    for (place, item) in page.items.iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        if wishes.clixml && wishes.select.is_empty() {
            text.push_str("{\"_clixml\":");
            text.push_str(&json::quoted(&format!(
                "<Objs Version=\"1.1.0.1\" xmlns=\"http://schemas.microsoft.com/powershell/2004/04\">{item}</Objs>"
            )));
            text.push('}');
            continue;
        }
        let value = clixml::read(item.as_bytes()).unwrap_or(Value::Nil);
        if wishes.clixml {
            let cut = clixml::write_document(&[json::selected(&value, &wishes.select)]);
            text.push_str(&format!("{{\"_clixml\":{}}}", json::quoted(&cut)));
        } else {
            text.push_str(&json::object(&value, &wishes.select));
        }
    }
    text.push_str("]}");
    Answer::json(200, text)
}

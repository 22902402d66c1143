//! A simulated tenant as a process.

use delegated_tenant::sim::{Account, App, Builder, FAULT_KINDS, Fault, LimitForm, Operation, REST_FAULT_KINDS, Redirect, Tenant};
use std::io::{Read, Write};
use std::process::ExitCode;
use std::time::Duration;

const USAGE: &str = "\
A simulated tenant: Exchange's remote PowerShell and its REST road on loopback, over made-up organizations.

tenant-sim [OPTION]…

  --port PORT              listen on 127.0.0.1 at PORT; 0, the default, takes a free one
  --mailboxes N            mailboxes in each organization (25)
  --organization DOMAIN[:N]  an organization, with N mailboxes; repeatable (fabrikam.com, contoso.com, tailspintoys.com)
  --user NAME:PASSWORD     an account; repeatable (admin@partner.com:secret, and disabled@partner.com and
                           noroles@partner.com, which show what a bad account gets)
  --token TOKEN            good as the password 'Bearer TOKEN', and on the REST road; repeatable (without it every token
                           is as a password, and on the REST road those that the token endpoint issued)
  --app ID:SECRET          an application of the token endpoint; repeatable (11111111-2222-3333-4444-555555555555:app-secret)
  --app-certificate ID:FILE  one with a certificate (PEM) instead of a secret; repeatable
  --refresh-token TOKEN    a refresh token of the first account; repeatable (partner-refresh-token)
  --single-use-refresh     take a refresh token back once it was redeemed
  --token-lifetime SECONDS for how long a token is good (3600)
  --device N[:SECONDS]     a device sign-in is pending N times, asked every so often (2:1)
  --max-concurrent N       REST calls at a time for each organization
  --without-relation DOMAIN  an organization whose tokens a partner does not get; repeatable
  --port-446               links to further pages name port 446
  --max-shells N           sessions at a time for each account (3)
  --limit create|receive   refuse one too many at Create, as in 2011, or at the first Receive, as later (receive)
  --idle SECONDS           close a session unused for so long (900)
  --redirect               send every Create and every REST call to a second port, as front doors do
  --redirect-to LOCATION   send them there; 'loop' to itself, 'nowhere' without a Location
  --keep-alive MS          answer a held Receive with an empty stream after so long
  --hide CMDLET            hide a cmdlet, as roles do; repeatable
  --cmdlets N              tell of N cmdlets when asked for metadata (all, some 800)
  --hostile                tell also of commands, parameters and views that would run code if they were believed
  --gzip                   compress replies where the client accepts it
  --no-cookie              do without the load balancer's cookie
  --progress               begin a session's first command with progress, as Windows servers do
  --micro-delay            warn after each Exchange cmdlet, as a throttled service does
  --fault KIND[@OPERATION[:N]]  go wrong at the N-th OPERATION, or at all from it on with N+; repeatable
  --quiet                  print nothing but the URI
  --until-stdin-closes     stop when standard input closes
  --help                   this

While it runs: GET /sim/stats tells what happened, GET /sim/last the last InvokeCommand, POST /sim/faults arms faults (one a line), DELETE /sim/faults disarms them and ends a delay.
";

struct Settings {
    builder: Builder,
    quiet: bool,
    /// The lines to paste then consent to it.
    redirects: bool,
    until_stdin_closes: bool,
}

/// None when help was asked for.
fn read(mut arguments: impl Iterator<Item = String>) -> Result<Option<Settings>, String> {
    let mut settings = Settings { builder: Tenant::builder(), quiet: false, redirects: false, until_stdin_closes: false };
    while let Some(argument) = arguments.next() {
        let (name, attached) = match argument.split_once('=') {
            Some((n, v)) => (n.to_owned(), Some(v.to_owned())),
            None => (argument.clone(), None),
        };
        let mut value = || attached.clone().or_else(|| arguments.next()).ok_or_else(|| format!("{name} needs a value"));
        let number = |text: String| text.parse::<u64>().map_err(|_| format!("{name}: '{text}' is no number"));
        let builder = settings.builder.clone();
        settings.redirects |= name.starts_with("--redirect");
        settings.builder = match name.as_str() {
            "--help" | "-h" => return Ok(None),
            "--port" => builder.port(u16::try_from(number(value()?)?).map_err(|_| "--port: at most 65535".to_owned())?),
            "--mailboxes" => builder.mailboxes(number(value()?)? as usize),
            "--organization" => {
                let value = value()?;
                let (domain, size) = value.split_once(':').unwrap_or((&value, "25"));
                builder.organization(domain, number(size.to_owned())? as usize)
            }
            "--user" => {
                let value = value()?;
                let (name, password) = value.split_once(':').ok_or("--user needs NAME:PASSWORD")?;
                builder.account(Account::new(name, password))
            }
            "--token" => builder.token(&value()?),
            "--app" => {
                let value = value()?;
                let (id, secret) = value.split_once(':').ok_or("--app needs ID:SECRET")?;
                builder.app(App { id: id.to_owned(), secret: Some(secret.to_owned()), certificate: None })
            }
            "--app-certificate" => {
                let value = value()?;
                let (id, file) = value.split_once(':').ok_or("--app-certificate needs ID:FILE")?;
                let certificate = std::fs::read_to_string(file).map_err(|e| format!("{file}: {e}"))?;
                builder.app(App { id: id.to_owned(), secret: None, certificate: Some(certificate) })
            }
            "--refresh-token" => builder.refresh_token(&value()?),
            "--single-use-refresh" => builder.single_use_refresh(true),
            "--token-lifetime" => builder.token_lifetime(Duration::from_secs(number(value()?)?)),
            "--device" => {
                let value = value()?;
                let (polls, seconds) = value.split_once(':').unwrap_or((&value, "1"));
                builder.device(number(polls.to_owned())? as u32, number(seconds.to_owned())?)
            }
            "--max-concurrent" => builder.max_concurrent(number(value()?)? as usize),
            "--without-relation" => builder.without_relation(&value()?),
            "--port-446" => builder.port_446(true),
            "--max-shells" => builder.max_shells(number(value()?)? as usize),
            "--limit" => match value()?.as_str() {
                "create" => builder.limit(LimitForm::Create),
                "receive" => builder.limit(LimitForm::Receive),
                other => return Err(format!("--limit: '{other}' is neither create nor receive")),
            },
            "--idle" => builder.idle(Duration::from_secs(number(value()?)?)),
            "--redirect" => builder.redirect(Redirect::Pod),
            "--redirect-to" => builder.redirect(match value()?.as_str() {
                "loop" => Redirect::Loop,
                "nowhere" => Redirect::Nowhere,
                location => Redirect::To(location.to_owned()),
            }),
            "--keep-alive" => builder.keep_alive(Duration::from_millis(number(value()?)?)),
            "--hide" => builder.hide(&value()?),
            "--cmdlets" => builder.cmdlets(number(value()?)? as usize),
            "--hostile" => builder.hostile(true),
            "--gzip" => builder.gzip(true),
            "--no-cookie" => builder.cookie(false),
            "--progress" => builder.progress(true),
            "--micro-delay" => builder.micro_delay(true),
            "--fault" => builder.fault(value()?.parse::<Fault>().map_err(|e| e.to_string())?),
            "--quiet" => {
                settings.quiet = true;
                builder
            }
            "--until-stdin-closes" => {
                settings.until_stdin_closes = true;
                builder
            }
            _ => return Err(format!("'{argument}' is not an option; --help lists them")),
        };
    }
    Ok(Some(settings))
}

fn help() -> String {
    let mut text = USAGE.to_owned();
    text.push_str("\nKINDs of faults:\n");
    for (name, what) in FAULT_KINDS {
        text.push_str(&format!("  {name:<24} {what}\n"));
    }
    text.push_str(&format!("OPERATIONs: {}\n", Operation::ALL.map(Operation::name).join(" ")));
    text.push_str("\nFurther KINDs on the REST road and at the token endpoint:\n");
    for (name, what) in REST_FAULT_KINDS {
        text.push_str(&format!("  {name:<24} {what}\n"));
    }
    text.push_str(&format!("OPERATIONs: {}\n", Operation::REST.map(Operation::name).join(" ")));
    text
}

fn greeting(tenant: &Tenant, redirects: bool) -> String {
    let consent = if redirects { " -AllowRedirection" } else { "" };
    let hops = if redirects { "\n  dt_options_set(options, \"max_redirections\", \"5\", NULL);" } else { "" };
    let account = &tenant.accounts()[0];
    let (name, password) = (&account.name, &account.password);
    let (quoted_name, quoted_password) = (name.replace('\'', "''"), password.replace('\'', "''"));
    let in_c = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let (c_name, c_password) = (in_c(name), in_c(password));
    let organization = &tenant.organizations()[0];
    let (uri, organizations) = (tenant.uri(), tenant.organizations().join(", "));
    let (rest, authority, refresh, app) = (tenant.rest_uri(), tenant.authority(), tenant.refresh_token(), &tenant.apps()[0]);
    let secret = app.secret.as_ref().map(|s| format!("   secret {s}")).unwrap_or_default();
    format!(
        "{uri}

A simulated tenant. It runs until Ctrl+C.
  account        {name}   password {password}
  organizations  {organizations}
  REST road      {rest}/adminapi/beta
  authority      {authority}   refresh token {refresh}   application {app}{secret}

PowerShell:
  Import-Module ./module/DelegatedTenant
  $password = ConvertTo-SecureString '{quoted_password}' -AsPlainText -Force
  $credential = [pscredential]::new('{quoted_name}', $password)
  $tenant = Connect-DelegatedTenant -ConnectionUri {uri} -Organization {organization} -Credential $credential -AllowUnencrypted{consent}
  Invoke-TenantCmdlet -Session $tenant {{ Get-Mailbox -ResultSize 5 }} | Format-Table DisplayName, PrimarySmtpAddress
  Disconnect-DelegatedTenant $tenant

PowerShell, on the REST road:
  $token = ConvertTo-SecureString '{quoted_refresh}' -AsPlainText -Force
  $tenant = Connect-DelegatedTenant -ConnectionUri {rest}/adminapi/beta -AzureADAuthorizationEndpointUri {authority} -Organization {organization} -RefreshToken $token -AllowUnencrypted{consent}

C, between dt_options_new and dt_session_connect:
  dt_options_set(options, \"uri\", \"{uri}\", NULL);
  dt_options_set(options, \"organization\", \"{organization}\", NULL);
  dt_options_set(options, \"user\", \"{c_name}\", NULL);
  dt_options_set_secret(options, \"password\", (const uint8_t *)\"{c_password}\", {length}, NULL);
  dt_options_set(options, \"allow_unencrypted\", \"true\", NULL);{hops}

C, on the REST road:
  dt_options_set(options, \"uri\", \"{rest}/adminapi/beta\", NULL);
  dt_options_set(options, \"authority\", \"{authority}\", NULL);
  dt_options_set(options, \"organization\", \"{organization}\", NULL);
  dt_options_set_secret(options, \"refresh_token\", (const uint8_t *)\"{c_refresh}\", {refresh_length}, NULL);
  dt_options_set(options, \"allow_unencrypted\", \"true\", NULL);{hops}

Anywhere, a token for the REST road:
  curl -s {authority}/{organization}/oauth2/v2.0/token -d 'grant_type=refresh_token&client_id=a0c73c16-a7e3-4564-9a95-2bdf47383716&refresh_token={refresh}&scope=https://outlook.office365.com/.default'
",
        length = password.len(),
        app = app.id,
        quoted_refresh = refresh.replace('\'', "''"),
        c_refresh = in_c(refresh),
        refresh_length = refresh.len(),
    )
}

fn main() -> ExitCode {
    let settings = match read(std::env::args().skip(1)) {
        Ok(Some(settings)) => settings,
        Ok(None) => {
            print!("{}", help());
            return ExitCode::SUCCESS;
        }
        Err(why) => {
            eprintln!("tenant-sim: {why}");
            return ExitCode::from(2);
        }
    };
    let tenant = match settings.builder.start() {
        Ok(tenant) => tenant,
        Err(error) => {
            let source = std::error::Error::source(&error).map(|s| format!(": {s}")).unwrap_or_default();
            eprintln!("tenant-sim: {error}{source}");
            return ExitCode::FAILURE;
        }
    };
    // The URI is the first line in any case, for programs; the rest is for people.
    let text = if settings.quiet { format!("{}\n", tenant.uri()) } else { greeting(&tenant, settings.redirects) };
    let mut output = std::io::stdout();
    if output.write_all(text.as_bytes()).and_then(|()| output.flush()).is_err() {
        return ExitCode::FAILURE;
    }
    if settings.until_stdin_closes {
        let mut buffer = [0; 1024];
        while std::io::stdin().read(&mut buffer).is_ok_and(|n| n > 0) {}
    } else {
        // Ctrl+C ends the process, and the shells with it.
        loop {
            std::thread::park();
        }
    }
    ExitCode::SUCCESS
}

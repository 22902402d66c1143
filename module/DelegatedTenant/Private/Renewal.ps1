# Sessions that outlive a token, by a script block of the caller's that brings a new one; and sessions that were lost between two
# commands, which are opened again.

# How long before its end a token is renewed.
$script:RenewalMargin = [timespan]::FromMinutes(5)

# What to open with: the secret given, unless its token has ended or there is none; then the one that the script block gives.
function script:Set-OpeningSecret($Bound, [scriptblock] $Callback) {
    if ($Bound['CertificateThumbprint']) { throw (New-CallbackError 'TokenCallback brings tokens, and the certificate of CertificateThumbprint signs for them: give one of the two.') }
    $old = if ($Bound['AccessToken']) { $Bound['AccessToken'] } elseif ($Bound['Credential']) { $Bound['Credential'].Password }
    if ($old) {
        $end = Get-SecretEnd $old
        if (-not $end -or $end -gt [datetime]::UtcNow + $script:RenewalMargin) { return }
    }
    $given = Get-CallbackResult $Callback
    if ($given -is [pscredential] -and -not $Bound['AccessToken']) { $Bound['Credential'] = $given; return }
    if ($given -is [pscredential]) { $given = $given.Password }
    # A token without a name is for Exchange Online; the library says so where it is not.
    if (-not $Bound['Credential']) { $Bound['AccessToken'] = $given; return }
    $Bound['Credential'] = [pscredential]::new($Bound['Credential'].UserName, (ConvertTo-Secret 'TokenCallback' $given))
}

# When a token ends that is a string or a SecureString.
function script:Get-SecretEnd($Secret) {
    $bytes = if ($Secret -is [securestring]) { Get-SecretBytes $Secret } else { [Text.Encoding]::UTF8.GetBytes([string] $Secret) }
    try { Get-TokenEnd $bytes } finally { [Array]::Clear($bytes, 0, $bytes.Length) }
}

# What is kept with a session to renew its secrets with: the script block of the caller's, or what signs. A secret itself is the
# library's alone.
function script:Set-Renewal($Session, [hashtable] $Renewal) { Add-HiddenMember $Session Renewal $Renewal }

function script:Set-TokenCallback($Session, [scriptblock] $Callback, $Settings) {
    $secret = if ($Settings.access_token) { $Settings.access_token } else { $Settings.password }
    $end = if ($secret) { Get-SecretEnd $secret }
    Set-Renewal $Session @{ Callback = $Callback; Due = $(if ($end) { $end - $script:RenewalMargin }); Runspace = [runspace]::DefaultRunspace.InstanceId; Busy = $false }
}

# Gives the session a new secret where the old one has ended or is about to, or where a request waits for one since it was refused.
# Only where the session was opened: a script block belongs to its runspace, and never runs on another's thread.
function script:Update-Secret($Session) {
    $renewal = $Session.Renewal
    if (-not $renewal) { return }
    $native = $script:Native
    $handle = $Session.Handle.DangerousGetHandle()
    $wants = $native::dt_session_wants_secret($handle)
    if ($renewal.Signer) {
        if (-not $wants -or (Read-Utf8 ($native::dt_session_property($handle, 'wanted_secret'))) -ne 'client_assertion') { return }
        Set-Secret $Session 'client_assertion' (New-ClientAssertion $renewal.Signer (Read-Utf8 ($native::dt_session_property($handle, 'token_endpoint'))) $renewal.Client)
        return
    }
    if ($renewal.Busy -or $renewal.Runspace -ne [runspace]::DefaultRunspace.InstanceId) { return }
    if (-not $wants -and -not ($renewal.Due -and $renewal.Due -le [datetime]::UtcNow)) { return }
    $claims = if ($wants) { Read-Utf8 ($native::dt_session_property($handle, 'wanted_claims')) }
    $renewal.Busy = $true
    try { $given = Get-CallbackResult $renewal.Callback $Session $claims } finally { $renewal.Busy = $false }
    if ($given -is [pscredential]) { $given = $given.Password }
    $bytes = if ($given -is [securestring]) { Get-SecretBytes $given } else { [Text.Encoding]::UTF8.GetBytes([string] $given) }
    $key = 'access_token'
    if ("$($Session.Transport)" -eq 'WSMan') {
        $key = 'password'
        # A bare token is meant as one.
        if ($Session.ConnectionUri -match '[?&;]BasicAuthToOAuthConversion=true' -and -not [Text.Encoding]::UTF8.GetString($bytes, 0, [Math]::Min(7, $bytes.Length)).Equals('Bearer ')) {
            $bare = $bytes
            $bytes = [byte[]] ([Text.Encoding]::UTF8.GetBytes('Bearer ') + $bare)
            [Array]::Clear($bare, 0, $bare.Length)
        }
    }
    $end = Get-TokenEnd $bytes
    # One that ends soon all the same is asked for again half way to its end, not at every look.
    $now = [datetime]::UtcNow
    $renewal.Due = if ($end) { if ($end - $script:RenewalMargin -gt $now) { $end - $script:RenewalMargin } elseif ($end -gt $now) { $now.AddTicks(($end - $now).Ticks / 2) } else { $now + $script:RenewalMargin } }
    Set-Secret $Session $key $bytes
}

# Hands a secret to the session, and to the options with which it is opened again where it is lost; the bytes are wiped.
function script:Set-Secret($Session, [string] $Key, [byte[]] $Bytes) {
    $native = $script:Native
    $failure = [IntPtr]::Zero
    $length = [UIntPtr] [uint32] $Bytes.Length
    try {
        Assert-Native ($native::dt_session_set_secret($Session.Handle.DangerousGetHandle(), $Key, $Bytes, $length, [ref] $failure)) $failure
        if (-not $Session.Options.IsClosed) { Assert-Native ($native::dt_options_set_secret($Session.Options.DangerousGetHandle(), $Key, $Bytes, $length, [ref] $failure)) $failure }
    }
    finally { [Array]::Clear($Bytes, 0, $Bytes.Length) }
}

# The script block is handed the session, and the claims that the service wants in the token, where it wants any.
function script:Get-CallbackResult([scriptblock] $Callback, $Session, [string] $Claims) {
    $given = @(& $Callback $Session $(if ($Claims) { $Claims }))
    $last = if ($given.Count) { $given[$given.Count - 1] }
    if ($last -is [psobject]) { $last = $last.PSObject.BaseObject }
    if ($last -is [pscredential] -or ($last -is [securestring] -and $last.Length) -or ($last -is [string] -and $last)) { return $last }
    throw (New-CallbackError 'The script block of TokenCallback gave neither a string nor a SecureString nor a PSCredential.')
}

function script:New-CallbackError([string] $Message) {
    [System.Management.Automation.ErrorRecord]::new([InvalidOperationException]::new($Message), 'TokenCallbackFailed', 'AuthenticationError', $null)
}

# When a JSON Web Token ends (its claim exp), in UTC; nothing where it is of another form.
function script:Get-TokenEnd([byte[]] $Secret) {
    $first = [Array]::IndexOf($Secret, [byte] 46)
    $second = if ($first -ge 0) { [Array]::IndexOf($Secret, [byte] 46, $first + 1) } else { -1 }
    if ($second -lt 0) { return }
    $text = [Text.Encoding]::UTF8.GetString($Secret, $first + 1, $second - $first - 1).Replace('-', '+').Replace('_', '/').TrimEnd('=')
    if ($text -notmatch '^[A-Za-z0-9+/]+$' -or $text.Length % 4 -eq 1) { return }
    $claims = [Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($text.PadRight(4 * [Math]::Ceiling($text.Length / 4), '=')))
    if ($claims -match '"exp"\s*:\s*(\d{1,11})\b') { [DateTimeOffset]::FromUnixTimeSeconds([long] $Matches[1]).UtcDateTime }
}

# Whether a session that is lost can be opened again: not where it was closed by whoever had it.
function script:Test-Restorable($Session) { "$($Session.State)" -ne 'Opened' -and $Session.Options -and -not $Session.Options.IsClosed }

# Opens a lost session again with its own options, into the same object; whether it is open. Nothing is sent again: what ran when the
# session was lost may have done its work.
function script:Restore-Session($Session, $Cmdlet) {
    $native = $script:Native
    $session_ = $failure = [IntPtr]::Zero
    Update-Secret $Session
    $old = $Session.Handle
    $why = if ($native::dt_session_wait($old.DangerousGetHandle(), 0, [ref] $failure) -ge 100) { (Read-Failure $failure).Message }
    $status = $native::dt_session_open($Session.Options.DangerousGetHandle(), [ref] $session_, [ref] $failure)
    if ($status -ge 100) { $Cmdlet.WriteError((New-OpenError (Read-Failure $failure) $Session)); return $false }
    $Session.Handle = (Initialize-Lifetime).session::new($session_)
    $Session.InstanceId = [guid] (Read-Utf8 ($native::dt_session_id($session_)))
    $old.Dispose()
    $told = 0
    $failed = $null
    $ready = $false
    try {
        while (-not (Read-Opening $Session $Cmdlet 100 ([ref] $told) ([ref] $failed))) { }
        if ($failed) { $Cmdlet.WriteError((New-OpenError $failed $Session)) }
        else {
            $ready = $true
            $script:Sessions["$($Session.Id)"] = $Session
            $place = if ($Session.Organization) { " on $($Session.Organization)" }
            $Cmdlet.WriteWarning("The session $($Session.Name)$place was lost and has been opened again$(if ($why) { ": $why" }). What ran in it then is not run again.")
        }
    }
    # Given up half way (Ctrl+C): the library gives back what may have come to be.
    finally { if (-not $ready -and -not $failed -and $native::dt_session_disconnect($session_, 0, [ref] $failure) -ge 100) { $native::dt_error_free($failure) } }
    $ready
}

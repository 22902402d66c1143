# Tab completion. It asks the server only when the session is idle, waits for it a limited time, and writes nothing, least of all errors.

# What servers told, by the InstanceId of the session: names of commands by the pattern that was asked for, and parameters by command.
$script:Told = @{}
$script:CompletionLimit = 2000

# The completers of the parameters run outside of this module and come in here.
function script:Complete-Argument([string] $Parameter, [string] $Word, $Bound) {
    $before = $global:Error.Count
    try {
        # The quotes that an earlier completion may have put round it.
        $Word = $Word.Trim("'", '"')
        switch ($Parameter) {
            'CommandName' { $found = Complete-CommandName (Get-SessionToComplete $Bound) $Word }
            'Parameters' { $found = Complete-ParameterTable (Get-SessionToComplete $Bound) ([string] $Bound['CommandName']) $Word }
            'Name' { $found = foreach ($session in $script:Sessions.Values) { New-Completion ([string] $session.Name) $Word "$($session.Organization) at $($session.ComputerName), $($session.State)" } }
            'Id' { $found = foreach ($session in $script:Sessions.Values) { New-Completion ([string] $session.Id) $Word "$($session.Name): $($session.Organization) at $($session.ComputerName), $($session.State)" } }
        }
        $found
    }
    catch { $null = $_ }
    finally { while ($global:Error.Count -gt $before) { $global:Error.RemoveAt(0) } }
}

function script:New-Completion([string] $Text, [string] $Word, [string] $Tip) {
    if (-not $Text -or -not $Text.StartsWith($Word, [StringComparison]::OrdinalIgnoreCase)) { return }
    $quoted = if ($Text -match '^[-.\w]+$') { $Text } else { "'" + [System.Management.Automation.Language.CodeGeneration]::EscapeSingleQuotedStringContent($Text) + "'" }
    [System.Management.Automation.CompletionResult]::new($quoted, $Text, 'ParameterValue', $(if ($Tip) { $Tip } else { $Text }))
}

# The session that is being typed for; without one, the only one there is. Nothing is run in it but the question.
function script:Get-SessionToComplete($Bound) {
    $session = @($Bound['Session'])[0]
    if (Test-Session $session) { return $session }
    if (-not $Bound.ContainsKey('Session') -and $script:Sessions.Count -eq 1) { @($script:Sessions.Values)[0] }
}

# The answers of a server to a question, as far as they come within the time; whether all of them came, and whether it was refused.
function script:Read-Answer($Session, $Commands, [scriptblock] $Read) {
    $answer = @{ Whole = $false; Refused = $false; Items = [System.Collections.Generic.List[object]]::new() }
    if ("$($Session.State)" -ne 'Opened' -or "$($Session.Availability)" -ne 'Available') { return $answer }
    $native = $script:Native
    $refusal = $null
    $run = Start-Invocation $Session $Commands $null $false $false ([ref] $refusal)
    if (-not $run) { return $answer }
    $item = $failure = [IntPtr]::Zero
    $clock = [Diagnostics.Stopwatch]::StartNew()
    try {
        do {
            $status = $native::dt_invocation_next($run.Pointer, 50, [ref] $item, [ref] $failure)
            if ($status -eq 0) {
                try { if ($native::dt_item_kind($item) -eq 1) { foreach ($one in & $Read $item) { if ($one) { $answer.Items.Add($one) } } } } finally { $native::dt_item_free($item) }
            }
            elseif ($status -ge 100) {
                $answer.Refused = $true
                $native::dt_error_free($failure)
            }
        } while ($status -ne 2 -and $clock.ElapsedMilliseconds -lt $script:CompletionLimit)
        $answer.Whole = $status -eq 2
    }
    # What still runs is stopped in the background; the next command of the session waits for that.
    finally { Complete-Invocation $run }
    $answer
}

function script:Get-Told($Session) {
    # What sessions that are no more told goes.
    foreach ($key in @($script:Told.Keys)) { if ("$($script:Told[$key].Session.State)" -ne 'Opened') { $script:Told.Remove($key) } }
    $key = "$($Session.InstanceId)"
    if (-not $script:Told.ContainsKey($key)) { $script:Told[$key] = @{ Session = $Session; Names = @{}; Parameters = @{} } }
    $script:Told[$key]
}

function script:Complete-CommandName($Session, [string] $Word) {
    if (-not $Session) { return }
    $told = Get-Told $Session
    $pattern = [System.Management.Automation.WildcardPattern]::Escape($Word) + '*'
    $names = $null
    # The answer to a shorter word holds that to a longer one.
    for ($length = $Word.Length; $length -ge 0 -and $null -eq $names; $length--) { $names = $told.Names[$Word.Substring(0, $length)] }
    if ($null -eq $names) {
        # Names alone: all that metadata tells would be megabytes. A road without these cmdlets tells no less than that.
        $question = @{ Text = 'Get-Command'; Arguments = @(@{ Name = 'Name'; Value = $pattern }) }, @{ Text = 'Select-Object'; Arguments = @(@{ Name = 'Property'; Value = 'Name' }) }
        $answer = Read-Answer $Session $question { [string] (Read-ItemValue $args[0]).Name }
        if ($answer.Refused) { $answer = Read-Answer $Session @(@{ Describe = $pattern }) { "$(Read-Utf8 ($script:Native::dt_item_command($args[0])))".Split("`t")[0] } }
        $names = $answer.Items
        if ($answer.Whole -and $names.Count) { $told.Names[$Word] = $names }
    }
    # Nothing that would have to be quoted: what stands on the command line is to be a name.
    foreach ($name in $names) { if ($name -match '\A[-.\w]+\z') { New-Completion $name $Word } }
}

# The parameters of one command: lines of dt_item_command.
function script:Get-RemoteParameter($Session, [string] $Command) {
    $told = Get-Told $Session
    if (-not $told.Parameters.ContainsKey($Command)) {
        $answer = Read-Answer $Session @(@{ Describe = [System.Management.Automation.WildcardPattern]::Escape($Command) }) { Read-Utf8 ($script:Native::dt_item_command($args[0])) }
        if (-not $answer.Items.Count) { return }
        $told.Parameters[$Command] = $answer.Items[0].TrimEnd([char] 10).Split("`n")
    }
    $lines = $told.Parameters[$Command]
    for ($at = 1; $at -lt $lines.Count; $at++) {
        $name, $kind, $type, $null = $lines[$at].Split("`t")
        @{ Name = $name; IsSwitch = $kind -eq 'switch'; Type = $type }
    }
}

# A table is completed as a whole: PowerShell asks nobody for the keys inside of one.
function script:Complete-ParameterTable($Session, [string] $Command, [string] $Word) {
    if (-not $Session -or -not $Command -or $Word -notmatch '^$|^@\{?\s*(\w*)$') { return }
    $begun = $Matches[1]
    foreach ($parameter in Get-RemoteParameter $Session $Command) {
        $name = $parameter.Name
        if ($name -notmatch '\A\w+\z' -or $begun -and -not $name.StartsWith($begun, [StringComparison]::OrdinalIgnoreCase)) { continue }
        $value = if ($parameter.IsSwitch) { '$true' } else { '' }
        [System.Management.Automation.CompletionResult]::new("@{ $name = $value", $name, 'ParameterValue', "[$($parameter.Type)] $name")
    }
}

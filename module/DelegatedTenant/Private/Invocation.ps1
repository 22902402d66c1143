# One running command of one session, and the loop that hands on what it says.

function script:Start-Invocation($Session, $Commands, [string] $Reason, [bool] $Input_, [bool] $ShowComputerName, [ref] $Refusal, $Running) {
    $native = $script:Native
    $invocation = $failure = [IntPtr]::Zero
    $lifetime = (Initialize-Lifetime).invocation
    $run = @{
        Session = $Session; Target = $null; Failure = $null; Pointer = $null; Handle = $null; Ended = $false; Thrown = $null; Sink = $null; Reason = $Reason; Buffer = [Array]::CreateInstance([byte], 16384)
        Notes = [psnoteproperty[]] ([psnoteproperty]::new('PSComputerName', $Session.ComputerName), [psnoteproperty]::new('RunspaceId', $Session.InstanceId), [psnoteproperty]::new('PSShowComputerName', $ShowComputerName))
        Origin = [System.Management.Automation.Remoting.OriginInfo]::new($Session.ComputerName, $Session.InstanceId)
    }
    $command = New-NativeCommand $Commands $Session $Input_
    $kept = $false
    # The caller may stop the pipeline between any two statements: what was begun is then ended at once, and not some day by the collector.
    try {
        $status = $native::dt_session_invoke($Session.Handle.DangerousGetHandle(), $command, [ref] $invocation, [ref] $failure)
        if ($status -eq 101 -and "$($Session.State)" -eq 'Opened') {
            # What keeps it busy may be a command that nobody reads any more, left behind by a pipeline that broke off before its end.
            $native::dt_error_free($failure)
            $failure = [IntPtr]::Zero
            [GC]::Collect()
            [GC]::WaitForPendingFinalizers()
            $status = $native::dt_session_invoke($Session.Handle.DangerousGetHandle(), $command, [ref] $invocation, [ref] $failure)
        }
        if ($status -lt 100) {
            $run.Pointer = $invocation
            $run.Handle = $lifetime::new($invocation)
            if ($null -ne $Running) { $Running.Add($run) }
            $kept = $true
        }
    }
    finally {
        $native::dt_command_free($command)
        if (-not $kept) {
            if ($null -ne $Running) { $null = $Running.Remove($run) }
            if ($run.Handle) { $run.Handle.Dispose() } elseif ($invocation -ne [IntPtr]::Zero) { $native::dt_invocation_free($invocation) }
        }
    }
    if ($kept) { return $run }
    $Refusal.Value = Read-Failure $failure
}

# Hands on what has come, until nothing more comes within the wait, the command is at its end, or $Most records came. $Alone: a remote
# throw is kept, to be thrown.
function script:Read-Invocation($Run, $Cmdlet, [uint32] $Wait, [bool] $Alone, [int] $Most = [int]::MaxValue) {
    $native = $script:Native
    $invocation = $Run.Pointer
    $session = $Run.Session
    if ($Run.Target.Child) { $Cmdlet.Target = $Run.Target }
    $computer, $runspace, $show, $organization = $Run.Notes
    $item = $failure = [IntPtr]::Zero
    $length = [UIntPtr]::Zero
    $utf8 = [Text.Encoding]::UTF8
    $buffer = $Run.Buffer
    $status = 0
    while ($Most-- -gt 0) {
        $status = $native::dt_invocation_next($invocation, $Wait, [ref] $item, [ref] $failure)
        if ($status -ne 0) { break }
        $kind = $native::dt_item_kind($item)
        if ($kind -eq 8) {
            try { Invoke-HostCall $Run $item $Cmdlet.Host } finally { $native::dt_item_free($item) }
            continue
        }
        if ($kind -eq 1 -and $Run.Sink) {
            try { & $Run.Sink $item } finally { $native::dt_item_free($item) }
            continue
        }
        try {
            $data = $native::dt_item_clixml($item, [ref] $length)
            $count = [int] $length.ToUInt32()
            if ($count -gt $buffer.Length) { $buffer = [Array]::CreateInstance([byte], 2 * $count) }
            [Runtime.InteropServices.Marshal]::Copy($data, $buffer, 0, $count)
            $text = $utf8.GetString($buffer, 0, $count)
            $secure = $native::dt_item_has_secure_string($item)
        }
        finally { $native::dt_item_free($item) }
        if ($secure) { $text = ConvertFrom-SessionClixml $text $session }
        # [psobject]: without the cast, the type names and notes of a wrapped value are lost on the way.
        $value = [psobject] [System.Management.Automation.PSSerializer]::Deserialize($text)
        if ($kind -eq 1) {
            if ($null -eq $value) { , $null; continue }
            $properties = $value.PSObject.Properties
            # The server's word for where this comes from is not taken; ours goes last.
            if ($text.IndexOf('"PSComputerName"') -ge 0) { $properties.Remove('PSComputerName') }
            if ($text.IndexOf('"RunspaceId"') -ge 0) { $properties.Remove('RunspaceId') }
            $properties.Add($computer, $true)
            $properties.Add($runspace, $true)
            if ($text.IndexOf('"PSShowComputerName"') -lt 0 -or $null -eq $properties['PSShowComputerName']) { $properties.Add($show, $true) }
            if ($organization) { $properties.Add($organization, $true) }
            # Not by WriteObject, which takes the notes off a string; and in an array, so that a list stays one object.
            , $value
            continue
        }
        switch ($kind) {
            2 { $Cmdlet.WriteError((ConvertTo-RemotingError $value $Run.Origin $session.Organization)) }
            3 { $Cmdlet.WriteWarning([string] $value.InformationalRecord_Message) }
            4 { $Cmdlet.WriteVerbose([string] $value.InformationalRecord_Message) }
            5 { $Cmdlet.WriteDebug([string] $value.InformationalRecord_Message) }
            6 { $Cmdlet.WriteInformation((ConvertTo-InformationRecord $value)) }
            7 { $Cmdlet.WriteProgress((ConvertTo-ProgressRecord $value)) }
        }
    }
    if ($status -lt 100) {
        if ($status -eq 2) { Complete-Invocation $Run }
        elseif ($status -eq 1) { Update-Secret $session }
        return
    }
    $read = Read-Failure $failure
    if ($read.Status -eq 700) { return }
    if (-not $read.Record) {
        $record = New-InvocationError $read $session
        $Run.Failure = $record.Exception
        if (-not $Run.Sink) { $Cmdlet.WriteError($record) }
        return
    }
    $remote = [System.Management.Automation.PSSerializer]::Deserialize($read.Record)
    $record = ConvertTo-RemotingError $remote $Run.Origin $session.Organization
    $Run.Failure = $record.Exception
    if ($Run.Sink) { return }
    if ($Alone -and $record.Exception -is [System.Management.Automation.RemoteException] -and $record.Exception.SerializedRemoteException.WasThrownFromThrowStatement) {
        # A throw of the server is a throw of the command: by the command itself, since each function on its way would count it once more.
        $Run.Thrown = $record.Exception
        return
    }
    $advice = if ($record.FullyQualifiedErrorId -eq 'ScriptsNotAllowed') { $Run.Reason } else { Get-Advice $record }
    if ($advice) { $record.ErrorDetails = [System.Management.Automation.ErrorDetails]::new("$($record.Exception.Message) $advice") }
    $Cmdlet.WriteError($record)
}

function script:Complete-Invocation($Run) {
    $Run.Ended = $true
    $Run.Handle.Dispose()
}

# Stops what still runs, and waits for the server's word that it has: the session is then free for the next command. Nobody is kept
# from the prompt by a server that does not answer: the library waits on, for CancelTimeout, and the next command for its turn.
function script:Stop-Invocation($Runs) {
    $native = $script:Native
    $item = $failure = [IntPtr]::Zero
    $open = @(foreach ($run in $Runs) { if (-not $run.Ended) { $run } })
    foreach ($run in $open) { if ($native::dt_invocation_stop($run.Pointer, [ref] $failure) -ge 100) { $native::dt_error_free($failure) } }
    foreach ($run in $open) {
        $clock = [Diagnostics.Stopwatch]::StartNew()
        do {
            $status = $native::dt_invocation_next($run.Pointer, 100, [ref] $item, [ref] $failure)
            if ($status -eq 0) { $native::dt_item_free($item) }
            elseif ($status -ge 100) { $native::dt_error_free($failure) }
        } while ($status -ne 2 -and $clock.ElapsedMilliseconds -lt [Math]::Min(5000, $run.Session.CancelTimeout))
        Complete-Invocation $run
    }
}

function script:ConvertTo-InformationRecord($Remote) {
    if (-not $script:InformationFromRemoting) { $script:InformationFromRemoting = Get-FromRemoting ([System.Management.Automation.InformationRecord]) }
    $record = $script:InformationFromRemoting.Invoke($Remote)
    # Its text has come as a host call already; the tag says so to whoever shows the record.
    if ($record.Tags.Contains('PSHOST')) { $record.Tags.Add('FORWARDED') }
    $record
}

function script:ConvertTo-ProgressRecord($Remote) {
    # The constructor wants some text in both.
    $activity = if ($Remote.Activity) { [string] $Remote.Activity } else { ' ' }
    $status = if ($Remote.StatusDescription) { [string] $Remote.StatusDescription } else { ' ' }
    $record = [System.Management.Automation.ProgressRecord]::new([Math]::Max(0, [int] $Remote.ActivityId), $activity, $status)
    if ($Remote.CurrentOperation) { $record.CurrentOperation = [string] $Remote.CurrentOperation }
    if ($null -ne $Remote.ParentActivityId -and [int] $Remote.ParentActivityId -ne $record.ActivityId) { $record.ParentActivityId = [int] $Remote.ParentActivityId }
    if ($null -ne $Remote.PercentComplete) { $record.PercentComplete = [Math]::Min(100, [int] $Remote.PercentComplete) }
    if ($null -ne $Remote.SecondsRemaining) { $record.SecondsRemaining = [int] $Remote.SecondsRemaining }
    if ("$($Remote.Type)" -in 'Completed', '1') { $record.RecordType = 'Completed' }
    $record
}

# The sessions that can run a command now; an error for each of the others, and one that ends the command when none is left. $Reconnect is
# $null where the call says nothing of it, and each session goes by itself.
function script:Select-UsableSession($Sessions, $Cmdlet, [bool] $AsJob, $Reconnect) {
    $seen = @{}
    $usable = foreach ($session in $Sessions) {
        if (-not (Test-Session $session)) {
            # A copy, as Select-Object and Import-Clixml make it, goes by its type: its text would be all of it.
            $what = if ($session -is [System.Management.Automation.PSCustomObject]) { $session.PSObject.TypeNames[0] } else { $session }
            $exception = [ArgumentException]::new("'$what' is not a session that Connect-DelegatedTenant opened in this process.")
            $Cmdlet.ThrowTerminatingError([System.Management.Automation.ErrorRecord]::new($exception, 'NotADelegatedTenantSession', 'InvalidArgument', $session))
        }
        if ($seen.ContainsKey($session.InstanceId)) {
            $exception = [ArgumentException]::new('The list of sessions holds one session more than once.')
            $Cmdlet.ThrowTerminatingError([System.Management.Automation.ErrorRecord]::new($exception, 'RemoteRunspaceInfoHasDuplicates', 'InvalidArgument', $session))
        }
        $seen[$session.InstanceId] = $true
        if ($(if ($null -eq $Reconnect) { $session.Reconnect } else { $Reconnect }) -and (Test-Restorable $session)) { if (Restore-Session $session $Cmdlet) { $session }; continue }
        # A job says for itself which of its sessions are of no use.
        if ($AsJob -or "$($session.State)" -eq 'Opened') { $session } else { $Cmdlet.WriteError((New-StateError $session $null)) }
    }
    if (-not $usable) { $Cmdlet.ThrowTerminatingError((New-NoSessionError)) }
    $usable
}

# Why a session takes no command: it is not open, or it is busy. Other refusals are told as they are.
function script:New-StateError($Session, $Refusal, [bool] $InJob) {
    if ($InJob -and "$($Session.State)" -ne 'Opened') {
        # A job of PowerShell's own says it in these words.
        $exception = [System.Management.Automation.Runspaces.InvalidRunspaceStateException]::new("Cannot invoke the pipeline because the runspace is not in the Opened state. Current state of the runspace is '$($Session.State)'.")
        return [System.Management.Automation.ErrorRecord]::new($exception, "InvalidSessionState,$($Session.ComputerName)", 'OperationStopped', $Session)
    }
    $which = "$($Session.Name), $($Session.InstanceId), $($Session.ComputerName)"
    if ("$($Session.State)" -ne 'Opened') {
        $text = "Because the session state for session $which is not equal to Open, you cannot run a command in the session.  The session state is $($Session.State)."
        $exception = [System.Management.Automation.Runspaces.InvalidRunspaceStateException]::new($text)
        $record = [System.Management.Automation.ErrorRecord]::new($exception, 'InvokeCommandCommandInvalidSessionState', 'InvalidOperation', $Session)
        if (Test-Restorable $Session) {
            # It may be known to a script, or only to the commands that were imported from it.
            $failure = [IntPtr]::Zero
            $why = if ($script:Native::dt_session_wait($Session.Handle.DangerousGetHandle(), 0, [ref] $failure) -ge 100) { " It was lost: $((Read-Failure $failure).Message)" }
            $advice = "Invoke-TenantCmdlet -Reconnect opens it again; with (Get-DelegatedTenant -Id $($Session.Id)).Reconnect = `$true each of its commands does, also an imported one.$why"
            $record.ErrorDetails = [System.Management.Automation.ErrorDetails]::new("$text $advice")
        }
        return $record
    }
    if ($Refusal.Status -eq 101) {
        $text = "The session $which is not available to run commands.  The session availability is $($Session.Availability)."
        $exception = [System.Management.Automation.Runspaces.InvalidRunspaceStateException]::new($text)
        return [System.Management.Automation.ErrorRecord]::new($exception, 'InvokeCommandCommandInvalidSessionAvailability', 'InvalidOperation', $Session)
    }
    New-InvocationError $Refusal $Session
}

function script:New-NoSessionError {
    $text = 'No valid sessions were specified.  Ensure you provide valid sessions that are in the Opened state and are available to run commands.'
    [System.Management.Automation.ErrorRecord]::new([System.Management.Automation.PSInvalidOperationException]::new($text), 'InvalidOperation', 'InvalidOperation', $null)
}

# Sends one object to every run. While a queue is full, what the commands say is handed on, or both sides would wait for each other.
function script:Send-Input($Runs, $Value, $Cmdlet, [bool] $Alone) {
    $native = $script:Native
    $failure = [IntPtr]::Zero
    foreach ($run in $Runs) {
        if ($run.Ended) { continue }
        $text = ConvertTo-SessionClixml $Value $run.Session
        $wait = 0
        do {
            $status = $native::dt_invocation_send($run.Pointer, $text, $wait, [ref] $failure)
            # A command that needs no more input ends before it is all sent.
            if ($status -ge 100) { $native::dt_error_free($failure) }
            Read-Invocation $run $Cmdlet 0 $Alone
            $wait = 100
        } while ($status -eq 1 -and -not $run.Ended)
    }
}

function script:Close-Input($Runs) {
    $native = $script:Native
    $failure = [IntPtr]::Zero
    foreach ($run in $Runs) {
        if (-not $run.Ended -and $native::dt_invocation_end_input($run.Pointer, [ref] $failure) -ge 100) { $native::dt_error_free($failure) }
    }
}

# One command on several targets. A target is a session, or a URI to which a session is opened for this call alone. As many as the
# limit allows open, run and close at a time; the others wait. Results are handed on as they come, whichever target they come from.

function script:New-Flow($Statement, [bool] $Piped, [bool] $ShowComputerName) {
    @{
        Statement = $Statement; Piped = $Piped; ShowComputerName = $ShowComputerName; ShowOrganization = $false
        Limit = 32; Alone = $false; Settings = $null; TokenCallback = $null
        # Pipeline input for those whose turn has not come; nothing where nobody waits.
        Kept = [System.Collections.Generic.List[object]]::new(); InputEnded = $false
        Waiting = [System.Collections.Generic.Queue[object]]::new()
        Opening = [System.Collections.Generic.List[object]]::new()
        Running = [System.Collections.Generic.List[object]]::new(); Turn = $null
        Closing = [System.Collections.Generic.List[object]]::new()
        # What a remote throw threw, where one target was asked.
        Thrown = $null
        Started = 0
    }
}

# What is to run the command: a session, or one that is opened at this address.
function script:Add-Target($Flow, $Session, [uri] $Uri) {
    $Flow.Waiting.Enqueue(@{ Session = $Session; Uri = $Uri; Temporary = $null -ne $Uri; Run = $null; Child = $null; Told = 0; Failure = $null; Clock = $null })
}

function script:Test-Flow($Flow) { $Flow.Waiting.Count + $Flow.Opening.Count + $Flow.Running.Count + $Flow.Closing.Count -gt 0 }

# Lets those begin whose turn it is.
function script:Start-Waiting($Flow, $Cmdlet) {
    while ($Flow.Waiting.Count -and $Flow.Opening.Count + $Flow.Running.Count + $Flow.Closing.Count -lt $Flow.Limit) {
        $target = $Flow.Waiting.Dequeue()
        if ($target.Child) { $target.Child.SetJobState('Running') }
        if (-not $target.Temporary) { Start-Target $Flow $target $Cmdlet; continue }
        $refused = $null
        $target.Session = Start-Session $Flow.Settings $target.Uri.OriginalString 'Temporary' ([ref] $refused)
        if ($refused) { Stop-Target $target (New-OpenError $refused $target.Uri) $Cmdlet } else { $Flow.Opening.Add($target) }
    }
}

# Runs the command in a session that is open.
function script:Start-Target($Flow, $Target, $Cmdlet) {
    $refused = $null
    Update-Secret $Target.Session
    $run = Start-Invocation $Target.Session $Flow.Statement.Commands $Flow.Statement.Reason $Flow.Piped $Flow.ShowComputerName ([ref] $refused) $Flow.Running
    if (-not $run) {
        Stop-Target $Target (New-StateError $Target.Session $refused ($null -ne $Target.Child)) $Cmdlet
        if ($Target.Temporary) { Close-Target $Flow $Target }
        return
    }
    $run.Target = $Target
    if ($Flow.ShowOrganization) { $run.Notes += [psnoteproperty]::new('DelegatedOrganization', $Target.Session.Organization) }
    $Target.Run = $run
    $Flow.Started++
    if ($Flow.Piped) {
        foreach ($value in $Flow.Kept) { Send-Input (, $run) $value $Cmdlet $Flow.Alone }
        if ($Flow.InputEnded) { Close-Input (, $run) }
    }
}

# A target whose command cannot run.
function script:Stop-Target($Target, $Record, $Cmdlet) {
    $Target.Failure = $Record.Exception
    if ($Target.Child) { $Cmdlet.Target = $Target }
    $Cmdlet.WriteError($Record)
    if ($Target.Child) { Complete-ChildJob $Target }
}

# Begins to close a temporary session; nobody waits for its server here.
function script:Close-Target($Flow, $Target) {
    $null = Close-Session $Target.Session 0
    $Target.Clock = [Diagnostics.Stopwatch]::StartNew()
    $Flow.Closing.Add($Target)
}

# Takes out what has ended.
function script:Complete-Ended($Flow) {
    foreach ($run in $Flow.Running.ToArray()) {
        if (-not $run.Ended) { continue }
        $null = $Flow.Running.Remove($run)
        if ($run.Thrown) { $Flow.Thrown = $run.Thrown }
        $run.Target.Failure = $run.Failure
        if ($run.Target.Child) { Complete-ChildJob $run.Target }
        if ($run.Target.Temporary) { Close-Target $Flow $run.Target }
    }
}

# Takes a flow one step further, and hands on what came. Waits for something to happen, at most a tenth of a second, so that Ctrl+C is felt.
function script:Step-Flow($Flow, $Cmdlet) {
    $native = $script:Native
    Start-Waiting $Flow $Cmdlet
    Complete-Ended $Flow
    $busy = $Flow.Opening.Count + $Flow.Closing.Count
    # What opens or closes is looked at in between: that takes as long as a server takes, so that a fiftieth of a second is soon enough.
    $wait = if ($busy) { 20 } else { 100 }
    $run = $null
    if ($Flow.Running.Count -eq 1) { $run = $Flow.Running[0] }
    elseif ($Flow.Running.Count) {
        $handles = [IntPtr[]] @(foreach ($one in $Flow.Running) { $one.Pointer })
        $place = [UIntPtr]::Zero
        $failure = [IntPtr]::Zero
        $status = $native::dt_invocation_wait_any($handles, [UIntPtr] [uint32] $handles.Length, $wait, [ref] $place, [ref] $failure)
        Assert-Native $status $failure
        if ($status -eq 0) { $run = $Flow.Running[[int] $place.ToUInt32()] }
        else { foreach ($one in $Flow.Running) { Update-Secret $one.Session } }
        $wait = 0
    }
    if ($run) {
        # To the end of the line, so that one who talks much does not keep the others from their turn.
        if ($Flow.Running.Count -gt 1) {
            $Flow.Turn = $run
            $null = $Flow.Running.Remove($run)
            $Flow.Running.Add($run)
        }
        Read-Invocation $run $Cmdlet $wait $Flow.Alone $(if ($Flow.Running.Count + $busy -gt 1) { 64 } else { [int]::MaxValue })
        Complete-Ended $Flow
        $wait = 0
    }
    foreach ($target in $Flow.Opening.ToArray()) {
        if ($target.Child) { $Cmdlet.Target = $target }
        $failed = $null
        if (-not (Read-Opening $target.Session $Cmdlet $wait ([ref] $target.Told) ([ref] $failed))) { $wait = 0; continue }
        $null = $Flow.Opening.Remove($target)
        if ($failed) {
            $target.Session.Handle.Dispose()
            Stop-Target $target (New-OpenError $failed $target.Session) $Cmdlet
        }
        else {
            if ($Flow.TokenCallback) { Set-TokenCallback $target.Session $Flow.TokenCallback $Flow.Settings }
            Start-Target $Flow $target $Cmdlet
        }
    }
    foreach ($target in $Flow.Closing.ToArray()) {
        if ((Close-Session $target.Session $wait) -or $target.Clock.ElapsedMilliseconds -ge $target.Session.CancelTimeout) {
            $null = $Flow.Closing.Remove($target)
            $target.Session.Handle.Dispose()
        }
        else { $wait = 0 }
    }
}

# Ends what is left: what runs is stopped, what was opened for this call is closed. At the end of a flow there is nothing left.
function script:Stop-Flow($Flow) {
    $Flow.Waiting.Clear()
    # Stopped on its way to the end of the line.
    if ($Flow.Turn -and -not $Flow.Turn.Ended -and -not $Flow.Running.Contains($Flow.Turn)) { $Flow.Running.Add($Flow.Turn) }
    Stop-Invocation $Flow.Running
    $left = @(foreach ($run in $Flow.Running) { if ($run.Target.Temporary) { $run.Target } }) + $Flow.Opening.ToArray() + $Flow.Closing.ToArray()
    foreach ($target in $left) { $null = Close-Session $target.Session 0 }
    foreach ($target in $left) {
        $null = Close-Session $target.Session ([Math]::Min(2000, $target.Session.CancelTimeout))
        $target.Session.Handle.Dispose()
    }
    $Flow.Running.Clear(); $Flow.Opening.Clear(); $Flow.Closing.Clear()
}

# The walk of Test-DelegatedTenant, as the library does it.

# Begins the walk; what the options do not allow is given back as read.
function script:Start-Check($Settings, [ref] $Refusal) {
    $native = $script:Native
    $refused = $null
    $options = New-NativeOptions $Settings ([ref] $refused)
    if ($refused) { $Refusal.Value = $refused; return [IntPtr]::Zero }
    $check = $failure = [IntPtr]::Zero
    $status = $native::dt_check_start($options, [ref] $check, [ref] $failure)
    $native::dt_options_free($options)
    if ($status -ge 100) { $Refusal.Value = Read-Failure $failure }
    $check
}

# The next step as an object; nothing after the last. Hands on the warnings that come meanwhile; $Told counts those.
function script:Read-Check([IntPtr] $Check, $Cmdlet, [ref] $Told) {
    $native = $script:Native
    $step = $failure = [IntPtr]::Zero
    # A tenth of a second at a time, so that Ctrl+C is felt.
    do {
        $status = $native::dt_check_next($Check, 100, [ref] $step, [ref] $failure)
        Assert-Native $status $failure
        while ($warning = Read-Utf8 ($native::dt_check_warning($Check, [IntPtr] $Told.Value))) { $Told.Value++; $Cmdlet.WriteWarning($warning) }
    } while ($status -eq 1)
    if ($status -eq 2) { return }
    try {
        [pscustomobject] @{
            PSTypeName = 'DelegatedTenant.Check'
            Step = Read-Utf8 ($native::dt_step_name($step))
            Result = switch ($native::dt_step_result($step)) { 1 { 'Passed' } 2 { 'Failed' } default { 'Skipped' } }
            Detail = Read-Utf8 ($native::dt_step_detail($step))
            Remedy = Read-Utf8 ($native::dt_step_remedy($step))
            Milliseconds = [long] $native::dt_step_duration_ms($step)
            ErrorId = Read-Utf8 ($native::dt_step_error_id($step))
        }
    }
    finally { $native::dt_step_free($step) }
}

# What the walk has open is closed by the library, which nobody waits for here.
function script:Stop-Check([IntPtr] $Check) { $script:Native::dt_check_free($Check) }

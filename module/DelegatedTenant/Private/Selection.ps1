# Which sessions a command means: by object, number, name, instance, organization or computer.

# The sessions of this PowerShell that the parameters name, in the order of the names. What matches none is an error with the identity
# that the engine's own cmdlets give it; a wildcard that matches none is silent.
function script:Select-TenantSession($Bound, $Cmdlet) {
    $known = @($script:Sessions.Values)
    foreach ($key in 'Session', 'Id', 'Name', 'InstanceId', 'ComputerName') {
        if (-not $Bound.ContainsKey($key)) { continue }
        foreach ($value in $Bound[$key]) {
            if (Test-Session $value) { $value; continue }
            # Remove-PSSession takes numbers and computers in the place of sessions too.
            $by = $key
            if ($key -eq 'Session') {
                $number = $value -as [int]
                if ($null -ne $value -and $null -ne $number) { $by = 'Id'; $value = $number }
                elseif ($value -is [string]) { $by = 'ComputerName' }
            }
            $found = @(foreach ($session in $known) {
                $matched = switch ($by) {
                    'Id' { $session.Id -eq $value }
                    'Name' { Test-Wildcard $session.Name $value }
                    'InstanceId' { $session.InstanceId -eq $value }
                    'ComputerName' { $session.ComputerName -eq $value }
                }
                if ($matched) { $session }
            })
            if ($found) { $found; continue }
            $text, $id = switch ($by) {
                'Session' { "$value is not a session that Connect-DelegatedTenant opened in this process.", 'RemoteRunspaceNotAvailable' }
                'Id' { "The remote session with the session ID $value is not available.", 'RemoteRunspaceNotAvailableForSpecifiedSessionId' }
                'Name' { "The remote session with the name $value  is not available.", 'RemoteRunspaceNotAvailableForSpecifiedName' }
                'InstanceId' { "Remote session is not available for $value.", 'RemoteRunspaceNotAvailableForSpecifiedRunspaceId' }
                'ComputerName' { "Remote session is not available for ComputerName $value.", 'RemoteRunspaceNotAvailableForSpecifiedComputer' }
            }
            if ($by -ne 'Name' -or -not [System.Management.Automation.WildcardPattern]::ContainsWildcardCharacters($value)) {
                $Cmdlet.WriteError([System.Management.Automation.ErrorRecord]::new([ArgumentException]::new($text), $id, 'InvalidArgument', $value))
            }
        }
        return
    }
    $known
}

# Those whose organization matches one of the patterns; all where there is no pattern.
function script:Select-ByOrganization($Objects, [string[]] $Organization, $Cmdlet) {
    if (-not $Organization) { return $Objects }
    foreach ($pattern in $Organization) {
        $found = @(foreach ($one in $Objects) { if (Test-Wildcard $one.Organization $pattern) { $one } })
        if ($found) { $found }
        elseif (-not [System.Management.Automation.WildcardPattern]::ContainsWildcardCharacters($pattern)) {
            $exception = [ArgumentException]::new("Remote session is not available for organization $pattern.")
            $Cmdlet.WriteError([System.Management.Automation.ErrorRecord]::new($exception, 'RemoteRunspaceNotAvailableForSpecifiedOrganization', 'InvalidArgument', $pattern))
        }
    }
}

function script:Test-Wildcard([string] $Text, [string] $Pattern) { [System.Management.Automation.WildcardPattern]::new($Pattern, 'IgnoreCase').IsMatch($Text) }

# What the ledger tells of, but for the sessions that are listed here already.
function script:Get-LedgerEntry($Listed) {
    $native = $script:Native
    $text = $failure = [IntPtr]::Zero
    $options = New-NativeOptions @{ ledger = $env:DT_LEDGER } ([ref] $null)
    try { Assert-Native ($native::dt_library_ledger($options, [ref] $text, [ref] $failure)) $failure }
    finally { $native::dt_options_free($options) }
    $known = @{}
    foreach ($session in $Listed) { $known[$session.InstanceId] = $true }
    foreach ($entry in [System.Management.Automation.PSSerializer]::DeserializeAsList((Read-Text $text))) {
        if ($known.ContainsKey($entry.InstanceId)) { continue }
        $entry.PSObject.TypeNames.Clear()
        $entry.PSObject.TypeNames.Add('DelegatedTenant.LedgerEntry')
        $entry.OpenedAt = $entry.OpenedAt.ToLocalTime()
        $entry
    }
}

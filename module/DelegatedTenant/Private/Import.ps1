# Proxies for remote cmdlets: what the server tells of them, what of that is believed, the functions, and their end.
# Nothing here reaches a script as text but names that hold letters, digits, '-', '.' and '_' alone.

# What is imported, in the runspace that this module belongs to.
$script:Imports = [System.Collections.Generic.List[object]]::new()
# The names that may stand in the text of a function. PowerShell's own rule allows ':' and '\' too, which could name another scope.
$script:SafeName = '[-._\p{Ll}\p{Lu}\p{Lt}\p{Lo}\p{Nd}\p{Lm}]{1,100}'
$script:SafeCommand = [regex]::new("\A$script:SafeName\z", 'CultureInvariant')
# Everything after the first line of dt_item_command.
$script:SafeParameters = [regex]::new("\A(?:\n$script:SafeName\t(?:switch|value)\t[^\t\n]*(?:\t$script:SafeName)*)*\n\z", 'CultureInvariant')
# What implicit remoting itself uses; imported only when named.
$script:NotImported = 'Get-Command', 'Get-FormatData', 'Get-Help', 'Select-Object', 'Measure-Object', 'Exit-PSSession', 'Out-Default'
# These act at both ends, where the server has them. The others of the common parameters are for this end alone.
$script:ActAtBothEnds = 'Verbose', 'ErrorAction', 'WarningAction', 'InformationAction', 'ProgressAction'

function script:New-ImportError([string] $Id, [string] $Category, [string] $Text, $Inner) {
    $exception = if ($Inner) { [System.Management.Automation.RuntimeException]::new($Text, $Inner) } elseif ($Category -eq 'InvalidResult') { [ArgumentException]::new($Text) } else { [InvalidOperationException]::new($Text) }
    [System.Management.Automation.ErrorRecord]::new($exception, $Id, $Category, $null)
}

# Runs a command whose output goes to $Sink, item by item, and gives the exception that it failed with, if it did.
function script:Invoke-ForImport($Session, $Command, [scriptblock] $Sink, $Cmdlet) {
    $refusal = $null
    $run = Start-Invocation $Session @($Command) $null $false $false ([ref] $refusal)
    if (-not $run) { $Cmdlet.ThrowTerminatingError((New-StateError $Session $refusal)) }
    $run.Sink = $Sink
    try { while (-not $run.Ended) { Read-Invocation $run $Cmdlet 100 $true } }
    finally { Stop-Invocation $run }
    $run.Failure
}

function script:Write-ImportProgress($Progress, [string] $Status, [int] $Done, [int] $Of, $Clock, $Cmdlet) {
    if ($Done -and $Clock.ElapsedMilliseconds -lt 200) { return }
    $Clock.Restart()
    $Progress.StatusDescription = $Status
    if ($Of -gt 0) { $Progress.PercentComplete = [Math]::Min(100, 100 * $Done / $Of) }
    $Cmdlet.WriteProgress($Progress)
}

# What dt_item_command gives of each command.
function script:Read-CommandMetadata($Session, [string[]] $Names, $Only, $Progress, $Cmdlet) {
    $native = $script:Native
    $told = [System.Collections.Generic.List[string]]::new()
    $state = @{ Count = 0; Malformed = 0; First = $true }
    $clock = [Diagnostics.Stopwatch]::StartNew()
    Write-ImportProgress $Progress 'Getting command information from remote session ...' 0 0 $clock $Cmdlet
    $failed = Invoke-ForImport $Session @{ Describe = $Names; Only = $Only } {
        $text = Read-Utf8 ($native::dt_item_command($args[0]))
        if ($text) { $told.Add($text) }
        elseif ($state.First) { $state.Count = [int] (Read-ItemValue $args[0]).Count }
        else { $state.Malformed++ }
        $state.First = $false
        Write-ImportProgress $Progress "Getting command information from remote session ... $($told.Count) commands received" $told.Count $state.Count $clock $Cmdlet
    } $Cmdlet
    if ($failed) { $Cmdlet.ThrowTerminatingError((New-RemoteCommandError 'Get-Command' $failed)) }
    if ($state.Malformed) { $Cmdlet.WriteError((New-ImportError 'ErrorMalformedDataFromRemoteCommand' 'InvalidResult' 'Data returned by the remote Get-Command command is not in the expected format.')) }
    , $told
}

function script:New-RemoteCommandError([string] $Command, $Failed) {
    if ("$($Failed.SerializedRemoteException.PSObject.TypeNames)" -match '\bCommandNotFoundException\b') {
        return New-ImportError 'ErrorRequiredRemoteCommandNotFound' 'ObjectNotFound' 'The Import-DelegatedTenant cmdlet requires the following commands in the remote session: Get-Command, Get-FormatData, and Select-Object. The following commands are used, but optional: Get-Help, and Measure-Object. Verify that the remote session includes the required commands, and then try again.' $Failed
    }
    New-ImportError 'ErrorFromRemoteCommand' 'InvalidResult' "Running the $Command command in a remote session reported the following error: $($Failed.Message)." $Failed
}

# The commands that are wanted, safe and free to be imported: their parameters by name.
function script:Select-ProxyCommand($Told, [string[]] $Names, [string] $Prefix, [bool] $AllowClobber, $Session, $Cmdlet) {
    $patterns = foreach ($name in $Names) { [System.Management.Automation.WildcardPattern]::new($name, 'IgnoreCase, CultureInvariant') }
    $skipped = $Session.ApplicationPrivateData.ImplicitRemoting.CommandsToSkip
    if (-not $skipped) { $skipped = $script:NotImported }
    $taken = [System.Collections.Generic.HashSet[string]]::new([StringComparer]::OrdinalIgnoreCase)
    if (-not $AllowClobber) {
        # In the session state of the caller; what a module not yet loaded would bring is not looked for, as it would be loaded by that.
        $find = [scriptblock]::Create('$ExecutionContext.InvokeCommand.GetCommands("*", "Alias, Function, Filter, Cmdlet", $true)')
        foreach ($command in $Cmdlet.SessionState.InvokeCommand.InvokeScript($Cmdlet.SessionState, $find)) { $null = $taken.Add($command.Name) }
    }
    $shadowing = [System.Collections.Generic.List[string]]::new()
    $chosen = @{}
    $types = @{}
    foreach ($text in $Told) {
        $end = $text.IndexOf("`n")
        $name, $type, $null = $text.Substring(0, $end).Split("`t")
        $parameters = $text.Substring($end)
        $wanted = $false
        foreach ($pattern in $patterns) { if ($pattern.IsMatch($name)) { $wanted = $true; break } }
        if (-not $wanted) {
            $Cmdlet.WriteError((New-ImportError 'ErrorSkippedNonRequestedCommand' 'ResourceExists' "Proxy creation has been skipped for the '$name' command, because the name did not match the value of the Name  parameter."))
            continue
        }
        if (-not $script:SafeCommand.IsMatch($name)) {
            $Cmdlet.WriteError((New-ImportError 'ErrorSkippedUnsafeCommandName' 'InvalidData' "Proxy creation has been skipped for the '$name' command, because PowerShell could not verify the safety of the command name."))
            continue
        }
        if (-not $script:SafeParameters.IsMatch($parameters)) {
            $Cmdlet.WriteError((New-UnsafeNameError $name $parameters))
            continue
        }
        if ($name -in $skipped -and $name -notin $Names) { continue }
        if ($taken.Count -and $taken.Contains((Get-PrefixedName $name $Prefix))) { $shadowing.Add($name); continue }
        # Of two commands of one name, the one that PowerShell would run: an alias before a function before a cmdlet.
        $rank = switch ($type) { 'Alias' { 1 } 'Cmdlet' { 3 } default { 2 } }
        if ($chosen.ContainsKey($name) -and $types[$name] -lt $rank) { continue }
        $chosen[$name] = $parameters
        $types[$name] = $rank
    }
    if ($shadowing.Count) {
        $Cmdlet.WriteWarning("Proxy creation has been skipped for the following command: '$($shadowing -join ', ')', because it would shadow an existing local command.  Use the AllowClobber parameter if you want to shadow existing local commands.")
        if (-not $chosen.Count) {
            $text = 'No command proxies have been created, because all of the requested remote commands would shadow existing local commands.  Use the AllowClobber parameter if you want to shadow existing local commands.'
            $Cmdlet.ThrowTerminatingError((New-ImportError 'ErrorNoCommandsImportedBecauseOfSkipping' 'InvalidResult' $text))
        }
    }
    $chosen
}

function script:New-UnsafeNameError([string] $Command, [string] $Parameters) {
    foreach ($line in $Parameters.Trim([char] 10).Split("`n")) {
        $fields = $line.Split("`t")
        for ($at = 0; $at -lt $fields.Count; $at++) {
            if ($at -in 1, 2 -or $script:SafeCommand.IsMatch($fields[$at])) { continue }
            $what, $id = if ($at) { 'parameter alias name', 'ErrorSkippedUnsafeAliasName' } else { 'parameter name', 'ErrorSkippedUnsafeParameterName' }
            return New-ImportError $id 'InvalidData' "Proxy creation has been skipped for the '$Command' command, because PowerShell could not verify the safety of a ${what}: '$($fields[$at])'."
        }
    }
}

function script:Get-PrefixedName([string] $Name, [string] $Prefix) {
    if (-not $Prefix) { return $Name }
    $at = $Name.IndexOf('-')
    if ($at -gt 0) { $Name.Insert($at + 1, $Prefix) } else { $Prefix + $Name }
}

# The text of the functions. One pass over the whole for each form of a parameter: a loop over seven thousand would take longer.
#
# Each is an advanced function, so that -ErrorVariable, -OutVariable and the like reach the caller, as those of Import-PSSession do not.
# Every parameter with a value takes pipeline input, since metadata does not tell which of the server's do: what comes is sent on as it
# is, and the parameters are read before it comes.
function script:Get-ProxyText($Proxies) {
    $asJob = $script:ImportedThrough.Parameters.ContainsKey('AsJob')
    # Where the pipeline can break off above a proxy, only a clean block is run (PowerShell 7.3).
    $clean = if ($script:Edition.CleanBlock) { 'clean{if($__pipe){$__pipe.Clean()}}' }
    $common = @([System.Management.Automation.Cmdlet]::CommonParameters)
    $named = [regex]::new("\n(?:$($common -join '|')|AsJob)\t[^\n]*", 'IgnoreCase, CultureInvariant')
    $atBothEnds = [regex]::new("\n($($script:ActAtBothEnds -join '|'))\t", 'IgnoreCase, CultureInvariant')
    $text = [Text.StringBuilder]::new(1MB)
    foreach ($name in $Proxies.Keys) {
        $parameters = $Proxies[$name]
        $both = foreach ($match in $atBothEnds.Matches($parameters)) { $match.Groups[1].Value }
        # The common parameters are this function's own; and the server could not hand a job over.
        $parameters = $named.Replace($parameters, '')
        if ($asJob) { $parameters += "AsJob`tswitch`t`n" }
        $null = $text.Append("function $name{[CmdletBinding()]param(").Append($parameters)
        $null = $text.Append(")begin{try{`$__with=&`$script:DelegatedTenantCall `$script:DelegatedTenantSession '$name' '$both' `$PSBoundParameters `$PSCmdlet;`$__pipe={&`$script:DelegatedTenantInvoke @__with}.GetSteppablePipeline(`$MyInvocation.CommandOrigin);`$__pipe.Begin(`$PSCmdlet)}catch{throw}}process{try{`$__pipe.Process(`$_)}catch{throw}}end{try{`$__pipe.End()}catch{throw}}$clean}`n")
    }
    $text = [regex]::Replace($text.ToString(), '(?m)^([^\t\n]+)\tswitch\t[^\t\n]*$', '[switch]$${$1},')
    $text = [regex]::Replace($text, '(?m)^([^\t\n]+)\tvalue\t[^\t\n]*$', '[Parameter(ValueFromPipeline)]$${$1},')
    $text = [regex]::Replace($text, '(?m)^([^\t\n]+)\tswitch\t[^\t\n]*\t([^\n]+)$', "[Alias('`$2')][switch]`$`${`$1},")
    $text = [regex]::Replace($text, '(?m)^([^\t\n]+)\tvalue\t[^\t\n]*\t([^\n]+)$', "[Alias('`$2')][Parameter(ValueFromPipeline)]`$`${`$1},")
    $text.Replace("`t", "','").Replace(",`n)begin", "`n)begin")
}

# What a proxy was called with, as the parameters of Invoke-TenantCmdlet.
$script:ProxyCall = {
    param($Session, [string] $Name, [string] $AtBothEnds, $Bound, $Cmdlet)
    $with = @{ Session = $Session; CommandName = $Name; HideComputerName = $true }
    # What was given by position goes by position: the order in which a server tells its parameters is not that of their positions.
    $positions = @($Bound.BoundPositionally)
    if ($positions.Count) { $with.ArgumentList = [object[]] @(foreach ($parameter in $positions) { , $Bound[$parameter] }) }
    $parameters = @{}
    foreach ($parameter in $Bound.Keys) {
        $ours = [System.Management.Automation.Cmdlet]::CommonParameters -contains $parameter
        if ($parameter -eq 'AsJob') { $with.AsJob = $Bound[$parameter] }
        elseif ($parameter -notin $positions -and -not $ours) { $parameters[$parameter] = $Bound[$parameter] }
        elseif ($parameter -in $AtBothEnds.Split(' ')) {
            # What is only not to be shown is sent nevertheless, for the variables and $Error of the caller.
            $parameters[$parameter] = if ($parameter -eq 'Verbose') { $Bound[$parameter] } elseif ("$($Bound[$parameter])" -eq 'SilentlyContinue') { 'Continue' } else { "$($Bound[$parameter])" }
        }
    }
    if ($parameters.Count) { $with.Parameters = $parameters }
    # The variables are the proxy's affair. What the caller prefers is known to the proxy, and not to the module it is in.
    foreach ($pair in ('ErrorAction', 'ErrorActionPreference'), ('WarningAction', 'WarningPreference'), ('InformationAction', 'InformationPreference')) {
        $with[$pair[0]] = if ($Bound.ContainsKey($pair[0])) { $Bound[$pair[0]] } else { $Cmdlet.SessionState.PSVariable.GetValue($pair[1]) }
    }
    foreach ($stream in 'Verbose', 'Debug') { if ($Bound.ContainsKey($stream)) { $with[$stream] = $Bound[$stream] } }
    $with
}

# Makes the module and imports it where the caller is.
function script:Import-Proxy($Session, $Proxies, $Definitions, [string] $Prefix, [bool] $DisableNameChecking, $Cmdlet) {
    $script:ImportedThrough = $ExecutionContext.InvokeCommand.GetCommand('Invoke-TenantCmdlet', 'Function')
    $head = "param(`$DelegatedTenantSession,`$DelegatedTenantCall,`$DelegatedTenantInvoke)`n"
    $text = $head + (Get-ProxyText $Proxies) + "Export-ModuleMember -Function *`n"
    $name = 'tmp_' + [IO.Path]::GetRandomFileName().Substring(0, 8)
    # Core's own cmdlets by their full names: the server may have named a command like one, and the caller have imported it before.
    # The pattern matches nothing, since the module is to be imported into the caller's session state and not into this module's.
    $module = Microsoft.PowerShell.Core\New-Module -Name $name -ScriptBlock ([scriptblock]::Create($text)) -ArgumentList $Session, $script:ProxyCall, $script:ImportedThrough -Function "$name-none"
    $module.Description = "Implicit remoting for $($Session.ConnectionUri)"
    $module.PrivateData = @{ ImplicitRemoting = $true }
    $with = @{ ModuleInfo = $module; PassThru = $true; DisableNameChecking = $DisableNameChecking }
    if ($Prefix) { $with.Prefix = $Prefix }
    $import = [scriptblock]::Create('& { $with = $args[0]; Microsoft.PowerShell.Core\Import-Module @with -WarningAction SilentlyContinue -WarningVariable said; , @($said) } $args[0]')
    $imported, $warnings = $Cmdlet.SessionState.InvokeCommand.InvokeScript($Cmdlet.SessionState, $import, [object[]] (, $with))
    foreach ($warning in $warnings) { $Cmdlet.WriteWarning("$warning") }
    $imported.OnRemove = $script:ProxiesRemoved
    $script:Imports.Add(@{ Session = $Session.Id; Module = $imported; State = $Cmdlet.SessionState; Formats = (Import-FormatData $Definitions) })
    $imported
}

# The session is closed: what was imported from it goes.
function script:Remove-Import($Session) {
    $remove = [scriptblock]::Create('& { Microsoft.PowerShell.Core\Remove-Module -ModuleInfo $args[0] -Force -ErrorAction Ignore } $args[0]')
    foreach ($import in @($script:Imports)) {
        if ($import.Session -ne $Session.Id) { continue }
        try { $null = $import.State.InvokeCommand.InvokeScript($import.State, $remove, [object[]] (, $import.Module)) }
        catch { if ($global:Error.Count) { $global:Error.RemoveAt(0) } }
        $null = $script:Imports.Remove($import)
    }
}

# Runs when a module of proxies is removed, by whomever.
$script:ProxiesRemoved = {
    foreach ($import in @($script:Imports)) {
        if (-not [object]::ReferenceEquals($import.Module, $args[0])) { continue }
        $null = $script:Imports.Remove($import)
        Remove-FormatData $import.Formats
    }
}

# The view definitions of the server that can be used here, without those that would run a script.
function script:Read-FormatData($Session, [string[]] $TypeNames, [bool] $Asked, $Progress, $Cmdlet) {
    $arguments = @(@{ Name = 'TypeName'; Value = $TypeNames })
    $version = $Session.ApplicationPrivateData.PSVersionTable.PSVersion -as [version]
    if ($version -ge [version] '5.1') { $arguments += @{ Name = 'PowerShellVersion'; Value = $PSVersionTable.PSVersion -as [version] } }
    $patterns = foreach ($name in $TypeNames) { [System.Management.Automation.WildcardPattern]::new($name, 'IgnoreCase, CultureInvariant') }
    $state = @{ Count = 0; Malformed = 0 }
    $definitions = [System.Collections.Generic.List[object]]::new()
    $clock = [Diagnostics.Stopwatch]::StartNew()
    Write-ImportProgress $Progress 'Getting formatting and output information from remote session ...' 0 0 $clock $Cmdlet
    $failed = Invoke-ForImport $Session @{ Text = 'Get-FormatData'; Arguments = $arguments } {
        $state.Count++
        # The engine makes definitions of what is one.
        $definition = Read-ItemValue $args[0]
        if ($definition -isnot [System.Management.Automation.ExtendedTypeDefinition]) { $state.Malformed++ }
        elseif (Test-TypeDefinition $definition $patterns $Cmdlet) { $definitions.Add($definition) }
        Write-ImportProgress $Progress "Getting formatting and output information from remote session ... $($state.Count) objects received" $state.Count 0 $clock $Cmdlet
    } $Cmdlet
    if ($failed) {
        $record = New-RemoteCommandError 'Get-FormatData' $failed
        if ($Asked) { $Cmdlet.ThrowTerminatingError($record) }
        # Views are ornament: the commands are worth having without them. That a server has none to give is not the caller's concern.
        $text = "The views of the server could not be imported: $($failed.Message)"
        if ($record.FullyQualifiedErrorId -eq 'ErrorRequiredRemoteCommandNotFound') { $Cmdlet.WriteVerbose($text) } else { $Cmdlet.WriteWarning($text) }
    }
    elseif ($Asked -and -not $state.Count) { $Cmdlet.ThrowTerminatingError((New-ImportError 'ErrorNoResultsFromRemoteEnd' 'InvalidResult' 'Running the Get-FormatData command in a remote session returned no results.')) }
    if ($state.Malformed) { $Cmdlet.WriteWarning('Data returned by the remote Get-FormatData command is not in the expected format.') }
    $definitions
}

function script:Test-TypeDefinition($Definition, $Patterns, $Cmdlet) {
    $wanted = $false
    foreach ($pattern in $Patterns) { if ($pattern.IsMatch($Definition.TypeName)) { $wanted = $true; break } }
    if (-not $wanted) {
        $Cmdlet.WriteError((New-ImportError 'ErrorSkippedNonRequestedTypeDefinition' 'ResourceExists' "Extended type definition has been skipped for the '$($Definition.TypeName)' type because its name did not match the value of the FormatTypeName parameter."))
        return $false
    }
    $views = $Definition.FormatViewDefinition
    for ($at = $views.Count - 1; $at -ge 0; $at--) { if (-not (Test-View $views[$at].Control)) { $views.RemoveAt($at) } }
    $views.Count -gt 0
}

# Whether a view shows properties alone: a script of the server's would be run here, at the first object that is shown.
function script:Test-View($Control) {
    $entries = @($Control.GroupBy.Expression)
    switch ($Control.GetType().Name) {
        'TableControl' { $entries += @($Control.Rows.Columns.DisplayEntry) + @($Control.Rows.SelectedBy.SelectionCondition) }
        'ListControl' { $entries += @($Control.Entries.Items.DisplayEntry) + @($Control.Entries.Items.ItemSelectionCondition) + @($Control.Entries.EntrySelectedBy.SelectionCondition) }
        'WideControl' { $entries += @($Control.Entries.DisplayEntry) + @($Control.Entries.EntrySelectedBy.SelectionCondition) }
        default {
            # Of these the engine judges, as when it exports views; what it cannot judge is left out.
            $judge = $Control.GetType().GetMethod('SafeForExport', [Reflection.BindingFlags] 'Instance, NonPublic')
            if (-not $judge -or -not $judge.Invoke($Control, $null)) { return $false }
        }
    }
    foreach ($entry in $entries) { if ($null -ne $entry -and "$($entry.ValueType)" -ne 'Property') { return $false } }
    # A condition without a content would be none; the engine takes it for one, and then misses the entry for all the other objects.
    foreach ($entry in $Control.Entries) {
        $by = $entry.EntrySelectedBy
        if ($by -and -not $by.TypeNames.Count -and -not $by.SelectionCondition.Count) { $entry.GetType().GetProperty('EntrySelectedBy').SetValue($entry, $null, $null) }
    }
    $null -eq $Control.GroupBy.CustomControl -or (Test-View $Control.GroupBy.CustomControl)
}

# In memory: Update-FormatData takes what stands in the session's initial state, and would otherwise want a file.
function script:Import-FormatData($Definitions) {
    if (-not $Definitions) { return }
    $formats = [runspace]::DefaultRunspace.InitialSessionState.Formats
    $entries = foreach ($definition in $Definitions) { [System.Management.Automation.Runspaces.SessionStateFormatEntry]::new($definition) }
    foreach ($entry in $entries) { $formats.Add($entry) }
    Microsoft.PowerShell.Utility\Update-FormatData -ErrorAction Ignore
    $entries
}

function script:Remove-FormatData($Entries) {
    if (-not $Entries) { return }
    $formats = [runspace]::DefaultRunspace.InitialSessionState.Formats
    for ($at = $formats.Count - 1; $at -ge 0; $at--) { if ($Entries -contains $formats[$at]) { $formats.RemoveItem($at) } }
    Microsoft.PowerShell.Utility\Update-FormatData -ErrorAction Ignore
}

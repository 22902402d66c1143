function Invoke-TenantCmdlet {
    <#
    .SYNOPSIS
    Runs cmdlets in one or several sessions and returns what they say as it comes.
    .DESCRIPTION
    The script block is turned into commands and arguments here, as Invoke-Command does it, because Exchange runs cmdlets but no script:
    pipelines of cmdlets with constants, $using: variables, param() variables and splats are taken. Anything else (an assignment, if,
    Where-Object with a block, -Filter with a block) is refused by the server with ScriptsNotAllowed, and the error says which part it was.

    Objects carry PSComputerName, RunspaceId and PSShowComputerName as their last properties. Errors, warnings, verbose, debug,
    information and progress records come in the order in which the server wrote them. Errors of the server are not terminating here, but
    for a throw when one session was asked; -ErrorAction Stop makes them so.

    Ctrl+C, and a downstream command that has enough (Select-Object -First), stop the remote command at once.
    .PARAMETER Session
    Sessions of Connect-DelegatedTenant. One is never implied.
    .PARAMETER ConnectionUri
    Opens a session there for this call only, and closes it afterwards. For the other parameters of opening, see Connect-DelegatedTenant.
    .PARAMETER ScriptBlock
    The cmdlets to run.
    .PARAMETER CommandName
    One cmdlet, instead of a script block.
    .PARAMETER Parameters
    The parameters of CommandName.
    .PARAMETER ArgumentList
    Values for param() and $args of the block.
    .PARAMETER InputObject
    Pipeline input for the first cmdlet of the block, sent on while it runs.
    .PARAMETER HideComputerName
    Has the views leave out the name of the server; the property stays.
    .INPUTS
    Any object: input for the remote command.
    .OUTPUTS
    What the remote command returns, deserialized.
    .EXAMPLE
    Invoke-TenantCmdlet -Session $session -ScriptBlock { Get-Mailbox -ResultSize Unlimited | Select-Object DisplayName, PrimarySmtpAddress }

    A pipeline that runs on the server.
    .EXAMPLE
    $change = @{ DisplayName = 'Sales'; HiddenFromAddressListsEnabled = $true }
    Invoke-TenantCmdlet $session { Set-Mailbox $using:identity @using:change }

    Values of the caller.
    .EXAMPLE
    Invoke-TenantCmdlet $session -CommandName Get-Mailbox -Parameters @{ Identity = 'sales'; ErrorAction = 'Stop' }

    The same without a script block.
    .EXAMPLE
    'user1', 'user2' | Invoke-TenantCmdlet $session { Get-MailboxStatistics }

    Pipeline input.
    .LINK
    Connect-DelegatedTenant
    .LINK
    about_DelegatedTenant
    #>
    [CmdletBinding(DefaultParameterSetName = 'Session')]
    [OutputType([psobject])]
    param(
        [Parameter(ParameterSetName = 'Session', Mandatory, Position = 0)]
        [Parameter(ParameterSetName = 'Command', Mandatory, Position = 0)]
        [ValidateNotNullOrEmpty()]
        [object[]] $Session,

        [Parameter(ParameterSetName = 'Uri', Mandatory)]
        [Alias('URI', 'CU')]
        [ValidateNotNullOrEmpty()]
        [uri[]] $ConnectionUri,

        [Parameter(ParameterSetName = 'Session', Mandatory, Position = 1)]
        [Parameter(ParameterSetName = 'Uri', Mandatory, Position = 1)]
        [Alias('Command')]
        [ValidateNotNull()]
        [scriptblock] $ScriptBlock,

        [Parameter(ParameterSetName = 'Command', Mandatory)]
        [ValidateNotNullOrEmpty()]
        [string] $CommandName,

        [Parameter(ParameterSetName = 'Command')]
        [System.Collections.IDictionary] $Parameters,

        [Parameter(ParameterSetName = 'Session')]
        [Parameter(ParameterSetName = 'Uri')]
        [Alias('Args')]
        [object[]] $ArgumentList,

        [Parameter(ValueFromPipeline)]
        [psobject] $InputObject,

        [Alias('HCN')]
        [switch] $HideComputerName,

        [Parameter(ParameterSetName = 'Uri')] [Alias('DelegatedOrg')] [string] $Organization,
        [Parameter(ParameterSetName = 'Uri')] [pscredential] [System.Management.Automation.Credential()] $Credential,
        [Parameter(ParameterSetName = 'Uri')] [System.Management.Automation.Runspaces.AuthenticationMechanism] $Authentication,
        [Parameter(ParameterSetName = 'Uri')] [string] $ConfigurationName,
        [Parameter(ParameterSetName = 'Uri')] [switch] $AllowRedirection,
        [Parameter(ParameterSetName = 'Uri')] [ValidateNotNull()] [System.Management.Automation.Remoting.PSSessionOption] $SessionOption,
        [Parameter(ParameterSetName = 'Uri')] [switch] $AllowUnencrypted
    )
    begin {
        Initialize-Module
        # A script module sees only the global preferences; the caller's are in the caller's session state.
        $caller = $PSCmdlet.SessionState.PSVariable
        if (-not $PSBoundParameters.ContainsKey('ErrorAction')) { $ErrorActionPreference = $caller.GetValue('ErrorActionPreference') }
        if (-not $PSBoundParameters.ContainsKey('WarningAction')) { $WarningPreference = $caller.GetValue('WarningPreference') }
        if (-not $PSBoundParameters.ContainsKey('InformationAction')) { $InformationPreference = $caller.GetValue('InformationPreference') }
        $ProgressPreference = $caller.GetValue('ProgressPreference')
        # Verbose and debug text was asked for in the block: the server sends none otherwise. Off is only what is turned off here.
        if (-not $PSBoundParameters.ContainsKey('Verbose')) { $VerbosePreference = 'Continue' }
        if (-not $PSBoundParameters.ContainsKey('Debug') -or $PSBoundParameters['Debug']) { $DebugPreference = 'Continue' }

        $runs = @()
        $temporary = @()
        if ($PSCmdlet.ParameterSetName -eq 'Command') {
            $arguments = if ($Parameters) { foreach ($key in $Parameters.Keys) { @{ Name = [string] $key; Value = $Parameters[$key] } } }
            $statement = @{ Reason = $null; Commands = @(@{ Text = $CommandName; IsScript = $false; End = $false; Merges = $null; Arguments = @($arguments) }) }
        }
        else {
            $statement = ConvertTo-Statement $ScriptBlock $ArgumentList $PSCmdlet
            if ($statement.Refused) { $PSCmdlet.ThrowTerminatingError($statement.Refused) }
        }
        $ready = $false
        try {
            if ($PSCmdlet.ParameterSetName -eq 'Uri') {
                if ($PSBoundParameters.ContainsKey('Credential') -and $null -eq $Credential) { $PSBoundParameters['Credential'] = Read-Credential $PSCmdlet }
                $temporary = @(Open-TemporarySession $PSBoundParameters $SessionOption $PSCmdlet)
                $targets = $temporary
            }
            else { $targets = @(Select-UsableSession $Session $PSCmdlet) }
            $piped = $PSCmdlet.MyInvocation.ExpectingInput -or $PSBoundParameters.ContainsKey('InputObject')
            $runs = @(foreach ($target in $targets) {
                $refusal = $null
                $run = Start-Invocation $target $statement.Commands $statement.Reason $piped (-not $HideComputerName) ([ref] $refusal)
                if ($run) { $run } else { $PSCmdlet.WriteError((New-StateError $target $refusal)) }
            })
            if ($targets.Count -and -not $runs) { $PSCmdlet.ThrowTerminatingError((New-NoSessionError)) }
            $alone = @($Session).Count -le 1 -and @($ConnectionUri).Count -le 1
            $ready = $true
        }
        catch { $PSCmdlet.ThrowTerminatingError($_) }
        finally {
            if (-not $ready) {
                Stop-Invocation $runs
                foreach ($one in $temporary) { Close-Session $one $one.CancelTimeout }
            }
        }
    }
    process {
        if (-not $piped) { return }
        $ready = $false
        try {
            Send-Input $runs $InputObject $PSCmdlet $alone
            $ready = $true
        }
        catch { $PSCmdlet.ThrowTerminatingError($_) }
        finally {
            if (-not $ready) {
                Stop-Invocation $runs
                foreach ($one in $temporary) { Close-Session $one $one.CancelTimeout }
            }
        }
    }
    end {
        try {
            if ($piped) { Close-Input $runs }
            while ($open = @(foreach ($run in $runs) { if (-not $run.Ended) { $run } })) {
                # One is waited for; of several, each in turn says what it has.
                $wait = if ($open.Count -eq 1) { 100 } else { 10 }
                foreach ($run in $open) { Read-Invocation $run $PSCmdlet $wait $alone }
            }
        }
        catch { $PSCmdlet.ThrowTerminatingError($_) }
        finally {
            Stop-Invocation $runs
            foreach ($one in $temporary) { Close-Session $one $one.CancelTimeout }
        }
        # As it stands, without this command's name, and whatever the preference.
        if ($runs.Count -eq 1 -and $runs[0].Thrown) {
            $ErrorActionPreference = 'Stop'
            throw $runs[0].Thrown
        }
    }
}

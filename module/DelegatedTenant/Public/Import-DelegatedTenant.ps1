function Import-DelegatedTenant {
    <#
    .SYNOPSIS
    Imports the remote cmdlets of a session, to be called like local commands.
    .DESCRIPTION
    Asks the session for its cmdlets and makes a function for each, with the same name and parameters, which
    runs the cmdlet in the session. Scripts that were written for Import-PSSession go on with this in its
    place.

    The functions live in a module in memory: no file is written, so that it works where only signed scripts
    may run. They go with the session when it is disconnected, or with Remove-Module. Pipeline input,
    -ErrorVariable, -OutVariable and the like work as for any command; -ErrorAction, -WarningAction and
    -InformationAction act on the server as well as here.

    A command whose name is taken already is left out with a warning, unless AllowClobber says otherwise. A
    command, parameter or alias with a name that could not stand in a script is refused with an error: what a
    server sends is not trusted.

    To call a few cmdlets, Invoke-TenantCmdlet needs no import. With several tenants at once, give each
    import a prefix of its own.
    .PARAMETER Session
    The session of Connect-DelegatedTenant whose cmdlets are imported.
    .PARAMETER CommandName
    The cmdlets to import, by names or wildcards. All of them when absent.
    .PARAMETER FormatTypeName
    The types, by names or wildcards, whose views are imported from the server. All of them when neither this
    nor a choice of commands is given, none when only commands are chosen. A view that holds a script is left
    out.
    .PARAMETER Prefix
    Goes before the nouns of the imported commands: with Fabrikam, Get-Mailbox becomes Get-FabrikamMailbox.
    .PARAMETER AllowClobber
    Imports also commands whose names are taken by commands of this PowerShell, which they then hide.
    .PARAMETER DisableNameChecking
    Does without the warning about verbs that are not approved.
    .PARAMETER CommandType
    The types of commands to import: Cmdlet, Function, Filter, Alias, or several. All of them when absent.
    .PARAMETER Module
    The modules of the server, by names or wildcards, whose commands are imported.
    .INPUTS
    None
    .OUTPUTS
    System.Management.Automation.PSModuleInfo
    .EXAMPLE
    Import-DelegatedTenant $session -CommandName Get-Mailbox, Set-Mailbox -AllowClobber -DisableNameChecking
    Get-Mailbox -ResultSize 10 | Set-Mailbox -CustomAttribute1 checked

    Two cmdlets, called like local ones.
    .EXAMPLE
    Import-DelegatedTenant $session -CommandName *-Mailbox* -Prefix Fabrikam
    Get-FabrikamMailbox sales

    Every cmdlet for mailboxes, under names that tell the customer.
    .EXAMPLE
    $module = Import-DelegatedTenant $session
    $module.ExportedCommands.Count
    Remove-Module $module

    Everything that the account may run, and away with it; the session stays open.
    .LINK
    Connect-DelegatedTenant
    .LINK
    Invoke-TenantCmdlet
    .LINK
    about_DelegatedTenant
    #>
    [CmdletBinding()]
    [OutputType([System.Management.Automation.PSModuleInfo])]
    param(
        [Parameter(Mandatory, Position = 0)]
        [ValidateNotNull()]
        [object] $Session,

        [Parameter(Position = 2)]
        [Alias('Name')]
        [ArgumentCompleter({ & (Microsoft.PowerShell.Core\Get-Module DelegatedTenant)[0] { if ($script:Native) { Complete-Argument $args[1] $args[2] $args[4] } } @args })]
        [string[]] $CommandName = '*',

        [Parameter(Position = 3)]
        [string[]] $FormatTypeName = '*',

        [ValidateNotNullOrEmpty()]
        [string] $Prefix,

        [switch] $AllowClobber,

        [switch] $DisableNameChecking,

        [Alias('Type')]
        [System.Management.Automation.CommandTypes] $CommandType,

        [Alias('PSSnapin')]
        [ValidateNotNull()]
        [string[]] $Module
    )
    end {
        Initialize-Module
        if ($null -eq $script:Imports) { . ([IO.Path]::Combine([IO.Path]::GetDirectoryName($PSScriptRoot), 'Private', 'Import.ps1')) }
        # A script module sees only the global preferences; the caller's are in the caller's session state.
        $caller = $PSCmdlet.SessionState.PSVariable
        if (-not $PSBoundParameters.ContainsKey('ErrorAction')) { $ErrorActionPreference = $caller.GetValue('ErrorActionPreference') }
        if (-not $PSBoundParameters.ContainsKey('WarningAction')) { $WarningPreference = $caller.GetValue('WarningPreference') }
        $ProgressPreference = $caller.GetValue('ProgressPreference')

        if (-not (Test-Session $Session)) {
            $exception = [ArgumentException]::new("'$Session' is not a session that Connect-DelegatedTenant opened in this process.")
            $PSCmdlet.ThrowTerminatingError([System.Management.Automation.ErrorRecord]::new($exception, 'NotADelegatedTenantSession', 'InvalidArgument', $Session))
        }
        if ($Session.Reconnect -and (Test-Restorable $Session) -and -not (Restore-Session $Session $PSCmdlet)) { return }
        if ("$($Session.State)" -ne 'Opened') { $PSCmdlet.ThrowTerminatingError((New-StateError $Session $null)) }
        $chosen = $PSBoundParameters.ContainsKey('CommandName') -or $PSBoundParameters.ContainsKey('CommandType') -or $PSBoundParameters.ContainsKey('Module')
        $shown = $PSBoundParameters.ContainsKey('FormatTypeName')
        $progress = [System.Management.Automation.ProgressRecord]::new(1905347799, 'Creating implicit remoting module ...', 'Getting command information from remote session ...')
        try {
            $proxies = @{}
            if ($CommandName -and ($chosen -or -not $shown)) {
                $only = @{}
                if ($PSBoundParameters.ContainsKey('CommandType')) { $only.command_types = "$CommandType" }
                if ($Module) { $only.modules = $Module -join ',' }
                $told = Read-CommandMetadata $Session $CommandName $only $progress $PSCmdlet
                if ($chosen -and -not $told.Count) { $PSCmdlet.ThrowTerminatingError((New-ImportError 'ErrorNoResultsFromRemoteEnd' 'InvalidResult' 'Running the Get-Command command in a remote session returned no results.')) }
                $proxies = Select-ProxyCommand $told $CommandName $Prefix $AllowClobber $Session $PSCmdlet
            }
            $definitions = @()
            if ($FormatTypeName -and ($shown -or -not $chosen)) { $definitions = @(Read-FormatData $Session $FormatTypeName $shown $progress $PSCmdlet) }
            Import-Proxy $Session $proxies $definitions $Prefix $DisableNameChecking $PSCmdlet
        }
        finally {
            $progress.RecordType = 'Completed'
            $progress.StatusDescription = 'Completed.'
            $PSCmdlet.WriteProgress($progress)
        }
    }
}

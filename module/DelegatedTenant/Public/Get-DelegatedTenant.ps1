function Get-DelegatedTenant {
    <#
    .SYNOPSIS
    Lists the sessions that Connect-DelegatedTenant opened.
    .DESCRIPTION
    Without parameters, every session of this PowerShell that was not disconnected, also one that is Broken.
    The session of a single Invoke-TenantCmdlet -ConnectionUri is not listed.

    With -All, also what the ledger tells of the other processes of this user: who holds the sessions that an
    account may have. The ledger is a few small files without secrets in the folder that belongs to the
    user's state (~/.local/state/delegated-tenant, or %LOCALAPPDATA%\DelegatedTenant). A process that is no
    longer alive has left its sessions behind; the next connect of the account closes them.
    .PARAMETER Name
    The names of sessions; wildcards are allowed.
    .PARAMETER Id
    The numbers of sessions.
    .PARAMETER InstanceId
    The ids of the runspaces of sessions.
    .PARAMETER Organization
    The organizations of sessions; wildcards are allowed.
    .PARAMETER All
    Adds the sessions of the user's other processes, as the ledger tells of them.
    .OUTPUTS
    DelegatedTenant.Session, and with -All also DelegatedTenant.LedgerEntry.
    .EXAMPLE
    Get-DelegatedTenant

    The sessions of this PowerShell.
    .EXAMPLE
    Get-DelegatedTenant | Disconnect-DelegatedTenant

    Closes them all.
    .EXAMPLE
    Get-DelegatedTenant -All | Where-Object Account -eq admin@partner.com

    Who holds the sessions of an account.
    .LINK
    Connect-DelegatedTenant
    .LINK
    Disconnect-DelegatedTenant
    .LINK
    about_DelegatedTenant
    #>
    [CmdletBinding(DefaultParameterSetName = 'Name')]
    [OutputType('DelegatedTenant.Session', 'DelegatedTenant.LedgerEntry')]
    param(
        [Parameter(ParameterSetName = 'Name', ValueFromPipelineByPropertyName)]
        [ValidateNotNullOrEmpty()]
        [ArgumentCompleter({ & (Microsoft.PowerShell.Core\Get-Module DelegatedTenant)[0] { if ($script:Native) { Complete-Argument $args[1] $args[2] $args[4] } } @args })]
        [string[]] $Name,

        [Parameter(ParameterSetName = 'Id', Mandatory, Position = 0, ValueFromPipelineByPropertyName)]
        [ValidateNotNull()]
        [ArgumentCompleter({ & (Microsoft.PowerShell.Core\Get-Module DelegatedTenant)[0] { if ($script:Native) { Complete-Argument $args[1] $args[2] $args[4] } } @args })]
        [int[]] $Id,

        [Parameter(ParameterSetName = 'InstanceId', Mandatory, ValueFromPipelineByPropertyName)]
        [ValidateNotNull()]
        [guid[]] $InstanceId,

        [Parameter(ParameterSetName = 'Name')]
        [Parameter(ParameterSetName = 'All')]
        [ValidateNotNullOrEmpty()]
        [string[]] $Organization,

        [Parameter(ParameterSetName = 'All', Mandatory)]
        [switch] $All
    )
    begin {
        Initialize-Module
        if (-not $PSBoundParameters.ContainsKey('ErrorAction')) { $ErrorActionPreference = $PSCmdlet.SessionState.PSVariable.GetValue('ErrorActionPreference') }
    }
    process {
        $found = @(Select-TenantSession $PSBoundParameters $PSCmdlet)
        if ($All) { $found += @(Get-LedgerEntry $found) }
        Select-ByOrganization $found $Organization $PSCmdlet
    }
}

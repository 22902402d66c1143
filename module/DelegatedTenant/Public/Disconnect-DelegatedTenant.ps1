function Disconnect-DelegatedTenant {
    <#
    .SYNOPSIS
    Closes sessions that Connect-DelegatedTenant opened.
    .DESCRIPTION
    Stops what runs in the session, closes it on the server and takes it out of the list. A session that is
    already closed, or broken, is silently done with. Nothing is returned.
    .PARAMETER Session
    The sessions to close; their numbers and the names of their computers are taken too.
    .PARAMETER Id
    The numbers of the sessions to close.
    .PARAMETER Name
    The names of the sessions to close; wildcards are allowed.
    .PARAMETER InstanceId
    The ids of the runspaces of the sessions to close.
    .PARAMETER ComputerName
    The hosts to which the sessions to close were opened.
    .INPUTS
    DelegatedTenant.Session
    .EXAMPLE
    Disconnect-DelegatedTenant $session

    Closes one session.
    .EXAMPLE
    Disconnect-DelegatedTenant -Name *

    Closes every session of this PowerShell.
    .LINK
    Connect-DelegatedTenant
    .LINK
    Get-DelegatedTenant
    .LINK
    about_DelegatedTenant
    #>
    [CmdletBinding(DefaultParameterSetName = 'Session', SupportsShouldProcess)]
    [OutputType([void])]
    param(
        [Parameter(ParameterSetName = 'Session', Mandatory, Position = 0, ValueFromPipeline, ValueFromPipelineByPropertyName)]
        [ValidateNotNullOrEmpty()]
        [object[]] $Session,

        [Parameter(ParameterSetName = 'Id', Mandatory, ValueFromPipelineByPropertyName)]
        [ValidateNotNull()]
        [ArgumentCompleter({ & (Microsoft.PowerShell.Core\Get-Module DelegatedTenant)[0] { if ($script:Native) { Complete-Argument $args[1] $args[2] $args[4] } } @args })]
        [int[]] $Id,

        [Parameter(ParameterSetName = 'Name', Mandatory, ValueFromPipelineByPropertyName)]
        [ValidateNotNullOrEmpty()]
        [ArgumentCompleter({ & (Microsoft.PowerShell.Core\Get-Module DelegatedTenant)[0] { if ($script:Native) { Complete-Argument $args[1] $args[2] $args[4] } } @args })]
        [string[]] $Name,

        [Parameter(ParameterSetName = 'InstanceId', Mandatory, ValueFromPipelineByPropertyName)]
        [ValidateNotNull()]
        [guid[]] $InstanceId,

        [Parameter(ParameterSetName = 'ComputerName', Mandatory)]
        [ValidateNotNullOrEmpty()]
        [Alias('Cn')]
        [string[]] $ComputerName
    )
    begin {
        Initialize-Module
        # A script module sees only the global preferences; the caller's are in the caller's session state.
        $caller = $PSCmdlet.SessionState.PSVariable
        if (-not $PSBoundParameters.ContainsKey('ErrorAction')) { $ErrorActionPreference = $caller.GetValue('ErrorActionPreference') }
        if (-not $PSBoundParameters.ContainsKey('WhatIf')) { $WhatIfPreference = $caller.GetValue('WhatIfPreference') }
        if (-not $PSBoundParameters.ContainsKey('Confirm')) { $ConfirmPreference = $caller.GetValue('ConfirmPreference') }
    }
    process {
        $chosen = @(Select-TenantSession $PSBoundParameters $PSCmdlet)
        $closing = @(foreach ($one in $chosen) { if ($PSCmdlet.ShouldProcess($one.ComputerName, 'Remove')) { $one } })
        foreach ($one in $closing) { $null = Close-Session $one 0 }
        foreach ($one in $closing) { $null = Close-Session $one $one.CancelTimeout }
    }
}

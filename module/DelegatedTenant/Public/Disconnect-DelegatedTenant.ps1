function Disconnect-DelegatedTenant {
    <#
    .SYNOPSIS
    Closes sessions that Connect-DelegatedTenant opened.
    .DESCRIPTION
    Stops what runs in the session, closes it on the server and takes it out of the list. A session that is already closed, or broken, is
    silently done with. Nothing is returned.
    .PARAMETER Session
    The sessions to close; their numbers are taken too.
    .PARAMETER Id
    The numbers of the sessions to close.
    .PARAMETER Name
    The names of the sessions to close; wildcards are allowed.
    .PARAMETER InstanceId
    The ids of the runspaces of the sessions to close.
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
        [guid[]] $InstanceId
    )
    begin {
        Initialize-Module
        # A script module sees only the global preferences; the caller's are in the caller's session state.
        $caller = $PSCmdlet.SessionState.PSVariable
        if (-not $PSBoundParameters.ContainsKey('ErrorAction')) { $ErrorActionPreference = $caller.GetValue('ErrorActionPreference') }
        if (-not $PSBoundParameters.ContainsKey('WhatIf')) { $WhatIfPreference = $caller.GetValue('WhatIfPreference') }
        if (-not $PSBoundParameters.ContainsKey('Confirm')) { $ConfirmPreference = $caller.GetValue('ConfirmPreference') }
        # Absent: the identity that Remove-PSSession gives.
        $refuse = {
            param($text, $id, $target)
            $PSCmdlet.WriteError([System.Management.Automation.ErrorRecord]::new([ArgumentException]::new($text), $id, 'InvalidArgument', $target))
        }
    }
    process {
        $known = @($script:Sessions.Values)
        $chosen = switch ($PSCmdlet.ParameterSetName) {
            'Session' {
                foreach ($one in $Session) {
                    if (Test-Session $one) { $one }
                    elseif ($one -is [int]) {
                        # Remove-PSSession takes numbers here too.
                        $found = @(foreach ($session_ in $known) { if ($session_.Id -eq $one) { $session_ } })
                        if ($found) { $found } else { & $refuse "The remote session with the session ID $one is not available." 'RemoteRunspaceNotAvailableForSpecifiedSessionId' $one }
                    }
                    else { & $refuse "$one is not a session that Connect-DelegatedTenant opened in this process." 'RemoteRunspaceNotAvailable' $one }
                }
            }
            'Id' {
                foreach ($one in $Id) {
                    $found = @(foreach ($session_ in $known) { if ($session_.Id -eq $one) { $session_ } })
                    if ($found) { $found } else { & $refuse "The remote session with the session ID $one is not available." 'RemoteRunspaceNotAvailableForSpecifiedSessionId' $one }
                }
            }
            'Name' {
                foreach ($one in $Name) {
                    $pattern = [System.Management.Automation.WildcardPattern]::new($one, 'IgnoreCase')
                    $found = @(foreach ($session_ in $known) { if ($pattern.IsMatch($session_.Name)) { $session_ } })
                    if ($found) { $found }
                    elseif (-not [System.Management.Automation.WildcardPattern]::ContainsWildcardCharacters($one)) { & $refuse "The remote session with the name $one is not available." 'RemoteRunspaceNotAvailableForSpecifiedName' $one }
                }
            }
            'InstanceId' {
                foreach ($one in $InstanceId) {
                    $found = @(foreach ($session_ in $known) { if ($session_.InstanceId -eq $one) { $session_ } })
                    if ($found) { $found } else { & $refuse "Remote session is not available for $one." 'RemoteRunspaceNotAvailableForSpecifiedRunspaceId' $one }
                }
            }
        }
        $closing = @(foreach ($one in $chosen) { if ($PSCmdlet.ShouldProcess($one.ComputerName, 'Remove')) { $one } })
        foreach ($one in $closing) { $null = Close-Session $one 0 }
        foreach ($one in $closing) { $null = Close-Session $one $one.CancelTimeout }
    }
}

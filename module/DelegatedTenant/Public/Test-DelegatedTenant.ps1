function Test-DelegatedTenant {
    <#
    .SYNOPSIS
    Walks the way to a customer's Exchange organization step by step, and says where it ends and what helps.
    .DESCRIPTION
    Goes the way of Connect-DelegatedTenant, with the same parameters and by the same means: the library's own connections, proxies and
    certificates, not those of PowerShell. The steps are

    Name          the name of the server, or of the proxy in front of it, leads to an address
    TCP           the server takes a connection, through the proxy where there is one
    TLS           its certificate is good and it speaks a safe version of TLS
    HTTP          remote PowerShell answers at this address and asks for a sign-in that this module has
    SignIn        the account is let in
    Shell         the service opens a session
    Organization  the server names the organization that was asked for as its own

    One object is written for each as it is done, and those behind a step that failed are skipped. The session is closed again: nothing
    is left open. While the test lasts it counts as one of the sessions that the account may have.
    .PARAMETER ConnectionUri
    The endpoint. Without it, the partner endpoint of Exchange Online, https://ps.outlook.com/powershell-liveid.
    .PARAMETER Organization
    The customer's domain or tenant id; it becomes DelegatedOrg in the query. Taken from the pipeline by property name, also as
    DefaultDomainName, Domain, TenantId or CustomerId, as the objects of partner modules have it.
    .PARAMETER Credential
    The partner's account. For a token, the password is "Bearer " and the token. A name or $null asks for the password.
    .PARAMETER Authentication
    How to sign in; Basic when absent.
    .PARAMETER ConfigurationName
    The session configuration of the server; Microsoft.Exchange when absent.
    .PARAMETER AllowRedirection
    Consents to be sent on to another server.
    .PARAMETER RedirectionHost
    Domains that a redirection may lead to, besides the server's own and Microsoft's: the credential goes there.
    .PARAMETER SessionOption
    What New-PSSessionOption returns. When absent, the variable $PSSessionOption is used if it holds one.
    .PARAMETER AllowUnencrypted
    Allows an http address. The password then travels readable for anybody on the way.
    .PARAMETER OpenTimeout
    How long opening may take, in milliseconds. None of the first four steps is given more than 15 seconds.
    .PARAMETER OperationTimeout
    How long one operation on the server may take, in milliseconds.
    .PARAMETER CancelTimeout
    How long closing may take, in milliseconds.
    .PARAMETER Proxy
    The proxy to go through. When absent, the environment decides (HTTPS_PROXY, HTTP_PROXY, NO_PROXY).
    .PARAMETER ProxyCredential
    The account for the proxy.
    .PARAMETER NoProxy
    Goes straight to the server, whatever the environment says.
    .PARAMETER Quiet
    Gives $true where every step is well and $false otherwise, as Test-Connection does, and nothing else.
    .INPUTS
    Objects with a property Organization, DefaultDomainName, Domain, TenantId or CustomerId.
    .OUTPUTS
    DelegatedTenant.Check, one for each step: Step, Result (Passed, Failed or Skipped), Detail, Remedy, Milliseconds, ErrorId,
    Organization, ConnectionUri. With Quiet, a boolean.
    .EXAMPLE
    Test-DelegatedTenant -Organization fabrikam.com -Credential (Get-Credential) -AllowRedirection

    Shows each step, and at the one that fails what to do.
    .EXAMPLE
    if (Test-DelegatedTenant -Organization fabrikam.com -Credential $credential -AllowRedirection -Quiet) { .\Nightly.ps1 }

    Runs a script only where a session can be had.
    .EXAMPLE
    $customers | Test-DelegatedTenant -Credential $credential -AllowRedirection | Where-Object Result -eq Failed | Format-Table Organization, Step, Remedy

    What is wrong with which customer.
    .LINK
    Connect-DelegatedTenant
    .LINK
    about_DelegatedTenant
    #>
    [CmdletBinding()]
    [OutputType('DelegatedTenant.Check', [bool])]
    param(
        [Parameter(Position = 0, ValueFromPipelineByPropertyName)]
        [ValidateNotNullOrEmpty()]
        [Alias('URI', 'CU')]
        [uri] $ConnectionUri = 'https://ps.outlook.com/powershell-liveid',

        [Parameter(ValueFromPipelineByPropertyName)]
        [Alias('DelegatedOrg', 'DefaultDomainName', 'Domain', 'TenantId', 'CustomerId')]
        [string] $Organization,

        [Parameter(ValueFromPipelineByPropertyName)]
        [pscredential] [System.Management.Automation.Credential()] $Credential,

        [System.Management.Automation.Runspaces.AuthenticationMechanism] $Authentication,

        [Parameter(ValueFromPipelineByPropertyName)]
        [string] $ConfigurationName,

        [switch] $AllowRedirection,

        [string[]] $RedirectionHost,

        [ValidateNotNull()]
        [System.Management.Automation.Remoting.PSSessionOption] $SessionOption,

        [switch] $AllowUnencrypted,

        [ValidateRange(1, 2147483647)] [int] $OpenTimeout,
        [ValidateRange(1, 2147483647)] [int] $OperationTimeout,
        [ValidateRange(1, 2147483647)] [int] $CancelTimeout,

        [uri] $Proxy,
        [pscredential] [System.Management.Automation.Credential()] $ProxyCredential,
        [switch] $NoProxy,

        [switch] $Quiet
    )
    begin {
        Initialize-Module
        # A script module sees only the global preferences; the caller's are in the caller's session state.
        $caller = $PSCmdlet.SessionState.PSVariable
        if (-not $PSBoundParameters.ContainsKey('ErrorAction')) { $ErrorActionPreference = $caller.GetValue('ErrorActionPreference') }
    }
    process {
        $check = [IntPtr]::Zero
        try {
            $option = if ($SessionOption) { $SessionOption } else { $caller.GetValue('PSSessionOption') -as [System.Management.Automation.Remoting.PSSessionOption] }
            if ($PSBoundParameters.ContainsKey('Credential') -and $null -eq $Credential) { $PSBoundParameters['Credential'] = Read-Credential $PSCmdlet }
            $settings = Get-SessionSettings $PSBoundParameters $option $Host
            $settings.uri = $ConnectionUri.OriginalString
            $refused = $null
            $check = Start-Check $settings ([ref] $refused)
            if ($refused) { $PSCmdlet.WriteError((New-OpenError $refused $ConnectionUri)); return }
            $well = $true
            while ($step = Read-Check $check) {
                if ($step.Result -eq 'Failed') { $well = $false }
                if ($Quiet) { continue }
                $members = $step.PSObject.Members
                $members.Add([psnoteproperty]::new('Organization', $Organization), $true)
                $members.Add([psnoteproperty]::new('ConnectionUri', $settings.uri), $true)
                $PSCmdlet.WriteObject($step)
            }
            if ($Quiet) { $PSCmdlet.WriteObject($well) }
        }
        catch { $PSCmdlet.ThrowTerminatingError($_) }
        finally { Stop-Check $check }
    }
}

function Test-DelegatedTenant {
    <#
    .SYNOPSIS
    Walks the way to a customer's Exchange organization step by step, and says where it ends and what helps.
    .DESCRIPTION
    Goes the way of Connect-DelegatedTenant, with the same parameters and by the same means: the library's
    own connections, proxies and certificates, not those of PowerShell. The steps are

    Name          the name of the server, or of the proxy in front of it, leads to an address TCP
    the server takes a connection, through the proxy where there is one TLS           its certificate is good
    and it speaks a safe version of TLS HTTP          remote PowerShell, or Exchange Online's API, answers at
    this address and asks for a sign-in that this module has SignIn        the account is let in; for
    Exchange Online, Microsoft Entra ID gives a token Shell         the service opens a session; on Exchange
    Online, Service: the API takes the token for the organization Organization  the server names the
    organization that was asked for as its own

    One object is written for each as it is done, and those behind a step that failed are skipped. The
    session is closed again: nothing is left open. While the test lasts it counts as one of the sessions that
    the account may have; Exchange Online counts none.
    .PARAMETER ConnectionUri
    The endpoint. Without it, Exchange Online, by its REST API, to which the addresses that remote PowerShell
    had there lead too.
    .PARAMETER ComputerName
    The name of an Exchange server of your own, in place of its URI: http://<name>/PowerShell, and https with
    UseSSL.
    .PARAMETER Port
    The port of ComputerName: 80 when absent, and 443 with UseSSL.
    .PARAMETER UseSSL
    Goes to ComputerName by https.
    .PARAMETER ApplicationName
    The path on ComputerName; PowerShell when absent, as Exchange has it.
    .PARAMETER Organization
    The customer's domain or tenant id; it becomes DelegatedOrg in the query. Taken from the pipeline by
    property name, also as DefaultDomainName, Domain, TenantId or CustomerId, as the objects of partner
    modules have it.
    .PARAMETER Credential
    The partner's account. For a token, the password is "Bearer " and the token. A name or $null asks for the
    password.
    .PARAMETER TokenCallback
    A script block that gives a token: a string, a SecureString or a PSCredential with the token as its
    password. It is called once, before the walk, unless Credential or AccessToken has a token that is still
    good.
    .PARAMETER Authentication
    How to sign in. Basic, the default, is what Exchange's partner endpoint takes.
    .PARAMETER ConfigurationName
    The session configuration of the server; Microsoft.Exchange when absent.
    .PARAMETER AppId
    Exchange Online: the application that signs in; Microsoft's own for PowerShell when absent.
    .PARAMETER CertificateFilePath
    Exchange Online: a .pfx or PEM file with the application's certificate and key.
    .PARAMETER CertificatePassword
    The password of that file.
    .PARAMETER CertificateThumbprint
    Exchange Online: the thumbprint of the application's certificate in CurrentUser\My or LocalMachine\My,
    with its RSA key, which need not be exportable: it signs where it is.
    .PARAMETER FederatedTokenFile
    Exchange Online: a file with a token of the workload that this runs as, such as
    $env:AZURE_FEDERATED_TOKEN_FILE names, where the application AppId has a federated credential for it. It
    is read anew each time that it is needed.
    .PARAMETER ClientSecret
    Exchange Online: the application's secret, as text or SecureString.
    .PARAMETER RefreshToken
    Exchange Online: a refresh token of the partner's own tenant, as the Secure Application Model gives it;
    it is redeemed for each Organization. With the AppId (and ClientSecret) that it was given to. As text or
    SecureString.
    .PARAMETER AccessToken
    Exchange Online: a ready token, as text or SecureString.
    .PARAMETER ManagedIdentity
    Exchange Online: signs in as the machine this runs on.
    .PARAMETER ManagedIdentityAccountId
    Which of the machine's identities.
    .PARAMETER Device
    Exchange Online: shows a code, to sign in with on any other device.
    .PARAMETER UserPrincipalName
    Exchange Online: who signs in.
    .PARAMETER ExchangeEnvironmentName
    Exchange Online: the cloud; the commercial one when absent.
    .PARAMETER AzureADAuthorizationEndpointUri
    Exchange Online: who issues tokens; the cloud's own when absent.
    .PARAMETER PageSize
    Exchange Online: how many objects one answer holds, 1000 when absent.
    .PARAMETER AllowRedirection
    Consents to be sent on to another server, at most as often as MaximumConnectionRedirectionCount of
    SessionOption says (5). Each new address is shown as a warning.
    .PARAMETER RedirectionHost
    Domains that a redirection may lead to, besides the server's own and Microsoft's: the credential goes
    there.
    .PARAMETER SessionOption
    What New-PSSessionOption returns. When absent, the variable $PSSessionOption is used if it holds one.
    ProxyAccessType IEConfig, WinHttpConfig and AutoDetect read the settings of Windows; elsewhere the
    environment decides.
    .PARAMETER AllowUnencrypted
    Allows an http address. The password then travels readable for anybody on the way.
    .PARAMETER OpenTimeout
    How long opening may take, in milliseconds. None of the first four steps is given more than 15 seconds.
    .PARAMETER OperationTimeout
    How long one operation on the server may take, in milliseconds.
    .PARAMETER CancelTimeout
    How long stopping and closing may take, in milliseconds.
    .PARAMETER IdleTimeout
    After how long without use the server may close the session, in milliseconds; at least 60000.
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
    .EXAMPLE
    Test-DelegatedTenant -Organization fabrikam.onmicrosoft.com -AppId $app -ClientSecret $secret -RefreshToken $token

    The way to Exchange Online, with the sign-in of a partner's application.
    .LINK
    Connect-DelegatedTenant
    .LINK
    about_DelegatedTenant
    #>
    [CmdletBinding(DefaultParameterSetName = 'Uri')]
    [OutputType('DelegatedTenant.Check', [bool])]
    param(
        [Parameter(ParameterSetName = 'Uri', Position = 0, ValueFromPipelineByPropertyName)]
        [ValidateNotNullOrEmpty()]
        [Alias('URI', 'CU')]
        [uri] $ConnectionUri,

        [Parameter(ParameterSetName = 'ComputerName', Mandatory)]
        [ValidateNotNullOrEmpty()]
        [Alias('Cn')]
        [string] $ComputerName,

        [Parameter(ParameterSetName = 'ComputerName')]
        [ValidateRange(1, 65535)]
        [int] $Port,

        [Parameter(ParameterSetName = 'ComputerName')]
        [switch] $UseSSL,

        [Parameter(ParameterSetName = 'ComputerName')]
        [ValidateNotNullOrEmpty()]
        [string] $ApplicationName = 'PowerShell',

        [Parameter(ValueFromPipelineByPropertyName)]
        [Alias('DelegatedOrganization', 'DelegatedOrg', 'DefaultDomainName', 'Domain', 'TenantId', 'CustomerId')]
        [string] $Organization,

        [Parameter(ValueFromPipelineByPropertyName)]
        [pscredential] [System.Management.Automation.Credential()] $Credential,

        [scriptblock] $TokenCallback,

        [System.Management.Automation.Runspaces.AuthenticationMechanism] $Authentication,

        [Parameter(ValueFromPipelineByPropertyName)]
        [string] $ConfigurationName,

        [Parameter(ParameterSetName = 'Uri')] [string] $AppId,
        [Parameter(ParameterSetName = 'Uri')] [string] $CertificateFilePath,
        [Parameter(ParameterSetName = 'Uri')] [securestring] $CertificatePassword,
        [Parameter(ParameterSetName = 'Uri')] [string] $CertificateThumbprint,
        [Parameter(ParameterSetName = 'Uri')] [string] $FederatedTokenFile,
        [Parameter(ParameterSetName = 'Uri')] [ValidateNotNullOrEmpty()] [object] $ClientSecret,
        [Parameter(ParameterSetName = 'Uri')] [ValidateNotNullOrEmpty()] [object] $RefreshToken,
        [Parameter(ParameterSetName = 'Uri')] [ValidateNotNullOrEmpty()] [object] $AccessToken,
        [Parameter(ParameterSetName = 'Uri')] [switch] $ManagedIdentity,
        [Parameter(ParameterSetName = 'Uri')] [string] $ManagedIdentityAccountId,
        [Parameter(ParameterSetName = 'Uri')] [switch] $Device,
        [Parameter(ParameterSetName = 'Uri')] [string] $UserPrincipalName,
        [Parameter(ParameterSetName = 'Uri')] [ValidateSet('O365Default', 'O365USGovGCCHigh', 'O365USGovDoD', 'O365China', 'O365GermanyCloud')] [string] $ExchangeEnvironmentName,
        [Parameter(ParameterSetName = 'Uri')] [uri] $AzureADAuthorizationEndpointUri,
        [Parameter(ParameterSetName = 'Uri')] [ValidateRange(1, 1000)] [int] $PageSize,

        [switch] $AllowRedirection,

        [string[]] $RedirectionHost,

        [ValidateNotNull()]
        [System.Management.Automation.Remoting.PSSessionOption] $SessionOption,

        [switch] $AllowUnencrypted,

        [ValidateRange(1, 2147483647)] [int] $OpenTimeout,
        [ValidateRange(1, 2147483647)] [int] $OperationTimeout,
        [ValidateRange(1, 2147483647)] [int] $CancelTimeout,
        [ValidateRange(60000, 2147483647)] [int] $IdleTimeout,

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
        if (-not $PSBoundParameters.ContainsKey('WarningAction')) { $WarningPreference = $caller.GetValue('WarningPreference') }
    }
    process {
        $check = [IntPtr]::Zero
        try {
            $settings = Get-OpeningSettings $PSBoundParameters $PSCmdlet
            # Nobody brings a new token while the walk lasts.
            $settings.Remove('renewable')
            $address = Get-OpeningAddress $ConnectionUri $ComputerName $Port $UseSSL $ApplicationName
            $settings.uri = $address.OriginalString
            $refused = $null
            $check = Start-Check $settings ([ref] $refused)
            if ($refused) { $PSCmdlet.WriteError((New-OpenError $refused $address)); return }
            $well = $true
            $told = 0
            while ($step = Read-Check $check $PSCmdlet ([ref] $told)) {
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

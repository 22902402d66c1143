function Connect-DelegatedTenant {
    <#
    .SYNOPSIS
    Opens a session on a customer's Exchange organization.
    .DESCRIPTION
    Signs in with the partner's credential and opens one remote session on the organization of a customer
    (or, without Organization, on the credential's own). The session is what Invoke-TenantCmdlet and
    Disconnect-DelegatedTenant take; there is no current session.

    An account may have three sessions open at a time. Close each one with Disconnect-DelegatedTenant: one
    that is left behind counts until the server gives it up, about fifteen minutes later. Sessions still open
    at the end of PowerShell, or when the module is removed, are closed.

    An open that fails writes an error and returns nothing; with -ErrorAction Stop it can be caught. The
    identity of the error is the one New-PSSession gives (AccessDenied,PSSessionOpenFailed and so on), and
    its text ends with what to do about it.
    .PARAMETER ConnectionUri
    The endpoint, once or several times: one session is opened on each. Its query is kept as it is. Without
    it, Exchange Online, by its REST API. The addresses that remote PowerShell had there
    (https://ps.outlook.com/powershell-liveid and the like), which ended in 2023, lead to the REST API too;
    any other is an Exchange Server's. The address that Connect-IPPSSession has in the customer's cloud
    (https://ps.compliance.protection.outlook.com/powershell-liveid/ and the like) leads to Security &
    Compliance; what asks for EnableSearchOnlySession there is not to be had.
    .PARAMETER ComputerName
    The name of an Exchange server of your own, once or several times, in place of its URI:
    http://<name>/PowerShell, and https with UseSSL.
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
    .PARAMETER VerifyOrganization
    Opens the session only where the server itself names the organization that was asked for as its own: by
    Get-OrganizationConfig or among the domains of Get-AcceptedDomain. Where it is in another one, as in the
    partner's own, or cannot tell, the session is closed and the error is
    WrongOrganization,PSSessionOpenFailed. The name that the server told is then the session's
    VerifiedOrganization.
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
    .PARAMETER Credential
    The partner's account. For a token, the password is "Bearer " and the token. A name or $null asks for the
    password.
    .PARAMETER TokenCallback
    A script block that gives a new token: a string, a SecureString or a PSCredential with the token as its
    password. It is called before a command when the token in use ends within five minutes, and when the
    server refuses it, also while a command runs: the request that was refused did nothing and goes out again
    with the new token. Where Credential and AccessToken are absent, it is called for the first one too: it
    then gives a PSCredential, or on Exchange Online the token alone. It is handed the session, and as the
    second argument the claims that the service asks for (JSON; Continuous Access Evaluation), where it asks
    for any. It runs where this command was called, never in another runspace: jobs and parallel loops go on
    with the token that there is.
    .PARAMETER Authentication
    How to sign in. Basic, the default, is what Exchange's partner endpoint takes.
    .PARAMETER ConfigurationName
    The session configuration of the server; Microsoft.Exchange when absent.
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
    .PARAMETER Name
    A name for the session, or one for each URI; Tenant1, Tenant2 and so on when absent.
    .PARAMETER Reconnect
    Has each command of the session, also of those that Import-DelegatedTenant made, open it again first
    where it was lost, as Reconnect of Invoke-TenantCmdlet does for one. It is the session's property
    Reconnect, which can be changed.
    .PARAMETER ThrottleLimit
    How many sessions open at a time, of those of one call; 3 when absent, since an account may have three.
    .PARAMETER AllowUnencrypted
    Allows an http address. The password then travels readable for anybody on the way.
    .PARAMETER OpenTimeout
    How long opening may take, in milliseconds.
    .PARAMETER OperationTimeout
    How long one operation on the server may take, in milliseconds.
    .PARAMETER CancelTimeout
    How long stopping and closing may take, in milliseconds.
    .PARAMETER IdleTimeout
    After how long without use the server may close the session, in milliseconds; at least 60000.
    .PARAMETER WaitForSession
    Where the account has all the sessions open that it may have, waits until one is closed, in turn with
    others who wait, instead of failing. Progress shows who has them, in this process or another of this
    user. A session that was left behind elsewhere is gone after a quarter of an hour.
    .PARAMETER WaitTimeout
    How long WaitForSession waits, in milliseconds; half an hour when absent. Opening is then tried once
    more, whatever is known.
    .PARAMETER SessionLimit
    How many sessions the server allows an account, for WaitForSession; 3 when absent.
    .PARAMETER Proxy
    The proxy to go through. When absent, the environment decides (HTTPS_PROXY, HTTP_PROXY, NO_PROXY).
    .PARAMETER ProxyCredential
    The account for the proxy.
    .PARAMETER NoProxy
    Goes straight to the server, whatever the environment says.
    .INPUTS
    Objects with a property Organization, DefaultDomainName, Domain, TenantId or CustomerId.
    .OUTPUTS
    DelegatedTenant.Session
    .EXAMPLE
    $session = Connect-DelegatedTenant -Organization fabrikam.com -Credential (Get-Credential) -AllowRedirection
    Invoke-TenantCmdlet -Session $session { Get-Mailbox -ResultSize 10 }
    Disconnect-DelegatedTenant $session

    The whole life of a session.
    .EXAMPLE
    foreach ($customer in Get-MsolPartnerContract -All) {
        $session = $customer | Connect-DelegatedTenant -Credential $credential -AllowRedirection
        Invoke-TenantCmdlet $session { Get-OrganizationConfig }
        Disconnect-DelegatedTenant $session
    }

    One customer after the other, within the three sessions that an account may have.
    .EXAMPLE
    $session = Connect-DelegatedTenant -Organization fabrikam.onmicrosoft.com -AppId $app -ClientSecret $secret -RefreshToken $token
    Invoke-TenantCmdlet $session { Get-Mailbox -ResultSize Unlimited | Select-Object DisplayName, PrimarySmtpAddress }

    Exchange Online, as a partner with granular delegated administration: one refresh token for all customers.
    .EXAMPLE
    $session = Connect-DelegatedTenant -Organization fabrikam.com -Credential $credential -AllowRedirection -WaitForSession

    The same while other scripts of this account are at work: it waits until one of them is done.
    .EXAMPLE
    $session = Connect-DelegatedTenant 'https://mail.hoster.example/powershell?BasicAuthToOAuthConversion=true' -Organization fabrikam.com -VerifyOrganization -TokenCallback {
        [pscredential]::new('admin@partner.com', (Get-PartnerToken))
    }

    A session for hours: each time the token ends, the script block is asked for another. It opens only where the server says that it is
    on fabrikam.com.
    .EXAMPLE
    Connect-DelegatedTenant http://127.0.0.1:5985/powershell-liveid -Organization contoso.com -Credential $credential -AllowUnencrypted

    A session on a simulated tenant on this computer.
    .EXAMPLE
    Connect-DelegatedTenant -ComputerName mail.hoster.example -UseSSL -Organization fabrikam.com -Credential $credential

    A session on a hoster's own Exchange server.
    .LINK
    Invoke-TenantCmdlet
    .LINK
    Disconnect-DelegatedTenant
    .LINK
    about_DelegatedTenant
    #>
    [CmdletBinding(DefaultParameterSetName = 'Uri')]
    [OutputType('DelegatedTenant.Session')]
    param(
        [Parameter(ParameterSetName = 'Uri', Position = 0, ValueFromPipelineByPropertyName)]
        [ValidateNotNullOrEmpty()]
        [Alias('URI', 'CU')]
        [uri[]] $ConnectionUri,

        [Parameter(ParameterSetName = 'ComputerName', Mandatory)]
        [ValidateNotNullOrEmpty()]
        [Alias('Cn')]
        [string[]] $ComputerName,

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

        [switch] $VerifyOrganization,

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

        [string[]] $Name,

        [switch] $Reconnect,

        [int] $ThrottleLimit,

        [switch] $AllowUnencrypted,

        [ValidateRange(1, 2147483647)] [int] $OpenTimeout,
        [ValidateRange(1, 2147483647)] [int] $OperationTimeout,
        [ValidateRange(1, 2147483647)] [int] $CancelTimeout,
        [ValidateRange(60000, 2147483647)] [int] $IdleTimeout,

        [switch] $WaitForSession,
        [ValidateRange(1, 2147483647)] [int] $WaitTimeout,
        [ValidateRange(1, 1000)] [int] $SessionLimit,

        [uri] $Proxy,
        [pscredential] [System.Management.Automation.Credential()] $ProxyCredential,
        [switch] $NoProxy
    )
    begin {
        Initialize-Module
        # A script module sees only the global preferences; the caller's are in the caller's session state.
        $caller = $PSCmdlet.SessionState.PSVariable
        if (-not $PSBoundParameters.ContainsKey('ErrorAction')) { $ErrorActionPreference = $caller.GetValue('ErrorActionPreference') }
        if (-not $PSBoundParameters.ContainsKey('WarningAction')) { $WarningPreference = $caller.GetValue('WarningPreference') }
        $ProgressPreference = $caller.GetValue('ProgressPreference')
        $named = 0
    }
    process {
        $opening = [System.Collections.Generic.List[object]]::new()
        $told = 0
        try {
            $settings = Get-OpeningSettings $PSBoundParameters $PSCmdlet
            $waiting = [System.Collections.Generic.Queue[uri]]::new([uri[]] @(Get-OpeningAddress $ConnectionUri $ComputerName $Port $UseSSL $ApplicationName))
            $limit = if ($ThrottleLimit -gt 0) { $ThrottleLimit } else { 3 }
            while ($waiting.Count -or $opening.Count) {
                $open = @(foreach ($session in $opening) { if ("$($session.State)" -in 'BeforeOpen', 'Opening') { $session } })
                for ($i = $open.Count; $i -lt $limit -and $waiting.Count; $i++) {
                    $uri = $waiting.Dequeue()
                    $label = if ($Name -and $named -lt $Name.Count) { $Name[$named] } else { '' }
                    $named++
                    $refused = $null
                    $begun = Start-Session $settings $uri.OriginalString $label ([ref] $refused)
                    if ($begun) { $opening.Add($begun) } else { $PSCmdlet.WriteError((New-OpenError $refused $uri)) }
                }
                if (-not $opening.Count) { continue }
                # They open side by side, and are given in the order of their URIs. A tenth of a second, so that Ctrl+C is felt.
                $session = $opening[0]
                $failed = $null
                if (-not (Read-Opening $session $PSCmdlet 100 ([ref] $told) ([ref] $failed))) { continue }
                $opening.RemoveAt(0)
                $told = 0
                if ($failed) {
                    if ($failed.native_id -eq 'AccessDenied' -and -not $Credential) { $failed.remedy = 'No credential was given: the server wants one, with -Credential.' }
                    $record = New-OpenError $failed $session
                    $session.Handle.Dispose()
                    $PSCmdlet.WriteError($record)
                }
                else {
                    if ($TokenCallback) { Set-TokenCallback $session $TokenCallback $settings }
                    $session.Reconnect = [bool] $Reconnect
                    Register-Session $session
                    $PSCmdlet.WriteObject($session)
                }
            }
        }
        catch { $PSCmdlet.ThrowTerminatingError($_) }
        finally {
            # Stopped half way: the shells that may be open by now are given back. A server that does not even answer the Create is
            # waited for by the library, not by whoever pressed Ctrl+C.
            foreach ($session in $opening) { $null = Close-Session $session 0 }
            foreach ($session in $opening) {
                $null = Close-Session $session ([Math]::Min(2000, $session.CancelTimeout))
                $session.Handle.Dispose()
            }
        }
    }
}

function Invoke-TenantCmdlet {
    <#
    .SYNOPSIS
    Runs cmdlets in one or several sessions and returns what they say as it comes.
    .DESCRIPTION
    The script block is turned into commands and arguments here, as Invoke-Command does it, because Exchange
    runs cmdlets but no script: pipelines of cmdlets with constants, $using: variables, param() variables and
    splats are taken. Anything else (an assignment, if, Where-Object with a block, -Filter with a block) is
    refused by the server with ScriptsNotAllowed, and the error says which part it was.

    Objects carry PSComputerName, RunspaceId and PSShowComputerName as their last properties. Errors,
    warnings, verbose, debug, information and progress records come in the order in which the server wrote
    them. Errors of the server are not terminating here, but for a throw when one session was asked;
    -ErrorAction Stop makes them so.

    Ctrl+C, and a downstream command that has enough (Select-Object -First), stop the remote command at once.
    .PARAMETER Session
    Sessions of Connect-DelegatedTenant. One is never implied.
    .PARAMETER ConnectionUri
    Opens a session there for this call only, and closes it afterwards. Without it, but with Organization,
    the session is on Exchange Online, by its REST API. The parameters from Organization to NoProxy are those
    of Connect-DelegatedTenant.
    .PARAMETER ScriptBlock
    The cmdlets to run.
    .PARAMETER FilePath
    A script file whose text is the block: a .ps1 file, without wildcards.
    .PARAMETER CommandName
    One cmdlet, instead of a script block.
    .PARAMETER Parameters
    The parameters of CommandName.
    .PARAMETER ArgumentList
    Values for param() and $args of the block; with CommandName, its arguments without a name.
    .PARAMETER InputObject
    Pipeline input for the first cmdlet of the block, sent on while it runs.
    .PARAMETER HideComputerName
    Has the views leave out the name of the server; the property stays.
    .PARAMETER IncludeOrganization
    Adds a property DelegatedOrganization with the session's organization to each object: to tell customers
    apart in one list. Without it the objects have what Invoke-Command gives them and nothing else.
    .PARAMETER Reconnect
    Where a session was lost before this command (it was unused for too long, its token ended, the server
    went), opens it again with its own options, into the same object, and warns of it. Nothing that has run
    is run again, and a session that is lost while this command runs is not opened again by it: its command
    may have done its work. A session that you closed stays closed. Without this parameter, the session's
    property Reconnect decides, as Connect-DelegatedTenant set it.
    .PARAMETER Organization
    The customer's domain or tenant id; it becomes DelegatedOrg in the query.
    .PARAMETER VerifyOrganization
    Opens the session only where the server itself names the organization that was asked for as its own: by
    Get-OrganizationConfig or among the domains of Get-AcceptedDomain. Where it is in another one, as in the
    partner's own, or cannot tell, the session is closed and the error is
    WrongOrganization,PSSessionOpenFailed. The name that the server told is then the session's
    VerifiedOrganization.
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
    .PARAMETER ThrottleLimit
    How many sessions run the command at a time: 32 when absent, and 3 where ConnectionUri opens them, since
    an account may have three.
    .PARAMETER AsJob
    Runs the command in the background and returns a job at once, for Wait-Job, Receive-Job, Stop-Job and
    Remove-Job. It has one child for each session. A question that the command asks is refused there, and
    fails the command.
    .PARAMETER JobName
    A name for the job. It implies AsJob.
    .INPUTS
    Any object: input for the remote command.
    .OUTPUTS
    What the remote command returns, deserialized. With -AsJob, a job.
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
    .EXAMPLE
    $job = Invoke-TenantCmdlet -Session $session -JobName Sizes { Get-Mailbox -ResultSize Unlimited | Get-MailboxStatistics }
    Wait-Job $job | Receive-Job
    Remove-Job $job

    In the background.
    .EXAMPLE
    Invoke-TenantCmdlet -Session $session -FilePath $file -ArgumentList 10

    The block comes from a file.
    .EXAMPLE
    Invoke-TenantCmdlet -ConnectionUri $uri -Credential $credential -Organization fabrikam.com -AllowRedirection -ScriptBlock { Get-OrganizationConfig }

    A session for this call only.
    .EXAMPLE
    Invoke-TenantCmdlet -Organization fabrikam.onmicrosoft.com -AppId $app -ClientSecret $secret -RefreshToken $token -ScriptBlock { Get-OrganizationConfig }

    The same on Exchange Online.
    .LINK
    Connect-DelegatedTenant
    .LINK
    about_DelegatedTenant
    #>
    [CmdletBinding(DefaultParameterSetName = 'Session')]
    [OutputType([psobject], [System.Management.Automation.Job])]
    param(
        [Parameter(ParameterSetName = 'Session', Mandatory, Position = 0)]
        [Parameter(ParameterSetName = 'FilePath', Mandatory, Position = 0)]
        [Parameter(ParameterSetName = 'Command', Mandatory, Position = 0)]
        [ValidateNotNullOrEmpty()]
        [object[]] $Session,

        [Parameter(ParameterSetName = 'Uri', Position = 0)]
        [Parameter(ParameterSetName = 'FilePathUri', Position = 0)]
        [Alias('URI', 'CU')]
        [ValidateNotNullOrEmpty()]
        [uri[]] $ConnectionUri,

        [Parameter(ParameterSetName = 'Session', Mandatory, Position = 1)]
        [Parameter(ParameterSetName = 'Uri', Mandatory, Position = 1)]
        [Alias('Command')]
        [ValidateNotNull()]
        [scriptblock] $ScriptBlock,

        [Parameter(ParameterSetName = 'FilePath', Mandatory, Position = 1)]
        [Parameter(ParameterSetName = 'FilePathUri', Mandatory)]
        [Alias('PSPath')]
        [string] $FilePath,

        [Parameter(ParameterSetName = 'Command', Mandatory)]
        [ValidateNotNullOrEmpty()]
        [ArgumentCompleter({ & (Microsoft.PowerShell.Core\Get-Module DelegatedTenant)[0] { if ($script:Native) { Complete-Argument $args[1] $args[2] $args[4] } } @args })]
        [string] $CommandName,

        [Parameter(ParameterSetName = 'Command')]
        [ArgumentCompleter({ & (Microsoft.PowerShell.Core\Get-Module DelegatedTenant)[0] { if ($script:Native) { Complete-Argument $args[1] $args[2] $args[4] } } @args })]
        [System.Collections.IDictionary] $Parameters,

        [Parameter(ParameterSetName = 'Session')]
        [Parameter(ParameterSetName = 'Command')]
        [Parameter(ParameterSetName = 'FilePath')]
        [Parameter(ParameterSetName = 'Uri')]
        [Parameter(ParameterSetName = 'FilePathUri')]
        [Alias('Args')]
        [object[]] $ArgumentList,

        [Parameter(ValueFromPipeline)]
        [psobject] $InputObject,

        [Alias('HCN')]
        [switch] $HideComputerName,

        [switch] $IncludeOrganization,

        [Parameter(ParameterSetName = 'Session')]
        [Parameter(ParameterSetName = 'FilePath')]
        [Parameter(ParameterSetName = 'Command')]
        [switch] $Reconnect,

        [int] $ThrottleLimit,

        [switch] $AsJob,

        [string] $JobName,

        [Parameter(ParameterSetName = 'Uri')] [Parameter(ParameterSetName = 'FilePathUri')]
        [Alias('DelegatedOrganization', 'DelegatedOrg', 'DefaultDomainName', 'Domain', 'TenantId', 'CustomerId')] [string] $Organization,
        [Parameter(ParameterSetName = 'Uri')] [Parameter(ParameterSetName = 'FilePathUri')]
        [switch] $VerifyOrganization,
        [Parameter(ParameterSetName = 'Uri')] [Parameter(ParameterSetName = 'FilePathUri')]
        [pscredential] [System.Management.Automation.Credential()] $Credential,
        [Parameter(ParameterSetName = 'Uri')] [Parameter(ParameterSetName = 'FilePathUri')]
        [scriptblock] $TokenCallback,
        [Parameter(ParameterSetName = 'Uri')] [Parameter(ParameterSetName = 'FilePathUri')]
        [System.Management.Automation.Runspaces.AuthenticationMechanism] $Authentication,
        [Parameter(ParameterSetName = 'Uri')] [Parameter(ParameterSetName = 'FilePathUri')]
        [string] $ConfigurationName,
        [Parameter(ParameterSetName = 'Uri')] [Parameter(ParameterSetName = 'FilePathUri')]
        [string] $AppId,
        [Parameter(ParameterSetName = 'Uri')] [Parameter(ParameterSetName = 'FilePathUri')]
        [string] $CertificateFilePath,
        [Parameter(ParameterSetName = 'Uri')] [Parameter(ParameterSetName = 'FilePathUri')]
        [securestring] $CertificatePassword,
        [Parameter(ParameterSetName = 'Uri')] [Parameter(ParameterSetName = 'FilePathUri')]
        [string] $CertificateThumbprint,
        [Parameter(ParameterSetName = 'Uri')] [Parameter(ParameterSetName = 'FilePathUri')]
        [string] $FederatedTokenFile,
        [Parameter(ParameterSetName = 'Uri')] [Parameter(ParameterSetName = 'FilePathUri')]
        [ValidateNotNullOrEmpty()] [object] $ClientSecret,
        [Parameter(ParameterSetName = 'Uri')] [Parameter(ParameterSetName = 'FilePathUri')]
        [ValidateNotNullOrEmpty()] [object] $RefreshToken,
        [Parameter(ParameterSetName = 'Uri')] [Parameter(ParameterSetName = 'FilePathUri')]
        [ValidateNotNullOrEmpty()] [object] $AccessToken,
        [Parameter(ParameterSetName = 'Uri')] [Parameter(ParameterSetName = 'FilePathUri')]
        [switch] $ManagedIdentity,
        [Parameter(ParameterSetName = 'Uri')] [Parameter(ParameterSetName = 'FilePathUri')]
        [string] $ManagedIdentityAccountId,
        [Parameter(ParameterSetName = 'Uri')] [Parameter(ParameterSetName = 'FilePathUri')]
        [switch] $Device,
        [Parameter(ParameterSetName = 'Uri')] [Parameter(ParameterSetName = 'FilePathUri')]
        [string] $UserPrincipalName,
        [Parameter(ParameterSetName = 'Uri')] [Parameter(ParameterSetName = 'FilePathUri')]
        [ValidateSet('O365Default', 'O365USGovGCCHigh', 'O365USGovDoD', 'O365China', 'O365GermanyCloud')] [string] $ExchangeEnvironmentName,
        [Parameter(ParameterSetName = 'Uri')] [Parameter(ParameterSetName = 'FilePathUri')]
        [uri] $AzureADAuthorizationEndpointUri,
        [Parameter(ParameterSetName = 'Uri')] [Parameter(ParameterSetName = 'FilePathUri')]
        [ValidateRange(1, 1000)] [int] $PageSize,
        [Parameter(ParameterSetName = 'Uri')] [Parameter(ParameterSetName = 'FilePathUri')]
        [switch] $AllowRedirection,
        [Parameter(ParameterSetName = 'Uri')] [Parameter(ParameterSetName = 'FilePathUri')]
        [string[]] $RedirectionHost,
        [Parameter(ParameterSetName = 'Uri')] [Parameter(ParameterSetName = 'FilePathUri')]
        [ValidateNotNull()] [System.Management.Automation.Remoting.PSSessionOption] $SessionOption,
        [Parameter(ParameterSetName = 'Uri')] [Parameter(ParameterSetName = 'FilePathUri')]
        [switch] $AllowUnencrypted,
        [Parameter(ParameterSetName = 'Uri')] [Parameter(ParameterSetName = 'FilePathUri')]
        [ValidateRange(1, 2147483647)] [int] $OpenTimeout,
        [Parameter(ParameterSetName = 'Uri')] [Parameter(ParameterSetName = 'FilePathUri')]
        [ValidateRange(1, 2147483647)] [int] $OperationTimeout,
        [Parameter(ParameterSetName = 'Uri')] [Parameter(ParameterSetName = 'FilePathUri')]
        [ValidateRange(1, 2147483647)] [int] $CancelTimeout,
        [Parameter(ParameterSetName = 'Uri')] [Parameter(ParameterSetName = 'FilePathUri')]
        [ValidateRange(60000, 2147483647)] [int] $IdleTimeout,
        [Parameter(ParameterSetName = 'Uri')] [Parameter(ParameterSetName = 'FilePathUri')]
        [switch] $WaitForSession,
        [Parameter(ParameterSetName = 'Uri')] [Parameter(ParameterSetName = 'FilePathUri')]
        [ValidateRange(1, 2147483647)] [int] $WaitTimeout,
        [Parameter(ParameterSetName = 'Uri')] [Parameter(ParameterSetName = 'FilePathUri')]
        [ValidateRange(1, 1000)] [int] $SessionLimit,
        [Parameter(ParameterSetName = 'Uri')] [Parameter(ParameterSetName = 'FilePathUri')]
        [uri] $Proxy,
        [Parameter(ParameterSetName = 'Uri')] [Parameter(ParameterSetName = 'FilePathUri')]
        [pscredential] [System.Management.Automation.Credential()] $ProxyCredential,
        [Parameter(ParameterSetName = 'Uri')] [Parameter(ParameterSetName = 'FilePathUri')]
        [switch] $NoProxy
    )
    begin {
        Initialize-Module
        # A script module sees only the global preferences; the caller's are in the caller's session state.
        $caller = $PSCmdlet.SessionState.PSVariable
        if (-not $PSBoundParameters.ContainsKey('ErrorAction')) { $ErrorActionPreference = $caller.GetValue('ErrorActionPreference') }
        if (-not $PSBoundParameters.ContainsKey('WarningAction')) { $WarningPreference = $caller.GetValue('WarningPreference') }
        if (-not $PSBoundParameters.ContainsKey('InformationAction')) { $InformationPreference = $caller.GetValue('InformationPreference') }
        if (-not $PSBoundParameters.ContainsKey('ProgressAction')) { $ProgressPreference = $caller.GetValue('ProgressPreference') }
        # Verbose and debug text was asked for in the block: the server sends none otherwise. Off is only what is turned off here.
        if (-not $PSBoundParameters.ContainsKey('Verbose')) { $VerbosePreference = 'Continue' }
        if (-not $PSBoundParameters.ContainsKey('Debug') -or $PSBoundParameters['Debug']) { $DebugPreference = 'Continue' }

        $flow = $job = $null
        if ($PSCmdlet.ParameterSetName -eq 'Command') {
            $statement = New-CommandStatement $CommandName $Parameters $ArgumentList
            $text = $CommandName
        }
        else {
            if ($FilePath) { $ScriptBlock = Get-FileBlock $FilePath $PSCmdlet }
            $statement = ConvertTo-Statement $ScriptBlock $ArgumentList $PSCmdlet
            if ($statement.Refused) { $PSCmdlet.ThrowTerminatingError($statement.Refused) }
            $text = $ScriptBlock.ToString()
        }
        if ($PSCmdlet.ParameterSetName -like '*Uri' -and -not $ConnectionUri -and -not $Organization) {
            $text = 'Nothing says in which session to run, and one is never implied. Give -Session, or -ConnectionUri or -Organization for a session of this call alone.'
            $PSCmdlet.ThrowTerminatingError([System.Management.Automation.ErrorRecord]::new([ArgumentException]::new($text), 'SessionNotNamed', 'InvalidArgument', $null))
        }
        $piped = $PSCmdlet.MyInvocation.ExpectingInput -or $PSBoundParameters.ContainsKey('InputObject')
        if ($JobName) { $AsJob = $true }
        $ready = $false
        try {
            $flow = New-Flow $statement $piped (-not $HideComputerName)
            $flow.ShowOrganization = [bool] $IncludeOrganization
            if ($PSCmdlet.ParameterSetName -like '*Uri') {
                # One account may open three sessions.
                $flow.Limit = 3
                $flow.Settings = Get-OpeningSettings $PSBoundParameters $PSCmdlet
                # A job runs elsewhere than the script block may: its session goes on with the token that there is.
                if (-not $AsJob) { $flow.TokenCallback = $TokenCallback } elseif ($TokenCallback) { $flow.Settings.Remove('renewable') }
                foreach ($address in Get-OpeningAddress $ConnectionUri) { Add-Target $flow $null $address }
            }
            else { foreach ($one in Select-UsableSession $Session $PSCmdlet $AsJob $(if ($PSBoundParameters.ContainsKey('Reconnect')) { [bool] $Reconnect })) { Add-Target $flow $one $null } }
            if ($ThrottleLimit -gt 0) { $flow.Limit = $ThrottleLimit }
            $flow.Alone = -not $AsJob -and @($Session).Count -le 1 -and @($ConnectionUri).Count -le 1
            if ($AsJob) { $job = New-TenantJob $text $JobName $flow.Waiting }
            else {
                Start-Waiting $flow $PSCmdlet
                # The input goes to each as it comes: to those who are open.
                while ($flow.Opening.Count) { Step-Flow $flow $PSCmdlet }
                if ($Session -and -not $flow.Started) { $PSCmdlet.ThrowTerminatingError((New-NoSessionError)) }
            }
            $ready = $true
        }
        catch { $PSCmdlet.ThrowTerminatingError($_) }
        finally { if (-not $ready -and $flow) { Stop-Flow $flow } }
    }
    process {
        if (-not $piped) { return }
        if ($job) { $flow.Kept.Add($InputObject); return }
        $ready = $false
        try {
            if ($flow.Waiting.Count) { $flow.Kept.Add($InputObject) }
            Send-Input $flow.Running $InputObject $PSCmdlet $flow.Alone
            $ready = $true
        }
        catch { $PSCmdlet.ThrowTerminatingError($_) }
        finally { if (-not $ready) { Stop-Flow $flow } }
    }
    end {
        if ($job) {
            $input_ = $flow.Kept.ToArray()
            $flow.Kept.Clear()
            Start-TenantJob $flow $job $input_
            # The flow is the job's now.
            $flow = $null
            $PSCmdlet.JobRepository.Add($job)
            return $job
        }
        try {
            if ($piped) {
                Close-Input $flow.Running
                $flow.InputEnded = $true
            }
            while (Test-Flow $flow) { Step-Flow $flow $PSCmdlet }
        }
        catch { $PSCmdlet.ThrowTerminatingError($_) }
        finally { Stop-Flow $flow }
        # As it stands, without this command's name, and whatever the preference.
        if ($flow.Thrown) {
            $ErrorActionPreference = 'Stop'
            Set-Position $flow.Thrown.ErrorRecord $PSCmdlet
            throw $flow.Thrown
        }
    }
}

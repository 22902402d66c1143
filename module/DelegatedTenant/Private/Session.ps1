# Sessions: options for the library, opening, the object that scripts hold, closing.

# Fills a dt_options from names and values; a password is a SecureString. What cannot be used is given back as read: an exception,
# though caught, would be one more entry in the caller's -ErrorVariable.
function script:New-NativeOptions($Settings, [ref] $Refusal) {
    $native = $script:Native
    $options = $failure = [IntPtr]::Zero
    Assert-Native ($native::dt_options_new([ref] $options, [ref] $failure)) $failure
    foreach ($key in $Settings.Keys) {
        $value = $Settings[$key]
        if ($null -eq $value -or $key -eq 'signer') { continue }
        # Which proxy that is depends on the address, and only Windows has such settings.
        if ($key -eq 'proxy' -and $value -in 'IEConfig', 'WinHttpConfig', 'AutoDetect') {
            $value = Get-SystemProxy $value $Settings.uri
            if (-not $value) { continue }
        }
        if ($value -is [securestring]) {
            $bytes = Get-SecretBytes $value
            $status = $native::dt_options_set_secret($options, $key, $bytes, [UIntPtr] [uint32] $bytes.Length, [ref] $failure)
            [Array]::Clear($bytes, 0, $bytes.Length)
        }
        else {
            $text = if ($value -is [bool]) { "$value".ToLowerInvariant() } else { [string] $value }
            $status = $native::dt_options_set($options, $key, $text, [ref] $failure)
        }
        if ($status -ge 100) {
            $native::dt_options_free($options)
            $Refusal.Value = Read-Failure $failure
            return
        }
    }
    if ($Settings.Contains('signer')) {
        $status = Set-FirstAssertion $options $Settings ([ref] $failure)
        if ($status -ge 100) {
            $native::dt_options_free($options)
            $Refusal.Value = Read-Failure $failure
            return
        }
    }
    $options
}

# The assertion for the first token. The session asks for every further one.
function script:Set-FirstAssertion([IntPtr] $Options, $Settings, [ref] $Failure) {
    $native = $script:Native
    $text = [IntPtr]::Zero
    $status = $native::dt_options_token_endpoint($Options, [ref] $text, $Failure)
    if ($status -ge 100) { return $status }
    $bytes = New-ClientAssertion $Settings.signer (Read-Text $text) $Settings.app_id
    $native::dt_options_set_secret($Options, 'client_assertion', $bytes, [UIntPtr] [uint32] $bytes.Length, $Failure)
}

# What New-PSSession refuses before it goes anywhere, in its words.
function script:Assert-Settings($Bound, $SessionOption) {
    if ($Bound['Credential'] -and "$($Bound['Authentication'])" -eq 'NegotiateWithImplicitCredential') {
        throw [System.Management.Automation.ErrorRecord]::new([InvalidOperationException]::new('A Credential cannot be specified when NegotiateWithImplicitCredential is specified.'), 'ParameterBindingFailed', 'InvalidArgument', $null)
    }
    if (-not $SessionOption) { return }
    $idle = $SessionOption.IdleTimeout.TotalSeconds
    if ($idle -ge 0 -and $idle -lt 60) {
        $text = "The specified IdleTimeout session option $idle (seconds) is not a valid period.  Specify an IdleTimeout value that is greater than or equal to the minimum allowed 60 (seconds)."
        throw [System.Management.Automation.ErrorRecord]::new([System.Management.Automation.PSArgumentException]::new($text), 'Argument', 'InvalidArgument', $null)
    }
    if ($SessionOption.ProxyCredential -and "$($SessionOption.ProxyAccessType)" -eq 'None' -and -not $Bound['Proxy']) {
        $text = 'Proxy credentials cannot be specified when using the following proxy access type: None. Either specify a different access type, or do not specify proxy credentials.'
        throw [System.Management.Automation.ErrorRecord]::new([ArgumentException]::new($text), 'CreateRemoteRunspaceFailed', 'InvalidArgument', $null)
    }
}

# The options of the library for a command that opens a session: from its parameters, from what the caller's session state says, and from
# whom is to be asked for a credential.
function script:Get-OpeningSettings($Bound, $Cmdlet) {
    $option = $Bound['SessionOption']
    if (-not $option) { $option = $Cmdlet.SessionState.PSVariable.GetValue('PSSessionOption') -as [System.Management.Automation.Remoting.PSSessionOption] }
    if ($Bound.ContainsKey('Credential') -and $null -eq $Bound['Credential']) { $Bound['Credential'] = Read-Credential $Cmdlet }
    $signer = if ($Bound['CertificateThumbprint']) { Get-StoreCertificate $Bound['CertificateThumbprint'] }
    if ($Bound['TokenCallback']) { Set-OpeningSecret $Bound $Bound['TokenCallback'] }
    $settings = Get-SessionSettings $Bound $option $Host
    if ($signer) {
        # Each time that a token is got, the session asks for an assertion, which the certificate's key signs here.
        $settings.signer = $signer
        $settings.renewable = $true
    }
    $settings
}

# Where a command is to open sessions: at its URIs, on its computers, or, for the library to fill in, on Exchange Online.
function script:Get-OpeningAddress([uri[]] $Uri, [string[]] $Computer, [int] $Port, [bool] $UseSSL, [string] $Application) {
    if ($Computer) { foreach ($one in $Computer) { ConvertTo-ConnectionUri $one $Port $UseSSL $Application } }
    elseif ($Uri) { $Uri }
    else { [uri]::new('', [UriKind]::Relative) }
}

# The options of the library from the parameters of a command and its PSSessionOption.
function script:Get-SessionSettings($Bound, $SessionOption, $HostOfCaller) {
    Assert-Settings $Bound $SessionOption
    $settings = [ordered]@{ host_name = $HostOfCaller.Name; interactive = $true; host_data = Get-HostData $HostOfCaller }
    # Off Windows, what PowerShell sets in its environment is seen by its children only, not by the library.
    if ($env:DT_LEDGER) { $settings.ledger = $env:DT_LEDGER }
    # Off Windows, PowerShell keeps the environment to itself: what a script sets with $env: does not reach a library.
    if ($script:Edition.OtherSystems -and -not $IsWindows) { $settings.proxy_variables = Get-ProxyVariable } # 7: elsewhere it is Windows
    if ($SessionOption) {
        # An option that was not touched says nothing: the defaults are the library's.
        $plain = [System.Management.Automation.Remoting.PSSessionOption]::new()
        $settings.open_timeout_ms = [long] $SessionOption.OpenTimeout.TotalMilliseconds
        $settings.operation_timeout_ms = [long] $SessionOption.OperationTimeout.TotalMilliseconds
        $settings.cancel_timeout_ms = [long] $SessionOption.CancelTimeout.TotalMilliseconds
        if ($SessionOption.IdleTimeout -ne $plain.IdleTimeout) { $settings.idle_timeout_ms = [long] $SessionOption.IdleTimeout.TotalMilliseconds }
        if ($SessionOption.SkipCACheck) { $settings.skip_ca_check = $true }
        if ($SessionOption.SkipCNCheck) { $settings.skip_cn_check = $true }
        if ($SessionOption.SkipRevocationCheck) { $settings.skip_revocation_check = $true }
        if ($SessionOption.NoEncryption) { $settings.allow_unencrypted = $true }
        if ($SessionOption.NoMachineProfile) { $settings.no_machine_profile = $true }
        if ($SessionOption.Culture) { $settings.culture = $SessionOption.Culture.Name }
        if ($SessionOption.UICulture) { $settings.ui_culture = $SessionOption.UICulture.Name }
        if ($null -ne $SessionOption.MaximumReceivedObjectSize) { $settings.max_object_size = $SessionOption.MaximumReceivedObjectSize }
        if ($null -ne $SessionOption.MaximumReceivedDataSizePerCommand) { $settings.max_command_size = $SessionOption.MaximumReceivedDataSizePerCommand }
        if ($SessionOption.ApplicationArguments) { $settings.application_arguments = [System.Management.Automation.PSSerializer]::Serialize($SessionOption.ApplicationArguments, 1) }
        $access = "$($SessionOption.ProxyAccessType)"
        if ($access -eq 'NoProxyServer') { $settings.proxy = 'none' } elseif ($access -in 'IEConfig', 'WinHttpConfig', 'AutoDetect') { $settings.proxy = $access }
        if ($SessionOption.ProxyCredential) {
            $settings.proxy_user = $SessionOption.ProxyCredential.UserName
            $settings.proxy_password = $SessionOption.ProxyCredential.Password
            $settings.proxy_authentication = "$($SessionOption.ProxyAuthentication)"
        }
    }
    if ($Bound['Organization']) { $settings.organization = $Bound['Organization'] }
    if ($Bound['TokenCallback']) { $settings.renewable = $true }
    if ($Bound['RedirectionHost']) { $settings.redirect_hosts = $Bound['RedirectionHost'] -join ',' }
    if ($Bound['VerifyOrganization']) { $settings.verify_organization = $true }
    if ($Bound['Credential']) {
        $settings.user = $Bound['Credential'].UserName
        $settings.password = $Bound['Credential'].Password
    }
    $settings.authentication = if ($Bound['Authentication'] -and "$($Bound['Authentication'])" -ne 'Default') { "$($Bound['Authentication'])" } else { 'Basic' }
    if ($Bound['ConfigurationName']) { $settings.configuration_name = $Bound['ConfigurationName'] }
    if ($Bound['AllowRedirection']) { $settings.max_redirections = if ($SessionOption) { $SessionOption.MaximumConnectionRedirectionCount } else { 5 } }
    if ($Bound['AllowUnencrypted']) { $settings.allow_unencrypted = $true }
    if ($Bound['NoProxy']) { $settings.proxy = 'none' }
    if ($Bound['Proxy']) { $settings.proxy = $Bound['Proxy'].OriginalString }
    if ($Bound['ProxyCredential']) {
        $settings.proxy_user = $Bound['ProxyCredential'].UserName
        $settings.proxy_password = $Bound['ProxyCredential'].Password
    }
    # Longer than the quarter of an hour after which a session that was left behind is gone.
    if ($Bound['WaitForSession']) { $settings.wait_for_session_ms = if ($Bound.ContainsKey('WaitTimeout')) { $Bound['WaitTimeout'] } else { 1800000 } }
    if ($Bound.ContainsKey('SessionLimit')) { $settings.session_budget = $Bound['SessionLimit'] }
    foreach ($pair in ('AppId', 'app_id'), ('CertificateFilePath', 'certificate_file'), ('CertificatePassword', 'certificate_password'), ('FederatedTokenFile', 'client_assertion_file'),
        ('ManagedIdentityAccountId', 'managed_identity_account_id'), ('ExchangeEnvironmentName', 'environment'), ('PageSize', 'page_size')) {
        if ($Bound[$pair[0]]) { $settings[$pair[1]] = $Bound[$pair[0]] }
    }
    if ($Bound['ManagedIdentity']) { $settings.managed_identity = $true }
    if ($Bound['Device']) { $settings.device = $true }
    if ($Bound['AzureADAuthorizationEndpointUri']) { $settings.authority = $Bound['AzureADAuthorizationEndpointUri'].OriginalString }
    if ($Bound['UserPrincipalName'] -and -not $settings.Contains('user')) { $settings.user = $Bound['UserPrincipalName'] }
    foreach ($pair in ('ClientSecret', 'client_secret'), ('RefreshToken', 'refresh_token'), ('AccessToken', 'access_token')) {
        if ($null -ne $Bound[$pair[0]]) { $settings[$pair[1]] = ConvertTo-Secret $pair[0] $Bound[$pair[0]] }
    }
    foreach ($pair in ('OpenTimeout', 'open_timeout_ms'), ('OperationTimeout', 'operation_timeout_ms'), ('CancelTimeout', 'cancel_timeout_ms'), ('IdleTimeout', 'idle_timeout_ms')) {
        if ($Bound.ContainsKey($pair[0])) { $settings[$pair[1]] = $Bound[$pair[0]] }
    }
    $settings
}

# The address of a computer, with the identity and the words of New-PSSession where it is none.
function script:ConvertTo-ConnectionUri([string] $Computer, [int] $Port, [bool] $UseSSL, [string] $Application) {
    $name = if ($Computer -in '.', 'localhost') { 'localhost' } else { $Computer }
    $scheme = if ($UseSSL) { 'https' } else { 'http' }
    # An address of IPv6 has colons of its own.
    $address = $null
    if ([Net.IPAddress]::TryParse($name, [ref] $address) -and "$($address.AddressFamily)" -eq 'InterNetworkV6') { $name = "[$($name.Trim('[', ']'))]" }
    elseif ([uri]::CheckHostName($name) -eq 'Unknown') {
        $exception = [ArgumentException]::new('One or more computer names are not valid. If you are trying to pass a URI, use the -ConnectionUri parameter, or pass URI objects instead of strings.')
        throw [System.Management.Automation.ErrorRecord]::new($exception, 'PSSessionInvalidComputerName', 'InvalidArgument', $Computer)
    }
    $place = if ($Port) { ":$Port" } else { '' }
    [uri] "${scheme}://$name$place/$($Application.TrimStart('/'))"
}

# Begins to open a session; it does not wait for the network. What the options do not allow is given back as read.
function script:Start-Session($Settings, [string] $Uri, [string] $Name, [ref] $Refusal) {
    $native = $script:Native
    $lifetime = Initialize-Lifetime
    $Settings.uri = $Uri
    $refused = $null
    $options = New-NativeOptions $Settings ([ref] $refused)
    if ($refused) { $Refusal.Value = $refused; return }
    $session = $failure = [IntPtr]::Zero
    $status = $native::dt_session_open($options, [ref] $session, [ref] $failure)
    # Kept, with the secrets in them, by the library alone: to open the session again where it is lost.
    $kept = $lifetime.options::new($options)
    if ($status -ge 100) { $kept.Dispose(); $Refusal.Value = Read-Failure $failure; return }
    $cancel = if ($Settings.Contains('cancel_timeout_ms')) { [uint32] $Settings.cancel_timeout_ms } else { [uint32] 60000 }
    $object = New-SessionObject ($lifetime.session::new($session)) $Name $cancel $Uri $Settings
    if ($Settings.Contains('signer')) { Set-Renewal $object @{ Signer = $Settings.signer; Client = $Settings.app_id } }
    foreach ($pair in ('Progress', $null), ('Clock', $null), ('Options', $kept)) { Add-HiddenMember $object $pair[0] $pair[1] }
    $object
}

# A credential given as $null is asked for, as New-PSSession does it; where nobody can answer, that is an error at once.
function script:Read-Credential($Cmdlet) {
    if (-not (Test-Interactive)) { throw [System.Management.Automation.PSInvalidOperationException]::new('The credential is $null, and PowerShell is in NonInteractive mode. Read and Prompt functionality is not available.') }
    $Cmdlet.Host.UI.PromptForCredential('PowerShell credential request', 'Enter your credentials.', '', '')
}

# Looks what has become of a session that opens, and hands on its warnings; $Told counts those. Whether it has come to its end: it is
# open, or there is an error as read.
function script:Read-Opening($Session, $Cmdlet, [uint32] $Wait, [ref] $Told, [ref] $Failed) {
    $native = $script:Native
    $handle = $Session.Handle.DangerousGetHandle()
    $failure = $text = [IntPtr]::Zero
    Update-Secret $Session
    $status = $native::dt_session_wait($handle, $Wait, [ref] $failure)
    while ($warning = Read-Utf8 ($native::dt_session_warning($handle, [IntPtr] $Told.Value))) { $Told.Value++; $Cmdlet.WriteWarning($warning) }
    $waits = if ($status -eq 1) { $native::dt_session_waiting($handle, [ref] $text, [ref] $failure) } else { 2 }
    $shown = $null
    if ($waits -eq 0) { $shown = "Waiting for a session of $($Session.Account)", (Read-Text $text) }
    elseif ($status -eq 1) {
        if (-not $Session.Clock) { $Session.Clock = [Diagnostics.Stopwatch]::StartNew() }
        $place = if ($Session.Organization) { " on $($Session.Organization)" }
        if ($Session.Clock.ElapsedMilliseconds -ge 1000) { $shown = "Opening a session$place", "Signing in at $($Session.ComputerName)" }
    }
    else { $Session.Clock = $null }
    if ("$shown" -ne "$($Session.Progress)") { Write-OpeningProgress $Session $shown $Cmdlet }
    if ($status -ge 100) { $Failed.Value = Read-Failure $failure }
    $status -ne 1
}

# What a session waits for, as activity and status; nothing where it waits no longer. Each session has a record of its own.
function script:Write-OpeningProgress($Session, [string[]] $Shown, $Cmdlet) {
    $text = if ($Shown) { $Shown } else { $Session.Progress }
    $progress = [System.Management.Automation.ProgressRecord]::new(1 + [Math]::Abs($Session.InstanceId.GetHashCode() % 1000000), $text[0], $text[1])
    if (-not $Shown) { $progress.RecordType = 'Completed' }
    $Session.Progress = $Shown
    $Cmdlet.WriteProgress($progress)
}

# The getters are script blocks of no module, so that they run in whatever runspace asks.
$script:LiveProperties = [ordered]@{
    State = [scriptblock]::Create('[System.Management.Automation.Runspaces.RunspaceState] $this.Native::dt_session_state($this.Handle.DangerousGetHandle())')
    Availability = [scriptblock]::Create('[System.Management.Automation.Runspaces.RunspaceAvailability] $this.Native::dt_session_availability($this.Handle.DangerousGetHandle())')
    VerifiedOrganization = [scriptblock]::Create('$text = $this.Native::dt_session_verified_organization($this.Handle.DangerousGetHandle()); if ($text -ne [IntPtr]::Zero) { ' + $(if ($script:Edition.Utf8Pointers) { '[Runtime.InteropServices.Marshal]::PtrToStringUTF8($text)' } else { '$bytes = [Array]::CreateInstance([byte], $this.Native::lstrlenA($text)); [Runtime.InteropServices.Marshal]::Copy($text, $bytes, 0, $bytes.Length); [Text.Encoding]::UTF8.GetString($bytes)' }) + ' } else { $null }')
    IdleTimeout = [scriptblock]::Create('[long] $this.Native::dt_session_idle_timeout_ms($this.Handle.DangerousGetHandle())')
    ApplicationPrivateData = [scriptblock]::Create('$text = $this.Native::dt_session_private_data($this.Handle.DangerousGetHandle()); if ($text -ne [IntPtr]::Zero) { [System.Management.Automation.PSSerializer]::Deserialize($(' + $(if ($script:Edition.Utf8Pointers) { '[Runtime.InteropServices.Marshal]::PtrToStringUTF8($text)' } else { '$bytes = [Array]::CreateInstance([byte], $this.Native::lstrlenA($text)); [Runtime.InteropServices.Marshal]::Copy($text, $bytes, 0, $bytes.Length); [Text.Encoding]::UTF8.GetString($bytes)' }) + ')) } else { $null }')
}
# What of a PSSession's runspace scripts look at. The connection is PowerShell's own object, without the password.
$script:SessionRunspace = [scriptblock]::Create(@'
$native = $this.Native
$pointer = $this.Handle.DangerousGetHandle()
$text = $native::dt_session_uri($pointer)
# An address is ASCII.
$uri = [Runtime.InteropServices.Marshal]::PtrToStringAnsi($text)
$user = if ($this.Settings.user) { [pscredential]::new($this.Settings.user, [securestring]::new()) }
$shell = if ($this.ConfigurationName -like '*://*') { $this.ConfigurationName } else { 'http://schemas.microsoft.com/powershell/' + $this.ConfigurationName }
$connection = [System.Management.Automation.Runspaces.WSManConnectionInfo]::new([uri] $(if ($uri) { $uri } else { $this.ConnectionUri }), $shell, $user)
$mechanism = $this.Settings.authentication -as [System.Management.Automation.Runspaces.AuthenticationMechanism]
if ($null -ne $mechanism) { $connection.AuthenticationMechanism = $mechanism }
if ($this.IdleTimeout -gt 0 -and $this.IdleTimeout -le [int]::MaxValue) { $connection.IdleTimeout = $this.IdleTimeout }
foreach ($pair in ('OpenTimeout', 'open_timeout_ms'), ('OperationTimeout', 'operation_timeout_ms'), ('CancelTimeout', 'cancel_timeout_ms')) { if ($this.Settings[$pair[1]]) { $connection.($pair[0]) = $this.Settings[$pair[1]] } }
$state = [pscustomobject] @{ State = $this.State; Reason = $null }
$state.PSObject.Members.Add([System.Management.Automation.PSScriptMethod]::new('ToString', { "$($this.State)" }), $true)
$runspace = [pscustomobject] @{
    Id = $this.Id; Name = $this.Name; InstanceId = $this.InstanceId; RunspaceIsRemote = $true; RunspaceStateInfo = $state; RunspaceAvailability = $this.Availability
    ConnectionInfo = $connection; OriginalConnectionInfo = $connection; DisconnectedOn = $null; ExpiresOn = $null
}
$runspace.PSObject.Members.Add([System.Management.Automation.PSScriptMethod]::new('ToString', { 'System.Management.Automation.RemoteRunspace' }), $true)
$runspace
'@)
$script:SessionText = [scriptblock]::Create('"[PSSession]$($this.Name)"')

function script:New-SessionObject($Handle, [string] $Name, [uint32] $CancelTimeout, [string] $Uri, $Settings) {
    $native = $script:Native
    $pointer = $Handle.DangerousGetHandle()
    $session = [psobject]::new()
    $session.PSObject.TypeNames.Insert(0, 'DelegatedTenant.Session')
    $members = $session.PSObject.Members
    $values = [ordered]@{
        Id = 0
        Name = $Name
        InstanceId = [guid] (Read-Utf8 ($native::dt_session_id($pointer)))
        Organization = Read-Utf8 ($native::dt_session_organization($pointer))
        Account = $Settings.user
        ComputerName = Read-Utf8 ($native::dt_session_computer_name($pointer))
        ComputerType = [System.Management.Automation.Runspaces.TargetMachineType]::RemoteMachine
        Transport = Read-Utf8 ($native::dt_session_property($pointer, 'transport'))
        ConfigurationName = Read-Utf8 ($native::dt_session_configuration_name($pointer))
        ConnectionUri = if ($Uri) { $Uri } else { Read-Utf8 ($native::dt_session_uri($pointer)) }
        # A session here is never disconnected and left on the server to be found again.
        DisconnectedOn = $null
        ExpiresOn = $null
        # Whether a command opens it again where it was lost.
        Reconnect = $false
        OutputBufferingMode = [System.Management.Automation.Runspaces.OutputBufferingMode]::None
    }
    foreach ($key in $values.Keys) { $members.Add([psnoteproperty]::new($key, $values[$key]), $true) }
    foreach ($key in $script:LiveProperties.Keys) { $members.Add([System.Management.Automation.PSScriptProperty]::new($key, $script:LiveProperties[$key]), $true) }
    # Scripts also read $session.Runspace.RunspaceStateInfo.State and $session.Runspace.ConnectionInfo.ConnectionUri.
    $runspace = [System.Management.Automation.PSScriptProperty]::new('Runspace', $script:SessionRunspace)
    # A credential without its password can be written to a file, and not be read again.
    Set-Mark $runspace ShouldSerialize $false
    $members.Add($runspace, $true)
    $times = @{}
    foreach ($name in 'open_timeout_ms', 'operation_timeout_ms', 'cancel_timeout_ms', 'user', 'authentication') { $times[$name] = $Settings[$name] }
    foreach ($pair in ('Settings', $times), ('Handle', $Handle), ('Native', $native), ('CancelTimeout', $CancelTimeout)) { Add-HiddenMember $session $pair[0] $pair[1] }
    # What Format-List and Select-Object show when nobody asks for more: not the handle, not the nested runspace.
    $shown = [string[]] ('Id', 'Name', 'Organization', 'State', 'Availability', 'ComputerName', 'ComputerType', 'Transport', 'ConfigurationName', 'ConnectionUri', 'InstanceId', 'IdleTimeout', 'OutputBufferingMode', 'DisconnectedOn', 'ExpiresOn', 'ApplicationPrivateData')
    $standard = [System.Management.Automation.PSMemberSet]::new('PSStandardMembers', [System.Management.Automation.PSMemberInfo[]] (, [System.Management.Automation.PSPropertySet]::new('DefaultDisplayPropertySet', $shown)))
    Set-Mark $standard IsHidden $true
    Set-Mark $standard ShouldSerialize $false
    $members.Add($standard, $true)
    $members.Add([System.Management.Automation.PSScriptMethod]::new('ToString', $script:SessionText), $true)
    $session
}

# What only this module looks at: no member that Format-List *, Select-Object *, Get-Member, ConvertTo-Json or Export-Clixml would find.
# Where an engine knows members by other marks, they are seen, and hold no secret.
function script:Add-HiddenMember($Session, [string] $Name, $Value) {
    $member = [psnoteproperty]::new($Name, $Value)
    Set-Mark $member IsHidden $true
    Set-Mark $member ShouldSerialize $false
    $Session.PSObject.Members.Add($member, $true)
}

# A mark that the engine itself puts on members, and nobody else can.
function script:Set-Mark($Member, [string] $Name, [bool] $Value) {
    $mark = [System.Management.Automation.PSMemberInfo].GetProperty($Name, [Reflection.BindingFlags] 'Instance, NonPublic')
    if ($mark) { $mark.SetValue($Member, $Value, $null) }
}

function script:Test-Session($Value) {
    $null -ne $Value -and $Value.PSObject.TypeNames.Contains('DelegatedTenant.Session') -and $Value.Handle -is [Runtime.InteropServices.SafeHandle]
}

# Gives an open session its number and enters it in the list.
function script:Register-Session($Session) {
    # One counter for the process, as PSSession has: other runspaces load this module too.
    $counter = [AppDomain]::CurrentDomain.GetData('DelegatedTenant.Counter')
    if (-not $counter) {
        $counter = [int[]] (, 0)
        [AppDomain]::CurrentDomain.SetData('DelegatedTenant.Counter', $counter)
    }
    [Threading.Monitor]::Enter($counter)
    try { $counter[0]++; $Session.Id = $counter[0] } finally { [Threading.Monitor]::Exit($counter) }
    if (-not $Session.Name) { $Session.Name = "Tenant$($Session.Id)" }
    $script:Sessions["$($Session.Id)"] = $Session
}

# Closes within the session's time for it; whether it is done. What goes wrong on the way is nobody's concern any more.
function script:Close-Session($Session, [uint32] $Wait) {
    $native = $script:Native
    if ($script:Imports.Count) { Remove-Import $Session }
    $handle = $Session.Handle.DangerousGetHandle()
    $failure = [IntPtr]::Zero
    $end = [Diagnostics.Stopwatch]::StartNew()
    do {
        $status = $native::dt_session_disconnect($handle, [Math]::Min(100, $Wait), [ref] $failure)
        if ($status -ge 100) { $native::dt_error_free($failure) }
    } while ($status -eq 1 -and $end.ElapsedMilliseconds -lt $Wait)
    $script:Sessions.Remove("$($Session.Id)")
    $Session.Options.Dispose()
    $status -ne 1
}

# The module goes: its sessions go with it, all at once and not one after the other.
function script:Close-EverySession {
    $open = @($script:Sessions.Values)
    foreach ($session in $open) { $null = Close-Session $session 0 }
    foreach ($session in $open) { $null = Close-Session $session 10000 }
}

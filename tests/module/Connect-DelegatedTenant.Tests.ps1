BeforeAll {
    . "$PSScriptRoot/TestServers.ps1"
    Import-ModuleUnderTest
    $endpoint = Start-Endpoint '--max-shells', '2'
    $plain = @{ ConnectionUri = $endpoint.Uri; AllowUnencrypted = $true }
    # A port that nobody listens on: taken, then given back.
    $listener = [Net.Sockets.TcpListener]::new([Net.IPAddress]::Loopback, 0)
    $listener.Start()
    $free = $listener.LocalEndpoint.Port
    $listener.Stop()
}

AfterAll {
    try { Disconnect-DelegatedTenant -Name * } finally { Stop-TestServers }
}

Describe 'Connect-DelegatedTenant' {
    AfterEach { Disconnect-DelegatedTenant -Name * }

    It 'gives a session that looks like a PSSession' {
        $session = Connect-DelegatedTenant @plain -Credential (New-TestCredential) -Organization fabrikam.com -Name Fab
        $session.PSObject.TypeNames[0] | Should -Be 'DelegatedTenant.Session'
        $session.Name | Should -Be 'Fab'
        "$session" | Should -Be '[PSSession]Fab'
        $session.Id | Should -BeOfType [int]
        $session.InstanceId | Should -BeOfType [guid]
        $session.ComputerName | Should -Be '127.0.0.1'
        $session.ConfigurationName | Should -Be 'Microsoft.Exchange'
        $session.Organization | Should -Be 'fabrikam.com'
        $session.State -eq 'Opened' | Should -BeTrue
        $session.Availability -eq 'Available' | Should -BeTrue
        $session.Runspace.RunspaceStateInfo.State -eq 'Opened' | Should -BeTrue
        $session.ApplicationPrivateData.PSVersionTable.PSVersion | Should -Not -BeNullOrEmpty
        Invoke-TenantCmdlet $session { Get-AcceptedDomain } | ForEach-Object Name | Should -Be 'fabrikam.com'
    }

    It 'tells its state live' {
        $session = Connect-DelegatedTenant @plain -Credential (New-TestCredential)
        Disconnect-DelegatedTenant $session
        $session.State -eq 'Closed' | Should -BeTrue
        $session.Availability -eq 'None' | Should -BeTrue
    }

    It 'counts the sessions of the process and names them' {
        $one = Connect-DelegatedTenant @plain -Credential (New-TestCredential)
        $two = Connect-DelegatedTenant @plain -Credential (New-TestCredential)
        $two.Id | Should -Be ($one.Id + 1)
        $two.Name | Should -Be "Tenant$($two.Id)"
    }

    It 'takes the organization from <_> of a piped object' -ForEach 'DefaultDomainName', 'Domain', 'TenantId', 'CustomerId', 'DelegatedOrg', 'Organization' {
        $session = [pscustomobject] @{ $_ = 'litware.com' } | Connect-DelegatedTenant @plain -Credential (New-TestCredential)
        $session.Organization | Should -Be 'litware.com'
        Invoke-TenantCmdlet $session { Get-OrganizationConfig } | ForEach-Object Name | Should -Be 'litware.com'
    }

    It 'opens a session on each URI' {
        $two = Connect-DelegatedTenant -ConnectionUri $endpoint.Uri, $endpoint.Uri -AllowUnencrypted -Credential (New-TestCredential) -Name a, b
        $two.Name | Should -Be 'a', 'b'
    }

    It 'shows neither password nor handle' {
        $session = Connect-DelegatedTenant @plain -Credential (New-TestCredential)
        $text = ($session | Format-List | Out-String) + ($session | Format-List -Property * -Force | Out-String) + ($session | Out-String)
        $text | Should -Not -Match 'secret'
        ($session | Out-String) | Should -Match 'Opened'
    }

    It 'has no inside for whoever looks at all of it, or writes it to a file' {
        $session = Connect-DelegatedTenant @plain -Credential (New-TestCredential) -TokenCallback { 'secret' }
        $known = 'Id', 'Name', 'InstanceId', 'Organization', 'Account', 'ComputerName', 'ComputerType', 'Transport', 'ConfigurationName', 'ConnectionUri', 'DisconnectedOn', 'ExpiresOn', 'Reconnect',
            'OutputBufferingMode', 'State', 'Availability', 'VerifiedOrganization', 'IdleTimeout', 'ApplicationPrivateData', 'Runspace'
        $session.PSObject.Properties.Name | Should -Be $known
        ($session | Select-Object *).PSObject.Properties.Name | Should -Be $known
        { Invoke-TenantCmdlet ($session | Select-Object *) { Get-AcceptedDomain } } | Should -Throw "'Selected.*' is not a session that Connect-DelegatedTenant opened in this process."
        $session | Format-List * | Out-String | Should -Not -Match 'Handle|Native|Options|Callback'
        $text = [System.Management.Automation.PSSerializer]::Serialize($session)
        $text | Should -Not -Match 'secret|dt_|SafeHandle'
        [System.Management.Automation.PSSerializer]::Deserialize($text).Account | Should -Be 'admin@partner.com'
        Invoke-TenantCmdlet $session { Get-AcceptedDomain } | Should -Not -BeNullOrEmpty
    }

    It 'takes a real PSSessionOption' {
        $option = [System.Management.Automation.Remoting.PSSessionOption]::new()
        $option.NoEncryption = $true
        $option.OpenTimeout = [timespan]::FromSeconds(120)
        $session = Connect-DelegatedTenant $endpoint.Uri -Credential (New-TestCredential) -SessionOption $option
        $session.State -eq 'Opened' | Should -BeTrue
    }

    It 'takes $PSSessionOption of the caller' {
        $PSSessionOption = [System.Management.Automation.Remoting.PSSessionOption]::new()
        $PSSessionOption.NoEncryption = $true
        (Connect-DelegatedTenant $endpoint.Uri -Credential (New-TestCredential)).State -eq 'Opened' | Should -BeTrue
    }

    It 'refuses http without consent, and says how to give it' {
        $result = Connect-DelegatedTenant $endpoint.Uri -Credential (New-TestCredential) -ErrorVariable failed -ErrorAction SilentlyContinue
        $result | Should -BeNullOrEmpty
        $failed.Count | Should -Be 1
        "$($failed[0])" | Should -Match 'encrypt'
    }

    It 'gives the native identity for a wrong password' {
        $result = Connect-DelegatedTenant @plain -Credential (New-TestCredential 'admin@partner.com' 'wrong') -ErrorVariable failed -ErrorAction SilentlyContinue
        $result | Should -BeNullOrEmpty
        $failed.Count | Should -Be 1
        $record = $failed[0]
        $record.FullyQualifiedErrorId | Should -BeExactly 'AccessDenied,PSSessionOpenFailed'
        $record.CategoryInfo.Category | Should -Be 'OpenError'
        $record.Exception.GetType().FullName | Should -Be 'System.Management.Automation.Remoting.PSRemotingTransportException'
        $record.Exception.ErrorCode | Should -Be 5
        $record.Exception.TransportMessage | Should -Not -BeNullOrEmpty
        $record.ErrorDetails.Message | Should -Match '^\[127\.0\.0\.1\] Connecting to remote server 127\.0\.0\.1 failed with the following error message : Access is denied'
        $record.TargetObject.PSObject.TypeNames[0] | Should -Be 'DelegatedTenant.Session'
        "$($record | Out-String)$($record.ErrorDetails)" | Should -Not -Match 'wrong\b.*wrong|secret'
    }

    It 'gives the native identity where nobody listens' {
        Connect-DelegatedTenant "http://127.0.0.1:$free/powershell" -AllowUnencrypted -Credential (New-TestCredential) -ErrorVariable failed -ErrorAction SilentlyContinue
        $failed[0].FullyQualifiedErrorId | Should -BeExactly 'CannotConnect,PSSessionOpenFailed'
        $failed[0].Exception.ErrorCode | Should -Be -2144108526
    }

    It 'gives the native identity for an unknown host' {
        Connect-DelegatedTenant 'https://no-such-host.invalid/powershell' -NoProxy -Credential (New-TestCredential) -ErrorVariable failed -ErrorAction SilentlyContinue
        $failed[0].FullyQualifiedErrorId | Should -BeExactly 'ComputerNotFound,PSSessionOpenFailed'
    }

    It 'can be caught with -ErrorAction Stop, the identity kept' {
        try {
            Connect-DelegatedTenant @plain -Credential (New-TestCredential 'admin@partner.com' 'wrong') -ErrorAction Stop
            'nothing was thrown' | Should -Be 'thrown'
        }
        catch {
            $_.FullyQualifiedErrorId | Should -BeExactly 'AccessDenied,PSSessionOpenFailed'
            $_.Exception.GetType().Name | Should -Be 'PSRemotingTransportException'
        }
    }

    It 'heeds $ErrorActionPreference of the caller' {
        $caught = & {
            $ErrorActionPreference = 'Stop'
            try { Connect-DelegatedTenant @plain -Credential (New-TestCredential 'x' 'wrong') } catch { $_ }
        }
        $caught.FullyQualifiedErrorId | Should -BeExactly 'AccessDenied,PSSessionOpenFailed'
    }

    It 'goes on after a failure' {
        $good = Connect-DelegatedTenant -ConnectionUri "http://127.0.0.1:$free/", $endpoint.Uri -AllowUnencrypted -Credential (New-TestCredential) -ErrorVariable failed -ErrorAction SilentlyContinue
        $failed.Count | Should -Be 1
        @($good).Count | Should -Be 1
    }

    It 'calls a URI that is none CreateRemoteRunspaceFailed' {
        Connect-DelegatedTenant 'not a uri' -Credential (New-TestCredential) -ErrorVariable failed -ErrorAction SilentlyContinue
        $failed[0].FullyQualifiedErrorId | Should -Match '^CreateRemoteRunspaceFailed'
        $failed[0].CategoryInfo.Category | Should -Be 'InvalidArgument'
        "$($failed[0].TargetObject)" | Should -Be 'not a uri'
    }

    It 'refuses a second organization in the URI' {
        Connect-DelegatedTenant "$($endpoint.Uri)?DelegatedOrg=contoso.com" -Organization fabrikam.com -AllowUnencrypted -Credential (New-TestCredential) -ErrorVariable failed -ErrorAction SilentlyContinue
        $failed[0].CategoryInfo.Category | Should -Be 'InvalidArgument'
    }

    It 'refuses an idle time-out under a minute' {
        { Connect-DelegatedTenant @plain -Credential (New-TestCredential) -IdleTimeout 5000 } | Should -Throw
    }

    It 'tells of the limit of sessions, and leaves none behind' {
        $one = Connect-DelegatedTenant @plain -Credential (New-TestCredential)
        $two = Connect-DelegatedTenant @plain -Credential (New-TestCredential)
        Connect-DelegatedTenant @plain -Credential (New-TestCredential) -ErrorVariable failed -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
        $failed[0].FullyQualifiedErrorId | Should -Match ',PSSessionOpenFailed$'
        "$($failed[0])" | Should -Match 'maximum number of concurrent shells'
        (Get-EndpointStat $endpoint).open | Should -Be 2
        $one, $two | Disconnect-DelegatedTenant
        (Get-EndpointStat $endpoint).open | Should -Be 0
    }
}

Describe 'Connect-DelegatedTenant on the simulated tenant' -Skip:(-not $env:DT_SIM) {
    BeforeAll {
        $tenant = Start-Simulator
        $moved = Start-Simulator '--redirect'
    }
    AfterEach { Disconnect-DelegatedTenant -Name * }

    It 'follows a redirection with consent, and warns of it' {
        $session = Connect-DelegatedTenant $moved.Uri -Organization fabrikam.com -AllowUnencrypted -AllowRedirection -Credential (New-TestCredential) -WarningVariable warned -WarningAction SilentlyContinue
        $session.State -eq 'Opened' | Should -BeTrue
        "$($warned[0])" | Should -Match '^Your connection has been redirected to the following URI: "http'
        (Invoke-TenantCmdlet $session { Get-OrganizationConfig }).Name | Should -Match '^fabrikam\.'
    }

    It 'does not follow without consent, and says how to give it' {
        Connect-DelegatedTenant $moved.Uri -AllowUnencrypted -Credential (New-TestCredential) -ErrorVariable failed -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
        $failed[0].FullyQualifiedErrorId | Should -BeExactly 'RedirectInformationRequired,PSSessionOpenFailed'
        "$($failed[0])" | Should -Match 'AllowRedirection'
    }

    It 'refuses an account that may not use remote PowerShell' {
        Connect-DelegatedTenant $tenant.Uri -AllowUnencrypted -Credential (New-TestCredential 'disabled@partner.com') -ErrorVariable failed -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
        $failed.Count | Should -Be 1
        $failed[0].FullyQualifiedErrorId | Should -Match ',PSSessionOpenFailed$'
    }

    It 'says when no credential was given' {
        Connect-DelegatedTenant $tenant.Uri -AllowUnencrypted -ErrorVariable failed -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
        $failed.Count | Should -Be 1
        $failed[0].FullyQualifiedErrorId | Should -BeExactly 'AccessDenied,PSSessionOpenFailed'
        "$($failed[0])" | Should -Match '-Credential'
    }

    It 'keeps the identity where the error is caught by type' {
        $caught = try { Connect-DelegatedTenant $tenant.Uri -Organization no.such -AllowUnencrypted -Credential (New-TestCredential) -ErrorAction Stop }
        catch [System.Management.Automation.Remoting.PSRemotingTransportException] { $_ }
        $caught.FullyQualifiedErrorId | Should -BeExactly '-2144108477,PSSessionOpenFailed'
        $caught.CategoryInfo.Category | Should -Be 'OpenError'
    }

    It 'speaks of no certificate where there is none, and of help only once' {
        Connect-DelegatedTenant ($tenant.Uri -replace '^http:', 'https:') -Credential (New-TestCredential) -ErrorVariable failed -ErrorAction SilentlyContinue
        "$($failed[0])" | Should -Match 'does not speak tls'
        "$($failed[0])" | Should -Not -Match 'certificate'
        Connect-DelegatedTenant $tenant.Uri -ConfigurationName Nope -AllowUnencrypted -Credential (New-TestCredential) -ErrorVariable failed -ErrorAction SilentlyContinue
        ("$($failed[0])" -split 'For more information').Count | Should -Be 2
    }

    It 'fails as remoting does when a server answers nonsense' {
        $odd = Start-Simulator '--fault', 'malformed-xml@create'
        Connect-DelegatedTenant $odd.Uri -AllowUnencrypted -Credential (New-TestCredential) -ErrorVariable failed -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
        $failed.Count | Should -Be 1
        $failed[0].FullyQualifiedErrorId | Should -BeExactly 'ProtocolViolation,PSSessionOpenFailed'
        $failed[0].Exception.GetType().FullName | Should -Be 'System.Management.Automation.Remoting.PSRemotingTransportException'
    }

    It 'is given up at once when it is stopped, also where the server says nothing' {
        $silent = Start-Simulator '--fault', 'stall@create'
        $shell = [powershell]::Create()
        $manifest = (Get-Module DelegatedTenant).Path -replace 'psm1$', 'psd1'
        $null = $shell.AddScript("Import-Module '$manifest'; Connect-DelegatedTenant '$($silent.Uri)' -AllowUnencrypted -Credential `$args[0]").AddArgument((New-TestCredential))
        $run = $shell.BeginInvoke()
        while (-not (Get-SimulatorStat $silent).operations.create) { [Threading.Thread]::Sleep(20) }
        # Far less than CancelTimeout, which is a minute.
        $stopped = $shell.BeginStop($null, $null)
        $stopped.AsyncWaitHandle.WaitOne(30000) | Should -BeTrue
        { $shell.EndInvoke($run) } | Should -Throw
        $shell.Dispose()
    }

    It 'takes a token as the password, of any length' {
        $session = Connect-DelegatedTenant "$($tenant.Uri)?DelegatedOrg=fabrikam.com&BasicAuthToOAuthConversion=true" -AllowUnencrypted -Credential (New-TestCredential 'admin@partner.com' "Bearer $('x' * 4000)")
        $session.State -eq 'Opened' | Should -BeTrue
    }
    It 'opens only on the organization that was asked for, where that is wanted' {
        $session = Connect-DelegatedTenant $tenant.Uri -Organization fabrikam.com -VerifyOrganization -AllowUnencrypted -Credential (New-TestCredential)
        $session.VerifiedOrganization | Should -Be 'fabrikam.onmicrosoft.com'
        Disconnect-DelegatedTenant $session
        $open = (Get-SimulatorStat $tenant).open
        Set-SimulatorFault $tenant 'own-tenant@create'
        Connect-DelegatedTenant $tenant.Uri -Organization fabrikam.com -VerifyOrganization -AllowUnencrypted -Credential (New-TestCredential) -ErrorVariable failed -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
        $failed.Count | Should -Be 1
        $failed[0].FullyQualifiedErrorId | Should -BeExactly 'WrongOrganization,PSSessionOpenFailed'
        "$($failed[0])" | Should -Match 'partner\.onmicrosoft\.com, not in fabrikam\.com.*delegated administration'
        while ((Get-SimulatorStat $tenant).open -gt $open) { [Threading.Thread]::Sleep(20) }
        (Connect-DelegatedTenant $tenant.Uri -Organization fabrikam.com -AllowUnencrypted -Credential (New-TestCredential)).VerifiedOrganization | Should -BeNullOrEmpty
    }

    It 'has nothing to verify where no organization is asked for' {
        Connect-DelegatedTenant $tenant.Uri -VerifyOrganization -AllowUnencrypted -Credential (New-TestCredential) -ErrorVariable failed -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
        $failed[0].FullyQualifiedErrorId | Should -Match '^CreateRemoteRunspaceFailed'
        "$($failed[0])" | Should -Match 'Name the organization'
    }

    It 'names the tenant in each error, where nothing is shown or exported of it' {
        Connect-DelegatedTenant $tenant.Uri -Organization no.such -AllowUnencrypted -Credential (New-TestCredential) -ErrorVariable failed -ErrorAction SilentlyContinue
        $failed[0].Exception.Data['DelegatedOrganization'] | Should -Be 'no.such'
        $session = Connect-DelegatedTenant $tenant.Uri -Organization fabrikam.com -AllowUnencrypted -Credential (New-TestCredential)
        Invoke-TenantCmdlet $session { Get-Mailbox nobody } -ErrorVariable failed -ErrorAction SilentlyContinue
        $failed[0].Exception.Data['DelegatedOrganization'] | Should -Be 'fabrikam.com'
        Invoke-TenantCmdlet $session { No-SuchCommand } -ErrorVariable failed -ErrorAction SilentlyContinue
        $failed[0].Exception.Data['DelegatedOrganization'] | Should -Be 'fabrikam.com'
        $failed[0].PSObject.Properties.Name | Should -Not -Contain 'DelegatedOrganization'
    }

    It 'tells <Fault> by <Id> and what to do' -ForEach @(
        @{ Fault = '400@create'; Id = 'WinRMHttpError'; Words = 'RemotePowerShellEnabled' }
        @{ Fault = '403@create'; Id = 'AccessDenied'; Words = 'enabled for remote PowerShell' }
        @{ Fault = '404@create'; Id = 'URLNotAvailable'; Words = 'path of the connection URI' }
        @{ Fault = '440@create'; Id = 'WinRMHttpError'; Words = 'leads to a web page' }
        @{ Fault = '429@create'; Id = 'WinRMHttpError'; Words = 'slower rate' }
        @{ Fault = '503@create'; Id = 'CannotConnectWinRMService'; Words = 'Try again later' }
        @{ Fault = 'token-expiry@create'; Id = 'AccessDenied'; Words = 'Check user name and password' }
        @{ Fault = '500@create'; Id = 'WinRMHttpError'; Words = 'its support' }
        @{ Fault = 'broken-pool@pool'; Id = 'RunspacePoolBroken'; Words = 'Connect again' }
    ) {
        $faulty = Start-Simulator '--fault', $Fault
        Connect-DelegatedTenant $faulty.Uri -AllowUnencrypted -Credential (New-TestCredential) -ErrorVariable failed -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
        $failed.Count | Should -Be 1
        $failed[0].FullyQualifiedErrorId | Should -BeExactly "$Id,PSSessionOpenFailed"
        $failed[0].CategoryInfo.Category | Should -Be 'OpenError'
        "$($failed[0])" | Should -Match $Words
    }

    It 'tells the limit of sessions in the form <_>' -ForEach 'create', 'receive' {
        $full = Start-Simulator '--max-shells', '0', '--limit', $_
        Connect-DelegatedTenant $full.Uri -AllowUnencrypted -Credential (New-TestCredential) -ErrorVariable failed -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
        $failed.Count | Should -Be 1
        $failed[0].FullyQualifiedErrorId | Should -Match ',PSSessionOpenFailed$'
        "$($failed[0])" | Should -Match 'maximum number.*Close one that is no longer needed'
    }

    It 'follows to a domain that is named' {
        $away = Start-Simulator '--redirect-to', 'https://pod.trusted.invalid/powershell'
        Connect-DelegatedTenant $away.Uri -AllowRedirection -RedirectionHost trusted.invalid -AllowUnencrypted -NoProxy -Credential (New-TestCredential) -ErrorVariable failed -ErrorAction SilentlyContinue -WarningVariable warned -WarningAction SilentlyContinue | Should -BeNullOrEmpty
        "$($warned[0])" | Should -Match 'redirected to the following URI: "https://pod\.trusted\.invalid'
        $failed[0].FullyQualifiedErrorId | Should -BeExactly 'ComputerNotFound,PSSessionOpenFailed'
    }

    It 'does not follow a redirection <Where>' -ForEach @(
        @{ Where = 'in a circle'; To = 'loop'; Id = 'RedirectInformationRequired'; Words = 'circle' }
        @{ Where = 'without a place'; To = 'nowhere'; Id = '-2144108118'; Words = 'did not say where to' }
        @{ Where = 'to a foreign domain'; To = 'https://evil.example/powershell'; Id = 'RedirectRequired'; Words = 'neither of its own domain.*RedirectionHost' }
        @{ Where = 'to what is no URI'; To = 'powershell'; Id = 'RedirectLocationInvalid'; Words = 'not a well formatted URI' }
    ) {
        $away = Start-Simulator '--redirect-to', $To
        Connect-DelegatedTenant $away.Uri -AllowRedirection -AllowUnencrypted -Credential (New-TestCredential) -ErrorVariable failed -ErrorAction SilentlyContinue -WarningAction SilentlyContinue | Should -BeNullOrEmpty
        $failed.Count | Should -Be 1
        $failed[0].FullyQualifiedErrorId | Should -BeExactly "$Id,PSSessionOpenFailed"
        "$($failed[0])" | Should -Match $Words
    }
}

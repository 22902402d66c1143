BeforeAll {
    . "$PSScriptRoot/TestServers.ps1"
    Import-ModuleUnderTest
    $tenant = Start-Simulator '--device', '2:0'
    $plain = @{ ConnectionUri = $tenant.Uri; AllowUnencrypted = $true; NoProxy = $true }
}

AfterAll { Stop-TestServers }

Describe 'Test-DelegatedTenant' {
    AfterEach { (Get-SimulatorStat $tenant).open | Should -Be 0 }

    It 'tells each step once, in order, and the organization' {
        $steps = @(Test-DelegatedTenant @plain -Organization fabrikam.com -Credential (New-TestCredential))
        $steps.Step | Should -Be 'Name', 'TCP', 'TLS', 'HTTP', 'SignIn', 'Shell', 'Organization'
        $steps.Result | Should -Be 'Skipped', 'Passed', 'Skipped', 'Passed', 'Passed', 'Passed', 'Passed'
        $steps[0].PSObject.TypeNames[0] | Should -Be 'DelegatedTenant.Check'
        $steps[6].Detail | Should -Match 'fabrikam\.onmicrosoft\.com'
        foreach ($step in $steps) {
            $step.Milliseconds | Should -BeOfType [long]
            $step.Organization | Should -Be 'fabrikam.com'
            $step.Remedy | Should -BeNullOrEmpty
        }
        (Get-SimulatorStat $tenant).operations.create | Should -Be 1
    }

    It 'says at the step that fails what to do, and reaches none behind it' {
        $steps = @(Test-DelegatedTenant @plain -Credential (New-TestCredential 'admin@partner.com' 'wrong') -ErrorVariable failed)
        $failed.Count | Should -Be 0
        $steps[4].Result | Should -Be 'Failed'
        $steps[4].ErrorId | Should -Be 'AuthenticationFailed'
        $steps[4].Remedy | Should -Match 'password'
        $steps[5, 6].Result | Should -Be 'Skipped', 'Skipped'
        ($steps | Out-String) -replace '\s+', ' ' | Should -Match 'Check user name and password'
        ($steps | Format-List | Out-String) | Should -Not -Match 'wrong'
    }

    It 'walks each of several customers that are piped' {
        $steps = @('fabrikam.com', 'no.such' | ForEach-Object { [pscustomobject] @{ DefaultDomainName = $_ } } | Test-DelegatedTenant @plain -Credential (New-TestCredential))
        $steps.Count | Should -Be 14
        $bad = @($steps | Where-Object Result -EQ Failed)
        $bad.Count | Should -Be 1
        $bad[0].Organization | Should -Be 'no.such'
        $bad[0].Step | Should -Be 'Shell'
    }

    It 'sees that the server is elsewhere' {
        Set-SimulatorFault $tenant 'own-tenant@create'
        $steps = @(Test-DelegatedTenant @plain -Organization fabrikam.com -Credential (New-TestCredential))
        $steps[6].Result | Should -Be 'Failed'
        $steps[6].ErrorId | Should -Be 'WrongOrganization'
        $steps[6].Detail | Should -Match 'partner\.onmicrosoft\.com, not in fabrikam\.com'
    }

    It 'says yes or no with -Quiet, and nothing else' {
        $yes = Test-DelegatedTenant @plain -Organization fabrikam.com -Credential (New-TestCredential) -Quiet
        $yes | Should -BeOfType [bool]
        $yes | Should -BeTrue
        Test-DelegatedTenant @plain -Organization no.such -Credential (New-TestCredential) -Quiet | Should -BeFalse
    }

    It 'goes through the proxy that is named, and tells of one that is not there' {
        $step = Test-DelegatedTenant https://mail.hoster.example/powershell -Proxy 'http://127.0.0.1:9' -Credential (New-TestCredential) | Where-Object Result -EQ Failed
        $step.Step | Should -Be 'TCP'
        $step.Detail | Should -Match 'the proxy cannot be reached, by way of the proxy 127\.0\.0\.1:9'
        $step.Remedy | Should -Match 'NoProxy'
    }

    It 'writes an error where the options lead nowhere' {
        Test-DelegatedTenant $tenant.Uri -Credential (New-TestCredential) -ErrorVariable failed -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
        $failed.Count | Should -Be 1
        "$($failed[0])" | Should -Match 'AllowUnencrypted'
    }

    It 'walks to Exchange Online with each way to sign in, and asks whoever signs in by hand' {
        $root = [uri]::new([uri] $tenant.Uri, '/')
        $rest = @{ ConnectionUri = [uri]::new($root, 'adminapi/beta'); Organization = 'fabrikam.com'; AzureADAuthorizationEndpointUri = $root; AllowUnencrypted = $true; NoProxy = $true }
        $app = @{ AppId = '11111111-2222-3333-4444-555555555555'; ClientSecret = (New-TestCredential x 'app-secret').Password }
        $steps = @(Test-DelegatedTenant @rest @app -RefreshToken (New-TestCredential x 'partner-refresh-token').Password)
        $steps.Step | Should -Be 'Name', 'TCP', 'TLS', 'HTTP', 'SignIn', 'Service', 'Organization'
        $steps[4..6].Result | Should -Be 'Passed', 'Passed', 'Passed'
        $steps[4].Detail | Should -Match 'admin@partner\.com a token in the tenant'
        # A token that this process has got proves nothing.
        $app.ClientSecret = (New-TestCredential x 'wrong').Password
        $bad = Test-DelegatedTenant @rest @app -RefreshToken (New-TestCredential x 'partner-refresh-token').Password | Where-Object Result -EQ Failed
        "$($bad.Step) $($bad.ErrorId) $($bad.Detail)" | Should -Be 'SignIn AuthenticationFailed the client secret is wrong (AADSTS7000215)'
        Test-DelegatedTenant @rest -Device -Quiet -WarningVariable told -WarningAction SilentlyContinue | Should -BeTrue
        "$told" | Should -Match 'enter the code'
        $given = Test-DelegatedTenant @rest -TokenCallback { New-TestCredential 'any@partner.com' 'Bearer of-nobody' } | Where-Object Result -EQ Failed
        $given.Step | Should -Be 'Service'
    }
}

# Sign-ins that go on for as long as the session does: tokens that a script block brings to Exchange Online's REST road, and
# certificates of a store whose keys never leave it. DT_JUDGE: a Python with PyJWT, which reads what is signed here.

BeforeAll {
    . "$PSScriptRoot/TestServers.ps1"
    Import-ModuleUnderTest

    function New-TestToken([double] $Minutes) {
        $part = { [Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes($args[0])).TrimEnd('=').Replace('+', '-').Replace('/', '_') }
        $end = [DateTimeOffset]::UtcNow.AddMinutes($Minutes).ToUnixTimeSeconds()
        (& $part '{"alg":"none"}'), (& $part ('{"exp":' + $end + ',"upn":"admin@partner.com"}')), 'c2ln' -join '.'
    }

    function Get-ApiUri($Server) { [uri]::new([uri] $Server.Uri, '/adminapi/beta').AbsoluteUri }
}

AfterAll {
    try { Disconnect-DelegatedTenant -Name * } finally { Stop-TestServers }
}

Describe 'TokenCallback on the REST road' {
    BeforeAll {
        $old, $soon, $later = 'token-of-a-test', (New-TestToken 2), (New-TestToken 90)
        $tenant = Start-Simulator '--token', $old, '--token', $soon, '--token', $later, '--mailboxes', '150'
        $plain = @{ ConnectionUri = Get-ApiUri $tenant; Organization = 'fabrikam.com'; AllowUnencrypted = $true; NoProxy = $true; PageSize = 100; ErrorAction = 'Stop' }
        $said = @{ Count = 0; Arguments = $null; Answer = $later }
        $callback = { $said.Count++; $said.Arguments = $args; $said.Answer }
    }
    BeforeEach { $said.Count = 0; $said.Arguments = $null; $said.Answer = $later }
    AfterEach { Clear-SimulatorFault $tenant; Disconnect-DelegatedTenant -Name * }

    It 'is asked when the service refuses the token at <_>, and everything comes' -ForEach '401@rest', '401@page' {
        $session = Connect-DelegatedTenant @plain -AccessToken $old -TokenCallback $callback
        $said.Count | Should -Be 0
        Set-SimulatorFault $tenant $_
        @(Invoke-TenantCmdlet $session { Get-Mailbox -ResultSize Unlimited }).Count | Should -Be 150
        $said.Count | Should -Be 1
        [object]::ReferenceEquals($said.Arguments[0], $session) | Should -BeTrue
        $said.Arguments[1] | Should -BeNullOrEmpty
    }

    It 'is told the claims that the service asks for' {
        # Challenged for good, so that it is a token of its own.
        $own = Start-Simulator '--token', 'first', '--token', $later
        $session = Connect-DelegatedTenant (Get-ApiUri $own) -Organization fabrikam.com -AllowUnencrypted -NoProxy -AccessToken first -TokenCallback $callback -ErrorAction Stop
        Set-SimulatorFault $own 'claims-challenge@rest'
        (Invoke-TenantCmdlet $session { Get-OrganizationConfig }).Name | Should -Be 'fabrikam.onmicrosoft.com'
        $said.Count | Should -Be 1
        ($said.Arguments[1] | ConvertFrom-Json).access_token.nbf.essential | Should -BeTrue
    }

    It 'is asked before a command where the token ends soon, and not at every look where it brings no better' {
        $said.Answer = $soon
        $session = Connect-DelegatedTenant @plain -AccessToken $soon -TokenCallback $callback
        $said.Count | Should -Be 1
        for ($i = 0; $i -lt 3; $i++) { $null = Invoke-TenantCmdlet $session { Get-OrganizationConfig } }
        $said.Count | Should -Be 2
    }

    It 'gives the first token too, as text or SecureString' {
        foreach ($answer in $later, (New-TestCredential x $later).Password, (New-TestCredential 'admin@partner.com' "Bearer $later")) {
            $said.Answer = $answer
            $session = Connect-DelegatedTenant @plain -TokenCallback $callback
            (Invoke-TenantCmdlet $session { Get-OrganizationConfig }).Name | Should -Be 'fabrikam.onmicrosoft.com'
            Disconnect-DelegatedTenant $session
        }
        $said.Count | Should -Be 3
    }

    It 'ends the command with its own error where it fails, and the session lives' {
        $session = Connect-DelegatedTenant @plain -AccessToken $old -TokenCallback { if ($said.Answer) { $said.Answer } else { throw 'no luck today' } }
        Set-SimulatorFault $tenant '401@rest'
        $said.Answer = $null
        $caught = try { Invoke-TenantCmdlet $session { Get-OrganizationConfig } } catch { $_ }
        "$caught" | Should -Be 'no luck today'
        $said.Answer = $later
        (Invoke-TenantCmdlet $session { Get-OrganizationConfig }).Name | Should -Be 'fabrikam.onmicrosoft.com'
    }
}

# Wine has such stores, and falls over where one asks for the key of a certificate in them.
Describe 'CertificateThumbprint' -Skip:([bool] $env:DT_SERVERS) {
    BeforeAll {
        # The store of a home of its own; under wine, of a Windows of its own.
        $homes = $env:HOME, [IO.Path]::Combine([IO.Path]::GetTempPath(), [guid]::NewGuid().ToString('n'))
        if (-not $env:DT_SERVERS) {
            $null = [IO.Directory]::CreateDirectory($homes[1])
            $env:HOME = $homes[1]
        }
        $folder = if ($env:DT_SERVERS) { "Z:\tmp\$([guid]::NewGuid().ToString('n'))" } else { $homes[1] }
        $null = [IO.Directory]::CreateDirectory($folder)

        function New-TestCertificate([double] $FromDays, [double] $ToDays, $Key = [Security.Cryptography.RSA]::Create(2048), [switch] $WithoutKey) {
            $name = [Security.Cryptography.X509Certificates.X500DistinguishedName] 'CN=DelegatedTenant test'
            $sha256 = [Security.Cryptography.HashAlgorithmName]::SHA256
            $request = if ($Key -is [Security.Cryptography.RSA]) { [Security.Cryptography.X509Certificates.CertificateRequest]::new($name, $Key, $sha256, [Security.Cryptography.RSASignaturePadding]::Pkcs1) }
            else { [Security.Cryptography.X509Certificates.CertificateRequest]::new($name, $Key, $sha256) }
            $made = $request.CreateSelfSigned([DateTimeOffset]::Now.AddDays($FromDays), [DateTimeOffset]::Now.AddDays($ToDays))
            # A store keeps keys that are persisted.
            if ($WithoutKey) { [Security.Cryptography.X509Certificates.X509Certificate2]::new($made.RawData) }
            else { [Security.Cryptography.X509Certificates.X509Certificate2]::new($made.Export('Pfx', 'x'), 'x', 'PersistKeySet, UserKeySet') }
        }

        $store = [Security.Cryptography.X509Certificates.X509Store]::new('My', 'CurrentUser')
        $store.Open('ReadWrite')
        $made = [ordered] @{
            Good = New-TestCertificate -1 1
            Expired = New-TestCertificate -2 -1
            Early = New-TestCertificate 1 2
            Without = New-TestCertificate -1 1 -WithoutKey
            Curve = New-TestCertificate -1 1 ([Security.Cryptography.ECDsa]::Create())
        }
        foreach ($one in $made.Values) { $store.Add($one) }
        $pem = [IO.Path]::Combine($folder, 'cert.pem')
        [IO.File]::WriteAllText($pem, "-----BEGIN CERTIFICATE-----`n" + [Convert]::ToBase64String($made.Good.RawData, 'InsertLineBreaks') + "`n-----END CERTIFICATE-----`n")
        $linux = $pem -replace '^Z:' -replace '\\', '/'
        $app = '22222222-2222-3333-4444-555555555555'
        $tokens = foreach ($n in 1..9) { '--token'; "judged-$n" }
        $tenant = Start-Simulator (@('--app-certificate', "${app}:$linux") + $tokens)
        $authority = [uri]::new([uri] $tenant.Uri, '/')
        $plain = @{ ConnectionUri = Get-ApiUri $tenant; Organization = 'fabrikam.com'; AppId = $app; AllowUnencrypted = $true; NoProxy = $true; ErrorAction = 'Stop' }
    }
    AfterEach { Disconnect-DelegatedTenant -Name * }
    AfterAll {
        foreach ($one in $made.Values) { $store.Remove($one) }
        $store.Close()
        $env:HOME = $homes[0]
        [IO.Directory]::Delete($folder, $true)
    }

    It 'signs in, and again each time that the token is refused' {
        # As it is pasted out of a dialog.
        $pasted = [char] 0x200e + ($made.Good.Thumbprint.ToLowerInvariant() -replace '(..)', '$1 ')
        $session = Connect-DelegatedTenant @plain -AzureADAuthorizationEndpointUri $authority -CertificateThumbprint $pasted
        $before = (Get-SimulatorStat $tenant).tokens
        Set-SimulatorFault $tenant 'token-expiry@rest'
        (Invoke-TenantCmdlet $session { Get-OrganizationConfig }).Name | Should -Be 'fabrikam.onmicrosoft.com'
        (Get-SimulatorStat $tenant).tokens - $before | Should -Be 1
    }

    It 'signs in for a command with a session of its own, in a job, and for Test-DelegatedTenant' {
        $signIn = $plain + @{ AzureADAuthorizationEndpointUri = $authority; CertificateThumbprint = $made.Good.Thumbprint }
        (Invoke-TenantCmdlet @signIn -ScriptBlock { Get-OrganizationConfig }).Name | Should -Be 'fabrikam.onmicrosoft.com'
        $job = Invoke-TenantCmdlet @signIn -ScriptBlock { Get-OrganizationConfig } -AsJob
        ($job | Wait-Job | Receive-Job).Name | Should -Be 'fabrikam.onmicrosoft.com'
        Remove-Job $job
        Test-DelegatedTenant @signIn -Quiet | Should -BeTrue
    }

    It 'redeems a partner''s refresh token by it' {
        $session = Connect-DelegatedTenant @plain -AzureADAuthorizationEndpointUri $authority -CertificateThumbprint $made.Good.Thumbprint -RefreshToken (New-TestCredential 'x' 'partner-refresh-token').Password
        (Invoke-TenantCmdlet $session { Get-OrganizationConfig }).Name | Should -Be 'fabrikam.onmicrosoft.com'
    }

    It 'signs what PyJWT takes, each assertion for one token' -Skip:(-not $env:DT_JUDGE) {
        # Its tokens are over at once, so that every request needs another.
        $judge = Start-TestServer $env:DT_JUDGE "$PSScriptRoot/../interop/assertion_judge.py", $linux
        $session = Connect-DelegatedTenant @plain -AzureADAuthorizationEndpointUri $judge.Uri -CertificateThumbprint $made.Good.Thumbprint
        (Invoke-TenantCmdlet $session { Get-OrganizationConfig }).Name | Should -Be 'fabrikam.onmicrosoft.com'
    }

    It 'reads the assertion of FederatedTokenFile each time that it is needed' {
        # What a workload's own issuer writes there: here the certificate, by the function that signs for it.
        $module = Get-Module DelegatedTenant
        $file = [IO.Path]::Combine($folder, 'token')
        $write = { [IO.File]::WriteAllText($file, [Text.Encoding]::UTF8.GetString((& $module { New-ClientAssertion @args } $made.Good "${authority}fabrikam.com/oauth2/v2.0/token" $app)) + "`n") }
        & $write
        $session = Connect-DelegatedTenant @plain -AzureADAuthorizationEndpointUri $authority -FederatedTokenFile $file
        & $write
        Set-SimulatorFault $tenant 'token-expiry@rest'
        (Invoke-TenantCmdlet $session { Get-OrganizationConfig }).Name | Should -Be 'fabrikam.onmicrosoft.com'
        { Connect-DelegatedTenant @plain -FederatedTokenFile "$file.none" } | Should -Throw '*client assertion in*cannot be opened*'
    }

    It 'says what is wrong with a certificate before anything is sent: <Which>' -ForEach @(
        @{ Which = 'Expired'; Words = 'has expired on \d{4}-\d\d-\d\d: use a new one' }
        @{ Which = 'Early'; Words = 'is not valid before' }
        @{ Which = 'Without'; Words = 'CurrentUser\\My has no private key here' }
        @{ Which = 'Curve'; Words = 'a key that is not RSA' }
    ) {
        $before = (Get-SimulatorStat $tenant).requests
        $caught = try { Connect-DelegatedTenant @plain -AzureADAuthorizationEndpointUri $authority -CertificateThumbprint $made[$Which].Thumbprint } catch { $_ }
        $caught.FullyQualifiedErrorId | Should -Be 'CertificateNotUsable,Connect-DelegatedTenant'
        "$caught" | Should -Match $Words
        (Get-SimulatorStat $tenant).requests | Should -Be $before
    }

    It 'wants the application''s id, and no other way to sign in beside it' {
        $without = @{} + $plain
        $without.Remove('AppId')
        { Connect-DelegatedTenant @without -CertificateThumbprint $made.Good.Thumbprint } | Should -Throw '*-AppId*'
        { Connect-DelegatedTenant @plain -CertificateThumbprint $made.Good.Thumbprint -ClientSecret (New-TestCredential x y).Password } | Should -Throw '*more than one*'
        { Connect-DelegatedTenant @plain -CertificateThumbprint $made.Good.Thumbprint -TokenCallback { 'x' } } | Should -Throw '*one of the two*'
    }
}

Describe 'A thumbprint that leads to no certificate' {
    It 'is told from one that is none: <Thumbprint>' -ForEach @(
        @{ Thumbprint = '00112233445566778899AABBCCDDEEFF00112233'; Id = 'CertificateNotFound'; Words = 'No certificate with the thumbprint 00112233445566778899AABBCCDDEEFF00112233 is in CurrentUser\\My or LocalMachine\\My' }
        @{ Thumbprint = 'cert.pfx'; Id = 'CertificateNotUsable'; Words = '40 hexadecimal digits' }
    ) {
        foreach ($command in 'Connect-DelegatedTenant', 'Test-DelegatedTenant') {
            $caught = try { & $command -Organization fabrikam.com -AppId x -CertificateThumbprint $Thumbprint -Proxy http://127.0.0.1:9 -ErrorAction Stop } catch { $_ }
            $caught.FullyQualifiedErrorId | Should -Be "$Id,$command"
            "$caught" | Should -Match $Words
        }
    }
}

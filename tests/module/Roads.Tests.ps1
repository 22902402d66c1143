# One table of rows, each run on both roads of one simulated tenant: what a script sees must be the same. Where it is not, Rest says what
# the REST road gives instead, and Because why.
BeforeAll {
    . "$PSScriptRoot/TestServers.ps1"
    Import-ModuleUnderTest
    $script:Simulator = Start-Simulator '--token', 'token-of-a-test', '--mailboxes', '12'
    $script:RestUri = [uri]::new([uri] $script:Simulator.Uri, '/adminapi/beta').AbsoluteUri
    $script:Wsman = Connect-DelegatedTenant $script:Simulator.Uri -Organization fabrikam.com -Credential (New-TestCredential) -AllowUnencrypted -ErrorAction Stop
    $script:Rest = Connect-DelegatedTenant $script:RestUri -Organization fabrikam.com -AccessToken token-of-a-test -AllowUnencrypted -ErrorAction Stop

    # What a script sees of a run, a line for each thing.
    function Get-Seen($Session, $Row) {
        $user = 'nobody'
        $names = @{ Identity = 'nobody' }
        $failed = $warned = $null
        $with = @{}
        if ($Row.With) { $with = $Row.With }
        $lines = try {
            $found = if ($Row.In) { $Row.In | Invoke-TenantCmdlet $Session $Row.Block -ErrorVariable failed -ErrorAction SilentlyContinue -WarningVariable warned -WarningAction SilentlyContinue @with }
            else { Invoke-TenantCmdlet $Session $Row.Block -ErrorVariable failed -ErrorAction SilentlyContinue -WarningVariable warned -WarningAction SilentlyContinue @with }
            foreach ($one in $found) {
                $shown = if ($one -is [Management.Automation.PSCustomObject] -or $one.PSObject.TypeNames[0] -like 'Deserialized.*') { @($one.PSObject.TypeNames[0]) + @(foreach ($name in 'Name', 'DisplayName', 'PrimarySmtpAddress', 'Count') { if ($one.PSObject.Properties[$name]) { "$name=$($one.$name)" } }) -join ' ' } else { "$($one.GetType().Name) $one" }
                $notes = @(foreach ($name in 'PSComputerName', 'RunspaceId', 'PSShowComputerName') { [bool] $one.PSObject.Properties[$name] }) -notcontains $false
                "output $shown $notes"
            }
        }
        catch { "thrown $($_.FullyQualifiedErrorId)" }
        $lines
        foreach ($one in $failed) { if ($one -is [Management.Automation.ErrorRecord]) { "error $($one.CategoryInfo.Reason) $($one.CategoryInfo.Activity) $($one.OriginInfo.PSComputerName)" } }
        foreach ($one in $warned) { "warning $one" }
    }
}
AfterAll {
    $script:Wsman, $script:Rest | Disconnect-DelegatedTenant
    Stop-TestServers
}

$rows = @(
    @{ Name = 'objects'; Block = { Get-Mailbox -ResultSize 3 } }
    @{ Name = 'every object'; Block = { Get-Mailbox -ResultSize Unlimited } }
    @{ Name = 'one object by position'; Block = { Get-AcceptedDomain fabrikam.com } }
    @{ Name = 'selected properties'; Block = { Get-Mailbox -ResultSize 2 | Select-Object -Property DisplayName, PrimarySmtpAddress } }
    @{ Name = 'an expanded property'; Block = { Get-Mailbox -ResultSize 2 | Select-Object -ExpandProperty PrimarySmtpAddress } }
    @{ Name = 'the first of many'; Block = { Get-Mailbox | Select-Object -First 2 } }
    @{ Name = 'a measure'; Block = { Get-Mailbox | Measure-Object } }
    @{ Name = 'a pipeline of cmdlets'; Block = { Get-Mailbox -ResultSize 3 | Get-MailboxStatistics } }
    @{ Name = 'two statements'; Block = { Get-AcceptedDomain; Get-OrganizationConfig } }
    @{ Name = '$using: and a splat'; Block = { Get-Mailbox @using:names; Get-Mailbox $using:user } }
    @{ Name = 'pipeline input'; Block = { Get-Mailbox }; In = 'nobody', 'nobody2' }
    @{ Name = 'an error silenced in the block'; Block = { Get-Mailbox nobody -ErrorAction SilentlyContinue } }
    @{ Name = 'a warning silenced in the block'; Block = { Get-Mailbox -ResultSize 2 -WarningAction SilentlyContinue } }
    @{ Name = 'a script'; Block = { $x = 1; $x } }
    @{ Name = 'a command of the engine'; Block = { Get-Mailbox | Sort-Object } }
    @{ Name = 'a removal that is sure'; Block = { Remove-Mailbox nobody -Confirm:$false } }
    @{ Name = 'no such cmdlet'; Block = { Get-Nothing }; Rest = 'error Exception Get-Nothing 127.0.0.1', 'error *Get-Nothing*'; Because = 'the service answers 403 to what it does not know and to what a role does not show, alike' }
)

Describe 'Both roads' {
    It 'give the same: <Name>' -TestCases $rows {
        param($Name, $Block, $In, $With, $Rest, $Because)
        $row = @{ Block = $Block; In = $In; With = $With }
        $seen = @(Get-Seen $script:Rest $row)
        if ($Because) { $seen[0] | Should -BeLike $Rest[1] }
        else { ($seen -join "`n") | Should -Be (@(Get-Seen $script:Wsman $row) -join "`n") }
    }
    It 'leave the session usable when the pipeline has enough' {
        foreach ($session in $script:Wsman, $script:Rest) {
            @(Invoke-TenantCmdlet $session { Test-Slow -Count 5 -Milliseconds 20 } | Select-Object -First 1).Count | Should -Be 1
            @(Invoke-TenantCmdlet $session { Get-OrganizationConfig }).Count | Should -Be 1
            "$($session.Availability)" | Should -Be 'Available'
        }
    }
    It 'show the same session but for its road' {
        foreach ($name in 'State', 'Availability', 'Organization', 'ComputerName', 'ConfigurationName') { "$($script:Rest.$name)" | Should -Be "$($script:Wsman.$name)" }
        $script:Rest.Transport | Should -Be 'REST'
        $script:Wsman.Transport | Should -Be 'WSMan'
    }
}

Describe 'Connect-DelegatedTenant on the REST road' {
    It 'takes a token as the password' {
        $session = Connect-DelegatedTenant $script:RestUri -Organization fabrikam.com -Credential (New-TestCredential 'any@partner.com' 'Bearer token-of-a-test') -AllowUnencrypted -ErrorAction Stop
        @(Invoke-TenantCmdlet $session { Get-OrganizationConfig }).Count | Should -Be 1
        Disconnect-DelegatedTenant $session
    }
    It 'redeems a partner''s refresh token for the customer' {
        $authority = [uri]::new([uri] $script:Simulator.Uri, '/').AbsoluteUri
        $secret = (New-TestCredential 'x' 'app-secret').Password
        $refresh = (New-TestCredential 'x' 'partner-refresh-token').Password
        $session = Connect-DelegatedTenant $script:RestUri -Organization fabrikam.com -AppId 11111111-2222-3333-4444-555555555555 -ClientSecret $secret -RefreshToken $refresh -AzureADAuthorizationEndpointUri $authority -AllowUnencrypted -ErrorAction Stop
        @(Invoke-TenantCmdlet $session { Get-Mailbox -ResultSize 2 } -WarningAction SilentlyContinue).Count | Should -Be 2
        Disconnect-DelegatedTenant $session
    }
    It 'tells what is wrong with a token' {
        $failed = $null
        Connect-DelegatedTenant $script:RestUri -Organization fabrikam.com -AccessToken wrong -AllowUnencrypted -ErrorVariable failed -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
        $failed[0].FullyQualifiedErrorId | Should -Be 'AuthenticationFailed,PSSessionOpenFailed'
        "$($failed[0])" | Should -Not -BeLike '*wrong*'
    }
}

Describe 'Invoke-TenantCmdlet with a session of its own, on the REST road' {
    BeforeAll {
        $signIn = @{
            Organization = 'fabrikam.com'; AppId = '11111111-2222-3333-4444-555555555555'; AllowUnencrypted = $true
            ClientSecret = (New-TestCredential 'x' 'app-secret').Password; RefreshToken = (New-TestCredential 'x' 'partner-refresh-token').Password
            AzureADAuthorizationEndpointUri = [uri]::new([uri] $script:Simulator.Uri, '/')
        }
    }
    It 'signs in as Connect-DelegatedTenant does' {
        (Invoke-TenantCmdlet $script:RestUri { Get-OrganizationConfig } @signIn -VerifyOrganization).Name | Should -Be 'fabrikam.onmicrosoft.com'
        @('nobody', 'nobody2' | Invoke-TenantCmdlet -ConnectionUri $script:RestUri -ScriptBlock { Get-Mailbox } @signIn -ErrorVariable failed -ErrorAction SilentlyContinue).Count | Should -Be 0
        $failed.Count | Should -Be 2
    }
    It 'does so in a job' {
        $job = Invoke-TenantCmdlet $script:RestUri { Get-OrganizationConfig } @signIn -AsJob
        ($job | Wait-Job | Receive-Job).Name | Should -Be 'fabrikam.onmicrosoft.com'
        Remove-Job $job
    }
    It 'takes the first token from TokenCallback' {
        $found = Invoke-TenantCmdlet $script:RestUri { Get-OrganizationConfig } -Organization fabrikam.com -AllowUnencrypted -TokenCallback { New-TestCredential 'any@partner.com' 'Bearer token-of-a-test' }
        $found.Name | Should -Be 'fabrikam.onmicrosoft.com'
    }
    It 'goes to Exchange Online where an organization is named and no address' {
        # It does not get there: the proxy is none.
        $without = @{ Organization = 'fabrikam.com'; AccessToken = 'x'; Proxy = 'http://127.0.0.1:9'; ErrorAction = 'SilentlyContinue' }
        Invoke-TenantCmdlet -ScriptBlock { Get-OrganizationConfig } @without -ErrorVariable failed
        "$($failed[0])" | Should -Match '^\[outlook\.office365\.com\]'
        $job = Invoke-TenantCmdlet -ScriptBlock { Get-OrganizationConfig } @without -AsJob
        "$(($job | Wait-Job).Location) $($job.State)" | Should -Be 'Exchange Online Failed'
        Remove-Job $job
        $steps = Test-DelegatedTenant @without
        ($steps | Where-Object Result -EQ Failed).Step | Should -Be 'TCP'
    }
    It 'runs nothing where nothing says in which session' {
        { Invoke-TenantCmdlet -ScriptBlock { Get-Mailbox } -AccessToken x } | Should -Throw -ErrorId 'SessionNotNamed,Invoke-TenantCmdlet'
        { Invoke-TenantCmdlet -FilePath $PSCommandPath } | Should -Throw -ErrorId 'SessionNotNamed,Invoke-TenantCmdlet'
    }
}

# What the README promises of errors at the open.
Describe 'An open on the REST road that fails' {
    It 'is told as the README has it: <Says>' -ForEach @(
        @{ Id = 'AuthenticationFailed'; Fault = 'aadsts=7000215@token'; Says = 'AADSTS7000215' }
        @{ Id = 'AuthenticationFailed'; Fault = 'aadsts=50076@token'; Says = 'AADSTS50076' }
        @{ Id = 'AuthenticationFailed'; Fault = 'aadsts=700016@token'; Says = 'AADSTS700016' }
        @{ Id = 'AuthenticationFailed'; With = @{ AccessToken = 'of-another-organization' }; Says = 'expired or is not taken' }
        @{ Id = 'DelegatedAccessDenied'; Fault = 'aadsts=65001@token'; Says = 'AADSTS65001' }
        @{ Id = 'DelegatedAccessDenied'; Fault = 'aadsts=50020@token'; Says = 'AADSTS50020' }
        @{ Id = 'DelegatedAccessDenied'; Fault = '403@module'; Says = 'no role in this organization' }
        @{ Id = 'TenantNotFound'; With = @{ Organization = 'nowhere.example' }; Says = 'AADSTS90002' }
        @{ Id = 'ServiceThrottled'; Fault = 'throttled=3600@module'; Says = 'too many requests' }
    ) {
        # The authority's refusals come first: a token that it gives would serve the next.
        $opening = @{
            ConnectionUri = $script:RestUri; Organization = 'contoso.com'; AllowUnencrypted = $true; AzureADAuthorizationEndpointUri = [uri]::new([uri] $script:Simulator.Uri, '/')
            AppId = '11111111-2222-3333-4444-555555555555'; ClientSecret = (New-TestCredential x 'app-secret').Password
        }
        if ($With) { foreach ($key in $With.Keys) { $opening[$key] = $With[$key] } }
        if ($Fault) { Set-SimulatorFault $script:Simulator $Fault }
        Connect-DelegatedTenant @opening -ErrorVariable failed -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
        $failed[0].FullyQualifiedErrorId | Should -Be "$Id,PSSessionOpenFailed"
        "$($failed[0])" | Should -Match ([regex]::Escape($Says))
        # A sentence each: what it is, and what to do.
        "$($failed[0])" | Should -Match '\w\)?\. [A-Z].*\.$'
        [IO.File]::ReadAllText([IO.Path]::Combine($Checkout, 'README.md')) | Should -Match ('\| `' + $Id + '…`, "?' + [regex]::Escape($Says) + '"? \|')
    }
}

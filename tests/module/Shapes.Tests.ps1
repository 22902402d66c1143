# The shapes of scripts that users have, with three verbs exchanged and nothing else: New-PSSession is Connect-DelegatedTenant,
# Invoke-Command is Invoke-TenantCmdlet, Remove-PSSession is Disconnect-DelegatedTenant. -AllowUnencrypted is there because the
# simulated tenant speaks http.
BeforeAll {
    . "$PSScriptRoot/TestServers.ps1"
    Import-ModuleUnderTest
    $tenant = Start-Simulator
    $url = $tenant.Uri
    $cred = New-TestCredential
    $PSDefaultParameterValues = @{ 'Connect-DelegatedTenant:AllowUnencrypted' = $true; 'Invoke-TenantCmdlet:WarningAction' = 'SilentlyContinue' }

    # What partner modules give.
    function Get-MsolPartnerContract([switch] $All) { foreach ($name in 'fabrikam.com', 'contoso.com', 'tailspintoys.com') { [pscustomobject] @{ Name = $name; DefaultDomainName = $name; TenantId = [guid]::NewGuid() } } }
}

AfterAll {
    try { Disconnect-DelegatedTenant -Name * } finally { Stop-TestServers }
}

Describe 'A script that connects, customer by customer' -Skip:(-not $env:DT_SIM) {
    AfterEach {
        $left = (Get-SimulatorStat $tenant).open
        Disconnect-DelegatedTenant -Name *
        $left | Should -Be 0
    }

    It 'S1: goes through its customers within three sessions' {
        $names = foreach ($c in Get-MsolPartnerContract -All) {
            $s = Connect-DelegatedTenant -ConfigurationName Microsoft.Exchange -ConnectionUri "${url}?DelegatedOrg=$($c.DefaultDomainName)" -Credential $cred -Authentication Basic -AllowRedirection
            Invoke-TenantCmdlet -Session $s -ScriptBlock { Get-OrganizationConfig } | ForEach-Object Name
            Disconnect-DelegatedTenant $s | Should -BeNullOrEmpty
        }
        $names | ForEach-Object { ($_ -split '\.')[0] } | Should -Be 'fabrikam', 'contoso', 'tailspintoys'
    }

    It 'S2: reads all mailboxes' {
        $s = Connect-DelegatedTenant -ConfigurationName Microsoft.Exchange -ConnectionUri "${url}?DelegatedOrg=fabrikam.com" -Credential $cred -Authentication Basic -AllowRedirection
        @(Invoke-TenantCmdlet -Session $s -ScriptBlock { Get-Mailbox -ResultSize Unlimited }).Count | Should -Be 25
        Disconnect-DelegatedTenant $s
    }

    It 'S3: opens and closes a session for one call, and gives stable columns' {
        $sb = { Get-Mailbox -ResultSize 2 | Select-Object DisplayName, PrimarySmtpAddress }
        $csv = Invoke-TenantCmdlet -ConnectionUri "${url}?DelegatedOrg=fabrikam.com" -Credential $cred -Authentication Basic -ConfigurationName Microsoft.Exchange -AllowRedirection -AllowUnencrypted -ScriptBlock $sb -HideComputerName | ConvertTo-Csv -NoTypeInformation
        $csv.Count | Should -Be 3
        $csv[0] | Should -Be '"DisplayName","PrimarySmtpAddress","PSComputerName","RunspaceId","PSShowComputerName"'
        $nothing = Invoke-TenantCmdlet -ConnectionUri "${url}?DelegatedOrg=fabrikam.com" -Credential $cred -AllowUnencrypted -ScriptBlock { Get-Mailbox -Anr zzzz }
        $null -eq $nothing | Should -BeTrue
    }

    It 'S13: signs in with a token, and any user name' {
        $secret = ConvertTo-SecureString "Bearer $('x' * 2000)" -AsPlainText -Force
        $s = Connect-DelegatedTenant "${url}?DelegatedOrg=fabrikam.com&BasicAuthToOAuthConversion=true" -Credential ([pscredential]::new('notrequired@notrequired.com', $secret)) -ErrorVariable failed -ErrorAction SilentlyContinue
        # The simulated tenant knows its accounts; the name is no reason to refuse it here.
        if (-not $s) { $failed[0].FullyQualifiedErrorId | Should -Be 'AccessDenied,PSSessionOpenFailed' }
        Disconnect-DelegatedTenant -Name *
        $s = Connect-DelegatedTenant "${url}?DelegatedOrg=fabrikam.com&BasicAuthToOAuthConversion=true" -Credential ([pscredential]::new($cred.UserName, $secret))
        (Invoke-TenantCmdlet $s { Get-OrganizationConfig }).Name | Should -Match '^fabrikam\.'
        Disconnect-DelegatedTenant $s
    }

    It 'S14: keeps the query: <Query>' -ForEach @(
        @{ Query = '?DelegatedOrg=fabrikam.com&BasicAuthToOAuthConversion=true' }
        @{ Query = '?DelegatedOrg=fabrikam.com&amp;BasicAuthToOAuthConversion=true' }
        @{ Query = '?DelegatedOrg=fabrikam.com&email=SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}@fabrikam.com' }
    ) {
        $s = Connect-DelegatedTenant -ConfigurationName Microsoft.Exchange -ConnectionUri "$url$Query" -Credential $cred -Authentication Basic -AllowRedirection
        (Invoke-TenantCmdlet $s { Get-OrganizationConfig }).Name | Should -Match '^fabrikam\.'
        $s.Organization | Should -Be 'fabrikam.com'
        Disconnect-DelegatedTenant $s
    }

    It 'S15: says that Kerberos cannot be had, and works on premises with Basic, http and a state that stays' {
        Connect-DelegatedTenant -ConfigurationName Microsoft.Exchange -ConnectionUri $url -Authentication Kerberos -Credential $cred -ErrorVariable failed -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
        "$($failed[0])" | Should -Match 'Kerberos.*not supported'
        $s = Connect-DelegatedTenant -ConfigurationName Microsoft.Exchange -ConnectionUri $url -Authentication Basic -Credential $cred
        $id = (Invoke-TenantCmdlet $s { Get-Mailbox -ResultSize 1 }).Alias
        Invoke-TenantCmdlet $s { Set-Mailbox $using:id -DisplayName 'kept' }
        (Invoke-TenantCmdlet $s { Get-Mailbox $using:id }).DisplayName | Should -Be 'kept'
        Disconnect-DelegatedTenant $s
    }

    It 'S16: takes a session option with proxy, idle time and skipped checks' {
        # Off Windows, New-PSSessionOption lacks most of its parameters; the object has them.
        $option = [System.Management.Automation.Remoting.PSSessionOption]::new()
        $option.ProxyAccessType = 'IEConfig'
        $option.IdleTimeout = [timespan]::FromMilliseconds(43200000)
        $option.SkipCACheck = $option.SkipCNCheck = $option.SkipRevocationCheck = $true
        $s = Connect-DelegatedTenant -ConnectionUri $url -Credential $cred -Authentication Basic -SessionOption $option
        $s.State -eq 'Opened' | Should -BeTrue
        $s.IdleTimeout | Should -BeGreaterThan 60000
        Disconnect-DelegatedTenant $s
    }

    It 'S17: looks at the health of its session' {
        $s = Connect-DelegatedTenant $url -Credential $cred
        $s.State -ne 'Opened' -or $s.Availability -ne 'Available' | Should -BeFalse
        $s.Runspace.RunspaceStateInfo.State -eq 'Opened' | Should -BeTrue
        Disconnect-DelegatedTenant $s
        $s.State -ne 'Opened' -or $s.Availability -ne 'Available' | Should -BeTrue
    }

    It 'S11: finds its sessions by pattern, and removes them by pipeline' {
        $null = Connect-DelegatedTenant "${url}?DelegatedOrg=fabrikam.com", "${url}?DelegatedOrg=contoso.com" -Credential $cred -Name WinRM1, WinRM2
        @(Invoke-TenantCmdlet -Session (Get-DelegatedTenant) { Get-OrganizationConfig }).Count | Should -Be 2
        Get-DelegatedTenant -Name 'WinRM*' | Disconnect-DelegatedTenant
        Get-DelegatedTenant | Should -BeNullOrEmpty
        Get-DelegatedTenant | Disconnect-DelegatedTenant
    }

    It 'S12: imports commands under a prefix' {
        $s = Connect-DelegatedTenant "${url}?DelegatedOrg=fabrikam.com" -Credential $cred
        $module = Import-DelegatedTenant $s -AllowClobber -DisableNameChecking -CommandName Get-Mailbox, Set-Mailbox -Prefix Shape
        try { @(Get-ShapeMailbox -ResultSize 3).Count | Should -Be 3 }
        finally { Remove-Module $module }
        Disconnect-DelegatedTenant $s
    }
}

Describe 'A block that runs' -Skip:(-not $env:DT_SIM) {
    BeforeAll {
        $session = Connect-DelegatedTenant "${url}?DelegatedOrg=fabrikam.com" -Credential $cred
        $someone = (Invoke-TenantCmdlet $session { Get-Mailbox -ResultSize 1 }).Alias
    }
    AfterAll { Disconnect-DelegatedTenant $session }

    It 'S4: a pipeline with an array as argument' {
        $box = Invoke-TenantCmdlet -Session $session -ScriptBlock { Get-Mailbox -ResultSize Unlimited | Select-Object -Property DisplayName, PrimarySmtpAddress, Identity }
        @($box).Count | Should -Be 25
        $box[0].PSObject.Properties.Name | Should -Be 'DisplayName', 'PrimarySmtpAddress', 'Identity', 'PSComputerName', 'RunspaceId', 'PSShowComputerName'
    }

    It 'S5: a splatted table of the caller, in try and catch' {
        $splat = @{ Identity = 'nobody' }
        $caught = try { Invoke-TenantCmdlet -Session $session -ScriptBlock { Get-MailboxPermission @using:splat } -ErrorAction Stop } catch { $_ }
        $caught.FullyQualifiedErrorId | Should -Match 'ManagementObjectNotFoundException'
        $splat = @{ Identity = $someone }
        Invoke-TenantCmdlet -Session $session -ScriptBlock { Get-MailboxPermission @using:splat } -ErrorAction Stop | Should -Not -BeNullOrEmpty
    }

    It 'S6: the command itself from a variable' {
        $command = 'Get-Mailbox'
        $splat = @{ Identity = $someone }
        (Invoke-TenantCmdlet -Session $session -ScriptBlock { &($using:command) @using:splat }).Alias | Should -Be $someone
    }

    It 'S7: an argument that is splatted, with a table in a table' {
        $p = @{ Identity = $someone; EmailAddresses = @{ remove = 'smtp:none@fabrikam.com' } }
        Invoke-TenantCmdlet -Session $session -ScriptBlock { Param($p) Set-Mailbox @p } -ArgumentList $p -ErrorVariable failed -ErrorAction SilentlyContinue
        $failed | Should -BeNullOrEmpty
    }

    It 'S8: a position after a pair' {
        $Group = @(Invoke-TenantCmdlet $session { Get-DistributionGroup })[0].Alias
        Invoke-TenantCmdlet -Session $session -ScriptBlock { Get-DistributionGroupMember -ResultSize Unlimited $using:Group } | Should -Not -BeNullOrEmpty
    }

    It 'S9: a block made of text' {
        $cmdlet = 'Get-Mailbox'; $id = $someone
        (Invoke-TenantCmdlet -Session $session -ScriptBlock ([scriptblock]::Create("$cmdlet -Identity $id -ErrorAction Stop"))).Alias | Should -Be $someone
    }

    It 'S10: what is no object carries its notes too' {
        $splat = @{ Identity = $someone }
        $addresses = Invoke-TenantCmdlet -Session $session -ScriptBlock { Get-Mailbox @using:splat | Select-Object -ExpandProperty EmailAddresses }
        @($addresses).Count | Should -BeGreaterThan 0
        @($addresses)[0].PSComputerName | Should -Be $session.ComputerName
    }

    It 'S18: input from the pipeline' {
        $mbx = Invoke-TenantCmdlet $session { Get-Mailbox -ResultSize 3 } | ForEach-Object Alias
        @($mbx | Invoke-TenantCmdlet -Session $session -ScriptBlock { Get-MailboxStatistics }).Count | Should -Be 3
    }

    It 'S19, S20: fails as it does today, and says what to write instead: <Block>' -ForEach @(
        @{ Block = { function f { Get-Mailbox }; foreach ($i in 1..2) { f } }; Id = 'ScriptsNotAllowed'; Says = 'around Invoke-TenantCmdlet' }
        @{ Block = { foreach ($i in 1..2) { Get-Mailbox } }; Id = 'ScriptsNotAllowed'; Says = 'around Invoke-TenantCmdlet' }
        @{ Block = { if ($true) { Get-Mailbox } }; Id = 'ScriptsNotAllowed'; Says = 'around Invoke-TenantCmdlet' }
        @{ Block = { $x = 1; Get-Mailbox }; Id = 'ScriptsNotAllowed'; Says = 'around Invoke-TenantCmdlet' }
        @{ Block = { Get-Mailbox -Identity $id }; Id = 'ScriptsNotAllowed'; Says = '\$using:' }
        @{ Block = { Get-Mailbox -Filter { Name -eq 'x' } }; Id = 'ScriptsNotAllowed'; Says = '-Filter "' }
        @{ Block = { Get-Mailbox | Where-Object { $_.Name } }; Id = 'ScriptsNotAllowed'; Says = 'behind the call' }
        @{ Block = { Get-User | Select-Object @{ n = 'Who'; e = { $_.Name } } }; Id = 'ScriptsNotAllowed'; Says = 'behind the call' }
        @{ Block = { Get-User | Format-Table }; Id = 'CommandNotFoundException'; Says = 'behind the call' }
        @{ Block = { Get-User | Sort-Object Name }; Id = 'CommandNotFoundException'; Says = 'behind the call' }
    ) {
        Invoke-TenantCmdlet $session $Block -ErrorVariable failed -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
        $failed.Count | Should -Be 1
        $failed[0].FullyQualifiedErrorId | Should -Be $Id
        "$($failed[0])" | Should -Match $Says
        "$($failed[0].Exception.Message)" | Should -Not -Match $Says
    }
}

Describe 'The same blocks on PowerShell''s own server' {
    BeforeAll {
        $endpoint = Start-Endpoint
        $session = Connect-Endpoint $endpoint
    }
    AfterAll { Disconnect-DelegatedTenant $session }

    It 'S2, S6, S8, S9, S10, S18: run' {
        $user = 'user00002'; $command = 'Get-Mailbox'; $splat = @{ Identity = $user }
        @(Invoke-TenantCmdlet -Session $session -ScriptBlock { Get-Mailbox -ResultSize Unlimited }).Count | Should -Be 25
        (Invoke-TenantCmdlet -Session $session -ScriptBlock { &($using:command) @using:splat }).Name | Should -Be $user
        (Invoke-TenantCmdlet -Session $session -ScriptBlock { Get-Mailbox -ResultSize 5 $using:user }).Name | Should -Be $user
        (Invoke-TenantCmdlet -Session $session -ScriptBlock ([scriptblock]::Create("$command -Identity $user -ErrorAction Stop"))).Name | Should -Be $user
        @(Invoke-TenantCmdlet -Session $session -ScriptBlock { Get-Slowly -Count 1 -Milliseconds 1 })[0].PSComputerName | Should -Be '127.0.0.1'
        @('user00001', $user | Invoke-TenantCmdlet -Session $session -ScriptBlock { Get-MailboxStatistics }).Count | Should -Be 2
    }

    It 'S19, S20: fail with the same identity and a second sentence' {
        foreach ($block in { foreach ($i in 1..2) { Get-Mailbox } }, { Get-User user00001 | Sort-Object Name }) {
            Invoke-TenantCmdlet $session $block -ErrorVariable failed -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
            $failed[0].FullyQualifiedErrorId | Should -BeIn 'ScriptsNotAllowed', 'CommandNotFoundException'
            "$($failed[0])" | Should -Match 'behind the call|around Invoke-TenantCmdlet'
        }
    }
}
